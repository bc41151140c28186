"""Which of several APIs is better, by how much, and whether chance can explain it.

Pure functions on counts. A difference is that of success rates (Wilson intervals) or medians (intervals by
rank), joined by Newcombe's method; with several APIs the level is divided among the pairs (Bonferroni), so
that a long list does not find a winner by chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import combinations
from math import ceil, floor, inf, sqrt
from statistics import NormalDist
from typing import Any

from .histogram import at_ranks
from .trends import LEVEL
from .window import Tally

#: Below this many samples a median has no interval.
MIN_SAMPLES = 10
#: Each is compared with each: two hundred take a fifth of a second, two thousand a hundred times that.
MOST = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """`a` minus `b` in one metric: points of `success_rate`, or seconds of `p50`, with its interval.

    `better` is the API that the interval speaks for, and empty when chance can explain the difference
    or there are too few samples (then the numbers are None).
    """

    metric: str
    a: str
    b: str
    difference: float | None
    low: float | None
    high: float | None
    better: str

    @property
    def significant(self) -> bool:
        """Whether the interval leaves zero out."""
        return bool(self.better)

    def as_dict(self) -> dict[str, Any]:
        """The difference as JSON-ready values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**values, "significant": self.significant}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several APIs over one window, each pair in each metric.

    `best` is the API that nothing significant speaks against and that is significantly better than each
    of the others in success rate or else in median response time; empty when no API is.
    """

    window: str
    names: tuple[str, ...]
    differences: tuple[Difference, ...]
    best: str

    def as_dict(self) -> dict[str, Any]:
        """The comparison as JSON-ready values."""
        return {
            "window": self.window,
            "names": list(self.names),
            "best": self.best,
            "differences": [each.as_dict() for each in self.differences],
        }


def compare(tallies: Mapping[str, Tally], window: str) -> Comparison:
    """Each pair of APIs in success rate and median response time. Raises ValueError for more than `MOST`."""
    names = tuple(tallies)
    if len(names) > MOST:
        raise ValueError(f"names: at most {MOST} APIs can be compared with each other, found {len(names)}")
    pairs = list(combinations(names, 2))
    level = 1.0 - (1.0 - LEVEL) / max(1, 2 * len(pairs))
    rates = {name: success_interval(tally, level) for name, tally in tallies.items()}
    medians = {name: median_interval(tally, level) for name, tally in tallies.items()}
    differences = []
    won = dict.fromkeys(names, 0)
    for a, b in pairs:
        rate = _difference("success_rate", a, b, rates[a], rates[b], higher_is_better=True)
        speed = _difference("p50", a, b, medians[a], medians[b], higher_is_better=False)
        differences += [rate, speed]
        # By success rate, or by median where the rates may be equal.
        if better := rate.better or speed.better:
            won[better] += 1
    best = next((name for name in names if 0 < won[name] == len(names) - 1), "")
    return Comparison(window, names, tuple(differences), best)


#: An estimate with the ends of its interval; None without enough samples.
Estimate = tuple[float, float, float] | None


def success_interval(tally: Tally, level: float) -> Estimate:
    """The success rate in percent with its Wilson interval."""
    count = tally.ok + tally.failed
    if not count:
        return None
    z = _z(level)
    share = tally.ok / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    reach = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return 100.0 * share, 100.0 * max(0.0, centre - reach), 100.0 * min(1.0, centre + reach)


def median_interval(tally: Tally, level: float) -> Estimate:
    """The median response time of the successes in seconds, with its interval by rank."""
    counts = tally.counts()
    count = sum(counts.values())
    if count < MIN_SAMPLES:
        return None
    reach = _z(level) * sqrt(count) / 2
    ranks = (max(1, floor(count / 2 - reach)), max(1, ceil(count / 2)), min(count, ceil(count / 2 + reach) + 1))
    low, middle, high = at_ranks(counts, ranks)
    return middle, low, high


def _difference(metric: str, a: str, b: str, of_a: Estimate, of_b: Estimate, *, higher_is_better: bool) -> Difference:
    """Newcombe's interval for a difference, from the intervals of both sides."""
    if of_a is None or of_b is None:
        return Difference(metric, a, b, None, None, None, "")
    (mid_a, low_a, high_a), (mid_b, low_b, high_b) = of_a, of_b
    gap = mid_a - mid_b
    low = gap - sqrt((mid_a - low_a) ** 2 + (high_b - mid_b) ** 2)
    high = gap + sqrt((high_a - mid_a) ** 2 + (mid_b - low_b) ** 2)
    better = ""
    if low > 0:
        better = a if higher_is_better else b
    elif high < 0:
        better = b if higher_is_better else a
    return Difference(metric, a, b, gap, low, high, better)


def _z(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + level / 2) if level < 1 else inf
