"""The retry budget: retries may be only a share of first attempts (resilience rule R3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import annotated_types as at

from understudy.core.options import Doc, Options
from understudy.core.types import Mode


@dataclass(frozen=True, slots=True)
class BudgetOptions(Options):
    """Retries and hedges of an API draw from a bucket that its first attempts fill."""

    mode: Annotated[Mode, Doc("off, observe or enforce")] = Mode.ENFORCE
    ratio: Annotated[float, at.Ge(0), at.Le(1), Doc("retries for each first attempt")] = 0.2
    window: Annotated[float, at.Gt(0), at.Le(3600), Doc("how long a first attempt counts", "s")] = 10.0
    floor: Annotated[int, at.Ge(0), at.Le(10000), Doc("retries a window that are always allowed", "retries")] = 3
