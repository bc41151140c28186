"""What the demo's alerts came to: who was told, at strict stand-ins of real services on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rich.text import Text

from understudy.alerts.context import EngineOptions
from understudy.alerts.defaults import default_rules
from understudy.alerts.options import AlertOptions
from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.clock import Clock

from .local_receivers import Local
from .screen import Screen, safe

#: The services that the demo tells; each stands for a manner: mail, a chat that cannot edit, one that can, a pager.
KINDS = ("email", "slack", "telegram", "pagerduty")
#: How long an API must be good again until its alert is over, s: a minute, where nobody waits for the end of a demo.
KEEP = 2.0
#: Longest wait for the last messages, s, and how often it looks.
PATIENCE, LOOK = 15.0, 0.1
#: Rules that speak of faults as short as the demo's; the others judge minutes.
_QUICK = ("api_down", "hub_down")


def with_channels(settings: Settings, local: Mapping[str, Local]) -> Settings:
    """The settings with channels to the stand-ins, and alerts that end soon after their cause."""
    rules = {
        rule.name: replace(rule, keep_firing_for=KEEP, cooldown=0.0)
        if rule.name in _QUICK
        else replace(rule, enabled=False)
        for rule in default_rules()
    }
    alerts = AlertOptions(rules=rules, engine=EngineOptions(group_by=()))
    channels: dict[str, Any] = {name: each.options for name, each in local.items()}
    return replace(settings, alerts=alerts, channels=channels)


@dataclass(slots=True)
class Told:
    """What came of it all, by channel: messages that were to go out, that arrived, and what was refused."""

    wanted: dict[str, int] = field(default_factory=dict)
    arrived: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    #: Whether an alert still fired when nobody waited any longer.
    unfinished: int = 0


async def settled(app: Understudy, local: Mapping[str, Local], clock: Clock, began: float) -> Told:
    """Wait until every alert is over and told, then count at the receivers."""
    until = clock.monotonic() + PATIENCE
    while clock.monotonic() < until:
        waiting = sum(each.waiting for each in app.notifications.channels().values())
        if not waiting and not app.alerts.active():
            break
        await clock.sleep(LOOK)
    told = Told(unfinished=len(app.alerts.active()))
    numbers = await app.notifications.statistics(began, clock.time() + 1.0)
    for name, each in local.items():
        found = numbers.get(name)
        told.wanted[name] = found.delivered + found.dead + found.pending if found is not None else 0
        told.arrived[name] = each.accepted()
        told.problems += [f"{name}: {reason}" for reason in each.refusals()[:3]]
        if found is not None and (found.dead or found.pending or each.accepted() < found.delivered):
            came = f"{each.accepted()} of {found.delivered} delivered arrived"
            told.problems.append(f"{name}: {came}, {found.dead} given up, {found.pending} waiting")
    return told


def render(screen: Screen, told: Told) -> None:
    """One line: who was told how often."""
    _ = screen.text
    counts = ", ".join(f"{name} {screen.number(count)}" for name, count in told.arrived.items())
    said = _(
        "People would have been told: {counts} (messages taken by strict stand-ins on this machine).", counts=counts
    )
    screen.line(said)
    for problem in told.problems:
        screen.line(Text(f"  {safe(problem, 300)}", "bad"))
