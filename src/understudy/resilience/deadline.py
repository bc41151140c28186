"""Deadlines: one shared coarse wheel instead of a timer for each call (resilience rule R4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import annotated_types as at

from understudy.core.options import Doc, Options


@dataclass(frozen=True, slots=True)
class TimeoutOptions(Options):
    """Limits of one attempt."""

    attempt: Annotated[float, at.Gt(0), at.Le(3600), Doc("one attempt, its body included", "s")] = 10.0
    connect: Annotated[float, at.Gt(0), at.Le(600), Doc("DNS, TCP and TLS together", "s")] = 3.0
    idle: Annotated[float, at.Gt(0), at.Le(3600), Doc("between two pieces of a stream", "s")] = 15.0
