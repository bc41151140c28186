"""When a circuit breaker trips, how long it stays open, and how it closes again (resilience rule R2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import annotated_types as at

from understudy.core.options import Doc, Options
from understudy.core.types import Mode


@dataclass(frozen=True, slots=True)
class BreakerOptions(Options):
    """When a breaker trips, how long it stays open, and how it closes again."""

    mode: Annotated[Mode, Doc("off, observe or enforce")] = Mode.ENFORCE
    window: Annotated[float, at.Gt(0), at.Le(3600), Doc("attempts that old are forgotten", "s")] = 60.0
    buckets: Annotated[int, at.Ge(1), at.Le(120), Doc("slices of the window")] = 10
    min_calls: Annotated[int, at.Ge(1), at.Le(100000), Doc("attempts before a ratio is judged", "attempts")] = 10
    failure_ratio: Annotated[float, at.Gt(0), at.Le(1), Doc("share of failures that trips")] = 0.5
    consecutive: Annotated[int, at.Ge(1), at.Le(10000), Doc("failures in a row that trip", "attempts")] = 5
    consecutive_with_standby: Annotated[
        int, at.Ge(1), at.Le(10000), Doc("the same, while another API could serve", "attempts")
    ] = 3
    slow_call: Annotated[float, at.Gt(0), at.Le(3600), Doc("an attempt that long is slow", "s")] = 5.0
    slow_ratio: Annotated[float, at.Gt(0), at.Le(1), Doc("share of slow attempts that trips")] = 0.8
    open_for: Annotated[float, at.Gt(0), at.Le(86400), Doc("first wait before half-open; then doubles", "s")] = 30.0
    open_cap: Annotated[float, at.Gt(0), at.Le(86400), Doc("longest such wait", "s")] = 300.0
    open_cap_with_standby: Annotated[
        float, at.Gt(0), at.Le(86400), Doc("the same while a standby serves and no free probe exists", "s")
    ] = 15.0
    jitter: Annotated[float, at.Ge(0), at.Le(0.9), Doc("random share added to or taken from the wait")] = 0.2
    half_open_permits: Annotated[int, at.Ge(1), at.Le(1000), Doc("permits of one half-open phase", "attempts")] = 3
    half_open_concurrent: Annotated[int, at.Ge(1), at.Le(1000), Doc("of these at the same time", "attempts")] = 1
    half_open_successes: Annotated[int, at.Ge(1), at.Le(1000), Doc("successes that close", "attempts")] = 3
    decay: Annotated[float, at.Gt(0), at.Le(86400), Doc("closed time that takes one doubling back", "s")] = 60.0
    rate_limit_counts: Annotated[bool, Doc("count a 429 as a failure")] = False
