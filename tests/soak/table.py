"""The committed table of the last full run: one JSON file, and the same as Markdown."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .experiment import Report

RESULTS = Path(__file__).parent / "results"
_LIBRARIES = ("understudy", "aiohttp", "pydantic")


def versions() -> dict[str, str]:
    """What the figures depend on."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    return {"Python": platform.python_version(), "machine": machine, **{name: version(name) for name in _LIBRARIES}}


def write(reports: Sequence[Report], seed: int, directory: Path = RESULTS) -> None:
    """Enter the reports into the table; experiments that were not run keep what is written of them."""
    path = directory / "soak.json"
    known: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    now = datetime.now(UTC).strftime("%Y-%m-%d")
    for report in reports:
        known[report.name] = {
            "title": report.title, "date": now, "seconds": round(report.seconds), "seed": seed,
            "versions": versions(), "promises": [asdict(promise) for promise in report.promises],
            "figures": report.figures,
        }  # fmt: skip
    directory.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (directory / "soak.md").write_text(markdown(known), "utf-8")


def markdown(known: dict[str, Any]) -> str:
    """The table for people: every promise with what was measured, then the figures of each experiment."""
    kept = all(promise["kept"] for entry in known.values() for promise in entry["promises"])
    lines = [
        "# The long experiments",
        "",
        "Written by `make soak`. " + ("Every promise was kept." if kept else "**A promise was broken.**"),
        "",
        "| experiment | promise | measured | kept |",
        "|---|---|---|---|",
    ]
    for name, entry in known.items():
        for promise in entry["promises"]:
            cells = (name, promise["text"], promise["measured"], "yes" if promise["kept"] else "**NO**")
            lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    for name, entry in known.items():
        told = ", ".join(f"{what} {which}" for what, which in entry["versions"].items())
        lines += ["", f"## {entry['title']}", ""]
        lines += [f"`{name}`, {entry['date']}, {entry['seconds']} s, seed {entry['seed']}. {told}.", ""]
        for what, value in entry["figures"].items():
            shown = ", ".join(f"{key} {count}" for key, count in value.items()) if isinstance(value, dict) else value
            lines.append(f"- {what}: {shown}")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")[:300]
