"""Discord's webhook: execute and edit, its limits, its error bodies, and whom a message would mention.

Written from docs.discord.com (webhook and message resources, rate limits), not from our own channel.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .base import Fault, Received, Receiver, Reply, as_json

_DOCUMENT = frozenset(("content", "embeds", "username", "avatar_url", "tts", "allowed_mentions", "flags"))
_EMBED = frozenset(("title", "description", "url", "timestamp", "color", "footer", "author", "fields"))
#: What ends an escape: a backslash before any sign is not shown.
_ESCAPED = re.compile(r"\\([^0-9A-Za-z\s])")
_LINK = re.compile(r"(?<!\\)\[((?:\\.|[^\]\\])*)\]\((https?://[^\s()<>]+)\)")
_MENTION = re.compile(r"(?<!\\)@(?:everyone|here)|(?<!\\)<(?:@[!&]?|#)\d+>")
_MARKUP = re.compile(r"(?<!\\)(?:\\\\)*[*_~`|<>\[\]]|^\s*(?:[-#+]|\d+\.)\s", re.MULTILINE)
#: Error codes (…/topics/opcodes-and-status-codes#json).
_INVALID_FORM, _EMPTY, _BAD_JSON, _UNKNOWN_WEBHOOK, _UNKNOWN_MESSAGE = 50035, 50006, 50109, 10015, 10008


@dataclass(slots=True)
class DiscordMessage:
    """One message as it stands now."""

    id: str
    document: dict[str, Any]
    thread: str = ""
    #: How often it was edited.
    edits: int = 0

    @property
    def raw_texts(self) -> list[str]:
        """Every text with the markup that it has."""
        found = [self.document.get("content") or ""]
        for embed in self.document.get("embeds") or []:
            found += [embed.get("title", ""), embed.get("description", "")]
            for each in embed.get("fields", []):
                found += [each["name"], each["value"]]
        return [text for text in found if text]

    @property
    def texts(self) -> list[str]:
        """Every text as a reader sees it."""
        footers = [embed["footer"]["text"] for embed in self.document.get("embeds") or [] if "footer" in embed]
        return [seen(text) for text in self.raw_texts] + footers

    @property
    def shown(self) -> str:
        """All of it in one text."""
        return "\n".join(self.texts)

    @property
    def mentions(self) -> list[str]:
        """Who would be notified: mentions in `content` that `allowed_mentions` does not forbid."""
        allowed = self.document.get("allowed_mentions")
        if allowed is not None and not allowed.get("parse") and not allowed.get("users") and not allowed.get("roles"):
            return []
        return _MENTION.findall(self.document.get("content") or "")

    @property
    def markup(self) -> list[str]:
        """Formatting besides links: there is none unless a stranger's text was not escaped."""
        return [found for text in self.raw_texts for found in _MARKUP.findall(_LINK.sub("", text))]

    @property
    def links(self) -> list[str]:
        """The targets of all links."""
        return [url for text in self.raw_texts for _, url in _LINK.findall(text)]


class DiscordReceiver(Receiver):
    """One webhook; `accepted` are the messages that were posted, `messages` all that stand, by id."""

    path = "/api/webhooks/100000000000000001/for-tests-only"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.accepted: list[DiscordMessage] = []
        self.messages: dict[str, DiscordMessage] = {}
        #: Requests that the bucket still has room for, and seconds until it is full again; told in headers.
        self.remaining, self.reset_after = 4, 2.0

    @property
    def url(self) -> str:
        """What to configure as the webhook."""
        return self.base + self.path

    def answer(self, request: Received) -> Reply:
        """As Discord answers."""
        below = request.path.removeprefix(self.path)
        if not request.path.startswith(self.path) or (below and not below.startswith("/messages/")):
            return self._refuse(404, _UNKNOWN_WEBHOOK, "Unknown Webhook")
        try:
            document = request.json()
        except ValueError:
            return self._refuse(400, _BAD_JSON, "The request body contains invalid JSON.")
        errors = _errors(document)
        if errors:
            return self._refuse(400, _INVALID_FORM, "Invalid Form Body", errors=errors)
        if below:
            return self._edit(request, below.removeprefix("/messages/"), document)
        if request.method != "POST":
            return self._refuse(405, 0, "405: Method Not Allowed")
        if not document.get("content") and not document.get("embeds"):
            return self._refuse(400, _EMPTY, "Cannot send an empty message")
        number = str(1_000_000_000_000_000_000 + len(self.accepted))
        message = DiscordMessage(number, document, request.query.get("thread_id", ""))
        self.accepted.append(message)
        self.messages[number] = message
        if request.query.get("wait") != "true":
            return Reply(204, b"", self._limits())
        return as_json(200, {"id": number, "type": 0, **document}, **self._limits())

    def _edit(self, request: Received, number: str, document: dict[str, Any]) -> Reply:
        message = self.messages.get(number)
        if request.method != "PATCH":
            return self._refuse(405, 0, "405: Method Not Allowed")
        if message is None:
            return self._refuse(404, _UNKNOWN_MESSAGE, "Unknown Message")
        changed = {**message.document, **document}
        if not changed.get("content") and not changed.get("embeds"):
            return self._refuse(400, _EMPTY, "Cannot send an empty message")
        message.document = changed
        message.edits += 1
        return as_json(200, {"id": number, "type": 0, **changed}, **self._limits())

    def _limits(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": "5",
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset-After": str(self.reset_after),
        }

    def _refuse(self, status: int, code: int, words: str, **more: Any) -> Reply:
        return self.refuse(
            f"{code}: {words} {more or ''}".strip(), as_json(status, {"message": words, "code": code, **more})
        )


def rate_limited(seconds: float = 1.0, *, scope: str = "user", header: str | None = None) -> Fault:
    """Discord's 429: the body is exact, the header whole seconds, or what `header` says."""
    headers = {"Retry_After": header if header is not None else str(int(seconds) + 1), "X_RateLimit_Scope": scope}
    body = {"message": "You are being rate limited.", "retry_after": seconds, "global": scope == "global"}
    return Fault("answer", as_json(429, body, **headers))


#: The webhook was deleted; its token is wrong.
DELETED = Fault("answer", as_json(404, {"message": "Unknown Webhook", "code": _UNKNOWN_WEBHOOK}))
REVOKED = Fault("answer", as_json(401, {"message": "Invalid Webhook Token", "code": 50027}))


def seen(text: str) -> str:
    """A text as a reader sees it: links as their labels, no escapes."""
    return _ESCAPED.sub(r"\1", _LINK.sub(r"\1", text))


def _errors(document: Any) -> dict[str, Any]:
    """What is wrong, in the shape of Discord's error bodies; empty when nothing is."""
    if not isinstance(document, dict):
        return _error("MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
    found: dict[str, Any] = {}

    def check(place: str, holds: bool, words: str) -> None:
        if not holds:
            node = found
            for part in place.split("."):
                node = node.setdefault(part, {})
            node.update(_error("BASE_TYPE_BAD_LENGTH", words))

    for name in document.keys() - _DOCUMENT:
        check(name, False, "unknown property")
    content = document.get("content") or ""
    check("content", isinstance(content, str) and _length(content) <= 2000, "Must be 2000 or fewer in length.")
    _check_username(document.get("username"), check)
    check("flags", document.get("flags", 0) in (0, 4, 4096, 32768), "flags")
    _check_mentions(document.get("allowed_mentions"), check)
    embeds = document.get("embeds") or []
    if not isinstance(embeds, list) or len(embeds) > 10:
        check("embeds", False, "Must be 10 or fewer in length.")
        return found
    total = sum(_check_embed(f"embeds.{index}", embed, check) for index, embed in enumerate(embeds))
    check("embeds", total <= 6000, "Embed size exceeds maximum size of 6000")
    return found


_Check = Callable[[str, bool, str], None]


def _check_username(name: Any, check: _Check) -> None:
    if name is None:
        return
    fits = isinstance(name, str) and 1 <= _length(name) <= 80
    lower = name.strip().lower() if isinstance(name, str) else ""
    fits = fits and not any(word in lower for word in ("clyde", "discord")) and lower not in ("everyone", "here")
    check("username", fits, "Username cannot be that")


def _check_mentions(allowed: Any, check: _Check) -> None:
    if allowed is None:
        return
    fits = isinstance(allowed, dict) and not allowed.keys() - {"parse", "users", "roles", "replied_user"}
    if fits:
        parse = allowed.get("parse", [])
        fits = not any(kind in parse and allowed.get(kind) for kind in ("users", "roles"))
        fits = fits and all(len(allowed.get(kind, [])) <= 100 for kind in ("users", "roles"))
    check("allowed_mentions", fits, "allowed_mentions")


def _check_embed(place: str, embed: Any, check: _Check) -> int:
    """Check one embed; answers how many characters it counts for."""
    if not isinstance(embed, dict):
        check(place, False, "no object")
        return 0
    for name in embed.keys() - _EMBED:
        check(f"{place}.{name}", False, "unknown property")
    total = 0
    for name, longest in (("title", 256), ("description", 4096)):
        if name in embed:
            total += _check_text(f"{place}.{name}", embed[name], longest, check)
    if "footer" in embed:
        total += _check_text(f"{place}.footer.text", embed["footer"].get("text"), 2048, check)
    if "author" in embed:
        total += _check_text(f"{place}.author.name", embed["author"].get("name"), 256, check)
    fields = embed.get("fields", [])
    check(f"{place}.fields", len(fields) <= 25, "Must be 25 or fewer in length.")
    for index, each in enumerate(fields):
        check(f"{place}.fields.{index}", not each.keys() - {"name", "value", "inline"}, "unknown property")
        total += _check_text(f"{place}.fields.{index}.name", each.get("name"), 256, check)
        total += _check_text(f"{place}.fields.{index}.value", each.get("value"), 1024, check)
    colour = embed.get("color", 0)
    check(f"{place}.color", isinstance(colour, int) and 0 <= colour <= 16_777_215, "color")
    if "timestamp" in embed:
        check(f"{place}.timestamp", _is_moment(embed["timestamp"]), "Could not parse timestamp.")
    if "url" in embed:
        check(f"{place}.url", str(embed["url"]).startswith(("http://", "https://")), "Scheme must be http or https.")
    if not (embed.get("title") or embed.get("description") or fields):
        check(place, False, "This field is required")
    return total


def _check_text(place: str, text: Any, longest: int, check: _Check) -> int:
    trimmed = text.strip() if isinstance(text, str) else ""
    check(place, 1 <= _length(trimmed) <= longest, f"Must be between 1 and {longest} in length.")
    return _length(trimmed)


def _is_moment(text: Any) -> bool:
    try:
        datetime.fromisoformat(str(text))
    except ValueError:
        return False
    return True


def _length(text: str) -> int:
    """In UTF-16 units: whoever counts otherwise counts fewer."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _error(code: str, words: str) -> dict[str, Any]:
    return {"_errors": [{"code": code, "message": words}]}
