"""`understudy notify drill`: a made-up outage through the channels of a configuration, and a report of it."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack

from rich.text import Text

from understudy.app import Understudy
from understudy.channels import build
from understudy.channels.options import ChannelDeps
from understudy.clients.outward import OutwardClients
from understudy.config.settings import Settings
from understudy.core.clock import SYSTEM_CLOCK
from understudy.drilling import KEEP, Report, play, sparing

from .alerts_shown import print_json
from .exits import FAILED, OK, USAGE, Stop
from .local_receivers import local_receivers
from .screen import Screen, safe


def drill(
    screen: Screen, settings: Settings | None, names: list[str], *, patience: float, pagers: bool, as_json: bool
) -> int:
    """Play it with the channels of a configuration, or, without one, with receivers on this machine.

    Pagers are spared where neither `pagers` nor their own name asks for them: they ring people's phones.
    """
    _ = screen.text
    if settings is not None:
        unknown = [name for name in names if name not in settings.channels]
        if unknown:
            raise Stop(USAGE, _("no channel named {name} in the configuration", name=", ".join(map(safe, unknown))))
        if not settings.channels:
            raise Stop(USAGE, _("no channel is configured; --local drills with receivers on this machine"))
    if not as_json:
        screen.line(_("A drill: an API that exists only here fails, and comes back. It takes a few seconds."), "name")
    report = asyncio.run(_drill(settings, names, patience, screen.text.tag, pagers=pagers))
    if not report.channels:
        spared = ", ".join(map(safe, report.spared))
        raise Stop(
            USAGE, _("only pagers are configured ({names}), which a drill spares; --pagers rings them", names=spared)
        )
    if as_json:
        print_json(screen, report.as_dict())
    else:
        render(screen, report)
    return OK if report.good else FAILED


async def _drill(
    settings: Settings | None, names: list[str], patience: float, language: str, *, pagers: bool
) -> Report:
    clock = SYSTEM_CLOCK
    async with AsyncExitStack() as stack:
        clients = OutwardClients(clock)
        stack.push_async_callback(clients.close)
        deps = ChannelDeps(clock, random.Random(), clients)  # noqa: S311 - jitter, nothing secret
        local = {}
        if settings is None:
            local = await stack.enter_async_context(local_receivers(*names, language=language))
            options = {name: each.options for name, each in local.items()}
        else:
            options = {name: each for name, each in settings.channels.items() if not names or name in names}
        channels = {name: build(name, each, deps) for name, each in options.items()}
        for each in channels.values():
            stack.push_async_callback(each.close)
        told, spared = sparing(channels, pagers=pagers or bool(names) or settings is None)
        report = await play(Understudy.build, told, clock, patience=patience, local=local) if told else Report()
        report.spared = spared
        return report


def render(screen: Screen, report: Report) -> None:
    """The report as a table, and the verdict."""
    _ = screen.text
    table = screen.table(
        _("Channel"),
        _("Kind"),
        _("Outage told after"),
        _("End told after"),
        _("Attempts"),
        _("Result"),
        numbers=(2, 3, 4),
    )
    for name, told in report.channels.items():
        table.add_row(
            Text(safe(name), "name"),
            safe(told.kind),
            screen.seconds(told.delivered),
            screen.seconds(told.resolved),
            screen.number(told.attempts),
            Text("✓ " + _("works"), "good") if told.good else Text("✗ " + _("fails"), "bad"),
        )
    screen.console.print(table)
    if report.spared:
        spared = ", ".join(map(safe, report.spared))
        screen.line(_("spared, as they ring people's phones: {names}; --pagers tells them, too", names=spared), "quiet")
    for name, told in report.channels.items():
        for problem in told.problems:
            screen.line(Text.assemble((f"{safe(name)}: ", "name"), safe(problem, 400)))
    if report.detected is not None:
        screen.line(
            _(
                "Noticed {detected} after the first failing call; over {ended} after the first good one, "
                "{keep} of which it had to stay good.",
                detected=screen.seconds(report.detected),
                ended=screen.seconds(report.ended),
                keep=screen.seconds(KEEP),
            ),
            "quiet",
        )
    else:
        screen.line(_("The outage was not noticed."), "bad")
    if report.good:
        screen.line("✓ " + _("Every channel did its job."), "good")
    else:
        screen.line("✗ " + _("Not every channel did its job."), "bad")
