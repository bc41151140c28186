"""Telegram's Bot API: sendMessage and editMessageText with the parser of HTML mode, its limits and its errors.

Written from core.telegram.org/bots/api and the source of the server, not from our own channel.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from .base import Fault, Received, Receiver, Reply, as_json

_SEND = frozenset(("chat_id", "text", "parse_mode", "message_thread_id", "reply_parameters", "disable_notification",
                   "link_preview_options", "protect_content"))  # fmt: skip
_EDIT = frozenset(("chat_id", "message_id", "text", "parse_mode", "link_preview_options"))
_TAGS = frozenset(("a", "b", "strong", "i", "em", "s", "strike", "del", "u", "ins", "tg-spoiler", "tg-emoji", "tg-time",
                   "span", "pre", "code", "blockquote"))  # fmt: skip
_TAG = re.compile(r"<(/?)([A-Za-z0-9-]*)((?:\s+[\w-]+(?:=(?:\"[^\"]*\"|'[^']*'|[^\s>]*))?)*)\s*>")
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|#\d{1,7}|#x[0-9A-Fa-f]{1,6});")
_NAMED = {"&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"'}
#: What the server finds in a text by itself, and notifies.
_MENTION = re.compile(r"(?<![\w.])@[A-Za-z]\w{2,31}", re.ASCII)


class _Refusal(Exception):
    pass


@dataclass(slots=True)
class TelegramMessage:
    """One message as it stands now: its text after the entities were parsed."""

    id: int
    chat: str
    text: str
    entities: list[tuple[str, str]] = field(default_factory=list)
    topic: int | None = None
    reply_to: int | None = None
    silent: bool = False
    edits: int = 0

    @property
    def shown(self) -> str:
        """The text without the joiners that nobody sees."""
        return self.text.replace("\u2060", "")

    @property
    def mentions(self) -> list[str]:
        """Names that would be notified."""
        return _MENTION.findall(self.text)

    @property
    def links(self) -> list[str]:
        """The targets of all links."""
        return [value for name, value in self.entities if name == "a"]


class TelegramReceiver(Receiver):
    """One bot; `accepted` are the messages that were sent, `messages` all that stand, by chat and id."""

    token = "123456:for-tests-only"

    def __init__(self, *chats: str, topics: tuple[int, ...] = (), **options: Any) -> None:
        super().__init__(**options)
        self.chats, self.topics = set(chats or ("42",)), set(topics)
        #: Groups that have become supergroups, and their new ids.
        self.migrated: dict[str, int] = {}
        #: Chats that blocked the bot.
        self.blocked: set[str] = set()
        self.accepted: list[TelegramMessage] = []
        self.messages: dict[tuple[str, int], TelegramMessage] = {}

    def answer(self, request: Received) -> Reply:
        """As the Bot API answers."""
        found = re.fullmatch(r"/bot([^/]+)/(\w+)", request.path)
        if found is None:
            return self._refuse(404, "Not Found")
        if found[1] != self.token:
            return self._refuse(401, "Unauthorized")
        try:
            asked = _asked(request)
            if found[2].lower() == "sendmessage":
                return self._send(asked)
            if found[2].lower() == "editmessagetext":
                return self._edit(asked)
        except _Refusal as refusal:
            return self._refuse(400, f"Bad Request: {refusal}")
        return self._refuse(404, "Not Found: method not found")

    def _send(self, asked: dict[str, Any]) -> Reply:
        _only(asked, _SEND)
        chat = self._chat(asked)
        if isinstance(chat, Reply):
            return chat
        topic = asked.get("message_thread_id")
        if topic is not None and topic not in self.topics:
            raise _Refusal("message thread not found")
        text, entities = _read(asked)
        reply_to = asked.get("reply_parameters", {}).get("message_id")
        if reply_to is not None and (chat, reply_to) not in self.messages:
            if not asked["reply_parameters"].get("allow_sending_without_reply"):
                raise _Refusal("message to be replied not found")
            reply_to = None
        silent = asked.get("disable_notification", False)
        message = TelegramMessage(len(self.accepted) + 1, chat, text, entities, topic, reply_to, silent)
        self.accepted.append(message)
        self.messages[chat, message.id] = message
        return _ok(message)

    def _edit(self, asked: dict[str, Any]) -> Reply:
        _only(asked, _EDIT)
        chat = self._chat(asked)
        if isinstance(chat, Reply):
            return chat
        message = self.messages.get((chat, asked.get("message_id", 0)))
        if message is None:
            raise _Refusal("message to edit not found")
        text, entities = _read(asked)
        if (text, entities) == (message.text, message.entities):
            raise _Refusal(
                "message is not modified: specified new message content and reply markup are exactly the same as a "
                "current content and reply markup of the message"
            )
        message.text, message.entities = text, entities
        message.edits += 1
        return _ok(message)

    def _chat(self, asked: dict[str, Any]) -> str | Reply:
        chat = str(asked.get("chat_id", ""))
        if not chat:
            raise _Refusal("chat_id is empty")
        if chat in self.migrated:
            words = "Bad Request: group chat was upgraded to a supergroup chat"
            return self._refuse(400, words, parameters={"migrate_to_chat_id": self.migrated[chat]})
        if chat in self.blocked:
            return self._refuse(403, "Forbidden: bot was blocked by the user")
        if chat not in self.chats:
            raise _Refusal("chat not found")
        return chat

    def _refuse(self, code: int, words: str, **more: Any) -> Reply:
        return self.refuse(words, as_json(code, {"ok": False, "error_code": code, "description": words, **more}))


def rate_limited(seconds: int = 1, *, header: str | None = None) -> Fault:
    """Telegram's 429."""
    said = {"ok": False, "error_code": 429, "description": f"Too Many Requests: retry after {seconds}"}
    headers = {"Retry_After": str(seconds) if header is None else header}
    return Fault("answer", as_json(429, {**said, "parameters": {"retry_after": seconds}}, **headers))


#: The bot's token was withdrawn.
REVOKED = Fault("answer", as_json(401, {"ok": False, "error_code": 401, "description": "Unauthorized"}))


def parse_html(text: str) -> tuple[str, list[tuple[str, str]]]:
    """The text without its tags, and the tags with their targets, as HTML mode reads them.

    Raises:
        ValueError: with the server's words.
    """
    out: list[str] = []
    entities: list[tuple[str, str]] = []
    stack: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == "&" and (entity := _ENTITY.match(text, at)):
            out.append(_NAMED.get(entity[0]) or _numeric(entity[0]))
            at = entity.end()
        elif text[at] == "<":
            at = _tag(text, at, stack, entities)
        else:
            out.append(text[at])
            at += 1
    if stack:
        raise ValueError(f"can't parse entities: Can't find end tag corresponding to start tag \"{stack[-1]}\"")
    return "".join(out), entities


def _tag(text: str, at: int, stack: list[str], entities: list[tuple[str, str]]) -> int:
    """Read the tag at `at`; answers where it ends."""
    offset = len(text[:at].encode("utf-8", "surrogatepass"))
    tag = _TAG.match(text, at)
    name = tag[2].lower() if tag else ""
    if tag is None or name not in _TAGS:
        raise ValueError(f'can\'t parse entities: Unsupported start tag "{name}" at byte offset {offset}')
    if tag[1]:
        if not stack or stack[-1] != name:
            expected = f', expected "</{stack[-1]}>", found "</{name}>"' if stack else ""
            raise ValueError(f"can't parse entities: Unmatched end tag at byte offset {offset}{expected}")
        stack.pop()
    else:
        stack.append(name)
        href = re.search(r'href="([^"]*)"', tag[3])
        entities.append(
            (name, _ENTITY.sub(lambda each: _NAMED.get(each[0]) or _numeric(each[0]), href[1]) if href else "")
        )
    return tag.end()


def _numeric(entity: str) -> str:
    digits = entity[2:-1]
    return chr(int(digits[1:], 16) if digits[0] in "xX" else int(digits))


def _read(asked: dict[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    text = asked.get("text")
    if not isinstance(text, str):
        raise _Refusal("message text is empty")
    if len(text.encode("utf-8", "replace")) > 32_768:
        raise _Refusal("text is too long")
    entities: list[tuple[str, str]] = []
    mode = asked.get("parse_mode")
    if mode == "HTML":
        try:
            text, entities = parse_html(text)
        except ValueError as error:
            raise _Refusal(str(error)) from error
    elif mode is not None:
        raise _Refusal("unsupported parse_mode")
    text = text.strip()
    if not text:
        raise _Refusal("text must be non-empty")
    if len(text) > 4096:
        raise _Refusal("message is too long")
    return text, entities


def _asked(request: Received) -> dict[str, Any]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "application/x-www-form-urlencoded":
            return dict(parse_qsl(request.body.decode()))
        found = request.json()
    except ValueError as error:
        raise _Refusal("can't parse JSON object") from error
    if kind != "application/json" or not isinstance(found, dict):
        raise _Refusal("can't parse JSON object")
    return found


def _only(asked: dict[str, Any], known: frozenset[str]) -> None:
    # The real server overlooks what it does not know; here a misspelt parameter shall be found.
    if unknown := sorted(asked.keys() - known):
        raise _Refusal(f"unknown parameters {unknown}")


def _ok(message: TelegramMessage) -> Reply:
    chat: Any = int(message.chat) if message.chat.lstrip("-").isdigit() else message.chat
    result = {"message_id": message.id, "chat": {"id": chat}, "text": message.text}
    return as_json(200, {"ok": True, "result": result})
