"""`understudy check`: asks every API of the configuration one harmless question, without a service."""

from __future__ import annotations

import asyncio
import json

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from understudy.app import Understudy
from understudy.config import Settings
from understudy.config.sentences import said
from understudy.connectivity import CheckResult

from .exits import FAILED, OK, USAGE, Stop
from .screen import Screen, safe


def check(screen: Screen, settings: Settings, names: list[str], *, as_json: bool) -> int:
    """Test APIs and print what was found; exit code 1 when one does not work."""
    known = [name for name, options in settings.apis.items() if options.base_url]
    unknown = [name for name in names if name not in known]
    if unknown:
        message = screen.text("no API named {name} in the configuration", name=", ".join(map(safe, unknown)))
        raise Stop(USAGE, message)
    wanted = names or known
    results = asyncio.run(asked(screen, settings, wanted, silent=as_json))
    if as_json:
        screen.console.print(json.dumps([each.as_dict() for each in results], indent=2), soft_wrap=True)
    else:
        render(screen, results)
    return FAILED if any(each.ok is False for each in results) else OK


async def asked(screen: Screen, settings: Settings, names: list[str], *, silent: bool) -> list[CheckResult]:
    """Ask these APIs, some at a time, with a bar while that lasts."""
    app = Understudy.build(settings)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    progress = Progress(*columns, console=screen.console, transient=True, disable=silent or screen.plain)
    task = progress.add_task(screen.text("Asking the APIs"), total=len(names))

    async def one(name: str) -> CheckResult:
        async with gate:
            found = (await app.check([name]))[0]
        progress.advance(task)
        return found

    gate = asyncio.Semaphore(8)
    try:
        with progress:
            return list(await asyncio.gather(*(one(name) for name in names)))
    finally:
        await app.stop()


def render(screen: Screen, results: list[CheckResult]) -> None:
    """A table of what was found, then what to do about it."""
    _ = screen.text
    if not results:
        screen.line(_("The configuration names no HTTP API; understudy config template shows how to begin."))
        return
    table = screen.table("API", _("Result"), _("Took"), _("Found"), numbers=(2,))
    words = {
        True: ("● " + _("works"), "healthy"),
        False: ("■ " + _("fails"), "down"),
        None: ("○ " + _("says nothing"), "unknown"),
    }
    for each in results:
        table.add_row(
            Text(safe(each.api), "name"),
            Text(*words[each.ok]),
            screen.seconds(each.seconds),
            Text(safe(said(each.message, _))),
        )
    screen.console.print(table)
    for each in results:
        if each.advice:
            screen.line(Text.assemble((f"{safe(each.api)}: ", "name"), safe(advice(screen, each), 400)))
    failed = sum(each.ok is False for each in results)
    if failed:
        text = _.plural(
            "{count} of {total} APIs does not work.", "{count} of {total} APIs do not work.", failed, total=len(results)
        )
        screen.line(text, "bad")
    else:
        screen.line(_.plural("The one API answers.", "All {count} APIs answer.", len(results)), "good")


def advice(screen: Screen, result: CheckResult) -> str:
    """What to do, in the reader's language."""
    place = f"[apis.{result.api}."
    if place in result.advice:
        return screen.text(result.advice.replace(place, "[apis.{api}."), api=result.api)
    return screen.text(result.advice)
