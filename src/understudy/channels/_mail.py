"""A message as mail (RFC 5322, 2045–2047): the same for every attempt but for its date.

Headers are written by the older half of Python's `email`: the newer one loses spaces between encoded words
(python/cpython#92081). Line ends are removed from whatever goes into one.
"""

from __future__ import annotations

import hashlib
import quopri
import re
from collections.abc import Sequence
from dataclasses import replace
from email.header import Header
from email.utils import formatdate
from html import escape
from typing import Final

from understudy.core.legible import cut, line
from understudy.core.notices import NoticeKind
from understudy.core.text import texts
from understudy.notifications.message import Card, Message
from understudy.notifications.render import in_plain_words, legible

from ._address import Address
from .marks import colour, mark

#: RFC 5322, 2.1.1: characters of a line, without its end: "MUST be no more than 998", "SHOULD" 78.
MAX_LINE: Final = 998
AIM_LINE: Final = 76
#: No limit is published for these. A subject is read in a list; a part over 100 kB is clipped by large
#: providers, and a mail over 10 MB is refused by the commonest server's default.
MAX_SUBJECT: Final = 200
MAX_PART: Final = 60_000
MAX_TEXT: Final = 20_000
MAX_NAME: Final = 200
MAX_FIELDS: Final = 100
MAX_ACTIONS: Final = 20
#: Longer unbroken words are written as encoded words, which may be folded.
_LONGEST_WORD = 60


def compose(message: Message, sender: Address, recipients: Sequence[Address], listed: str = "") -> bytes:
    """The whole mail, its lines ended by CR LF, in ASCII.

    `recipients` are all the addresses of the channel, whoever of them is still to be reached: they are part of
    what the mail is known by. `listed` is the value of `List-Id`, by which people sort their mail.
    """
    card = _bounded(legible(message.card))
    key = _key(message.notice.event_id, recipients)
    headers = [
        ("From", _mailbox(sender)),
        ("To", ",\r\n ".join(map(_mailbox, recipients))),
        ("Subject", _encoded(subject(message), "Subject")),
        ("Date", formatdate(message.at)),
        ("Message-ID", f"<{message_id(message, sender, recipients)}>"),
        *_thread(message, sender),
        ("MIME-Version", "1.0"),
        # RFC 3834: nobody's holiday shall answer it.
        ("Auto-Submitted", "auto-generated"),
        ("X-Understudy-Event", _encoded(line(message.notice.event_id)[:MAX_SUBJECT] or "-", "X-Understudy-Event")),
        *((("List-Id", f"<{listed}.{sender.domain}>"),) if listed else ()),
    ]
    text = _part("text/plain", cut(f"{mark(card)} {in_plain_words(card)}", MAX_PART))
    if message.plain:
        return _joined(headers) + text
    # `=_` occurs in no quoted-printable text, so that no part can hold the boundary.
    boundary = f"=_{key}"
    headers.append(("Content-Type", f'multipart/alternative;\r\n boundary="{boundary}"'))
    parts = (text, _part("text/html", html(card)))
    body = b"".join(b"--%b\r\n%b\r\n" % (boundary.encode(), part) for part in parts)
    return _joined(headers) + b"\r\n" + body + b"--%b--\r\n" % boundary.encode()


def message_id(message: Message, sender: Address, recipients: Sequence[Address]) -> str:
    """What the mail is known by in mailboxes and in the logs of servers: the same for every attempt."""
    return f"{_key(message.notice.event_id, recipients)}@{sender.domain}"


def subject(message: Message) -> str:
    """The same through an episode, so that mails stand together; only its end is marked."""
    card, _ = message.card, texts(message.card.language)
    about = cut(line(card.subject) or line(card.title) or "Understudy", MAX_SUBJECT)
    over = message.notice.kind is NoticeKind.RESOLVED
    return f"{_('[RESOLVED]')} {about}" if over else about


def html(card: Card) -> str:
    """The card as a page that reads well in light and dark, with no style but what stands on the elements."""
    grey = "color:#808080"
    rows = [
        f'<tr><td style="padding:2px 16px 2px 0;vertical-align:top;{grey}">{_shown(each.name)}</td>'
        f'<td style="padding:2px 0;vertical-align:top">{_shown(each.value)}</td></tr>'
        for each in card.fields
    ]
    links = [
        f'<a href="{escape(each.url)}" style="display:inline-block;margin:0 16px 8px 0">{_shown(each.label)}</a>'
        for each in card.actions
    ]
    inside = [
        f'<h1 style="font-size:18px;line-height:1.3;margin:0 0 12px">{mark(card)} {_shown(card.title)}</h1>',
        *(f'<p style="margin:0 0 12px;font-style:italic">{_shown(each)}</p>' for each in card.notes),
        *(f'<p style="margin:0 0 12px">{_shown(each)}</p>' for each in card.paragraphs),
        f'<table style="border-collapse:collapse;margin:0 0 12px">{chr(10).join(rows)}</table>' if rows else "",
        f'<p style="margin:0 0 12px">{chr(10).join(links)}</p>' if links else "",
        f'<p style="margin:0;font-size:12px;{grey}">{_shown(card.footer)}</p>' if card.footer else "",
    ]
    return "\n".join(
        (
            f'<!doctype html>\n<html lang="{escape(card.language)}"><head><meta charset="utf-8">',
            '<meta name="color-scheme" content="light dark"><meta name="viewport" content="width=device-width">',
            f"<title>{escape(card.title)}</title></head>",
            '<body style="margin:0;padding:16px;font:15px/1.5 system-ui,-apple-system,Segoe UI,Roboto,sans-serif">',
            f'<div style="max-width:640px;border-left:4px solid #{colour(card):06x};padding:0 0 0 16px">',
            *filter(None, inside),
            "</div></body></html>\n",
        )
    )


def _bounded(card: Card) -> Card:
    """The card with texts that a mail may hold; of too many paragraphs the first ones."""
    left = MAX_PART // 2
    paragraphs = []
    for paragraph in card.paragraphs:
        if left <= 0:
            break
        paragraphs.append(cut(paragraph, min(MAX_TEXT, left)))
        left -= len(paragraphs[-1])
    return replace(
        card,
        title=cut(card.title, MAX_SUBJECT * 5),
        paragraphs=tuple(paragraphs),
        notes=tuple(cut(each, MAX_SUBJECT * 5) for each in card.notes[:10]),
        fields=tuple(
            replace(each, name=cut(each.name, MAX_NAME), value=cut(each.value, MAX_TEXT // 10))
            for each in card.fields[:MAX_FIELDS]
        ),
        actions=card.actions[:MAX_ACTIONS],
        footer=cut(card.footer, MAX_SUBJECT * 5),
    )


def _thread(message: Message, sender: Address) -> list[tuple[str, str]]:
    """What puts the mails of an episode together: they all answer one that was never sent.

    So they stand together also where the first of them was lost.
    """
    if not message.root:
        return []
    root = f"<episode.{_digest(message.root)}@{sender.domain}>"
    return [("In-Reply-To", root), ("References", root)]


def _key(event_id: str, recipients: Sequence[Address]) -> str:
    """What a mail is known by: the event and whom it is for, whatever the attempt."""
    return _digest("\n".join((event_id, *sorted(each.mailbox for each in recipients))))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _mailbox(address: Address) -> str:
    if not address.name:
        return address.mailbox
    quoted = '"' + re.sub(r'(["\\])', r"\\\1", address.name) + '"'
    name = quoted if address.name.isascii() and len(quoted) <= _LONGEST_WORD else _encoded(address.name, "From", True)
    return f"{name}\r\n <{address.mailbox}>" if len(name) + len(address.mailbox) > _LONGEST_WORD else (
        f"{name} <{address.mailbox}>"
    )  # fmt: skip


def _encoded(text: str, name: str, always: bool = False) -> str:
    """A header's value, folded; as encoded words (RFC 2047) where it is not short words of ASCII."""
    plain = text.isascii() and "=?" not in text and max(map(len, text.split(" "))) <= _LONGEST_WORD
    charset = "utf-8" if always or not plain else "us-ascii"
    return Header(text, charset, header_name=name, maxlinelen=AIM_LINE).encode(linesep="\r\n")


def _joined(headers: Sequence[tuple[str, str]]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode("ascii")


def _part(kind: str, text: str) -> bytes:
    """A part with its headers: quoted-printable, whose lines have at most 76 characters."""
    head = f"Content-Type: {kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    lines = text.encode("utf-8", "replace").split(b"\n")
    body = quopri.encodestring(b"\n".join(lines), quotetabs=False).replace(b"\n", b"\r\n")
    return head.encode() + body + (b"" if body.endswith(b"\r\n") else b"\r\n")


def _shown(text: str) -> str:
    return escape(text).replace("\n", "<br>\n")
