"""Active checks: a declared probe, within its cost budget (resilience rule R8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import annotated_types as at

from understudy.core.options import Doc, Options
from understudy.core.types import Mode


@dataclass(frozen=True, slots=True)
class HealthCheckOptions(Options):
    """A request that shows whether the API works; without a path, only real traffic is watched."""

    mode: Annotated[Mode, Doc("off, observe or enforce")] = Mode.ENFORCE
    path: Annotated[str, Doc("path of the probe; empty: passive only")] = ""
    method: Annotated[Literal["GET", "HEAD", "POST"], Doc("method of the probe")] = "GET"
    cost: Annotated[Literal["free", "metered"], Doc("whether a probe draws on the quota")] = "metered"
    interval: Annotated[float, at.Ge(0.1), at.Le(86400), Doc("time between probes, ±10 %", "s")] = 60.0
    open_interval: Annotated[float, at.Ge(0.1), at.Le(86400), Doc("the same while the breaker is open (free)", "s")] = 5.0
    timeout: Annotated[float, at.Gt(0), at.Le(600), Doc("limit of one probe", "s")] = 5.0
    unhealthy_after: Annotated[int, at.Ge(1), at.Le(100), Doc("failed probes in a row", "probes")] = 3
    healthy_after: Annotated[int, at.Ge(1), at.Le(100), Doc("good probes in a row", "probes")] = 2
    max_per_day: Annotated[int, at.Ge(0), at.Le(100000), Doc("metered probes a day", "probes")] = 24
