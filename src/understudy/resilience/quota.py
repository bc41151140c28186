"""What is left of a key's quota, learned from headers and configuration (resilience rule R7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import annotated_types as at

from understudy.core.options import Doc, Options
from understudy.core.types import Mode


@dataclass(frozen=True, slots=True)
class QuotaOptions(Options):
    """The plan behind a key. What the API's own headers say overrides it."""

    mode: Annotated[Mode, Doc("off, observe or enforce")] = Mode.ENFORCE
    limit: Annotated[int | None, at.Ge(1), Doc("calls in one window; none: learn it from headers", "calls")] = None
    window: Annotated[
        Literal["second", "minute", "hour", "day", "month"], Doc("the window the limit is meant for")
    ] = "month"
    reserve: Annotated[float, at.Ge(0), at.Le(1), Doc("share kept for critical calls")] = 0.05
    overage_price: Annotated[float | None, at.Ge(0), Doc("price of 1,000 calls beyond the limit")] = None
    allow_overage: Annotated[bool, Doc("go on when the quota is spent and the plan bills more")] = False
    header_limit: Annotated[str, Doc("header that tells the limit, where it has an unusual name")] = ""
    header_remaining: Annotated[str, Doc("header that tells what is left, likewise")] = ""
    header_reset: Annotated[str, Doc("header that tells the reset, likewise")] = ""
