"""Notices that configuration files changed, and takes in only what is valid as a whole."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path as FilePath
from typing import Any

from understudy.core.clock import Clock
from understudy.core.errors import ConfigError

from .faults import DEFAULT, Fault
from .loader import Loaded
from .sources import toml_files

#: How often the files are looked at, s.
EVERY = 2.0
#: A file that changed must stay as it is for this long before it is read: it may be half written, s.
SETTLED = 0.25
#: One that never rests is read after this many looks.
LOOKS = 20
#: What tells one state of a file from another, by its path.
_Marks = dict[str, tuple[int, int, int]]


class Watcher:
    """Looks at times and sizes of files (and of the TOML files in folders); calls `on_change` when one differs.

    `paths` is asked each time, as a new configuration may name other files.
    """

    def __init__(
        self, paths: Callable[[], Sequence[FilePath]], clock: Clock, on_change: Callable[[], Awaitable[object]]
    ) -> None:
        self._paths, self._clock, self._on_change = paths, clock, on_change
        self._last = self._look()

    async def run(self) -> None:
        """Look every two seconds until cancelled."""
        while True:
            await self._clock.sleep(EVERY)
            await self.poll()

    async def poll(self) -> bool:
        """Look once, and wait until what changed has settled; whether something had changed."""
        now = self._look()
        if now == self._last:
            return False
        for _ in range(LOOKS):
            self._last = now
            await self._clock.sleep(SETTLED)
            now = self._look()
            if now == self._last:
                break
        watched = self._paths()
        await self._on_change()
        if self._paths() != watched:
            self._last = self._look()
        return True

    def _look(self) -> _Marks:
        marks: _Marks = {}
        for file in (file for path in self._paths() for file in _files(path)):
            try:
                stat = file.stat()
            except OSError:
                marks[str(file)] = (0, -1, 0)
            else:
                marks[str(file)] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        return marks


def _files(path: FilePath) -> list[FilePath]:
    """The file itself, or the files of a folder."""
    try:
        return toml_files(path)
    except OSError:
        return [path]


class Reloader:
    """Holds the configuration in use; a new one replaces it as a whole or not at all.

    `read` runs in a thread, so that a large configuration does not stop the calls; `apply` runs on the loop.
    """

    def __init__(
        self,
        current: Loaded,
        read: Callable[[], Loaded],
        apply: Callable[[Loaded], object],
        refused: Callable[[ConfigError], object],
    ) -> None:
        self.current = current
        self._read, self._apply, self._refused = read, apply, refused
        self._one_at_a_time = asyncio.Lock()

    async def change(self, read: Callable[[], Loaded], keep: Callable[[], Awaitable[None]]) -> Loaded:
        """Take in what `read` gives, once `keep` has stored what makes it different; answers it.

        Raises:
            ConfigError: it cannot be used; nothing was stored.
            whatever `keep` raises: nothing has changed.
        """
        async with self._one_at_a_time:
            loaded = await asyncio.to_thread(read)
            await keep()
            self._apply(loaded)
            self.current = loaded
            return loaded

    async def __call__(self) -> bool:
        """Read everything anew; whether it was taken in. Faults go to `refused`, and the old one stays."""
        async with self._one_at_a_time:
            try:
                loaded = await asyncio.to_thread(self._read)
                self._apply(loaded)
            except ConfigError as error:
                self._refused(error)
                return False
            except Exception as error:  # noqa: BLE001 - whatever is wrong with a new configuration, the old one stays
                self._refused(ConfigError((Fault((), DEFAULT, f"cannot be used: {error}"),)))
                return False
            self.current = loaded
            return True


def on_hangup(loop: asyncio.AbstractEventLoop, action: Callable[[], Coroutine[Any, Any, object]]) -> bool:
    """Run `action` on SIGHUP; False where the platform or thread has no such signal."""
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is None:
        return False
    running: set[asyncio.Task[object]] = set()

    def begin() -> None:
        task = loop.create_task(action())
        running.add(task)  # the loop itself holds its tasks weakly
        task.add_done_callback(running.discard)

    try:
        loop.add_signal_handler(hangup, begin)
    except (NotImplementedError, RuntimeError, ValueError):
        return False
    return True
