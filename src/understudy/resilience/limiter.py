"""A token bucket for each key (resilience rule R6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import annotated_types as at

from understudy.core.options import Doc, Options
from understudy.core.types import Mode


@dataclass(frozen=True, slots=True)
class RateLimitOptions(Options):
    """At most `rate` attempts in `per` seconds, `burst` of them at once."""

    mode: Annotated[Mode, Doc("off, observe or enforce")] = Mode.ENFORCE
    rate: Annotated[float, at.Gt(0), at.Le(1e9), Doc("attempts in `per` seconds", "attempts")] = 10.0
    per: Annotated[float, at.Gt(0), at.Le(86400), Doc("the time `rate` is meant for", "s")] = 1.0
    burst: Annotated[int, at.Ge(1), at.Le(1000000), Doc("attempts that may go at once", "attempts")] = 1
