"""Slows guessing of passwords down: after a few mistakes each attempt must wait longer than the one before.

Counted for each address, and for each account apart for addresses from which its owner has signed in. So whoever
guesses from elsewhere slows himself down, and cannot lock the owner out.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Generator, Hashable
from contextlib import contextmanager
from math import ceil

from understudy.core.clock import Clock

#: Mistakes that cost nothing; the longest wait, s; a mistake is forgotten after this long without another, s.
FREE, MOST, FORGOTTEN = 5, 300.0, 900.0
#: Addresses and accounts that are remembered.
_KEPT = 20_000


class Patience:
    """Mistakes by whom they were made, in the memory of this process."""

    def __init__(self, clock: Clock) -> None:
        self._now = clock.monotonic
        self._mistakes: OrderedDict[Hashable, tuple[int, float]] = OrderedDict()
        #: Attempts that are being looked at: each may be a mistake, else all that come at once would be free.
        self._trying: Counter[Hashable] = Counter()

    @contextmanager
    def trying(self, *keys: Hashable) -> Generator[None]:
        """While an attempt is looked at."""
        self._trying.update(keys)
        try:
            yield
        finally:
            self._trying.subtract(keys)
            for key in keys:
                if not self._trying[key]:
                    del self._trying[key]

    def wait(self, *keys: Hashable) -> int:
        """Whole seconds until another attempt is looked at; 0 when it may be now."""
        now = self._now()
        longest = 0.0
        for key in keys:
            count, at = self._mistakes.get(key, (0, now))
            count = count if now - at < FORGOTTEN else 0
            if count > FREE:
                longest = max(longest, at + min(MOST, 2.0 ** min(count - FREE, 20)) - now)
            if key in self._trying and count + self._trying[key] > FREE:
                longest = max(longest, 1.0)
        return ceil(longest) if longest > 0 else 0

    def mistaken(self, *keys: Hashable) -> None:
        """An attempt failed."""
        now = self._now()
        for key in keys:
            count, at = self._mistakes.pop(key, (0, now))
            self._mistakes[key] = (count + 1 if now - at < FORGOTTEN else 1, now)
        while len(self._mistakes) > _KEPT:
            self._mistakes.popitem(last=False)

    def succeeded(self, *keys: Hashable) -> None:
        """An attempt was right: its mistakes before are forgiven."""
        for key in keys:
            self._mistakes.pop(key, None)
