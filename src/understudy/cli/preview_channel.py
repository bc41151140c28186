"""`understudy notify preview --channel`: a configured channel's own messages, measured; nothing is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict

from rich.text import Text

from understudy.channels.conformance import Measure, Preview, previews
from understudy.config.settings import Settings
from understudy.core.clock import SYSTEM_CLOCK

from .alerts_shown import print_json
from .exits import FAILED, OK, USAGE, Stop
from .screen import Screen, safe

#: Lines of a message that are shown, and the longest of them.
_LINES, _LONGEST = 80, 400


def preview_channels(screen: Screen, settings: Settings, names: Sequence[str], *, as_json: bool) -> int:
    """Show an ordinary alert as each of these channels would send it, and how near the hardest come to each limit.

    Exit code 1 when one would be refused.
    """
    _ = screen.text
    if unknown := [name for name in names if name not in settings.channels]:
        raise Stop(USAGE, _("no channel named {name} in the configuration", name=", ".join(map(safe, unknown))))
    found = {name: asyncio.run(previews(name, settings.channels[name], SYSTEM_CLOCK)) for name in names}
    if as_json:
        print_json(screen, {name: [asdict(each) for each in made] for name, made in found.items()})
    else:
        for name, made in found.items():
            _show(screen, name, made)
    return OK if all(each.fits for made in found.values() for each in made) else FAILED


def _show(screen: Screen, name: str, made: Sequence[Preview]) -> None:
    _ = screen.text
    screen.line(Text(safe(name), "name"))
    if not made:
        screen.line(_("Its messages are written by Apprise when they are sent; there is nothing to measure before."))
        return
    for line in made[0].document.splitlines()[:_LINES]:
        screen.line(f"  {safe(line, _LONGEST)}")
    table = screen.table(_("Part"), _("Longest"), _("Limit"), "", numbers=(1, 2))
    for each in _largest(made):
        word = Text("✓", "good") if each.fits else Text("✗", "bad")
        table.add_row(each.what, screen.number(each.found), screen.number(each.limit), word)
    screen.console.print(table)


def _largest(made: Sequence[Preview]) -> list[Measure]:
    """Of each part the one that comes nearest to its limit, or goes beyond it."""
    found: dict[str, Measure] = {}
    for measure in (each for preview in made for each in preview.measures):
        known = found.get(measure.what)
        if known is None or measure.found > known.found:
            found[measure.what] = measure
    return list(found.values())
