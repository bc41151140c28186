"""Discord's webhooks: one embed for each message, edited in place where nobody has to be disturbed.

Nobody is ever mentioned (`allowed_mentions`), and markup in the text of strangers is escaped. Limits:
docs.discord.com/developers/resources/message (embeds) and …/resources/webhook (execute, edit).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import annotated_types as at

from understudy.core.errors import OptionError
from understudy.core.legible import cut, fitted, iso, utf16, visible
from understudy.core.options import Doc
from understudy.core.redaction import REDACTOR
from understudy.core.secrets import Secret
from understudy.notifications.message import Card, Delivered, Message, Outcome, Receipt, Retry
from understudy.notifications.ports import Rate, Traits
from understudy.notifications.render import legible, plain_parts
from understudy.resilience.retry_after import header, number

from ._http import Answer, Wire, closed, refused, seconds, shown, unanswered, unexpected
from .marks import ENDS, FOR_EDIT, QUIET, colour, mark
from .options import ChannelDeps, ChannelOptions, refuse_address

#: …/resources/webhook#execute-webhook: characters of `content`.
MAX_CONTENT = 2000
#: …/resources/message#embed-object-embed-limits: characters of an embed's parts, and number of its fields.
MAX_TITLE = 256
MAX_DESCRIPTION = 4096
MAX_FIELDS = 25
MAX_FIELD_NAME = 256
MAX_FIELD_VALUE = 1024
MAX_FOOTER = 2048
#: The same: all of these together, over all embeds of a message.
MAX_EMBEDS_TOTAL = 6000
#: …/resources/webhook: a user name has 1 to 80 characters, and must not hold these, nor be one of those.
MAX_USERNAME = 80
_FORBIDDEN_WITHIN = ("clyde", "discord")
_FORBIDDEN_NAMES = ("everyone", "here")
#: Observed: 5 requests in 2 s for a webhook, 30 in a minute for a channel. Its own headers rule (`_pause`).
RATE = Rate(2.0, burst=5, per_minute=30)

#: Ours: so much of the total stays for fields, links and footer, however long the text is.
_FOR_FIELDS = 1800
#: …/reference#message-formatting and the markdown of its clients: what could be markup, a mention or an emoji
#: anywhere; and what makes a heading or a list at the beginning of a line.
#: A colon within a time of day is neither.
_MARKUP = str.maketrans({sign: f"\\{sign}" for sign in "\\*_~`|<>[]@"})
_COLON = re.compile(r"(?<!\d\d):|:(?!\d\d)")
_LINE_BEGIN = re.compile(r"(?m)^([ \t]*)([-#+]|\d{1,9}(?=\.))")
#: JSON error codes that say that a message which was to be edited is not there any more (…/topics/opcodes).
_UNKNOWN_MESSAGE = 10008
#: The webhook is unknown, or its token is wrong: it must not be asked again.
_CLOSED = frozenset((401, 404))


@dataclass(frozen=True, slots=True)
class DiscordOptions(ChannelOptions):
    """A webhook of Discord."""

    kind: Annotated[Literal["discord"], Doc("Discord, by a webhook")] = "discord"
    url: Annotated[Secret, Doc("URL of the webhook, with ?thread_id= for a thread; env:NAME or file:PATH")] = Secret("")
    username: Annotated[str, at.MaxLen(MAX_USERNAME), Doc("who the messages are from; empty: as the webhook says")] = ""

    def __post_init__(self) -> None:
        super(DiscordOptions, self).__post_init__()
        refuse_address("DiscordOptions", "url", self.url.reveal(), allow_private=self.allow_private)
        name = self.username.strip().lower()
        if any(word in name for word in _FORBIDDEN_WITHIN) or name in _FORBIDDEN_NAMES:
            raise OptionError("DiscordOptions", "username", self.username, "a name without discord, clyde, everyone")


class DiscordChannel:
    """Sends to one webhook, and edits what it sent before where nobody has to be disturbed."""

    def __init__(self, name: str, options: DiscordOptions, deps: ChannelDeps) -> None:
        self.name = name
        REDACTOR.add(options.url, Secret(urlsplit(options.url.reveal()).path.rpartition("/")[2]))
        self._address = urlsplit(options.url.reveal())
        self._username = options.username.strip()
        self._wire = Wire(deps.client(options), deps.clock, options.timeout)
        self.traits: Traits = options.traits(f"discord:{options.url.fingerprint()}", RATE, living="edit")

    async def send(self, message: Message) -> Outcome:
        """Send or edit it; see `Channel.send`."""
        until = self._wire.deadline()
        living = message.living.provider_id if message.living is not None else ""
        if living.isdigit() and message.card.kind in QUIET | ENDS:
            quiet = message.card.kind in QUIET
            edited = await self._edit(message, living, until if quiet else self._wire.deadline(FOR_EDIT))
            if edited is not None and (quiet or _limited(edited)):
                return edited
        document = payload(message)
        if self._username:
            document["username"] = self._username
        answer = await self._wire.json("POST", self._url(wait="true"), document, until=until)
        return outcome(answer, message) if isinstance(answer, Answer) else answer

    async def close(self) -> None:
        """Nothing to give back: the HTTP client is shared."""

    async def _edit(self, message: Message, living: str, until: float) -> Outcome | None:
        """How editing went; None when the message is gone, so that a new one is wanted."""
        # What is not named stays as it was, so both forms are, one of them empty.
        document = {"content": "", "embeds": [], **payload(message)}
        answer = await self._wire.json("PATCH", self._url(f"/messages/{living}"), document, until=until)
        if not isinstance(answer, Answer):
            return answer
        if answer.status == 404 and answer.json().get("code") == _UNKNOWN_MESSAGE:
            return None
        return outcome(answer, message)

    def _url(self, below: str = "", **query: str) -> str:
        """The webhook's URL with something appended to its path and to its query (a thread's id stays)."""
        parts = self._address
        asked = [(name, value) for name, value in parse_qsl(parts.query) if name != "wait"] + list(query.items())
        return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") + below, urlencode(asked), ""))


def outcome(answer: Answer, message: Message) -> Outcome:
    """What Discord's answer means."""
    said = answer.json()
    if answer.status in (200, 204):
        found = said.get("id")
        if answer.status == 200 and not (isinstance(found, str) and found.isdigit()):
            return unexpected(answer, "a message id")
        receipt = Receipt(found) if isinstance(found, str) else Receipt()
        return Delivered(receipt, answer.status, "", answer.sent_bytes, _pause(answer))
    # A 403 without a code of Discord's is its firewall's, which forgets.
    if answer.status in _CLOSED or (answer.status == 403 and isinstance(said.get("code"), int)):
        return closed(answer, f"the webhook does not take messages any more ({_reason(answer, said)})")
    retry = unanswered(answer, after=seconds(said.get("retry_after")))
    if retry is not None:
        return retry
    if answer.status == 403:
        return Retry("status 403", answer.after, 403, answer.response)
    if answer.status < 300:
        return unexpected(answer, "a message")
    return refused(answer, message, f"Discord refused the message ({_reason(answer, said)})")


def _limited(outcome: Outcome) -> bool:
    """Whether nothing more may be sent now."""
    return isinstance(outcome, Retry) and outcome.status == 429


def _reason(answer: Answer, said: dict[str, Any]) -> str:
    code, words = said.get("code"), said.get("message")
    if isinstance(code, int) and isinstance(words, str):
        return f"{code}: {shown(words)}"
    return answer.response or f"status {answer.status}"


def _pause(answer: Answer) -> float:
    """Seconds until the bucket of this webhook has room again; 0 while it has some."""
    left, wait = header(answer.headers, "X-RateLimit-Remaining"), header(answer.headers, "X-RateLimit-Reset-After")
    if not left or not wait or number(left) != 0:
        return 0.0
    return seconds(number(wait)) or 0.0


def payload(message: Message) -> dict[str, Any]:
    """The JSON document of a message, within every limit for any card. It mentions nobody."""
    card = legible(message.card)
    base: dict[str, Any] = {"allowed_mentions": {"parse": []}}
    if message.plain:
        return {**base, "content": _fitted(plain_parts(card, mark(card)), MAX_CONTENT)}
    return {**base, "embeds": [_embed(card)]}


def _embed(card: Card) -> dict[str, Any]:
    """The one embed. Title and footer take their room first; some is kept for fields, the text has the rest."""
    room = _Room(MAX_EMBEDS_TOTAL)
    title = f"{mark(card)} {card.title}"
    footer = cut(card.footer if visible(card.footer) else "Understudy", MAX_FOOTER // 8, utf16)
    embed: dict[str, Any] = {
        "title": room.take(title, MAX_TITLE),
        "color": colour(card),
        "timestamp": iso(card.at),
        "footer": {"text": room.taken(footer)},
    }
    links = _links(card, MAX_DESCRIPTION // 4)
    whole = [card.title] if _size(title) > MAX_TITLE else []  # the title's place holds its beginning only
    body = [each for each in (*(f"⚠ {note}" for note in card.notes), *whole, *card.paragraphs) if visible(each)]
    limit = min(MAX_DESCRIPTION, room.left - _FOR_FIELDS) - utf16(links) - 2
    if description := "\n\n".join(part for part in (_fitted(body, limit), links) if part):
        embed["description"] = room.taken(description)
    if fields := list(_fields(card, room)):
        embed["fields"] = fields
    return embed


def _fields(card: Card, room: _Room) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for each in card.fields:
        if len(found) == MAX_FIELDS or not visible(each.name) or not visible(each.value):
            continue
        if room.left < 40:
            break  # a name and a few characters of a value would not fit any more
        name = room.take(each.name, min(MAX_FIELD_NAME, room.left - 20))
        value = room.take(each.value, MAX_FIELD_VALUE)
        found.append({"name": name, "value": value, "inline": each.short})
    return found


class _Room:
    """What is left of the characters that all embeds may have together."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, text: str, limit: int) -> str:
        """As much of `text`, escaped, as fits the limit and the room."""
        return self.taken(_fit(text, min(limit, self.left)))

    def taken(self, text: str) -> str:
        """`text`, which uses up room."""
        self.left -= utf16(text)
        return text


def _links(card: Card, limit: int) -> str:
    """As many links as fit, the first ones first; one is never cut."""
    text = ""
    for each in card.actions:
        url = each.url.replace("(", "%28").replace(")", "%29").replace("<", "%3C").replace(">", "%3E")
        link = f"[{_fit(each.label, 100)}]({url})"
        longer = f"{text} · {link}" if text else link
        if visible(each.label) and utf16(longer) <= limit:
            text = longer
    return text


def _escape(text: str) -> str:
    """Discord's escape before everything that could be markup, a mention or an emoji."""
    return _LINE_BEGIN.sub(_begun, _COLON.sub(r"\\:", text.translate(_MARKUP)))


def _begun(found: re.Match[str]) -> str:
    # A list's number keeps its digits: its full stop is escaped instead.
    return f"{found[1]}{found[2]}\\" if found[2].isdigit() else f"{found[1]}\\{found[2]}"


def _size(text: str) -> int:
    return utf16(_escape(text))


def _fitted(parts: Iterable[str], limit: int) -> str:
    """Several texts as one, escaped, each with its share of the limit."""
    return _escape(fitted(parts, limit, _size))


def _fit(text: str, limit: int) -> str:
    """Escaped, and within the limit also in UTF-16 units; cut before it is escaped."""
    return _escape(cut(text, limit, _size))
