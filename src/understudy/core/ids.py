"""Identifiers: ULIDs, which sort by time (github.com/ulid/spec, 26 characters of base 32); names of processes."""

from __future__ import annotations

import os
import random
import secrets
import socket

from .clock import Clock

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80
#: By how much one of the same millisecond goes beyond the one before: by chance, since another process may go on
#: from the same one, and a million of them still fit before they would seem to be a millisecond later.
_STEP_BITS = 60
_LENGTH = 26


class Ulids:
    """Makes ULIDs, each greater than the one before, also within a millisecond and when the clock steps back."""

    def __init__(self, clock: Clock, rng: random.Random) -> None:
        self._clock = clock
        self._rng = rng
        self._last = 0
        self._said = ""

    def __call__(self) -> str:
        """The next one."""
        fresh = round(self._clock.time() * 1000) << _RANDOM_BITS | self._rng.getrandbits(_RANDOM_BITS)
        if fresh >> _RANDOM_BITS > self._last >> _RANDOM_BITS:
            self._last = fresh
        else:
            self._last += 1 + self._rng.getrandbits(_STEP_BITS)
        self._said = written(self._last)
        return self._said

    def go_behind(self, ulid: str) -> None:
        """Make only greater ones from now on: an earlier process's may be ahead of a clock that was set back."""
        if ulid <= self._said or len(ulid) != _LENGTH or not set(ulid) <= set(_DIGITS):
            return
        number = 0
        for sign in ulid:
            number = number << 5 | _DIGITS.index(sign)
        self._last, self._said = number, ulid


def ulid_source(clock: Clock, rng: random.Random) -> Ulids:
    """What makes ULIDs from that clock and source of chance."""
    return Ulids(clock, rng)


def written(number: int) -> str:
    """A number of 128 bits as a ULID."""
    return "".join(_DIGITS[number >> shift & 31] for shift in range(125, -1, -5))


def instance_name() -> str:
    """A name for this start of this process, for people and for the store: a seed must not make two of them alike."""
    return f"{socket.gethostname() or 'unknown'}-{os.getpid()}-{secrets.token_hex(3)}"
