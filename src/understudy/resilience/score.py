"""What selection knows of an API's speed and reliability, from its batches of attempts (rule R9)."""

from __future__ import annotations

import math
from collections.abc import Sequence

#: Time constant of the latency average, seconds (Finagle's peak EWMA uses the same shape).
LATENCY_TAU = 30.0
#: Half-life in which an unobserved latency goes back to the API's own baseline, seconds.
RELAX_HALF_LIFE = 60.0
#: Half-life of successes and calls, seconds.
RELIABILITY_HALF_LIFE = 60.0
#: Share of the prior: as if ten calls had been made, of which 95 % succeeded.
PRIOR_CALLS = 10.0
PRIOR_SUCCESS = 0.95
#: The baseline of an API that has never answered, seconds.
NEW_BASELINE = 0.5
#: How slowly the baseline follows: it is the median by stochastic approximation.
BASELINE_STEP = 0.05


class Score:
    """Latency (peak-sensitive, relaxing) and reliability (decaying) of one API. Seconds throughout."""

    __slots__ = (
        "_baseline",
        "_calls",
        "_expected",
        "_latency",
        "_observed_at",
        "_successes",
        "_updated_at",
        "last_success_at",
    )

    def __init__(self, now: float, expected: float = NEW_BASELINE) -> None:
        self._expected = expected
        self._latency = expected
        self._baseline: float | None = None
        self._observed_at = now
        self._updated_at = now
        self._successes = 0.0
        self._calls = 0.0
        self.last_success_at: float | None = None

    def update(self, batch: Sequence[float], now: float) -> None:
        """Take in attempts in order: seconds, negative for a failure."""
        good = [seconds for seconds in batch if seconds > 0.0 or (seconds == 0.0 and math.copysign(1.0, seconds) > 0)]
        self._decay(now)
        self._calls += len(batch)
        self._successes += len(good)
        if not good:
            return
        mean, peak = sum(good) / len(good), max(good)
        latency = self.latency(now)
        elapsed = max(now - self._observed_at, 1e-3)
        if self.last_success_at is None:
            latency = mean
        elif peak > 2.0 * latency:
            latency = peak
        else:
            latency += (mean - latency) * -math.expm1(-elapsed / LATENCY_TAU)
        self._latency = latency
        self._observed_at = self.last_success_at = now
        self._learn_baseline(good)

    def latency(self, now: float) -> float:
        """Expected seconds of a success; goes back to the baseline while nothing is observed."""
        baseline = self._baseline if self._baseline is not None else self._expected
        idle = now - self._observed_at
        if idle <= 1.0:
            return self._latency
        return baseline + (self._latency - baseline) * math.exp2(-idle / RELAX_HALF_LIFE)

    def reliability(self, now: float) -> float:
        """Probability that the next attempt succeeds, with the prior mixed in."""
        self._decay(now)
        return (self._successes + PRIOR_SUCCESS * PRIOR_CALLS) / (self._calls + PRIOR_CALLS)

    def restart(self) -> None:
        """Forget reliability, as when a breaker closes: the API starts from its prior again."""
        self._successes = self._calls = 0.0

    def _decay(self, now: float) -> None:
        elapsed = now - self._updated_at
        if elapsed > 0:
            factor = 0.5 ** (elapsed / RELIABILITY_HALF_LIFE)
            self._successes *= factor
            self._calls *= factor
            self._updated_at = now

    def _learn_baseline(self, good: Sequence[float]) -> None:
        if self._baseline is None:
            self._baseline = sorted(good)[len(good) // 2]
            return
        above = sum(seconds > self._baseline for seconds in good)
        drift = BASELINE_STEP * (2 * above - len(good)) / math.sqrt(len(good))
        self._baseline = max(1e-4, self._baseline * (1.0 + max(-0.25, min(0.25, drift))))
