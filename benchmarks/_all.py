"""`make bench`: every benchmark in turn, each in a process of its own, then one table of all goals.

Exit code 0 when all goals are met. `--quick` shows that everything runs, and leaves the results alone;
`--sum-up` writes the table anew from the results that are there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from common import RESULTS, environment, grid

HERE = Path(__file__).parent
#: No benchmark takes that long, s; the whole is meant to be done in ten minutes.
LIMIT = 300
#: With more running programs than this in the last minute the figures are noisy.
BUSY = 0.5


def benchmarks() -> list[Path]:
    """The programs, by name."""
    return sorted(path for path in HERE.glob("*.py") if path.name != "common.py" and not path.name.startswith("_"))


def run(program: Path) -> str:
    """Run one benchmark; what went wrong, or the empty string. A missed goal is no fault: the summary tells it."""
    result = RESULTS / f"{program.stem}.json"
    before = result.stat().st_mtime_ns if result.exists() else 0
    try:
        done = subprocess.run([sys.executable, str(program), *sys.argv[1:]], check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return f"not done after {LIMIT} s"
    if not result.exists() or result.stat().st_mtime_ns == before:
        return f"ended with code {done.returncode} and wrote no result"
    return ""


def rows(program: Path) -> list[list[Any]]:
    """The goals of one benchmark as rows of the summary."""
    result = json.loads((RESULTS / f"{program.stem}.json").read_text(encoding="utf-8"))
    found = []
    for goal in result["goals"]:
        bound = f"{'≥' if goal['at_least'] else '≤'} {goal['limit']:.3g}"
        verdict = "yes" if goal["met"] else "NO"
        found.append([f"[{result['name']}]({result['name']}.md)", goal["goal"], goal["measured"], bound, verdict])
    return found


def summary(table: list[list[Any]], faults: dict[str, str], load: float) -> str:
    """The page with all goals."""
    missed = sum(row[-1] != "yes" for row in table)
    lines = ["# All goals", "", ", ".join(f"{key} {value}" for key, value in environment().items()), ""]
    verdict = f"All {len(table)} goals are met." if not missed else f"{missed} of {len(table)} goals are missed."
    lines += [verdict, "", *grid(["benchmark", "goal", "measured", "limit", "met"], table)]
    lines += [f"{name}: {fault}." for name, fault in faults.items()]
    if load > BUSY:
        lines += ["", f"The machine was busy when the run began ({load:.1f} running programs): the figures are noisy."]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Run, sum up, print; 1 when a goal is missed or a benchmark did not end as it should."""
    only = "--sum-up" in sys.argv[1:]
    load = 0.0 if only else os.getloadavg()[0]
    began = time.monotonic()
    faults: dict[str, str] = {}
    table: list[list[Any]] = []
    for program in benchmarks():
        if only:
            fault = "" if (RESULTS / f"{program.stem}.json").exists() else "not measured yet"
        else:
            print(f"== {program.stem}", flush=True)
            fault = run(program)
        if fault:
            faults[program.stem] = fault
        else:
            table += rows(program)
    text = summary(table, faults, load)
    (RESULTS / "summary.md").write_text(text, encoding="utf-8")
    print(f"{text}\n{time.monotonic() - began:.0f} s; written to {RESULTS}")
    return 1 if faults or any(row[-1] != "yes" for row in table) else 0


if __name__ == "__main__":
    raise SystemExit(main())
