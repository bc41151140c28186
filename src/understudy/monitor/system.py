"""How this process is doing: uptime, processor, memory, connections, loop lag, recent errors.

Read from `/proc` where there is one, from psutil (the `service` extra) elsewhere; what a system does not
tell is None, never an error.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from importlib import import_module
from math import ceil, inf
from pathlib import Path
from stat import S_ISSOCK
from typing import Any

from understudy.core.clock import SYSTEM_CLOCK, Clock, pause

from .text import harmless

#: How often the loop's lag is measured, s, and how many of the last measurements count.
LAG_PERIOD, LAG_SAMPLES = 0.25, 1200

_PROC = Path("/proc/self")
#: The first byte of what the kernel tells of a TCP socket: its state.
_ESTABLISHED = 1


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """One record of level ERROR or above; `message` is one clipped, masked line."""

    at: float
    level: str
    logger: str
    message: str

    def as_dict(self) -> dict[str, Any]:
        """The entry as JSON-ready values."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True)
class SystemSnapshot:
    """The process now: seconds, bytes, percent of one processor since the reading before.

    What cannot be known here, or has not been measured yet, is None. Loop lag is how late the event
    loop came to a timer, over the last five minutes.
    """

    uptime: float
    cpu_percent: float | None
    memory_rss: int | None
    active_connections: int | None
    loop_lag_p99: float | None
    loop_lag_max: float | None
    errors: tuple[ErrorEntry, ...]

    def as_dict(self) -> dict[str, Any]:
        """The snapshot as JSON-ready values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**values, "errors": [entry.as_dict() for entry in self.errors]}


class RecentErrors(logging.Handler):
    """Keeps the last records of level ERROR and above, newest last."""

    def __init__(self, keep: int = 100) -> None:
        super().__init__(logging.ERROR)
        self.entries: deque[ErrorEntry] = deque(maxlen=keep)
        #: All such records, kept or not.
        self.total = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record; never raises and never logs."""
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - a wrong format string is the caller's fault; its record is still worth keeping
            text = harmless(record.msg)
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            text = f"{text}: {type(error).__name__}: {harmless(error)}"
        self.total += 1
        self.entries.append(ErrorEntry(record.created, record.levelname, harmless(record.name, 100), harmless(text)))


class SystemMetrics:
    """Reads the process, and measures its event loop while `run` runs."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK, *, keep_errors: int = 100) -> None:
        self._clock = clock
        self._started_at = clock.monotonic()
        self._lags: deque[float] = deque(maxlen=LAG_SAMPLES)
        self._cpu: tuple[float, float] | None = None
        self._cpu_percent: float | None = None
        self._connections: int | None = None
        self._connections_until = -inf
        self.errors = RecentErrors(keep_errors)
        self._read_cpu()

    async def run(self) -> None:
        """Measure the loop's lag and collect errors from the root logger, until cancelled."""
        with self.collecting():
            while True:
                due = self._clock.monotonic() + LAG_PERIOD
                await pause(self._clock, LAG_PERIOD)
                self._lags.append(max(0.0, self._clock.monotonic() - due))

    @contextmanager
    def collecting(self) -> Iterator[RecentErrors]:
        """Collect errors from the root logger in a `with` block."""
        root = logging.getLogger()
        root.addHandler(self.errors)
        try:
            yield self.errors
        finally:
            root.removeHandler(self.errors)

    def read(self) -> SystemSnapshot:
        """The process now; takes about a millisecond for each hundred sockets that are open.

        Connections are counted again after a hundred times what counting took, so that however many
        there are and however often somebody asks, it is at most a hundredth of the loop's time.
        """
        self._read_cpu()
        begun = self._clock.monotonic()
        if begun >= self._connections_until:
            self._connections = active_connections()
            now = self._clock.monotonic()
            self._connections_until = now + 100.0 * (now - begun)
        lags = sorted(self._lags)
        return SystemSnapshot(
            uptime=self._clock.monotonic() - self._started_at,
            cpu_percent=self._cpu_percent,
            memory_rss=memory_rss(),
            active_connections=self._connections,
            loop_lag_p99=lags[ceil(0.99 * len(lags)) - 1] if lags else None,
            loop_lag_max=lags[-1] if lags else None,
            errors=tuple(self.errors.entries),
        )

    def _read_cpu(self) -> None:
        """Processor time of all threads since the reading before; readings closer than 0.1 s share one."""
        times = os.times()
        now, used = self._clock.monotonic(), times.user + times.system
        before = self._cpu
        if before is None:
            self._cpu = (now, used)
        elif now - before[0] >= 0.1:
            self._cpu_percent = 100.0 * (used - before[1]) / (now - before[0])
            self._cpu = (now, used)


def memory_rss() -> int | None:
    """Resident memory of this process, bytes."""
    try:
        pages = int((_PROC / "statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        pass
    process = _psutil_process()
    if process is not None:
        try:
            return int(process.memory_info().rss)
        except Exception:  # noqa: BLE001, S110 - psutil has its own errors; below is another way to ask
            pass
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)  # the peak, where nothing tells the present


def active_connections() -> int | None:
    """Established TCP connections of this process, both ways."""
    try:
        return _connections_from_proc()
    except (OSError, ValueError, AttributeError):
        pass
    process = _psutil_process()
    if process is None:
        return None
    try:
        ask = getattr(process, "net_connections", None) or process.connections
        return sum(1 for each in ask(kind="tcp") if each.status == "ESTABLISHED")
    except Exception:  # noqa: BLE001 - psutil has its own errors, and some systems refuse this to ordinary users
        return None


def _connections_from_proc() -> int:
    """Ask each socket of ours; the table in `/proc/net` holds those of the whole machine, and takes as long."""
    return sum(_is_established(int(name)) for name in os.listdir(_PROC / "fd"))  # noqa: PTH208 - names are enough


def _is_established(descriptor: int) -> bool:
    try:
        if not S_ISSOCK(os.fstat(descriptor).st_mode):
            return False
        # A duplicate, because the socket object closes what it holds; the family does not matter to the question.
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, fileno=os.dup(descriptor)) as sock:
            return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _ESTABLISHED
    except OSError:
        return False  # closed meanwhile, or no TCP


def _psutil_process() -> Any:
    """This process as psutil sees it; None without the `service` extra."""
    try:
        # By name: the base install does without, and type checkers need not know it.
        return import_module("psutil").Process()
    except ImportError:
        return None
