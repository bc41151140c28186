"""Telegram's Bot API: HTML messages to one or several chats, edited in place where nobody has to be disturbed.

Text is cut before it is escaped, so that no markup is ever cut. Limits: core.telegram.org/bots/api and the source
of the server (github.com/tdlib/telegram-bot-api).
"""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import annotated_types as at

from understudy.core.errors import OptionError
from understudy.core.legible import cut, fitted, utf16, visible
from understudy.core.notices import Severity
from understudy.core.options import Doc
from understudy.core.redaction import REDACTOR
from understudy.core.secrets import Secret
from understudy.notifications.message import (
    Card,
    Degrade,
    Delivered,
    Message,
    Outcome,
    PerRecipient,
    Receipt,
    Rejected,
    Retry,
)
from understudy.notifications.ports import Rate, Traits
from understudy.notifications.render import legible, plain_parts

from ._http import Answer, Wire, closed, refused, seconds, shown, unanswered, unexpected
from .marks import ENDS, FOR_EDIT, QUIET, mark
from .options import ChannelDeps, ChannelOptions, refuse_address

#: core.telegram.org/bots/api#sendmessage: characters of the text after its entities have been parsed.
MAX_TEXT = 4096
#: telegram-bot-api, Client.cpp: bytes of the text before that.
MAX_RAW = 32_768
#: core.telegram.org/bots/faq: about one message a second in a chat, 20 a minute in a group; some room is kept.
RATE = Rate(1.0)
GROUP_RATE = Rate(1.0, per_minute=18)
API_BASE = "https://api.telegram.org"

#: Ours: characters of title, of each field, of all fields together, of the footer; bytes of all links.
_TITLE, _NAME, _VALUE, _FIELDS, _FOOTER, _LINKS = 300, 100, 400, 1500, 300, 8000
_TOKEN = re.compile(r"\d{1,20}:[A-Za-z0-9_-]{1,256}")
#: `-100123`, `@channel`, and behind a slash a topic of the group.
_CHAT = re.compile(r"(-?\d{1,19}|@[A-Za-z]\w{3,63})(?:/(\d{1,10}))?", re.ASCII)
#: A name behind this sign would be told that it was mentioned; not within an address of mail.
_MENTION = re.compile(r"(?<![\w.])@(?=\w)")
_WORD_JOINER = "\u2060"
#: Descriptions of errors that are about the chat rather than about the message.
_CHAT_CLOSED = ("chat not found", "chat_id is empty", "not enough rights", "have no rights", "chat_write_forbidden")
#: An edit that failed so has nothing to edit: a new message is sent.
_NOT_EDITABLE = ("message to edit not found", "message can't be edited", "message_id_invalid")

_log = logging.getLogger("understudy.channels.telegram")


@dataclass(frozen=True, slots=True)
class TelegramOptions(ChannelOptions):
    """A bot of Telegram and the chats it writes to."""

    kind: Annotated[Literal["telegram"], Doc("Telegram, by a bot")] = "telegram"
    bot_token: Annotated[Secret, Doc("token of the bot; env:NAME or file:PATH")] = Secret("")
    chat_id: Annotated[
        tuple[str, ...], at.MinLen(1), at.MaxLen(50), Doc("chats: a number, an @channel, or GROUP/TOPIC")
    ] = ()
    api_base: Annotated[str, at.MaxLen(2000), Doc("where the Bot API is, for a server of your own")] = API_BASE

    def __post_init__(self) -> None:
        super(TelegramOptions, self).__post_init__()
        if not _TOKEN.fullmatch(self.bot_token.reveal()):
            raise OptionError("TelegramOptions", "bot_token", "a value that is not shown", "a token as 123456:ABC…")
        if not self.chat_id:
            raise OptionError("TelegramOptions", "chat_id", (), "at least one chat")
        for chat in self.chat_id:
            if not _CHAT.fullmatch(chat):
                raise OptionError("TelegramOptions", "chat_id", chat[:80], "a number, an @channel, or GROUP/TOPIC")
        refuse_address("TelegramOptions", "api_base", self.api_base, allow_private=self.allow_private)


@dataclass(slots=True)
class _Chat:
    """Where one recipient is: what Telegram has told about it since stays known until the end of the process."""

    id: str
    topic: int | None = None


class TelegramChannel:
    """Sends as one bot to its chats."""

    def __init__(self, name: str, options: TelegramOptions, deps: ChannelDeps) -> None:
        self.name = name
        REDACTOR.add(options.bot_token)
        self._base = f"{options.api_base.rstrip('/')}/bot{options.bot_token.reveal()}/"
        self._wire = Wire(deps.client(options), deps.clock, options.timeout)
        self._chats: dict[str, _Chat] = {}
        for chat in dict.fromkeys(options.chat_id):
            group, _, topic = chat.partition("/")
            self._chats[chat] = _Chat(group, int(topic) if topic else None)
        rate = GROUP_RATE if any(chat.startswith(("-", "@")) for chat in self._chats) else RATE
        destination = f"telegram:{options.bot_token.fingerprint()}:{','.join(self._chats)}"
        several = tuple(self._chats) if len(self._chats) > 1 else ()
        self.traits: Traits = options.traits(destination, rate, living="edit", recipients=several)

    async def send(self, message: Message) -> Outcome:
        """Send it to every chat that it has not reached yet; see `Channel.send`."""
        wanted = [chat for chat in self._chats if not message.recipients or chat in message.recipients]
        if not wanted:
            return Rejected("none of the chats that are still to be reached is configured any more")
        until = self._wire.deadline()
        if len(self._chats) == 1:
            return await self._one(wanted[0], message, until)
        found = await asyncio.gather(*(self._surely(chat, message, until) for chat in wanted))
        return _together(dict(zip(wanted, found, strict=True)), message.living)

    async def close(self) -> None:
        """Nothing to give back: the HTTP client is shared."""

    async def _surely(self, chat: str, message: Message, until: float) -> Delivered | Retry | Rejected:
        """To one of several chats: the plain form follows at once, as the others may have the rich one already."""
        found = await self._one(chat, message, until)
        if isinstance(found, Degrade):
            found = await self._one(chat, replace(message, plain=True), until)
        return found if isinstance(found, Delivered | Retry | Rejected) else Rejected(found.reason, "message")

    async def _one(self, name: str, message: Message, until: float) -> Delivered | Retry | Rejected | Degrade:
        """To one chat: an edit where there is something to edit, else a message; once more where that helps."""
        living = _living(message, name)
        if living is not None and message.card.kind in QUIET | ENDS:
            quiet = message.card.kind in QUIET
            edited = await self._edit(name, message, living, until if quiet else self._wire.deadline(FOR_EDIT))
            if edited is not None and (quiet or (isinstance(edited, Retry) and edited.status == 429)):
                return edited
        tries = 3  # the group's new id, and that the topic is gone, can each be learnt once
        while True:
            document = self._document(name, message, living)
            answer = await self._wire.json("POST", self._base + "sendMessage", document, until=until)
            if not isinstance(answer, Answer):
                return answer
            tries -= 1
            if not tries or not self._learnt(name, answer):
                return outcome(answer, message, name)

    async def _edit(
        self, name: str, message: Message, living: int, until: float
    ) -> Delivered | Retry | Rejected | Degrade | None:
        """How changing an earlier message went; None when it cannot be changed, so that a new one is wanted."""
        document = {"chat_id": self._chats[name].id, "message_id": living, **text_of(message)}
        answer = await self._wire.json("POST", self._base + "editMessageText", document, until=until)
        if not isinstance(answer, Answer):
            return answer
        if "message is not modified" in _description(answer):
            return Delivered(_receipt(name, living), answer.status, answer.response, answer.sent_bytes)
        if any(words in _description(answer) for words in _NOT_EDITABLE):
            return None
        return outcome(answer, message, name)

    def _document(self, name: str, message: Message, living: int | None) -> dict[str, Any]:
        chat, card = self._chats[name], message.card
        document: dict[str, Any] = {"chat_id": chat.id, **text_of(message)}
        if chat.topic is not None:
            document["message_thread_id"] = chat.topic
        if living is not None:
            document["reply_parameters"] = {"message_id": living, "allow_sending_without_reply": True}
        if card.severity is Severity.INFO or card.kind in QUIET:
            document["disable_notification"] = True
        return document

    def _learnt(self, name: str, answer: Answer) -> bool:
        """Whether the answer told something about the chat with which sending is worth another try now."""
        chat = self._chats[name]
        moved = _parameters(answer).get("migrate_to_chat_id")
        if answer.status == 400 and isinstance(moved, int) and not isinstance(moved, bool) and str(moved) != chat.id:
            _log.warning(
                "channel %s: the group %s has become the supergroup %d; configure that", self.name, name, moved
            )
            chat.id = str(moved)
            return True
        if answer.status == 400 and chat.topic is not None and "message thread not found" in _description(answer):
            _log.warning("channel %s: the chat %s has no such topic; sent without", self.name, name)
            chat.topic = None
            return True
        return False


def _together(outcomes: dict[str, Delivered | Retry | Rejected], living: Receipt | None) -> Outcome:
    """The outcome of several chats. What is wrong with one is no reason to give up the channel.

    Each receipt tells of all chats, those of earlier attempts among them, as one is kept for the channel.
    """
    for found in outcomes.values():
        if isinstance(found, Rejected) and found.scope == "endpoint" and found.status in (401, 404):
            return found  # the token is wrong, so nothing reached any chat
    numbers = dict(living.data) if living is not None else {}
    for found in outcomes.values():
        numbers |= found.receipt.data if isinstance(found, Delivered) else {}

    def own(found: Delivered | Retry | Rejected) -> Delivered | Retry | Rejected:
        if isinstance(found, Delivered):
            return replace(found, receipt=replace(found.receipt, data=numbers))
        return replace(found, scope="message") if isinstance(found, Rejected) else found

    return PerRecipient({chat: own(found) for chat, found in outcomes.items()})


def outcome(answer: Answer, message: Message, chat: str) -> Delivered | Retry | Rejected | Degrade:
    """What Telegram's answer means: success is `ok: true` with a message in it."""
    said = answer.json()
    description = _description(answer)
    if answer.status == 200 and said.get("ok") is True:
        result = said.get("result")
        number = result.get("message_id") if isinstance(result, dict) else None
        if isinstance(number, int) and not isinstance(number, bool):
            return Delivered(_receipt(chat, number), 200, "", answer.sent_bytes)
        return unexpected(answer, "a message")
    if answer.status in (401, 403, 404) or any(words in description for words in _CHAT_CLOSED):
        return closed(answer, f"Telegram does not let the bot write there ({_reason(answer)})")
    retry = unanswered(answer, after=seconds(_parameters(answer).get("retry_after")))
    if retry is not None:
        return retry
    if answer.status < 300:
        return unexpected(answer, "ok")
    return refused(answer, message, f"Telegram refused the message ({_reason(answer)})")


def _description(answer: Answer) -> str:
    found = answer.json().get("description")
    return found.lower() if isinstance(found, str) else ""


def _reason(answer: Answer) -> str:
    found = answer.json().get("description")
    return shown(found) if isinstance(found, str) else answer.response or f"status {answer.status}"


def _parameters(answer: Answer) -> dict[str, Any]:
    found = answer.json().get("parameters")
    return found if isinstance(found, dict) else {}


def _receipt(chat: str, number: int) -> Receipt:
    return Receipt(str(number), {chat: str(number)})


def _living(message: Message, chat: str) -> int | None:
    """What this chat was sent last in the episode."""
    found = message.living.data.get(chat, "") if message.living is not None else ""
    return int(found) if found.isascii() and found.isdigit() and len(found) < 19 else None


# -- the text -----------------------------------------------------------------------------------


def text_of(message: Message) -> dict[str, Any]:
    """The text of a message with what says how to read it, within every limit for any card."""
    card = legible(message.card)
    preview = {"link_preview_options": {"is_disabled": True}}
    if message.plain:
        # In UTF-16 units, of which there are never fewer than characters: whoever counts, it fits.
        parts = (_unmentioned(part) for part in plain_parts(card, mark(card)))
        return {"text": fitted(parts, MAX_TEXT, utf16), **preview}
    return {"text": _html(card), "parse_mode": "HTML", **preview}


def _html(card: Card) -> str:
    """The card as HTML: every piece is cut as text, then escaped, then wrapped."""
    title = cut(_unmentioned(f"{mark(card)} {card.title}"), _TITLE)
    footer = cut(_unmentioned(card.footer if visible(card.footer) else "Understudy"), _FOOTER)
    fields, fields_size = _fields(card)
    links, links_size = _links(card)
    whole = [card.title] if len(card.title) > _TITLE - 4 else []  # the first line holds its beginning only
    notes = cut("\n".join(f"⚠ {_unmentioned(note)}" for note in card.notes if visible(note)), MAX_TEXT // 4)
    # Five places where parts are joined by two line ends.
    left = MAX_TEXT - len(title) - len(footer) - fields_size - links_size - len(notes) - 10
    text = fitted((_unmentioned(each) for each in (*whole, *card.paragraphs) if visible(each)), left)
    parts = [f"<b>{_escape(title)}</b>", _wrapped("i", notes), _escape(text), fields, links, _wrapped("i", footer)]
    return "\n\n".join(part for part in parts if part)


def _fields(card: Card) -> tuple[str, int]:
    """The fields, one on a line, as many as have room; and how many characters of text they are."""
    lines: list[str] = []
    size = 0
    for each in card.fields:
        if not visible(each.name) or not visible(each.value):
            continue
        name, value = cut(_unmentioned(each.name), _NAME), cut(_unmentioned(each.value), _VALUE)
        size += len(name) + len(value) + 3
        if size > _FIELDS:
            size -= len(name) + len(value) + 3
            break
        lines.append(f"<b>{_escape(name)}:</b> {_escape(value)}")
    return "\n".join(lines), size


def _links(card: Card) -> tuple[str, int]:
    """The links on one line, as many as have room; and how many characters of text they are."""
    found: list[str] = []
    size = raw = 0
    for each in card.actions:
        label = cut(each.label, _NAME)
        link = f'<a href="{_escape(each.url).replace(chr(34), "&quot;")}">{_escape(label)}</a>'
        raw += len(link.encode())
        if raw > _LINKS or not visible(label):
            continue
        found.append(link)
        size += len(label) + 3
    return " · ".join(found), size


def _wrapped(tag: str, text: str) -> str:
    return f"<{tag}>{_escape(text)}</{tag}>" if text else ""


def _escape(text: str) -> str:
    """What HTML mode asks for (core.telegram.org/bots/api#html-style)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _unmentioned(text: str) -> str:
    """Names stay readable and mention nobody: an invisible joiner stands behind their sign."""
    return _MENTION.sub(f"@{_WORD_JOINER}", text)
