"""How long a destination is left alone after a failure: exponential, with half of the wait left to chance."""

from __future__ import annotations

import math
import random

#: The first wait at its longest, and the longest of all, s.
FIRST, LONGEST = 1.0, 300.0
#: Doublings beyond this cannot matter, and the power must not overflow.
_MOST_DOUBLINGS = 20
#: Whatever a service asks for, it is asked again after a day, s.
LONGEST_PAUSE = 86_400.0


def backoff(failures: int, rng: random.Random) -> float:
    """Seconds to wait after that many failures in a row: uniform(0.5, 1) x min(300 s, 1 s x 2^n), n from 0.

    Never less than half of the full wait: full jitter (AWS Architecture Blog, 2015) may retry at once,
    which a service that is going under does not need.
    """
    full = min(LONGEST, FIRST * 2.0 ** min(max(0, failures - 1), _MOST_DOUBLINGS))
    return rng.uniform(0.5, 1.0) * full


def delay(failures: int, after: float | None, rng: random.Random) -> float:
    """The longer of our own wait and what the service asked for; a request that makes no sense counts for nothing."""
    own = backoff(failures, rng)
    if after is None or not math.isfinite(after) or after < 0:
        return own
    return max(own, min(after, LONGEST_PAUSE))
