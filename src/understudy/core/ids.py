"""Identifiers that sort by time: ULIDs (github.com/ulid/spec), 26 characters of Crockford's base 32."""

from __future__ import annotations

import random
from collections.abc import Callable

from .clock import Clock

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80


def ulid_source(clock: Clock, rng: random.Random) -> Callable[[], str]:
    """Makes ULIDs, each greater than the one before, also within a millisecond and when the clock steps back."""
    last = 0

    def make() -> str:
        nonlocal last
        fresh = round(clock.time() * 1000) << _RANDOM_BITS | rng.getrandbits(_RANDOM_BITS)
        last = fresh if fresh >> _RANDOM_BITS > last >> _RANDOM_BITS else last + 1
        return written(last)

    return make


def written(number: int) -> str:
    """A number of 128 bits as a ULID."""
    return "".join(_DIGITS[number >> shift & 31] for shift in range(125, -1, -5))
