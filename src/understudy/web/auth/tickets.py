"""The secrets that browsers and programs carry: made, read and digested. What is kept of them signs nobody in."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import zlib
from typing import Final, NamedTuple

#: `us_`, the number of the token, its secret, and a checksum by which scanners know a real one.
_TOKEN: Final = re.compile(r"us_([0-9a-f]{12})_([0-9a-f]{64})([0-9a-f]{8})")
#: A session's id as a cookie carries it.
_SESSION: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_MASK: Final = 32


class Ticket(NamedTuple):
    """A token as it is shown once, and the parts of it."""

    text: str
    id: str
    secret: str


def new_token() -> Ticket:
    """A token of 256 bits."""
    number, secret = secrets.token_hex(6), secrets.token_hex(32)
    return Ticket(f"us_{number}_{secret}{_checksum(number, secret)}", number, secret)


def read_token(text: str) -> Ticket | None:
    """The parts of a token; None for what was never one of ours."""
    found = _TOKEN.fullmatch(text)
    if found is None or not hmac.compare_digest(_checksum(found[1], found[2]), found[3]):
        return None
    return Ticket(text, found[1], found[2])


def token_digest(key: bytes, ticket: Ticket) -> str:
    """What is kept of a token: useless without the key of the service."""
    return hmac.new(key, f"token:{ticket.id}:{ticket.secret}".encode(), hashlib.sha256).hexdigest()


def _checksum(number: str, secret: str) -> str:
    return f"{zlib.crc32(f'us_{number}_{secret}'.encode()):08x}"


def new_session() -> str:
    """An id of 256 bits."""
    return secrets.token_urlsafe(32)


def session_digest(session: str) -> str:
    """What is kept of a session's id; empty for what cannot be one."""
    return hashlib.sha256(session.encode()).hexdigest() if _SESSION.fullmatch(session) else ""


def new_setup() -> tuple[str, str]:
    """A one-time token for the first administrator, and what is kept of it."""
    text = f"setup-{secrets.token_urlsafe(32)}"
    return text, setup_digest(text)


def setup_digest(text: str) -> str:
    """What is kept of a set-up token."""
    return hashlib.sha256(f"setup:{text.strip()}".encode("utf-8", "replace")).hexdigest()


def form_token(session: str) -> str:
    """What binds a form to its session; another text on each page, so that compression tells nothing of it."""
    mask = secrets.token_bytes(_MASK)
    hidden = bytes(a ^ b for a, b in zip(mask, _form_key(session), strict=True))
    return base64.urlsafe_b64encode(mask + hidden).decode().rstrip("=")


def is_form_token(session: str, text: str) -> bool:
    """Whether a form was made for this session."""
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (UnicodeEncodeError, binascii.Error, ValueError):
        return False
    if len(raw) != 2 * _MASK:
        return False
    shown = bytes(a ^ b for a, b in zip(raw[:_MASK], raw[_MASK:], strict=True))
    return hmac.compare_digest(shown, _form_key(session))


def _form_key(session: str) -> bytes:
    return hmac.new(session.encode(), b"form", hashlib.sha256).digest()
