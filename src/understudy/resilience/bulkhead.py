"""Limits how many attempts on one API run at the same time (resilience rule R6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import annotated_types as at

from understudy.core.options import Doc, Options
from understudy.core.types import Mode


@dataclass(frozen=True, slots=True)
class BulkheadOptions(Options):
    """At most `limit` attempts at once; the others wait in one fair line."""

    mode: Annotated[Mode, Doc("off, observe or enforce")] = Mode.ENFORCE
    limit: Annotated[int, at.Ge(1), at.Le(100000), Doc("attempts at the same time", "attempts")] = 100
    max_waiting: Annotated[int, at.Ge(0), at.Le(1000000), Doc("calls in the line; more are refused", "calls")] = 10_000
    max_wait: Annotated[float | None, at.Ge(0), Doc("longest wait; none: until the deadline", "s")] = None
