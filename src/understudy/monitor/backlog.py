"""Buckets that wait to be reported, added up: the more there are, the longer the steps of time they are kept in.

Nothing that happened is left out by that, only when exactly it was; so a long outage of whoever takes the
reports costs a bounded amount of memory.
"""

from __future__ import annotations

from collections.abc import Callable

from understudy.core.turn import Slices

from .rollup import TIERS, Bucket, SeriesName

#: Lengths of the steps, s; each divides the next.
STEPS = (TIERS[0], TIERS[1], 600, TIERS[2])

Gathered = tuple[int, SeriesName, Bucket]


class Backlog:
    """At most `most` buckets, apart from what is being added up."""

    def __init__(self, most: int, now: Callable[[], float]) -> None:
        self._most = most
        self._now = now
        self._step = 0
        self._buckets: dict[tuple[int, SeriesName], Bucket] = {}
        #: Still to be added up to the present step.
        self._finer: dict[tuple[int, SeriesName], Bucket] = {}
        #: Buckets that were given up because even the longest steps were too many.
        self.lost = 0

    def __len__(self) -> int:
        return len(self._buckets) + len(self._finer)

    def add(self, gathered: Gathered) -> None:
        """Take a bucket in; it belongs to the backlog from now on."""
        at, name, bucket = gathered
        step = STEPS[self._step]
        key = at // step * step, name
        known = self._buckets.get(key)
        if known is None:
            self._buckets[key] = bucket
        else:
            known.merge(bucket)

    async def tighten(self) -> None:
        """Keep to the limit. Whatever is under way when this is cancelled is gone on with the next time."""
        slices = Slices(self._now)
        while True:
            while self._finer:
                (at, name), bucket = self._finer.popitem()
                self.add((at, name, bucket))
                await slices.breath()
            if len(self._buckets) <= self._most:
                return
            if self._step == len(STEPS) - 1:
                break
            self._step += 1
            self._finer, self._buckets = self._buckets, {}
        for key in sorted(self._buckets)[: len(self._buckets) - self._most]:
            del self._buckets[key]
            self.lost += 1

    def take(self) -> list[Gathered]:
        """Everything, which is the caller's from now on; the next steps are short again."""
        taken = [(at, name, bucket) for some in (self._buckets, self._finer) for (at, name), bucket in some.items()]
        self._step, self._buckets, self._finer = 0, {}, {}
        return taken
