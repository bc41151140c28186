"""Puts finished reports into a folder, each file whole or not at all."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from .model import Report
from .render import to_csv_files, to_html, to_json
from .schedule import ReportSchedule

_WRITERS: dict[str, tuple[str, Callable[[Report], bytes]]] = {
    "html": ("html", lambda report: to_html(report).encode()),
    "json": ("json", lambda report: to_json(report).encode()),
    "csv": ("zip", to_csv_files),
}


class FolderDeliverer:
    """A `Deliverer` that writes `FOLDER/NAME-2026-11-01.html`; the date is the first day that the report covers."""

    def __init__(self, base: Path) -> None:
        self._base = base

    async def deliver(self, name: str, schedule: ReportSchedule, report: Report) -> None:
        """Write the report in each of its formats; a file of that name is replaced. Without a folder, nothing."""
        if not schedule.folder:
            return
        await asyncio.to_thread(self._write, name, schedule, report)

    def _write(self, name: str, schedule: ReportSchedule, report: Report) -> None:
        folder = self._base / schedule.folder
        folder.mkdir(parents=True, exist_ok=True)
        stem = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
        day = f"{datetime.fromtimestamp(report.start, UTC):%Y-%m-%d}"
        for style in schedule.formats:
            ending, write = _WRITERS[style]
            put(folder / f"{stem}-{day}.{ending}", write(report))


def put(path: Path, content: bytes) -> None:
    """Write beside the file, then put it in its place: a full disk leaves the old one whole."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
