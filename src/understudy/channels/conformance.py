"""What a channel would send, looked at before anything is wrong: made as for sending, measured, and not sent.

Shows the user's own configuration at work on the hardest alerts there are, against every limit that the service
publishes. Nothing leaves the process.
"""

from __future__ import annotations

import email
import email.policy
import html
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from understudy.core.clock import Clock
from understudy.core.errors import ConnectFailed
from understudy.core.http import HttpRequest
from understudy.core.legible import utf16
from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.core.redaction import REDACTOR
from understudy.notifications.message import Message
from understudy.notifications.render import card

from . import build, discord, opsgenie, pagerduty, slack, telegram, webhook
from ._address import Address
from ._mail import MAX_LINE, compose
from .email import EmailOptions
from .options import ChannelDeps, ChannelOptions

#: Where the links of a preview lead to: a name that exists nowhere (RFC 2606).
_LINKS = {kind: f"https://understudy.example/{kind}/01J" for kind in ("acknowledge", "silence", "open", "runbook")}


@dataclass(frozen=True, slots=True)
class Measure:
    """One part of a message, as the service calls it, against its limit. `unit`: characters, bytes or parts."""

    what: str
    found: int
    limit: int
    unit: str = "characters"

    @property
    def fits(self) -> bool:
        """Whether the service would take it."""
        return self.found <= self.limit


@dataclass(frozen=True, slots=True)
class Preview:
    """One message as it would be sent: `document` is its body, without secrets."""

    case: str
    plain: bool
    document: str
    measures: tuple[Measure, ...]

    @property
    def fits(self) -> bool:
        """Whether every part of it is within its limit."""
        return all(each.fits for each in self.measures)


async def previews(name: str, options: ChannelOptions, clock: Clock) -> list[Preview]:
    """The hardest alerts as this channel would send them, in its rich form and as plain text.

    Of Apprise there is none: it writes each service's form itself, and only when it sends.

    Raises:
        NotInstalled: the channel needs an extra that is not installed.
    """
    found = []
    for case, notice in cases(clock.time()):
        shown = card(notice, options.language, links=_LINKS, zone=options.time_zone)
        message = Message(f"01J{'0' * 23}", notice, shown, clock.time(), root=notice.episode)
        for form in (message, replace(message, plain=True)):
            body = await _body(name, options, form, clock)
            if body is not None:
                document = REDACTOR.redact(_legible(body))
                found.append(Preview(case, form.plain, document, tuple(_MEASURES[options.kind](body))))
    return found


async def _body(name: str, options: ChannelOptions, message: Message, clock: Clock) -> bytes | None:
    """What would go over the wire; None where that is not known before."""
    if isinstance(options, EmailOptions):
        to = [Address.read(each, "EmailOptions", "to_emails") for each in options.to_emails]
        return compose(message, Address.read(options.from_email, "EmailOptions", "from_email"), to, name)
    if options.kind not in _MEASURES:
        return None
    wire = _Unsent()
    # Nothing here is left to chance: a preview is the same each time.
    channel = build(name, options, ChannelDeps(clock, random.Random(0), lambda ca_file, proxy: wire))  # noqa: S311 - jitter
    await channel.send(message)
    await channel.close()
    return wire.bodies[0] if wire.bodies else None


class _Unsent:
    """An `HttpClient` that keeps what it was given, and sends nothing."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def send(self, request: HttpRequest) -> NoReturn:
        """Keep the body; no connection is made."""
        if isinstance(request.body, bytes):
            self.bodies.append(request.body)
        raise ConnectFailed("a preview sends nothing")

    async def close(self) -> None:
        """There is nothing to close."""


def cases(now: float) -> list[tuple[str, Notice]]:
    """The alerts of a preview, each with what is hard about it."""
    usual = Notice(
        "preview", NoticeKind.FIRED, Severity.CRITICAL, now, "Success rate low",
        content="Fewer calls succeed than should.", rule="success_rate", fingerprint="0" * 32, episode="preview",
        number=3, labels={"api": "odds-main", "route": "odds"}, metric="success_rate", operator="<", value=54.2,
        threshold=60.0, window=300.0, started_at=now - 90.0,
    )  # fmt: skip
    long = "A very long text, as a provider's error page may be: <b>503</b> & more. " * 400
    markup = "<!channel> @everyone <@U0> **bold** _x_ `code` [a](https://example.com) <script> &amp; \\ \r\n> q\r\n# h"
    signs = "👩‍👩‍👧‍👦🇧🇷👍🏽 é ﷽ שלום \u202e\0\x1b " * 300
    members = tuple(("critical", f"API {number} down: {long[:80]}") for number in range(40))
    facts = {f"fact {number} {long[:200]}": long for number in range(40)}
    return [
        ("usual", usual),
        ("long", replace(usual, title=long, content=long, reason=long, facts=facts)),
        ("markup", replace(usual, title=markup, content=markup * 60, labels={"api": markup}, facts={markup: markup})),
        ("scripts", replace(usual, title=signs, content=signs, labels={"api": signs}, facts={signs: signs})),
        ("digest", replace(usual, kind=NoticeKind.DIGEST, title="", members=members, counts={"critical": 40})),
        ("resolved", replace(usual, kind=NoticeKind.RESOLVED, ended_at=now, reason="condition gone")),
        ("empty", Notice("preview", NoticeKind.MESSAGE, Severity.INFO, now, "")),
    ]


# -- what is measured -----------------------------------------------------------------------------


def _slack(body: bytes) -> Iterator[Measure]:
    document = json.loads(body)
    yield Measure("text", utf16(document["text"]), slack.MAX_FALLBACK)
    for blocks in (document.get("blocks", []), *(each["blocks"] for each in document.get("attachments", []))):
        yield Measure("blocks", len(blocks), slack.MAX_BLOCKS, "parts")
        for block in blocks:
            limit = {"header": slack.MAX_HEADER, "section": slack.MAX_TEXT}.get(block["type"], slack.MAX_TEXT)
            texts = [block["text"]] if "text" in block else block.get("elements", [])
            yield from (Measure(f"{block['type']}.text", utf16(each["text"]), limit) for each in texts)
            if "fields" in block:
                yield Measure("section.fields", len(block["fields"]), slack.MAX_FIELDS, "parts")
                yield _largest("section.fields.text", (each["text"] for each in block["fields"]), slack.MAX_FIELD)


def _discord(body: bytes) -> Iterator[Measure]:
    document = json.loads(body)
    yield Measure("content", utf16(document.get("content", "")), discord.MAX_CONTENT)
    for embed in document.get("embeds", []):
        fields = embed.get("fields", [])
        parts = [embed["title"], embed.get("description", ""), embed["footer"]["text"]]
        yield Measure("embed.title", utf16(parts[0]), discord.MAX_TITLE)
        yield Measure("embed.description", utf16(parts[1]), discord.MAX_DESCRIPTION)
        yield Measure("embed.footer.text", utf16(parts[2]), discord.MAX_FOOTER)
        yield Measure("embed.fields", len(fields), discord.MAX_FIELDS, "parts")
        yield _largest("embed.fields.name", (each["name"] for each in fields), discord.MAX_FIELD_NAME)
        yield _largest("embed.fields.value", (each["value"] for each in fields), discord.MAX_FIELD_VALUE)
        total = sum(utf16(text) for text in (*parts, *(each[key] for each in fields for key in ("name", "value"))))
        yield Measure("embeds", total, discord.MAX_EMBEDS_TOTAL)


def _telegram(body: bytes) -> Iterator[Measure]:
    document = json.loads(body)
    text = document["text"]
    read = html.unescape(re.sub(r"<[^>]*>", "", text)) if document.get("parse_mode") == "HTML" else text
    yield Measure("text", len(read.strip()), telegram.MAX_TEXT)
    yield Measure("text (UTF-8)", len(text.encode()), telegram.MAX_RAW, "bytes")


def _pagerduty(body: bytes) -> Iterator[Measure]:
    document = json.loads(body)
    yield Measure("dedup_key", len(document["dedup_key"]), pagerduty.MAX_DEDUP_KEY)
    yield Measure("summary", utf16(document.get("payload", {}).get("summary", "")), pagerduty.MAX_SUMMARY)
    yield Measure("event", len(body), pagerduty.MAX_EVENT, "bytes")


def _opsgenie(body: bytes) -> Iterator[Measure]:
    document = json.loads(body)
    limits = {
        "message": opsgenie.MAX_MESSAGE,
        "alias": opsgenie.MAX_ALIAS,
        "description": opsgenie.MAX_DESCRIPTION,
        "entity": opsgenie.MAX_ENTITY,
        "source": opsgenie.MAX_SOURCE,
        "note": opsgenie.MAX_NOTE,
    }
    yield from (Measure(key, utf16(document[key]), limit) for key, limit in limits.items() if key in document)
    details: Mapping[str, str] = document.get("details", {})
    yield Measure("details", sum(utf16(key) + utf16(value) for key, value in details.items()), opsgenie.MAX_DETAILS)
    yield Measure("tags", len(document.get("tags", [])), opsgenie.MAX_TAGS, "parts")


def _webhook(body: bytes) -> Iterator[Measure]:
    yield Measure("body", len(body), webhook.MAX_BODY, "bytes")


def _email(body: bytes) -> Iterator[Measure]:
    yield Measure("line", max(len(line) for line in body.split(b"\r\n")), MAX_LINE)


def _largest(what: str, texts: Iterable[str], limit: int) -> Measure:
    return Measure(what, max(map(utf16, texts), default=0), limit)


_MEASURES: Mapping[str, Callable[[bytes], Iterator[Measure]]] = {
    "slack": _slack,
    "discord": _discord,
    "telegram": _telegram,
    "pagerduty": _pagerduty,
    "opsgenie": _opsgenie,
    "webhook": _webhook,
    "email": _email,
}


def _legible(body: bytes) -> str:
    """A body for people: JSON with indents, a mail's text part."""
    try:
        found: Any = json.loads(body)
    except ValueError:
        parsed = email.message_from_bytes(body, policy=email.policy.default)
        text = parsed.get_body(("plain",))
        subject = f"Subject: {parsed['Subject']}"
        return f"{subject}\n\n{text.get_content()}" if text is not None else subject
    return json.dumps(found, ensure_ascii=False, indent=2)
