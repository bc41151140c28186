"""The harness that every benchmark here shares: interleaved rounds, medians, ratios, one result file.

    table = Table("record", "Recording one outcome", libraries=("prometheus_client",))
    timings = measure({"ours": ours, "theirs": theirs}, n=100_000, rounds=9)
    table.add(timings, baseline="theirs")
    table.goal("ours ≤ 1/12 of theirs", ratio(timings, "ours", "theirs"), 1 / 12)
    table.write()

A candidate is `callable(n) -> None` that does its thing `n` times. Rounds are interleaved (each round
runs every candidate once, each round beginning with another one), so that a slow second of the machine
hits all of them, and a ratio is the median of the ratios inside each round: it is what is compared with
a goal. Beside it stand the ratios between which the middle half of the rounds lies: far apart, they say
that the machine was busy. Absolute times are for scale only.

`--quick` runs everything for a moment, to see that it works; its figures mean nothing and are not kept.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

#: Whether this run only shows that the benchmarks work.
QUICK = "--quick" in sys.argv[1:]
RESULTS = Path(tempfile.gettempdir()) / "understudy-quick" if QUICK else Path(__file__).parent / "results"

Candidate = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds per operation of one candidate, one number per round."""

    label: str
    n: int
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle round; seconds per operation."""
        return median(self.seconds)

    @property
    def minimum(self) -> float:
        """The best round; seconds per operation."""
        return min(self.seconds)


def measure(
    candidates: Mapping[str, Candidate],
    n: int,
    rounds: int = 7,
    *,
    cpu: bool = False,
    warm: int = 0,
    share: Mapping[str, float] | None = None,
) -> dict[str, Timing]:
    """Run every candidate `n` times in each of `rounds` interleaved rounds.

    `cpu=True` counts the processor time of this process (all threads) in place of elapsed time. `warm`
    operations run before each timed stretch. `share` names candidates that do more or fewer than `n`, as
    a multiple of it, so that all stretches take about as long: what disturbs a short one hits it harder.

    What exists after the warm-up is frozen for the garbage collector. It works during the stretches, as
    it does in programs: who leaves garbage behind pays for it, and nobody pays for that of another.
    """
    clock = time.process_time if cpu else time.perf_counter
    if QUICK:
        n, rounds = max(1, n // 10), min(rounds, 3)
    times = {label: max(1, round(n * (share or {}).get(label, 1.0))) for label in candidates}
    seconds: dict[str, list[float]] = {label: [] for label in candidates}
    for label, candidate in candidates.items():
        candidate(max(1, times[label] // 20))
    labels = list(candidates)
    gc.collect()
    gc.freeze()
    try:
        for number in range(rounds):
            first = number % len(labels)
            for label in labels[first:] + labels[:first]:
                if warm:
                    candidates[label](warm)
                gc.collect()
                began = clock()
                candidates[label](times[label])
                seconds[label].append((clock() - began) / times[label])
    finally:
        gc.unfreeze()
    return {label: Timing(label, times[label], tuple(values)) for label, values in seconds.items()}


def ratios(timings: Mapping[str, Timing], label: str, baseline: str, less: str = "") -> list[float]:
    """`label`'s time divided by `baseline`'s time in the same round, for each round, sorted.

    `less` names a candidate whose time is taken off both: the loop around them.
    """
    off = timings[less].seconds if less else (0.0,) * len(timings[label].seconds)
    rounds = zip(timings[label].seconds, timings[baseline].seconds, off, strict=True)
    return sorted((ours - loop) / (theirs - loop) for ours, theirs, loop in rounds)


def ratio(timings: Mapping[str, Timing], label: str, baseline: str, less: str = "") -> float:
    """Median over the rounds of `label`'s time divided by `baseline`'s time in the same round; see `ratios`."""
    return median(ratios(timings, label, baseline, less))


@dataclass(frozen=True, slots=True)
class Goal:
    """A number that must not exceed (or, with `at_least`, not fall below) its limit."""

    text: str
    measured: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the goal is reached; a number that is not a number reaches nothing."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    @property
    def bound(self) -> str:
        """The limit as people write it."""
        return f"{'≥' if self.at_least else '≤'} {_show(self.limit)}"


_UNITS = {"ns": 1e9, "µs": 1e6, "ms": 1e3, "s": 1.0}


class Table:
    """One benchmark's results: sections of rows, goals, notes; printed and written as JSON and Markdown."""

    def __init__(self, name: str, title: str, libraries: Iterable[str] = (), unit: str = "ns") -> None:
        self.name = name
        self.title = title
        self._libraries = tuple(libraries)
        self._unit = unit
        self._sections: list[tuple[str, list[str], list[list[object]]]] = []
        self._candidates: dict[str, str] = {}
        self._figures: dict[str, float] = {}
        self._goals: list[Goal] = []
        self._notes: list[str] = []

    def add(self, timings: Mapping[str, Timing], baseline: str, title: str = "", unit: str = "") -> None:
        """A section of timings with their ratio to `baseline`, which is one of the labels."""
        unit = unit or self._unit
        scale = _UNITS[unit]
        rows: list[list[object]] = []
        for label, timing in timings.items():
            every = ratios(timings, label, baseline)
            share, quarter = median(every), len(every) // 4
            half = f"{_show(every[quarter])}–{_show(every[-1 - quarter])}"
            rows.append([label, timing.median * scale, timing.minimum * scale, share, half, as_fraction(share)])
        header = ["candidate", f"median {unit}", f"best {unit}", f"ratio to {baseline}", "half of the rounds", ""]
        self.section(title, header, rows)

    def section(self, title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A section of free rows; numbers are shown with three significant digits."""
        self._sections.append((title, list(header), [list(row) for row in rows]))

    def explain(self, candidates: Mapping[str, str]) -> None:
        """What each candidate does, exactly: what a reader must know to trust a ratio."""
        self._candidates.update(candidates)

    def figure(self, name: str, value: float) -> None:
        """A number under a name of its own, for those who quote it (tools/write_comparison.py)."""
        self._figures[name] = value

    def goal(self, text: str, measured: float, limit: float, *, at_least: bool = False) -> bool:
        """Check a number against a goal of the project and show both; returns whether it is met."""
        goal = Goal(text, measured, limit, at_least)
        self._goals.append(goal)
        return goal.met

    def note(self, text: str) -> None:
        """A sentence under the tables: what was measured, and what was not."""
        self._notes.append(text)

    @property
    def ok(self) -> bool:
        """Whether every goal is met."""
        return all(goal.met for goal in self._goals)

    def write(self, directory: Path = RESULTS) -> bool:
        """Print the tables and write `<name>.json` and `<name>.md`; returns `ok`."""
        text = self._markdown()
        print(text)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{self.name}.md").write_text(text, encoding="utf-8")
        (directory / f"{self.name}.json").write_text(
            json.dumps(self._as_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        return self.ok

    def _as_dict(self) -> dict[str, object]:
        return {
            "name": self.name,
            "title": self.title,
            "environment": environment(self._libraries),
            "sections": [
                {"title": title, "rows": [dict(zip(header, row, strict=True)) for row in rows]}
                for title, header, rows in self._sections
            ],
            "candidates": self._candidates,
            "figures": self._figures,
            "goals": [
                {"goal": g.text, "measured": g.measured, "limit": g.limit, "at_least": g.at_least, "met": g.met}
                for g in self._goals
            ],
            "notes": self._notes,
        }

    def _markdown(self) -> str:
        lines = [f"# {self.title}", ""]
        lines += [", ".join(f"{key} {value}" for key, value in environment(self._libraries).items()), ""]
        for title, header, rows in self._sections:
            lines += [f"## {title}", ""] if title else []
            lines += grid(header, rows)
        if self._candidates:
            lines += ["## What each does", ""]
            lines += [*(f"- {label}: {text}." for label, text in self._candidates.items()), ""]
        if self._goals:
            lines += ["## Goals", ""]
            lines += grid(
                ["goal", "measured", "limit", "met"],
                [[g.text, g.measured, g.bound, "yes" if g.met else "NO"] for g in self._goals],
            )
        for text in self._notes:
            lines += [text, ""]
        return "\n".join(lines)


def environment(libraries: Iterable[str] = ()) -> dict[str, str]:
    """What a reader needs to place the numbers; nothing that tells whose machine it was."""
    facts = {
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "CPUs": str(os.cpu_count() or 0),
    }
    for library in libraries:
        try:
            facts[library] = version(library)
        except PackageNotFoundError:
            facts[library] = "not installed"
    return facts


def as_fraction(share: float) -> str:
    """`1/53` or `4.8×`, whichever people read faster."""
    if share <= 0:
        return ""
    return f"1/{1 / share:.3g}" if share < 0.95 else f"{share:.3g}×"


def _show(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)


def grid(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A Markdown table that also reads well in a terminal: columns aligned, those of numbers to the right."""
    body = [[_show(cell) for cell in row] for row in rows]
    shown = [list(header), *body]
    columns = range(len(header))
    widths = [max(2, *(len(row[column]) for row in shown)) for column in columns]
    right = [column > 0 and all(_numeric(row[column]) for row in body) for column in columns]
    rule = ["-" * (widths[column] - right[column]) + ":" * right[column] for column in columns]
    lines = []
    for row in (shown[0], rule, *body):
        cells = [row[c].rjust(widths[c]) if right[c] else row[c].ljust(widths[c]) for c in columns]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def _numeric(text: str) -> bool:
    """Whether a cell holds a number, a bound or a fraction: what is compared along its column."""
    return not text or text.lstrip("≤≥ -")[:1].isdigit()
