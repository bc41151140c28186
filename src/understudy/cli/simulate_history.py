"""`understudy simulate-history`: fills a store with a believable past, to look at, to try things on, to measure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from understudy.core.clock import SYSTEM_CLOCK, Clock
from understudy.core.errors import NotInstalled, OptionError
from understudy.simulator.past import PastOptions, group_past
from understudy.simulator.past_requests import requests
from understudy.storage import StorageOptions

from .exits import INTERRUPTED, OK, USAGE, Stop
from .screen import Screen, safe

if TYPE_CHECKING:
    from understudy.storage.bulk import Bulk

#: Under this key the store remembers what was begun, and how many groups of APIs are written.
KEY = "simulated"


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """The command line of `simulate-history`; `add` writes into a store that holds something."""

    apis: int
    days: int
    seed: int
    storage: StorageOptions
    add: bool = False


def storage_options(url: str, config: Path | None) -> StorageOptions:
    """The store of a URL, or of a configuration."""
    if config is not None:
        from understudy.config import load

        return load(config).settings.storage
    try:
        return StorageOptions(url=url)
    except OptionError as error:
        raise Stop(USAGE, safe(error)) from None


def simulate_history(screen: Screen, options: HistoryOptions, clock: Clock = SYSTEM_CLOCK) -> int:
    """Fill the store; the exit code. What was begun before with the same numbers goes on where it stopped."""
    _ = screen.text
    try:
        from understudy.storage.bulk import open_bulk
    except ImportError:
        raise NotInstalled("keeping history", "service") from None
    storage = options.storage
    with open_bulk(storage, clock) as bulk:
        done, end = _begin(screen, bulk, options, clock)
        past = PastOptions(options.apis, options.days, options.seed, end, storage.keep_10s, storage.keep_1m)
        try:
            with _progress(screen, options, done * past.together * options.days) as told:
                for group in range(done, past.groups):
                    _write(bulk, options, past, group, told)
                    done = group + 1
        except KeyboardInterrupt:
            written = screen.number(min(options.apis, done * past.together))
            screen.line(_("stopped: {apis} APIs are written; the same command goes on from there", apis=written))
            return INTERRUPTED
    _tell(screen, options)
    return OK


def _tell(screen: Screen, options: HistoryOptions) -> None:
    _ = screen.text
    days, apis = screen.number(options.days), screen.number(options.apis)
    screen.line(_("{url} holds {days} days of {apis} APIs", url=safe(options.storage.url), days=days, apis=apis))
    if options.storage.kind != "sqlite":
        return
    size = options.storage.path.stat().st_size
    screen.line(_("the file has {size} MB", size=screen.number(size / 1e6)))
    if size > options.storage.max_bytes:
        screen.line(_("a service cuts it to storage.max_bytes, unless that is set higher"), "degraded")


def _begin(screen: Screen, bulk: Bulk, options: HistoryOptions, clock: Clock) -> tuple[int, int]:
    """How many groups are written already, and where the history ends; refuses a store of somebody else."""
    _ = screen.text
    now = int(clock.time())
    if bulk.empty():
        return 0, now
    begun = bulk.remembered(KEY)
    same = begun is not None and all(begun.get(name) == getattr(options, name) for name in ("apis", "days", "seed"))
    if same and not begun["complete"]:
        return int(begun["done"]), int(begun["end"])
    if not options.add:
        raise Stop(
            USAGE, _("{url} holds something already; --add writes into it all the same", url=safe(options.storage.url))
        )
    return 0, now


def _write(
    bulk: Bulk,
    options: HistoryOptions,
    past: PastOptions,
    group: int,
    told: Callable[[int], object],
) -> None:
    made = group_past(past, group, told)
    since = max(past.start, past.end - options.storage.keep_requests)
    entries, errors = requests(
        made.natures, made.troubles, made.route, since, past.end, f"{past.seed}/{group}/requests"
    )
    begun = {
        "apis": options.apis,
        "days": options.days,
        "seed": options.seed,
        "end": past.end,
        "done": group + 1,
        "complete": group + 1 == past.groups,
    }
    bulk.write(made.rows, past.end, entries, errors, {KEY: begun})


@contextmanager
def _progress(screen: Screen, options: HistoryOptions, done: int) -> Iterator[Callable[[int], object]]:
    """A bar on a terminal, a line for each tenth elsewhere; counts days of APIs."""
    _ = screen.text
    total = options.apis * options.days
    if screen.plain:
        yield _tenths(screen, done, total)
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(compact=True),
    )  # fmt: skip
    with Progress(*columns, console=screen.console) as bar:
        task = bar.add_task(_("making history"), total=total, completed=done)
        yield lambda more: bar.update(task, advance=more)


def _tenths(screen: Screen, done: int, total: int) -> Callable[[int], object]:
    made = done

    def told(more: int) -> None:
        nonlocal made
        before, made = made, made + more
        if made * 10 // total > before * 10 // total:
            screen.line(f"{made * 100 // total} %", "quiet")

    return told
