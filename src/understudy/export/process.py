"""Numbers about this process that monitoring expects of every program: `process_*` and `python_gc_*`."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

from understudy.monitor.system import memory_rss

from .prometheus_text import Family, Labels

Row = tuple[Labels, float]

_PROC = Path("/proc/self")

CPU = Family("process_cpu_seconds", "counter", "Processor time of this process in seconds, user and system.")
RESIDENT = Family("process_resident_memory_bytes", "gauge", "Resident memory in bytes.")
VIRTUAL = Family("process_virtual_memory_bytes", "gauge", "Virtual memory in bytes.")
STARTED = Family("process_start_time_seconds", "gauge", "When the application was built, in seconds since the epoch.")
OPEN_FILES = Family("process_open_fds", "gauge", "Open file descriptors.")
MOST_FILES = Family("process_max_fds", "gauge", "Most file descriptors that may be open.")
GC_RUNS = Family("python_gc_collections", "counter", "Runs of the garbage collector, by generation.")
GC_COLLECTED = Family("python_gc_objects_collected", "counter", "Objects collected, by generation.")
GC_STUCK = Family("python_gc_objects_uncollectable", "counter", "Objects that could not be collected, by generation.")


def readings(started_at: float) -> Iterator[tuple[Family, list[Row]]]:
    """Every family with its rows; what this system does not tell is left out."""
    times = os.times()
    yield CPU, [((), times.user + times.system)]
    yield STARTED, [((), started_at)]
    for family, value in (
        (RESIDENT, memory_rss()),
        (VIRTUAL, _virtual()),
        (OPEN_FILES, _open_files()),
        (MOST_FILES, _most_files()),
    ):
        if value is not None:
            yield family, [((), value)]
    stats = gc.get_stats()
    for family, name in ((GC_RUNS, "collections"), (GC_COLLECTED, "collected"), (GC_STUCK, "uncollectable")):
        yield family, [((("generation", str(place)),), each[name]) for place, each in enumerate(stats)]


def _virtual() -> int | None:
    try:
        pages = int((_PROC / "statm").read_text(encoding="ascii").split()[0])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def _open_files() -> int | None:
    try:
        return len(os.listdir(_PROC / "fd"))  # noqa: PTH208 - a list of names, without a path object for each
    except OSError:
        return None


def _most_files() -> int | None:
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if soft == resource.RLIM_INFINITY else soft
