"""Secrets that somebody typed into an entry that is not stored yet: kept here, so that no page carries them back."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from understudy.config.managed import mark
from understudy.core.secrets import Secret
from understudy.web.http import Request

from .edited_text import MARK, replaced

if TYPE_CHECKING:
    from understudy.app import Understudy

#: How long they wait after they were last used, s; most drafts of one service, and most secrets of one draft.
_VALID: Final = 1800.0
_MOST: Final = 100
_EACH: Final = 50


@dataclass(slots=True)
class Held:
    """The secrets of one draft by their fingerprints. Only whoever typed them can use them, for the same entry."""

    owner: str
    about: tuple[str, str]
    until: float
    secrets: dict[str, Secret] = field(default_factory=dict)


class Waiting:
    """The drafts of one service."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, Held] = OrderedDict()

    def find(self, app: Understudy, request: Request, key: str, about: tuple[str, str]) -> Held:
        """What waits under a key, or nothing: for somebody else, for another entry, after its time."""
        now, found = app.clock.monotonic(), self._held.get(key)
        if found is not None and found.until < now:
            del self._held[key]
            found = None
        if found is None or (found.owner, found.about) != (_owner(request), about):
            return Held(_owner(request), about, now + _VALID)
        return found

    def keep(self, app: Understudy, key: str, held: Held) -> str:
        """Keep what is held; gives its key, empty where there is nothing to keep."""
        if not held.secrets:
            return ""
        held.until = app.clock.monotonic() + _VALID
        if self._held.get(key) is not held:
            key = secrets.token_urlsafe(16)
        self._held[key] = held
        self._held.move_to_end(key)
        while len(self._held) > _MOST:
            self._held.popitem(last=False)
        return key

    def end(self, key: str) -> None:
        """Forget the secrets of a draft."""
        self._held.pop(key, None)


def filled(values: Any, held: Held) -> Any:
    """The values with the secrets that wait in the places of their marks."""
    if isinstance(values, Mapping):
        return {name: filled(below, held) for name, below in values.items()}
    if isinstance(values, list):
        return [filled(below, held) for below in values]
    found = MARK.fullmatch(values) if isinstance(values, str) else None
    waiting = held.secrets.get(found[1]) if found else None
    return waiting.reveal() if waiting is not None else values


def hidden(kind: str, name: str, values: Mapping[str, Any], held: Held) -> dict[str, Any]:
    """The values with marks in place of the secrets that were typed, which wait in `held` from now on."""

    def kept(text: str) -> str:
        secret = Secret(text, "entered")
        if len(held.secrets) < _EACH:
            held.secrets[secret.fingerprint()] = secret
        return mark(secret.fingerprint())

    return replaced(kind, name, values, kept)


def _owner(request: Request) -> str:
    return f"{request.who.name} {request.who.key}"


_WAITING: WeakKeyDictionary[Understudy, Waiting] = WeakKeyDictionary()


def waiting_of(app: Understudy) -> Waiting:
    """The drafts of an application."""
    return _WAITING.setdefault(app, Waiting())
