"""What a configuration says about alerts: `[alerts]`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import annotated_types as at

from understudy.core.options import Doc

from .context import EngineOptions
from .defaults import AlertThresholds
from .escalation import Escalation
from .inhibition import Inhibition
from .model import Rule
from .silences import PlannedSilence
from .timings import MuteTiming


@dataclass(frozen=True, slots=True)
class AlertOptions(AlertThresholds):
    """Rules and what becomes of their alerts. A rule of a default's name changes what it says of that one."""

    enabled: Annotated[bool, Doc("whether rules are evaluated at all")] = True
    interval: Annotated[
        float, at.Ge(0.2), at.Le(60), Doc("rules are evaluated that often; failures are looked at at once", "s")
    ] = 1.0
    engine: Annotated[EngineOptions, Doc("how alerts as a whole behave")] = EngineOptions()
    rules: Annotated[dict[str, Rule], Doc("rules, by name")] = field(default_factory=dict)
    escalations: Annotated[dict[str, Escalation], Doc("escalation policies, by name")] = field(default_factory=dict)
    silences: Annotated[dict[str, PlannedSilence], Doc("planned silences and maintenance, by name")] = field(
        default_factory=dict
    )
    mute_timings: Annotated[dict[str, MuteTiming], Doc("hours in which alerts are not told, by name")] = field(
        default_factory=dict
    )
    inhibitions: Annotated[dict[str, Inhibition], Doc("alerts that are not told while others fire, by name")] = field(
        default_factory=dict
    )
