"""`understudy demo`: the story on the screen, and an honest verdict."""

from __future__ import annotations

import asyncio

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from understudy.app import Understudy
from understudy.core.clock import SYSTEM_CLOCK
from understudy.resilience.describe import state_of
from understudy.simulator import Simulator

from .exits import FAILED, OK
from .explain import render as render_record
from .local_receivers import local_receivers
from .screen import Screen
from .simulated import PATHS, load_sample
from .story import DEADLINE, Part, Story, parts
from .telling import KINDS, Told, settled, with_channels
from .telling import render as render_told

#: How often the moving picture is drawn anew, s.
FRAME = 0.2
#: Attempts are given up after this long, so that a hanging API shows within a part of the story, s.
ATTEMPT = 1.0


def demo(screen: Screen, *, seconds: float, seed: int, rate: float) -> int:
    """Play the story; exit code 0 only if each part did its job."""
    return asyncio.run(_demo(screen, seconds, seed, rate))


async def _demo(screen: Screen, seconds: float, seed: int, rate: float) -> int:
    _ = screen.text
    clock = SYSTEM_CLOCK
    async with Simulator(seed) as simulator, local_receivers(*KINDS, language=_.tag) as local:
        limits = [f"apis.{name}.timeout.attempt={ATTEMPT}" for name in simulator.base_urls]
        settings = with_channels(load_sample(simulator, limits).settings, local)
        began = clock.time()
        async with Understudy.build(settings, clock=clock, seed=seed) as app:
            story = Story(app, simulator, parts(_), clock)
            _introduce(screen, seconds, seed, rate)
            # The telling ends first only when nobody can read it any more.
            both = [
                asyncio.ensure_future(story.play(seconds, rate)),
                asyncio.ensure_future(_tell(screen, story, app, seconds)),
            ]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in both:
                    task.cancel()
                await asyncio.wait(both)
            for task in both:
                if not task.cancelled():
                    task.result()
            return _verdict(screen, story, await settled(app, local, clock, began))


def _introduce(screen: Screen, seconds: float, seed: int, rate: float) -> None:
    _ = screen.text
    screen.line(_("Understudy: calls that survive"), "name")
    screen.line(
        _(
            "Seven simulated football APIs on this machine, three routes, "
            "{rate} calls a second for {seconds} s, seed {seed}.",
            rate=screen.number(rate),
            seconds=screen.number(seconds),
            seed=seed,
        ),
        "quiet",
    )
    screen.line()


async def _tell(screen: Screen, story: Story, app: Understudy, seconds: float) -> None:
    """Show the story while it plays: a moving picture, or a line for each part that is over."""
    clock = SYSTEM_CLOCK
    began = clock.monotonic()
    if screen.plain:
        told = 0
        try:
            while True:
                await clock.sleep(FRAME)
                told = _lines(screen, story, told)
        finally:
            _lines(screen, story, told)
    with Live(console=screen.console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(_picture(screen, story, app, min(1.0, (clock.monotonic() - began) / seconds)), refresh=True)
            await clock.sleep(FRAME)


def _lines(screen: Screen, story: Story, told: int) -> int:
    for part in story.parts[told:]:
        if not part.settled:
            break
        screen.line(_plain_line(screen, part))
        told += 1
    return told


def _plain_line(screen: Screen, part: Part) -> str:
    _ = screen.text
    counts = _(
        "{served} of {calls} calls served, {standby} by a standby",
        served=part.served,
        calls=part.calls,
        standby=part.by_standby,
    )
    return f"- {part.title} ({part.target or '–'}): {counts}"


def _picture(screen: Screen, story: Story, app: Understudy, share: float) -> Group:
    _ = screen.text
    now = app.clock.monotonic()
    states = Text("  ")
    for name, api in app.fallback.roster.apis.items():
        states.append_text(Text.assemble(screen.state(state_of(api, now)).split()[0], f" {name}   "))
    note = _("The faults are over; the leads are coming back …") if story.now is None and share >= 1 else ""
    return Group(
        _table(screen, story, final=False), states, Text(), ProgressBar(100, share * 100, width=60), Text(note, "quiet")
    )


def _table(screen: Screen, story: Story, *, final: bool) -> Table:
    _ = screen.text
    table = screen.table("", _("What happens"), _("To"), _("Calls"), _("Served"), _("By a standby"), numbers=(3, 4, 5))
    for part in story.parts:
        mark: Text | Spinner = Text("·", "quiet")
        if part is story.now and not final:
            mark = Spinner("dots")
        elif part.done:
            # While the story plays, calls of a part may still be on their way.
            mark = Text("✓", "good") if part.good else Text("✗", "bad") if final else Text("…", "quiet")
        row = [screen.number(part.calls), screen.number(part.served), screen.number(part.by_standby)]
        table.add_row(mark, part.title, Text(part.target or "–", "name"), *row)
    return table


def _verdict(screen: Screen, story: Story, told: Told) -> int:
    _ = screen.text
    screen.console.print(_table(screen, story, final=True))
    example = max(
        (part.example for part in story.parts if part.example), key=lambda record: len(record.attempts), default=None
    )
    if example is not None:
        screen.line(_("One fallback, explained by its decision record:"), "name")
        render_record(screen, example)
        screen.line()
    complaints = [text for part in story.parts for text in _complaints(screen, part)]
    complaints += [
        _("{route}: the lead did not serve again after the faults", route=route)
        for route in PATHS
        if route not in story.recovered
    ]
    calls, served = sum(part.calls for part in story.parts), sum(part.served for part in story.parts)
    standby = sum(part.by_standby for part in story.parts)
    screen.line(
        _(
            "{served} of {calls} calls were served within {deadline} s, {standby} of them by a standby; "
            "all leads serve again: {again}.",
            served=screen.number(served),
            calls=screen.number(calls),
            deadline=screen.number(DEADLINE),
            standby=screen.number(standby),
            again=_("yes") if len(story.recovered) == len(PATHS) else _("no"),
        )
    )
    render_told(screen, told)
    if told.problems or told.unfinished:
        complaints.append(_("not every alert was told, and its end"))
    for complaint in complaints:
        screen.line(f"✗ {complaint}", "bad")
    if complaints:
        screen.line(_("Not every part did its job."), "bad")
        return FAILED
    screen.line("✓ " + _("Every part did its job."), "good")
    return OK


def _complaints(screen: Screen, part: Part) -> list[str]:
    """What a part failed to do, in words."""
    _ = screen.text
    if part.good:
        return []
    found = []
    if not part.calls:
        found.append(_("no call was made"))
    if part.served < part.calls:
        kinds = ", ".join(f"{kind} {count}" for kind, count in part.errors.items())
        found.append(_("{count} calls were not served: {kinds}", count=part.calls - part.served, kinds=kinds))
    if part.late:
        found.append(_("{count} calls were late", count=part.late))
    if part.unexplained:
        found.append(_("{count} fallbacks without an explanation", count=part.unexplained))
    if part.fault is not None and not part.by_standby:
        found.append(_("no standby ever served"))
    return [f"{part.title}: {text}" for text in found]
