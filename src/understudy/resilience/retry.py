"""Whether, and after how long, an attempt is repeated (resilience rule R3)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import annotated_types as at

from understudy.core.options import Doc, Options
from understudy.core.types import Mode


@dataclass(frozen=True, slots=True)
class RetryOptions(Options):
    """How often and how soon a failed attempt is repeated."""

    mode: Annotated[Mode, Doc("off, observe or enforce")] = Mode.ENFORCE
    max_attempts_per_api: Annotated[int, at.Ge(1), at.Le(20), Doc("attempts on one API within a call", "attempts")] = 2
    base: Annotated[float, at.Ge(0), at.Le(60), Doc("first backoff: a random wait up to this", "s")] = 0.25
    cap: Annotated[float, at.Ge(0), at.Le(3600), Doc("longest backoff", "s")] = 8.0
    throttle_base: Annotated[float, at.Ge(0), at.Le(60), Doc("first backoff after a 429", "s")] = 1.0
    max_wait: Annotated[float, at.Ge(0), at.Le(3600), Doc("a longer Retry-After is not waited for", "s")] = 10.0
    jitter: Annotated[Literal["full", "equal", "decorrelated", "none"], Doc("how the backoff is drawn")] = "full"


#: Methods that may be repeated without doing anything twice (RFC 9110, section 9.2).
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


def is_safe(method: str, idempotent: bool = False, has_idempotency_key: bool = False) -> bool:
    """Whether a request may be repeated on the same API although it may have been executed."""
    return idempotent or has_idempotency_key or method.upper() in SAFE_METHODS


def backoff(
    options: RetryOptions, attempt: int, rng: random.Random, previous: float = 0.0, throttled: bool = False
) -> float:
    """Seconds to wait before repeat number `attempt` (0 is the first repeat); at most `options.cap`.

    `previous` is the wait before (used by decorrelated jitter alone); `throttled` says that the API
    refused for its rate, which asks for a longer first wait.
    """
    base = options.throttle_base if throttled else options.base
    if base <= 0.0:
        return 0.0
    # Beyond 2^64 nothing changes any more, and a float would overflow at 2^1024.
    ceiling = min(options.cap, base * 2.0 ** min(max(attempt, 0), 64))
    match options.jitter:
        case "full":
            return rng.uniform(0.0, ceiling)
        case "equal":
            return ceiling / 2.0 + rng.uniform(0.0, ceiling / 2.0)
        case "decorrelated":
            return min(options.cap, rng.uniform(base, max(base, previous * 3.0)))
        case _:
            return ceiling
