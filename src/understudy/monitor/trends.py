"""Where a metric is going: direction, size, an interval, and honest doubt.

Pure functions on the slices of a window. Response times and requests per minute take the Theil-Sen slope
(the median of the slopes between all pairs), which one wild slice cannot turn, with Sen's interval. Means
of few requests lie lower and wilder than means of many, so that growing traffic alone would look like
slower answers: slices with few requests are joined first, until each holds about as many as the others.
An error rate takes a straight line through the counts themselves, because the rates of slices with few
requests are mostly zero; its interval grows when failures come in bursts (quasi-binomial). Both intervals
of an API's own doing grow when neighbouring slices resemble each other, as while it is busy for some
minutes; how many requests there were is what callers did, and known for sure.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import combinations, pairwise
from math import ceil, floor, sqrt
from statistics import NormalDist, median
from typing import Any

from .summary import Point
from .window import SLICES

LEVEL = 0.95
#: Below this many slices, or groups of slices, with data a trend is `unknown`.
MIN_POINTS = 8
#: Slices are joined until they hold this part of what they hold on average; for rates of requests, this
#: many requests, as long as there are still so many groups.
_SHARE, _ENOUGH, _GROUPS = 0.6, 10, 12
#: Likeness of neighbours is not believed beyond this; nearer to one, an interval would know no end.
_MOST_ALIKE = 0.9


@dataclass(frozen=True, slots=True)
class Trend:
    """The change of a metric over a window: `change` in its own unit, with the 95 % interval `low`..`high`.

    `direction` is `rising`, `falling`, `steady` (the interval holds zero) or `unknown` (too few slices
    with data; then the numbers are None). `points` is how many slices, or groups of them, were looked
    at. Of an API that is younger than the window, the change is what it would be over a whole one.
    """

    api: str
    metric: str
    window: str
    direction: str
    change: float | None
    low: float | None
    high: float | None
    points: int

    def as_dict(self) -> dict[str, Any]:
        """The trend as JSON-ready values."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


#: A slope for each slice with the ends of its interval, and how many points it goes through.
Slope = tuple[float, float, float, int]


def trend(points: Sequence[Point], metric: str, *, api: str, window: str) -> Trend:
    """The direction of a metric over `points`: the whole slices of a window in which the API existed."""
    fit = METRICS.get(metric)
    if fit is None:
        raise ValueError(f"metric: expected one of {', '.join(METRICS)}, found {metric!r}")
    slope, low, high, count = fit(points)
    if count < MIN_POINTS:
        return Trend(api, metric, window, "unknown", None, None, None, count)
    direction = "rising" if low > 0 else "falling" if high < 0 else "steady"
    return Trend(api, metric, window, direction, slope * SLICES, low * SLICES, high * SLICES, count)


def _response_time(points: Sequence[Point]) -> Slope:
    """Means of seconds, each over about as many successes as the others."""
    known = [
        (place, point.response_time, point.successes)
        for place, point in enumerate(points)
        if point.response_time is not None
    ]
    least = _SHARE * sum(count for *_, count in known) / max(1, len(known))
    joined = []
    places = seconds = 0.0
    counts = 0
    for place, value, count in known:
        places += place * count
        seconds += value * count
        counts += count
        if counts >= least:
            joined.append((places / counts, seconds / counts))
            places, seconds, counts = 0.0, 0.0, 0
    return _robust(joined, related=True)


def _requests_per_minute(points: Sequence[Point]) -> Slope:
    """Rates over stretches of equal length, long enough to be more than zeros and ones."""
    total = sum(point.total for point in points)
    width = 1
    while total * width < _ENOUGH * len(points) and len(points) // (width + 1) >= _GROUPS:
        width += 1
    joined = []
    for end in range(len(points), width - 1, -width):
        group = points[end - width : end]
        seconds = sum(point.length for point in group)
        joined.append((end - (width + 1) / 2, sum(point.total for point in group) * 60.0 / seconds))
    return _robust(joined[::-1], related=False)


def _robust(points: Sequence[tuple[float, float]], *, related: bool) -> Slope:
    if len(points) < MIN_POINTS:
        return 0.0, 0.0, 0.0, len(points)
    return (*theil_sen(points, related=related), len(points))


def theil_sen(
    points: Sequence[tuple[float, float]], level: float = LEVEL, *, related: bool = False
) -> tuple[float, float, float]:
    """The median slope of (x, y) points with distinct x, and its interval (Sen 1968).

    `related` says that neighbours may resemble each other for a while, which widens the interval.
    """
    slopes = sorted((later[1] - earlier[1]) / (later[0] - earlier[0]) for earlier, later in combinations(points, 2))
    count = len(points)
    slope = median(slopes)
    ties: dict[float, int] = {}
    for _, value in points:
        ties[value] = ties.get(value, 0) + 1
    spread = count * (count - 1) * (2 * count + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties.values())
    excess = _excess([y for _, y in points], [y - slope * x for x, y in points]) if related else 1.0
    reach = _z(level) * sqrt(spread / 18.0 * excess)
    low = slopes[max(0, floor((len(slopes) - reach) / 2) - 1)]
    high = slopes[min(len(slopes) - 1, ceil((len(slopes) + reach) / 2))]
    # Equal values make slopes of zero, at which the interval may end although Kendall's test refuses zero itself.
    falling, begin = bisect_left(slopes, 0.0), bisect_right(slopes, 0.0)
    rising = len(slopes) - begin
    if low == 0.0 and rising - falling > reach:
        low = slopes[begin]
    if high == 0.0 and falling - rising > reach:
        high = slopes[falling - 1]
    return slope, low, high


def _error_rate(points: Sequence[Point]) -> Slope:
    """A straight line through failures by requests, in percent."""
    known = [
        (place, point.failures, rated)
        for place, point in enumerate(points)
        if (rated := point.successes + point.failures)
    ]
    count = len(known)
    if count < MIN_POINTS:
        return 0.0, 0.0, 0.0, count
    requests = sum(rated for *_, rated in known)
    failures = sum(failed for _, failed, _ in known)
    centre = sum(place * rated for place, _, rated in known) / requests
    spread = sum(rated * (place - centre) ** 2 for place, _, rated in known)
    slope = sum((place - centre) * failed for place, failed, _ in known) / spread
    # Two failures and two successes more (Agresti): no failure in twenty requests is not a rate of zero for sure.
    share = (failures + 2) / (requests + 4)
    variance = share * (1 - share)
    level = failures / requests - slope * centre
    residuals = [(failed - rated * (level + slope * place)) / sqrt(rated * variance) for place, failed, rated in known]
    dispersion = max(1.0, sum(each * each for each in residuals) / (count - 2))
    excess = _excess([failed / rated for _, failed, rated in known], residuals)
    reach = _t(count - 2) * sqrt(variance * dispersion * excess / spread)
    return 100.0 * slope, 100.0 * (slope - reach), 100.0 * (slope + reach), count


METRICS: dict[str, Callable[[Sequence[Point]], Slope]] = {
    "response_time": _response_time,
    "error_rate": _error_rate,
    "requests_per_minute": _requests_per_minute,
}


def _excess(values: Sequence[float], residuals: Sequence[float]) -> float:
    """How much larger a slope's variance is than that of as many unrelated points; 1 when they are unrelated.

    Likeness of neighbours is measured twice: in what a line leaves over, and in the differences of the
    values. A sudden step makes the former alike as well, but not the latter, and must not drown in its own
    interval. Values that stay equal but for steps have no noise that could be alike.
    """
    count = len(values)
    differences = [later - earlier for earlier, later in pairwise(values)]
    if count <= MIN_POINTS or 2 * differences.count(0.0) >= len(differences):
        return 1.0
    alike = (count * _likeness(residuals) + 1) / (count - 4)  # what fitting a line took away is given back
    alike = min(alike, 1.0 + 2.0 * _likeness(differences), _MOST_ALIKE)
    return (1 + alike) / (1 - alike) if alike > 0 else 1.0


def _likeness(values: Sequence[float]) -> float:
    """Correlation of neighbours by rank, which one wild value cannot turn."""
    places: dict[float, list[int]] = {}
    for place, value in enumerate(sorted(values)):
        places.setdefault(value, []).append(place)
    middle = (len(values) - 1) / 2
    ranks = [sum(places[value]) / len(places[value]) - middle for value in values]
    squares = sum(rank * rank for rank in ranks)
    return sum(earlier * later for earlier, later in pairwise(ranks)) / squares if squares else 0.0


def _z(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + level / 2)


def _t(freedom: int) -> float:
    """Student's quantile for `LEVEL`, by the first terms of Cornish and Fisher; within 1 % from six degrees on."""
    z = _z(LEVEL)
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
