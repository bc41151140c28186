"""Notices that configuration files changed, and takes in only what is valid as a whole."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from pathlib import Path as FilePath

from understudy.core.clock import Clock
from understudy.core.errors import ConfigError

from .loader import Loaded
from .sources import toml_files

#: How often the files are looked at, s.
EVERY = 2.0
_Mark = tuple[tuple[str, int, int, int], ...]


class Watcher:
    """Looks at times and sizes of files (and of the TOML files in folders); calls `on_change` when one differs."""

    def __init__(self, paths: Sequence[FilePath], clock: Clock, on_change: Callable[[], object]) -> None:
        self.paths = tuple(paths)
        self._clock, self._on_change = clock, on_change
        self._last = self._look()

    async def run(self) -> None:
        """Look every two seconds until cancelled."""
        while True:
            await self._clock.sleep(EVERY)
            self.poll()

    def poll(self) -> bool:
        """Look once; whether something had changed."""
        now = self._look()
        if now == self._last:
            return False
        self._last = now
        self._on_change()
        return True

    def _look(self) -> _Mark:
        marks = []
        for file in (file for path in self.paths for file in _files(path)):
            try:
                stat = file.stat()
            except OSError:
                marks.append((str(file), 0, -1, 0))
            else:
                marks.append((str(file), stat.st_mtime_ns, stat.st_size, stat.st_ino))
        return tuple(marks)


def _files(path: FilePath) -> list[FilePath]:
    """The file itself, or the files of a folder."""
    try:
        return toml_files(path)
    except OSError:
        return [path]


class Reloader:
    """Holds the configuration in use; a new one replaces it as a whole or not at all."""

    def __init__(
        self,
        current: Loaded,
        read: Callable[[], Loaded],
        apply: Callable[[Loaded], object],
        refused: Callable[[ConfigError], object],
    ) -> None:
        self.current = current
        self._read, self._apply, self._refused = read, apply, refused

    def __call__(self) -> bool:
        """Read everything anew; whether it was taken in. Faults go to `refused`, and the old one stays."""
        try:
            loaded = self._read()
        except ConfigError as error:
            self._refused(error)
            return False
        self._apply(loaded)
        self.current = loaded
        return True


def on_hangup(loop: asyncio.AbstractEventLoop, action: Callable[[], object]) -> bool:
    """Call `action` on SIGHUP; False where the platform or thread has no such signal."""
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is None:
        return False
    try:
        loop.add_signal_handler(hangup, action)
    except (NotImplementedError, RuntimeError, ValueError):
        return False
    return True
