"""What is left of each key's plan, and the families of headers in which APIs tell it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate

from understudy.core.clock import Clock

from .catalogue import ApiSpec, QuotaFamily

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Standing:
    """A key's quota: `reset_in` seconds from now, `reset_at` epoch seconds."""

    limit: int
    remaining: int
    window: float
    reset_in: float
    reset_at: float


class Meter:
    """Counts the calls of each key in fixed windows of the plan.

    The first window ends after `first_reset` seconds: an account is rarely opened the moment we start.
    """

    def __init__(self, spec: ApiSpec, clock: Clock, first_reset: float) -> None:
        self._spec = spec
        self._clock = clock
        self._ends = clock.monotonic() + first_reset
        self._used: dict[str, int] = {}

    def draw(self, key: str) -> bool:
        """Count one call; False when the plan of this key is spent."""
        self._roll()
        used = self._used.get(key, 0)
        if used >= self._spec.limit:
            return False
        self._used[key] = used + 1
        return True

    def standing(self, key: str, spent: bool = False) -> Standing:
        """What to tell of a key; `spent` tells it as used up whatever the count."""
        self._roll()
        left = self._ends - self._clock.monotonic()
        remaining = 0 if spent else self._spec.limit - self._used.get(key, 0)
        return Standing(self._spec.limit, remaining, self._spec.window, left, self._clock.time() + left)

    def _roll(self) -> None:
        behind = self._clock.monotonic() - self._ends
        if behind >= 0:
            self._ends += self._spec.window * (1 + behind // self._spec.window)
            self._used.clear()


def quota_headers(family: QuotaFamily, standing: Standing) -> Headers:
    """The standing of a key in the words of one family of headers."""
    return _FAMILIES[family](standing)


def _object(name: str, s: Standing) -> Headers:
    return [
        (f"x-ratelimit-{name}-limit", str(s.limit)),
        (f"x-ratelimit-{name}-remaining", str(s.remaining)),
        (f"x-ratelimit-{name}-reset", str(math.ceil(s.reset_in))),
    ]


def _plain(s: Standing, reset: int) -> Headers:
    return [
        ("X-RateLimit-Limit", str(s.limit)),
        ("X-RateLimit-Remaining", str(s.remaining)),
        ("X-RateLimit-Reset", str(reset)),
    ]


def _ietf(s: Standing) -> Headers:
    return [
        ("RateLimit-Policy", f'"month";q={s.limit};w={int(s.window)}'),
        ("RateLimit", f'"month";r={s.remaining};t={math.ceil(s.reset_in)}'),
    ]


def _ietf_split(s: Standing) -> Headers:
    return [
        ("RateLimit-Limit", str(s.limit)),
        ("RateLimit-Remaining", str(s.remaining)),
        ("RateLimit-Reset", str(math.ceil(s.reset_in))),
    ]


_FAMILIES: dict[QuotaFamily, Callable[[Standing], Headers]] = {
    "requests": lambda s: _object("requests", s),
    "hard_limit": lambda s: _object("requests", s) + _object("rapid-free-plans-hard-limit", s),
    "ietf": _ietf,
    "ietf_split": _ietf_split,
    "plain_seconds": lambda s: _plain(s, math.ceil(s.reset_at)),
    "plain_ms": lambda s: _plain(s, math.ceil(s.reset_at * 1000)),
}


def wait_headers(form: str, after: float, now: float) -> Headers:
    """How long to wait, in one of the forms of Retry-After; `now` is epoch seconds.

    Forms that hold whole seconds are rounded up: a caller who obeys is never early.
    """
    if form == "seconds":
        return [("Retry-After", str(math.ceil(after)))]
    if form == "date":
        # Measured from the second that our Date header names.
        return [("Retry-After", formatdate(int(now) + math.ceil(after), usegmt=True))]
    if form == "ms":
        return [("retry-after-ms", str(math.ceil(after * 1000)))]
    if form == "x_ms":
        return [("x-ms-retry-after-ms", str(math.ceil(after * 1000)))]
    if form == "reset":
        return [
            ("x-ratelimit-burst-limit", "10"),
            ("x-ratelimit-burst-remaining", "0"),
            ("x-ratelimit-burst-reset", str(math.ceil(after))),
        ]
    return []
