"""Links in messages that acknowledge or silence an alert with one click, without an account or a bot.

A link is a signed statement of what may be done, to which alert, until when, and through which channel it came.
Opening it does nothing but show a page that asks: scanners of mail open every link. What that page posts is
acted upon. Signed by HMAC-SHA256 (RFC 2104); nothing is stored, so a link works until it expires.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import quote

from understudy.core.clock import Clock
from understudy.core.errors import UnderstudyError
from understudy.core.notices import Notice, NoticeKind
from understudy.core.secrets import Secret

LinkAction = Literal["acknowledge", "silence"]
#: Where the service takes links.
PATH = "/act/"
#: No token of ours is longer, characters; and the shortest key that is a secret, bytes.
LONGEST, SHORTEST_KEY = 1000, 16
#: So that a key that signs sessions, too, signs nothing that passes for one.
_PURPOSE = b"understudy link v1\0"
#: After these nothing is left to acknowledge.
_OVER = frozenset(
    (NoticeKind.RESOLVED, NoticeKind.FLAPPING_ENDED, NoticeKind.TEST, NoticeKind.MESSAGE, NoticeKind.DIGEST)
)


class LinkError(UnderstudyError, ValueError):
    """A link is not one of ours, was changed, or has expired; the text says which, for people."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link allows. `alert` is a fingerprint; `expires_at` epoch seconds; `channel` is where it was sent."""

    action: LinkAction
    alert: str
    expires_at: float
    channel: str = ""


class Signer:
    """Signs links and reads them.

    Args:
        key: at least 16 bytes, kept secret; who has it can acknowledge every alert.

    Raises:
        ValueError: the key is too short to be one.
    """

    def __init__(self, key: Secret, clock: Clock) -> None:
        raw = key.reveal().encode()
        if len(raw) < SHORTEST_KEY:
            raise ValueError(f"the key that signs links has {len(raw)} bytes; it needs at least {SHORTEST_KEY}")
        self._key = hmac.new(raw, _PURPOSE, hashlib.sha256).digest()
        self._clock = clock

    def sign(self, action: LinkAction, alert: str, channel: str, valid: float) -> str:
        """The token that allows `action` on `alert` for `valid` seconds."""
        said = [action, alert, int(self._clock.time() + valid), channel]
        body = json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()
        return f"{_written(body)}.{_written(self._seal(body))}"

    def verify(self, token: str) -> Link:
        """What a token allows.

        Raises:
            LinkError: nothing: it is not ours, was changed, or has expired.
        """
        if len(token) > LONGEST:
            raise LinkError("this is no link of ours")
        body, seal = (_read(part) for part in (*token.split(".", 1), "")[:2])
        if not body or not hmac.compare_digest(seal, self._seal(body)):
            raise LinkError("this link is damaged, or was made with another key")
        # The last character of base64 carries bits that mean nothing: one token has one spelling.
        if token != f"{_written(body)}.{_written(seal)}":
            raise LinkError("this link is damaged, or was made with another key")
        action, alert, expires_at, channel = json.loads(body)  # signed: it is what `sign` wrote
        if action not in get_args(LinkAction):
            raise LinkError("this link asks for something that is not known here")
        if self._clock.time() >= expires_at:
            raise LinkError("this link has expired")
        return Link(action, alert, float(expires_at), channel)

    def _seal(self, body: bytes) -> bytes:
        return hmac.new(self._key, body, hashlib.sha256).digest()


def linker(
    signer: Signer | None, public_url: str, valid: Callable[[], float]
) -> Callable[[Notice, str], Mapping[str, str]]:
    """What makes the links of a message: to acknowledge, to silence, and to the alert's own page."""
    base = public_url.rstrip("/")

    def links(notice: Notice, channel: str) -> Mapping[str, str]:
        if not base:
            return {}
        found = {"open": f"{base}/alerts/{quote(notice.episode, safe='')}" if notice.episode else f"{base}/alerts"}
        if signer is not None and notice.fingerprint and notice.kind not in _OVER:
            for action in get_args(LinkAction):
                found[action] = f"{base}{PATH}{signer.sign(action, notice.fingerprint, channel, valid())}"
        return found

    return links


def _written(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _read(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
