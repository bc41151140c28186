"""What users hand in when they record by hand: names, seconds, errors of any kind; checked, or made fit."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

from understudy.core.errors import BodyBroken, ConnectFailed, ConnectionLost
from understudy.core.types import Attribution, OutcomeClass

from .text import harmless, one_line

#: Longest name that is kept, characters.
MAX_NAME = 200
#: Names beyond the most that are kept apart are counted together under this one.
OVERFLOW = "other"
#: Longest response time that is taken, s (thirty years): what is longer is a mistake, an epoch in milliseconds
#: perhaps, and one such value in a sum would swallow every later one.
MAX_SECONDS = 1e9
#: How far an exception is followed to what caused it.
_DEPTH = 8


def clean_name(name: str) -> str:
    """`name` as it is kept: printable, at most 200 characters, `other` when nothing is left."""
    return one_line(name, MAX_NAME).strip() or OVERFLOW


def is_text(value: object) -> bool:
    """Whether it is what the annotation promises; callers are not all type-checked."""
    return isinstance(value, str)


def is_seconds(value: object) -> bool:
    """Whether it is a number of seconds from 0 to `MAX_SECONDS`."""
    try:
        return bool(0.0 <= value <= MAX_SECONDS)  # type: ignore[operator]  # the very question is whether it compares
    except Exception:  # noqa: BLE001 - a value of any kind: what it raises says that it is no number
        return False


def bad_seconds(value: object) -> ValueError:
    """What to raise for a response time that is none."""
    try:
        shown = f"{value!r:.80}"
    except Exception:  # noqa: BLE001 - some values cannot be shown, an integer of 5,000 digits for one
        shown = f"a {type(value).__name__}"
    return ValueError(f"response_time: expected a number of seconds from 0 to {MAX_SECONDS:g}, found {shown}")


_OUTCOMES: tuple[tuple[tuple[type[BaseException], ...], OutcomeClass], ...] = (
    ((ConnectFailed, ConnectionRefusedError), OutcomeClass.CONNECT),
    ((ssl.SSLError,), OutcomeClass.TLS),
    ((TimeoutError,), OutcomeClass.TIMEOUT),
    ((ConnectionLost, ConnectionError), OutcomeClass.LOST),
    ((BodyBroken,), OutcomeClass.BODY),
)


def judge(error: object) -> tuple[OutcomeClass, Attribution]:
    """The class of a failure that a user recorded: the provider's, unless the exception or its cause says more."""
    for each in _causes(error):
        for kinds, outcome in _OUTCOMES:
            if isinstance(each, kinds):
                tls = isinstance(each, ConnectFailed) and each.stage == "tls"
                return OutcomeClass.TLS if tls else outcome, Attribution.PROVIDER
    return OutcomeClass.PROVIDER, Attribution.PROVIDER


def _causes(error: object) -> Iterator[BaseException]:
    """The exception and what led to it: HTTP libraries wrap what the socket said."""
    found = error if isinstance(error, BaseException) else None
    for _ in range(_DEPTH):
        if found is None:
            return
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def text_of(error: object) -> str:
    """One harmless line about an error."""
    if error is None:
        return ""
    text = harmless(error)
    if isinstance(error, BaseException):
        return f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text


def status_of(error: object) -> int | None:
    """The HTTP status that an exception carries, if it does."""
    try:
        status = getattr(error, "status", None)
    except Exception:  # noqa: BLE001 - an attribute of somebody else's exception may itself fail
        return None
    return status if isinstance(status, int) and not isinstance(status, bool) else None
