"""Whether, and after how long, an attempt is repeated (resilience rule R3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

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
