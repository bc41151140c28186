"""Slack's incoming webhooks: a header, and blocks in an attachment with a coloured bar.

Text of strangers goes into `plain_text` objects, where nothing is markup, and has Slack's three control characters
escaped, so that it can neither ping anybody nor look like something else. Limits: docs.slack.dev/reference/block-kit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, Literal

from understudy.core.legible import cut, fitted, utf16, visible
from understudy.core.options import Doc
from understudy.core.redaction import REDACTOR
from understudy.core.secrets import Secret
from understudy.notifications.message import Card, CardAction, CardField, Delivered, Message, Outcome
from understudy.notifications.ports import Rate, Traits
from understudy.notifications.render import legible, plain_parts

from ._http import Answer, Wire, closed, refused, seconds, unanswered, unexpected
from .marks import colour, mark
from .options import ChannelDeps, ChannelOptions, refuse_address

#: docs.slack.dev/reference/block-kit/blocks: blocks in one message, and in one attachment.
MAX_BLOCKS = 50
#: …/blocks/header-block: characters of a header.
MAX_HEADER = 150
#: …/blocks/section-block: characters of its text, number of its fields, characters of each.
MAX_TEXT = 3000
MAX_FIELDS = 10
MAX_FIELD = 2000
#: docs.slack.dev/reference/methods/chat.postMessage: advised length of `text`; over 40,000 Slack cuts it.
MAX_FALLBACK = 4000
#: docs.slack.dev/apis/web-api/rate-limits: one message a second for each webhook, short bursts tolerated.
RATE = Rate(1.0, burst=3)

#: Ours: paragraphs and fields beyond these are left out; a message is no report.
MOST_PARAGRAPHS = 10
MOST_FIELDS = 25
#: What `mrkdwn` would take for formatting, a quotation or an emoji.
_MARKUP = re.compile(r"[*_~`:>]")
#: What 403, 404 and 410 mean: the webhook is gone or forbidden.
_CLOSED = frozenset((403, 404, 410))


@dataclass(frozen=True, slots=True)
class SlackOptions(ChannelOptions):
    """An incoming webhook of Slack: one channel for each."""

    kind: Annotated[Literal["slack"], Doc("Slack, by an incoming webhook")] = "slack"
    url: Annotated[Secret, Doc("URL of the incoming webhook; env:NAME or file:PATH")] = Secret("")

    def __post_init__(self) -> None:
        super(SlackOptions, self).__post_init__()
        refuse_address("SlackOptions", "url", self.url.reveal(), allow_private=self.allow_private)


class SlackChannel:
    """Sends to one webhook. Slack gives no message id to it, so each message stands for itself."""

    def __init__(self, name: str, options: SlackOptions, deps: ChannelDeps) -> None:
        self.name = name
        self._url = options.url.reveal()
        REDACTOR.add(options.url, Secret(self._url.rpartition("/")[2]))
        self._wire = Wire(deps.client(options), deps.clock, options.timeout)
        self.traits: Traits = options.traits(f"slack:{options.url.fingerprint()}", RATE)

    async def send(self, message: Message) -> Outcome:
        """Send it; see `Channel.send`."""
        answer = await self._wire.json("POST", self._url, payload(message))
        return outcome(answer, message) if isinstance(answer, Answer) else answer

    async def close(self) -> None:
        """Nothing to give back: the HTTP client is shared."""


def outcome(answer: Answer, message: Message) -> Outcome:
    """What Slack's answer means: success is status 200 with the body `ok`, and nothing else."""
    said = answer.text.strip()
    if answer.status == 200 and said == "ok":
        return Delivered(status=200, response=answer.response, sent_bytes=answer.sent_bytes)
    if answer.status in _CLOSED:
        return closed(answer, f"the webhook does not take messages any more ({answer.response or answer.status})")
    retry = unanswered(answer, after=seconds(answer.json().get("retry_after")))
    if retry is not None:
        return retry
    if answer.status < 300:
        return unexpected(answer, "the body ok")
    return refused(answer, message, f"Slack refused the message ({answer.response or answer.status})")


def payload(message: Message) -> dict[str, Any]:
    """The JSON document of a message, within every limit for any card."""
    card = legible(message.card)
    sign = mark(card)
    if message.plain:
        # Without formatting: `*` and `_` in a name stay what they are.
        return {"text": _escape(fitted(plain_parts(card, sign), MAX_FALLBACK, _size)), "mrkdwn": False}
    # `text` is what a phone's notification shows and a screen reader reads; the blocks are what is seen.
    bar = {"color": f"#{colour(card):06x}", "blocks": list(islice(_blocks(card), MAX_BLOCKS))}
    return {
        "text": _escape(fitted([f"{sign} {card.title}", *card.paragraphs[:1]], MAX_FALLBACK, _size, "\n")),
        "blocks": [{"type": "header", "text": _plain(f"{sign} {card.title}", MAX_HEADER)}],
        "attachments": [bar],
    }


def _blocks(card: Card) -> Iterator[dict[str, Any]]:
    """What stands beside the coloured bar; at least one block."""
    if _size(card.title) > MAX_HEADER - 4:
        yield _section(card.title)  # in full, as the header holds its beginning only
    for note in card.notes[:MOST_PARAGRAPHS]:
        yield {"type": "context", "elements": [_plain(f"⚠ {note}", MAX_FIELD)]}
    for paragraph in card.paragraphs[:MOST_PARAGRAPHS]:
        if visible(paragraph):
            yield _section(paragraph)
    fields = [each for each in card.fields[:MOST_FIELDS] if visible(each.name) and visible(each.value)]
    short = [_field(each) for each in fields if each.short]
    for start in range(0, len(short), MAX_FIELDS):
        yield {"type": "section", "fields": short[start : start + MAX_FIELDS]}
    for each in fields:
        if not each.short:
            yield _section(f"{each.name}: {each.value}")
    if links := [_link(each) for each in card.actions if _linkable(each)]:
        # Not buttons: those want an app that answers their clicks, which a webhook does not have.
        yield {"type": "section", "text": {"type": "mrkdwn", "text": _joined(links), "verbatim": True}}
    yield {"type": "context", "elements": [_plain(card.footer if visible(card.footer) else "Understudy", MAX_FIELD)]}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _plain(text, MAX_TEXT)}


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": _fit(text, limit), "emoji": False}


def _field(field: CardField) -> dict[str, Any]:
    """Name above value; the name is bold unless something in either would be taken for markup."""
    if _MARKUP.search(field.name) or _MARKUP.search(field.value[:MAX_FIELD]):
        return _plain(f"{field.name}\n{field.value}", MAX_FIELD)
    name = _fit(field.name, MAX_FIELD // 2)
    value = _fit(field.value, MAX_FIELD - utf16(name) - 3)
    return {"type": "mrkdwn", "text": f"*{name}*\n{value}", "verbatim": True}


def _link(action: CardAction) -> str:
    url = _escape(action.url).replace("|", "%7C")
    return f"<{url}|{_escape(cut(action.label, 75)).replace('|', '¦')}>"


def _linkable(action: CardAction) -> bool:
    return visible(action.label) and "<" not in action.url and ">" not in action.url


def _joined(links: list[str]) -> str:
    """As many links as fit, the first ones first; one is never cut."""
    text = ""
    for link in links:
        longer = f"{text} · {link}" if text else link
        if utf16(longer) <= MAX_TEXT:
            text = longer
    return text


def _escape(text: str) -> str:
    """The three characters that control Slack's parser (docs.slack.dev/messaging/formatting-message-text)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _size(text: str) -> int:
    return utf16(_escape(text))


def _fit(text: str, limit: int) -> str:
    """Escaped, and within the limit also in UTF-16 units; cut before it is escaped."""
    return _escape(cut(text, limit, _size))
