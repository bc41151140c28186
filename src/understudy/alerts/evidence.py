"""How much must be known before a rule may speak: few calls make it neither mute nor noisy.

With `min_samples` calls in the window, the plain value is compared. With fewer, a ratio is in breach only if
its two-sided 95 % Wilson interval lies beyond the threshold as a whole, and a latency only if at least
three calls all lie beyond it; with one call or two, nothing ever is. Where that says nothing, the window
reaches back to the last `min_samples` calls, an hour at most. What those few show to be good is good;
everything else is no data, because too little is known.

So 3 failures of 3 breach 20 % and 40 % (the lower bound is 43.9 %), 2 of 3 breach 20 % (20.8 %), 2 of 5
neither. A window without a single call says nothing new, so nothing begins in it: an idle API is not down.

Source of the interval: E. B. Wilson, "Probable inference, the law of succession, and statistical
inference", Journal of the American Statistical Association 22 (1927), 209–212.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Final

from .ladder import Ladder, decided, impossible
from .metrics import Metric
from .model import Finding, Verdict
from .ports import Sample

#: Fewer calls never breach.
FEWEST: Final = 3
#: Two-sided 95 %.
Z: Final = 1.96

#: Answers the last calls of a subject: `MetricSource.last_calls` for it.
ReachBack = Callable[[int], Sample | None]


def wilson(successes: int, total: int, z: float = Z) -> tuple[float, float]:
    """The Wilson score interval of a share, as ratios between 0 and 1. `total` is at least 1."""
    share = successes / total
    spread = z * z / total
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * sqrt(share * (1 - share) / total + spread / (4 * total))
    # At the ends the bound is exact, which rounding would miss.
    return (max(0.0, centre - half) if successes else 0.0), (min(1.0, centre + half) if successes < total else 1.0)


def judged(metric: Metric, sample: Sample) -> int:
    """The calls that say something about the metric."""
    if metric.kind == "ratio":
        return sample.successes + sample.failures
    return sample.successes if metric.kind == "latency" else sample.total


def judge(metric: Metric, ladder: Ladder, sample: Sample, min_samples: int, reach_back: ReachBack) -> Verdict:
    """What a window, and where it holds too little the calls before it, says about a metric."""
    if wrong := unsound(sample):
        return Verdict(Finding.ERROR, reason=wrong)
    if metric.kind in ("rate", "count"):
        return _counted(metric, ladder, sample)
    known = judged(metric, sample)
    if known >= min_samples:
        return _plain(metric, ladder, sample, known)
    if known == 0:
        return Verdict(Finding.NO_DATA, reason="idle")
    if known >= FEWEST:
        verdict = _few(metric, ladder, sample, known)
        if verdict.finding in (Finding.BREACH, Finding.ERROR):
            return verdict
    return _further(metric, ladder, reach_back(min_samples), min_samples)


def _further(metric: Metric, ladder: Ladder, sample: Sample | None, min_samples: int) -> Verdict:
    """What the last calls say, where the window holds too few."""
    known = judged(metric, sample) if sample is not None else 0
    if sample is None or known < FEWEST:
        return Verdict(Finding.NO_DATA, samples=known, reason="insufficient")
    if wrong := unsound(sample):
        return Verdict(Finding.ERROR, reason=wrong)
    if known >= min_samples:
        return _plain(metric, ladder, sample, known, f"the last {known} calls")
    verdict = _few(metric, ladder, sample, known)
    if verdict.finding is Finding.DEADBAND:
        return Verdict(Finding.NO_DATA, value=verdict.value, samples=known, reason="insufficient")
    return verdict


def _plain(metric: Metric, ladder: Ladder, sample: Sample, known: int, reason: str = "") -> Verdict:
    value = metric.read(sample) if metric.read is not None else None
    if value is None:
        return Verdict(Finding.NO_DATA, samples=known, reason="insufficient")
    if wrong := impossible(metric, value):
        return Verdict(Finding.ERROR, samples=known, reason=wrong)
    return ladder.verdict(value, known, reason)


def _few(metric: Metric, ladder: Ladder, sample: Sample, known: int) -> Verdict:
    """At least three calls, but few: in breach is only what is beyond doubt; held what the plain value holds."""
    plain = _plain(metric, ladder, sample, known)
    if plain.finding in (Finding.ERROR, Finding.NO_DATA):
        return plain
    low, high = _sure(metric, sample, known)
    level = -1
    if ladder.operator in (">", ">=", "<", "<="):
        level = ladder.breached(low if ladder.operator in (">", ">=") else high)
    # Beyond doubt implies beyond, also for a quantile read from a histogram, which is not exact.
    held = max(level, plain.level, plain.held)
    return decided(level, held, plain.value, known, f"only {known} calls")


def _sure(metric: Metric, sample: Sample, known: int) -> tuple[float, float]:
    """Between what the true value surely lies, in the metric's unit."""
    if metric.kind == "latency":
        fastest = sample.fastest if sample.fastest is not None else 0.0
        slowest = sample.slowest if sample.slowest is not None else float("inf")
        return fastest, slowest
    good = sample.successes if metric.better == "higher" else sample.failures
    low, high = wilson(good, known)
    return 100.0 * low, 100.0 * high


def _counted(metric: Metric, ladder: Ladder, sample: Sample) -> Verdict:
    """A rate or a count. Too little of it is only known when the whole window has been seen."""
    verdict = _plain(metric, ladder, sample, sample.total)
    if sample.covered < sample.window and ladder.operator not in (">", ">=") and verdict.finding is Finding.BREACH:
        return Verdict(Finding.NO_DATA, value=verdict.value, samples=sample.total, reason="insufficient")
    return verdict


def unsound(sample: Sample) -> str:
    """What is wrong with a sample that no calls can have made; empty when nothing is."""
    if min(sample.total, sample.successes, sample.failures, sample.neutral) < 0:
        return "a count of calls is negative"
    if not sample.seconds >= 0 or sample.seconds == float("inf"):
        return "the durations do not add up to a time"
    for seconds in (sample.fastest, sample.slowest):
        if seconds is not None and not 0 <= seconds < float("inf"):
            return "a duration is not a time"
    return ""
