"""`make soak`: run every long experiment at full length, show how far it has come, write what it found.

Exit code 0 only if every promise was kept. With names, only those experiments are run, and the table keeps
what it says of the others. `--quick` runs the samples that `make test` runs, and writes nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from .catalogue import EXPERIMENTS, Experiment
from .experiment import Report
from .table import RESULTS, write


def run(experiment: Experiment, seed: int, quick: bool, progress: Progress) -> Report:
    """One experiment with its progress bar; a crash is a broken promise too, and the others still run."""
    bar = progress.add_task(experiment.name, total=1.0)
    began = time.perf_counter()
    work = experiment.sample if quick else experiment.full
    try:
        report = asyncio.run(work(seed, lambda share: progress.update(bar, completed=min(share, 1.0))))
    except Exception as error:
        report = Report(experiment.name, experiment.title)
        report.none_of("crashes of the experiment itself", [f"{type(error).__name__}: {error}"])
        progress.console.print_exception()
    report.seconds = time.perf_counter() - began
    progress.update(bar, completed=1.0)
    for broken in report.broken:
        progress.console.print(f"[bold red]broken[/] {experiment.name}: {broken}", markup=True, highlight=False)
    return report


def show(console: Console, reports: list[Report]) -> None:
    """The table of promises, for people."""
    table = Table(title="Promises", title_justify="left")
    for column in ("experiment", "promise", "measured", "kept"):
        table.add_column(column)
    for report in reports:
        for promise in report.promises:
            kept = "[green]yes[/]" if promise.kept else "[bold red]NO[/]"
            table.add_row(report.name, promise.text, promise.measured[:200], kept)
    console.print(table)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(e.name for e in EXPERIMENTS))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="the samples of the test suite; writes nothing")
    options = parser.parse_args()
    unknown = set(options.names) - {experiment.name for experiment in EXPERIMENTS}
    if unknown:
        parser.error(f"no experiment is called {', '.join(sorted(unknown))}")
    chosen = [e for e in EXPERIMENTS if not options.names or e.name in options.names]
    console = Console()
    columns = (TextColumn("{task.description:<14}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        reports = [run(experiment, options.seed, options.quick, progress) for experiment in chosen]
    show(console, reports)
    if not options.quick:
        write(reports, options.seed)
        console.print(f"written to {RESULTS.name}/soak.md and {RESULTS.name}/soak.json")
    return 1 if any(report.broken for report in reports) else 0


if __name__ == "__main__":
    raise SystemExit(main())
