"""What can be wrong with an API: the kinds of fault, their parameters, and which are active."""

from __future__ import annotations

import difflib
import random
from dataclasses import dataclass
from typing import Literal

from understudy.core.errors import OptionError, UnknownName

Param = str | int | float | bool
Level = Literal["connect", "delay", "answer", "wire"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: where it acts, its parameters with their defaults, and one line for people.

    A parameter whose default is a tuple takes one of its members; the first is the default.
    """

    level: Level
    says: str
    params: dict[str, Param | tuple[str, ...]]


_AFTER: dict[str, Param | tuple[str, ...]] = {
    "after": 2.0,
    "form": ("seconds", "date", "ms", "x_ms", "reset", "none"),
}
_BEFORE_OR_IN_BODY = ("before_headers", "mid_body")

KINDS: dict[str, Kind] = {
    "refuse": Kind("connect", "nothing listens on the port; open connections are reset", {}),
    "blackhole": Kind("connect", "connecting hangs; open connections fall silent", {}),
    "tls": Kind(
        "connect",
        "the HTTPS port shows a bad certificate or breaks off its handshake; the plain port answers in TLS",
        {"mode": ("expired", "self_signed", "wrong_host", "handshake")},
    ),
    "latency": Kind("delay", "answers come later", {"seconds": 1.0, "jitter": 0.0}),
    "status": Kind("answer", "answers with a status, by default 503", {"status": 503, **_AFTER, "form": (
        "none", "seconds", "date", "ms", "x_ms", "reset")}),
    "rate_limit": Kind("answer", "429, too many requests; `form` is how the wait is told", {**_AFTER, "key": ""}),
    "quota_end": Kind("answer", "429, the quota of the month is spent; remaining 0", {"key": ""}),
    "hub_failure": Kind("answer", "the hub itself fails, and says so in its marker header", {"status": 503}),
    "wrong_key": Kind("answer", "401, the key is not valid", {"key": ""}),
    "not_subscribed": Kind("answer", "403, the key has no subscription", {"key": ""}),
    "redirect": Kind("answer", "redirected to another host", {"location": "http://127.0.0.2:9/", "status": 302}),
    "error_envelope": Kind("answer", "200 with an error inside", {}),
    "empty": Kind("answer", "200 with an empty body", {}),
    "invalid_json": Kind("answer", "200 with JSON that breaks off", {}),
    "invalid_utf8": Kind("answer", "200 with bytes that are not UTF-8", {}),
    "bandwidth": Kind("wire", "the answer comes slowly", {"bytes_per_second": 2_000.0}),
    "hang": Kind("wire", "reads the request, then falls silent", {
        "stage": ("before_headers", "after_headers", "mid_body")}),
    "reset": Kind("wire", "the connection is reset", {"stage": _BEFORE_OR_IN_BODY}),
    "half_close": Kind("wire", "our side is closed, theirs is still read", {"stage": _BEFORE_OR_IN_BODY}),
    "close_idle": Kind("wire", "a kept connection is closed at the moment of its reuse, or while it rests", {
        "how": ("fin", "reset"), "when": ("reuse", "rest")}),
    "close_after": Kind("wire", "closed after that many bytes of the answer", {"bytes": 0}),
    "no_length": Kind("wire", "a whole answer without length, ended by closing", {}),
    "sliced": Kind("wire", "a whole answer, each byte a packet of its own", {}),
    "truncated": Kind("wire", "the body ends before its Content-Length", {}),
    "bad_chunk": Kind("wire", "a chunk size that is no number", {"segment": ("same", "later")}),
    "drip": Kind("wire", "the body comes in single bytes", {"interval": 0.25}),
    "endless_headers": Kind("wire", "headers without end", {"bytes": 256 * 1024 * 1024}),
    "huge_body": Kind("wire", "a body far larger than any answer", {"bytes": 1024 * 1024 * 1024}),
    "gzip_bomb": Kind("wire", "a small body that unpacks to that many bytes", {"bytes": 1024 * 1024 * 1024}),
}  # fmt: skip


class Fault:
    """A fault to be injected: `Fault("status", status=502)`, `Fault("reset", stage="mid_body")`.

    `share` is the part of the requests it strikes (0–1, by seeded chance; a fault of connecting
    strikes always); with `probes=False` the free status path is spared. Raises `UnknownName` for an
    unknown kind and `OptionError` for a parameter that the kind has not, or not with that value.
    """

    __slots__ = ("kind", "level", "params", "probes", "share")

    def __init__(self, kind: str, *, share: float = 1.0, probes: bool = True, **params: Param) -> None:
        known = KINDS.get(kind)
        if known is None:
            raise UnknownName("fault", kind, next(iter(difflib.get_close_matches(kind, KINDS, 1)), ""))
        if not _is_number(share) or not 0 <= share <= 1:
            raise OptionError(f"fault {kind}", "share", share, "a number from 0 to 1")
        if not isinstance(probes, bool):
            raise OptionError(f"fault {kind}", "probes", probes, "true or false")
        self.kind = kind
        self.level: Level = known.level
        self.share = float(share)
        self.probes = probes
        self.params = _checked(kind, known, params)

    def text(self, name: str) -> str:
        """A parameter that is text."""
        return str(self.params[name])

    def number(self, name: str) -> float:
        """A parameter that is a number."""
        return float(self.params[name])

    def as_dict(self) -> dict[str, object]:
        """The fault as JSON-ready values."""
        return {"fault": self.kind, "params": dict(self.params), "share": self.share, "probes": self.probes}

    def __eq__(self, other: object) -> bool:
        return self.as_dict() == other.as_dict() if isinstance(other, Fault) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.kind, self.share, self.probes, tuple(self.params.items())))

    def __repr__(self) -> str:
        told = "".join(f", {name}={value!r}" for name, value in self.params.items())
        return f"Fault({self.kind!r}{told})"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _checked(kind: str, known: Kind, given: dict[str, Param]) -> dict[str, Param]:
    for name, value in given.items():
        if name not in known.params:
            has = ", ".join(sorted(known.params)) or "no parameters"
            raise OptionError(f"fault {kind}", name, value, f"one of: {has}")
    return {name: _value(kind, name, default, given.get(name)) for name, default in known.params.items()}


def _value(kind: str, name: str, default: Param | tuple[str, ...], value: Param | None) -> Param:
    if isinstance(default, tuple):
        if value is not None and value not in default:
            raise OptionError(f"fault {kind}", name, _short(value), "one of: " + ", ".join(default))
        return default[0] if value is None else value
    if value is None:
        return default
    if isinstance(default, str):
        if not isinstance(value, str) or not value.isprintable() or not value.isascii() or len(value) > 2_000:
            raise OptionError(f"fault {kind}", name, _short(value), "printable ASCII text of at most 2000 characters")
        return value
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 2**40:
        raise OptionError(f"fault {kind}", name, _short(value), "a number from 0 to 2^40")
    if name == "status" and not 200 <= value <= 599:
        raise OptionError(f"fault {kind}", name, value, "a status from 200 to 599")
    return int(value) if isinstance(default, int) else float(value)


def _short(value: object) -> object:
    """A value as an error shows it: whole, unless it would fill a page."""
    text = str(value)
    return value if len(text) <= 100 else f"{text[:100]}…"


class Mark:
    """One injection: two of the very same fault are two."""

    __slots__ = ("fault",)

    def __init__(self, fault: Fault) -> None:
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens to one request: a delay in seconds, a changed answer, a broken delivery."""

    delay: float = 0.0
    answer: Fault | None = None
    wire: Fault | None = None


_UNHARMED = Plan()


class ActiveFaults:
    """The faults of one API now: at most one of each kind; of one level, the latest decides."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._active: dict[str, Mark] = {}

    def add(self, fault: Fault) -> Mark:
        """Make it active; one of the same kind is replaced."""
        self._active.pop(fault.kind, None)
        mark = self._active[fault.kind] = Mark(fault)
        return mark

    def remove(self, mark: Mark) -> bool:
        """End this very injection; False if it has been replaced or cleared meanwhile."""
        if self._active.get(mark.fault.kind) is not mark:
            return False
        del self._active[mark.fault.kind]
        return True

    def clear(self) -> None:
        """End all."""
        self._active.clear()

    def all(self) -> tuple[Fault, ...]:
        """The active faults, oldest first."""
        return tuple(mark.fault for mark in self._active.values())

    def connect(self) -> Fault | None:
        """The latest fault that acts on connecting."""
        return next((fault for fault in reversed(self.all()) if fault.level == "connect"), None)

    def plan(self, probe: bool, key: str) -> Plan:
        """What happens to a request, a probe or not, that carries the key of this alias."""
        if not self._active:
            return _UNHARMED
        delay, answer, wire = 0.0, None, None
        for fault in self.all():
            if not self._strikes(fault, probe, key):
                continue
            if fault.level == "delay":
                delay += fault.number("seconds") + self._rng.random() * fault.number("jitter")
            elif fault.level == "answer":
                answer = fault
            elif fault.level == "wire":
                wire = fault
        return Plan(delay, answer, wire)

    def _strikes(self, fault: Fault, probe: bool, key: str) -> bool:
        if probe and not fault.probes:
            return False
        if fault.params.get("key") and fault.params["key"] != key:
            return False
        return fault.share >= 1 or self._rng.random() < fault.share
