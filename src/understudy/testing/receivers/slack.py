"""Slack's incoming webhook: its limits, its refusals, and what a reader would see and be pinged by.

Written from docs.slack.dev (Block Kit reference, "Sending messages using incoming webhooks"), not from our own channel.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from .base import Fault, Received, Receiver, Reply, as_json

_TOP = frozenset(("text", "blocks", "attachments", "mrkdwn", "thread_ts", "unfurl_links", "unfurl_media"))
_ATTACHMENT = frozenset(("color", "fallback", "blocks", "text", "pretext", "title", "title_link", "fields", "footer",
                         "ts", "author_name", "mrkdwn_in"))  # fmt: skip
_BLOCK: dict[str, frozenset[str]] = {
    "header": frozenset(("text",)),
    "section": frozenset(("text", "fields", "accessory", "expand")),
    "context": frozenset(("elements",)),
    "divider": frozenset(),
    "actions": frozenset(("elements",)),
    "image": frozenset(("image_url", "alt_text", "title")),
}
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}|good|warning|danger")
_LINK = re.compile(r"<(https?://[^<>|\s]+)(?:\|([^<>]*))?>")
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}


class _Refusal(Exception):
    """The error code that Slack answers with, and why."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True, slots=True)
class SlackMessage:
    """One accepted message."""

    document: dict[str, Any]

    @property
    def texts(self) -> list[str]:
        """Every text as a reader sees it: entities decoded, links as their labels; the summary first."""
        return [seen(text) for text in _raw_texts(self.document)]

    @property
    def shown(self) -> str:
        """All of it in one text."""
        return "\n".join(self.texts)

    @property
    def pings(self) -> list[str]:
        """What Slack would parse as more than a link: mentions of people, groups and channels."""
        found = []
        for text in _raw_texts(self.document):
            found += re.findall(r"<[^>]*>?", _LINK.sub("", text))
        return found

    @property
    def links(self) -> list[str]:
        """The targets of all links."""
        return [_decoded(url) for text in _raw_texts(self.document) for url, _ in _LINK.findall(text)]


class SlackReceiver(Receiver):
    """One webhook; `accepted` are the messages that appeared in its channel."""

    path = "/services/T00000000/B00000000/for-tests-only"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.accepted: list[SlackMessage] = []

    @property
    def url(self) -> str:
        """What to configure as the webhook."""
        return self.base + self.path

    def answer(self, request: Received) -> Reply:
        """As Slack answers: plain text, `ok` for success."""
        if request.path != self.path:
            return self.refuse("another path", Reply(404, b"no_service"))
        if request.method != "POST":
            return self.refuse("no POST", Reply(405, b"method_not_allowed"))
        try:
            document = _document(request)
            _check_message(document)
        except _Refusal as refusal:
            return self.refuse(str(refusal), Reply(400, refusal.code.encode(), {"Content-Type": "text/plain"}))
        self.accepted.append(SlackMessage(document))
        return Reply(200, b"ok", {"Content-Type": "text/html"})


def rate_limited(seconds: float | str | None = 1) -> Fault:
    """Slack's 429; None: without saying for how long."""
    headers = {} if seconds is None else {"Retry_After": str(seconds)}
    said = {} if seconds is None else {"retry_after": seconds}
    return Fault("answer", as_json(429, {"ok": False, "error": "rate_limited", **said}, **headers))


#: The webhook was removed, its token withdrawn, its channel put into the archive.
REVOKED = Fault("answer", Reply(403, b"invalid_token"))
REMOVED = Fault("answer", Reply(404, b"no_service"))
ARCHIVED = Fault("answer", Reply(410, b"channel_is_archived"))


def seen(text: str) -> str:
    """A text as a reader sees it."""
    return _decoded(_LINK.sub(lambda link: link[2] or link[1], text))


def _decoded(text: str) -> str:
    return re.sub("&lt;|&gt;|&amp;", lambda found: _ENTITIES[found[0]], text)


def _document(request: Received) -> dict[str, Any]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "application/x-www-form-urlencoded":
            found = json.loads(parse_qs(request.body.decode())["payload"][0])
        elif kind == "application/json":
            found = request.json()
        else:
            raise _Refusal("invalid_payload", f"content type {kind!r}")
    except (ValueError, KeyError) as error:
        raise _Refusal("invalid_payload", "no JSON") from error
    if not isinstance(found, dict):
        raise _Refusal("invalid_payload", "no object")
    return found


def _check_message(document: dict[str, Any]) -> None:
    _only(document, _TOP, "invalid_payload", "message")
    text, blocks, attachments = (document.get(name) for name in ("text", "blocks", "attachments"))
    if not text and not blocks and not attachments:
        raise _Refusal("no_text", "nothing to show")
    if text is not None and (not isinstance(text, str) or _length(text) > 40_000):
        raise _Refusal("invalid_payload", "text")
    if "mrkdwn" in document and not isinstance(document["mrkdwn"], bool):
        raise _Refusal("invalid_payload", "mrkdwn")
    if blocks is not None:
        _check_blocks(blocks)
    if attachments is not None:
        _check_attachments(attachments)


def _check_attachments(attachments: Any) -> None:
    if not isinstance(attachments, list):
        raise _Refusal("invalid_attachments", "no list")
    if len(attachments) > 100:
        raise _Refusal("too_many_attachments", f"{len(attachments)} attachments")
    for each in attachments:
        if not isinstance(each, dict):
            raise _Refusal("invalid_attachments", "no object")
        _only(each, _ATTACHMENT, "invalid_attachments", "attachment")
        if "color" in each and not _COLOUR.fullmatch(str(each["color"])):
            raise _Refusal("invalid_attachments", f"color {each['color']!r}")
        if "blocks" in each:
            _check_blocks(each["blocks"])
        elif not each.get("text") and not each.get("fallback"):
            raise _Refusal("missing_text_or_fallback_or_attachments", "empty attachment")


def _check_blocks(blocks: Any) -> None:
    if not isinstance(blocks, list) or not 1 <= len(blocks) <= 50:
        raise _Refusal("invalid_blocks", "1 to 50 blocks")
    ids = [block["block_id"] for block in blocks if isinstance(block, dict) and "block_id" in block]
    if len(set(ids)) < len(ids) or any(not 1 <= len(each) <= 255 for each in ids):
        raise _Refusal("invalid_blocks", "block_id")
    for block in blocks:
        kind = block.get("type") if isinstance(block, dict) else None
        if kind not in _BLOCK:
            raise _Refusal("invalid_blocks", f"type {kind!r}")
        _only(block, _BLOCK[kind] | {"type", "block_id"}, "invalid_blocks", kind)
        if kind == "header":
            _check_text(block.get("text"), 150, "header", ("plain_text",))
        elif kind == "section":
            _check_section(block)
        elif kind == "context":
            _check_context(block.get("elements"))
        elif kind == "actions":
            _check_actions(block.get("elements"))
        elif kind == "image":
            _check_image(block)


def _check_section(block: dict[str, Any]) -> None:
    if "text" not in block and "fields" not in block:
        raise _Refusal("invalid_blocks", "section without text and fields")
    if "text" in block:
        _check_text(block["text"], 3000, "section")
    if "fields" in block:
        fields = block["fields"]
        if not isinstance(fields, list) or not 1 <= len(fields) <= 10:
            raise _Refusal("invalid_blocks", "1 to 10 fields")
        for each in fields:
            _check_text(each, 2000, "field")


def _check_context(elements: Any) -> None:
    if not isinstance(elements, list) or not 1 <= len(elements) <= 10:
        raise _Refusal("invalid_blocks", "1 to 10 elements in a context")
    for each in elements:
        if isinstance(each, dict) and each.get("type") == "image":
            _check_image(each)
        else:
            _check_text(each, 3000, "context")


def _check_image(block: dict[str, Any]) -> None:
    alt, url = block.get("alt_text"), block.get("image_url")
    if not isinstance(alt, str) or not 1 <= _length(alt) <= 2000 or not isinstance(url, str) or _length(url) > 3000:
        raise _Refusal("invalid_blocks", "image")


def _check_actions(elements: Any) -> None:
    if not isinstance(elements, list) or not 1 <= len(elements) <= 25:
        raise _Refusal("invalid_blocks", "1 to 25 elements in actions")
    for each in elements:
        if not isinstance(each, dict) or each.get("type") != "button":
            raise _Refusal("invalid_blocks", "element of actions")
        _only(each, frozenset(("type", "text", "url", "value", "action_id", "style")), "invalid_blocks", "button")
        _check_text(each.get("text"), 75, "button", ("plain_text",))
        for name, longest in (("url", 3000), ("value", 2000), ("action_id", 255)):
            if name in each and (not isinstance(each[name], str) or not 1 <= _length(each[name]) <= longest):
                raise _Refusal("invalid_blocks", f"{name} of a button")


def _check_text(found: Any, longest: int, where: str, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> None:
    kind = found.get("type") if isinstance(found, dict) else None
    if kind not in kinds:
        raise _Refusal("invalid_blocks", f"text of a {where}: type {kind!r}")
    _only(found, frozenset(("type", "text", "emoji" if kind == "plain_text" else "verbatim")), "invalid_blocks", where)
    text = found.get("text")
    if not isinstance(text, str) or not text.strip() or _length(text) > longest:
        raise _Refusal("invalid_blocks", f"text of a {where}: 1 to {longest} characters")


def _length(text: str) -> int:
    """In UTF-16 units: whoever counts otherwise counts fewer."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _only(found: dict[str, Any], known: frozenset[str], code: str, where: str) -> None:
    if unknown := sorted(found.keys() - known):
        raise _Refusal(code, f"unknown properties of a {where}: {unknown}")


def _raw_texts(document: Any) -> Iterator[str]:
    """The texts of a document: the summary, and all text objects in the order in which they stand."""
    if isinstance(document, dict):
        if document.get("type") in ("plain_text", "mrkdwn") or "attachments" in document or "type" not in document:
            for name in ("text", "fallback"):
                if isinstance(document.get(name), str):
                    yield document[name]
        for below in document.values():
            yield from _raw_texts(below) if isinstance(below, dict | list) else ()
    elif isinstance(document, list):
        for below in document:
            yield from _raw_texts(below)
