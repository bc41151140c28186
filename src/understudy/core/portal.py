"""A background event loop for callers that block: one thread, started at first use."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

T = TypeVar("T")


class Portal:
    """Runs coroutines on its own loop and thread, and hands their results to threads that wait.

    After a fork the child starts a thread of its own at its first use: threads do not survive one.
    """

    def __init__(self, name: str = "understudy-loop") -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        _PORTALS.add(self)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The running background loop."""
        with self._lock:
            if self._loop is None or self._thread is None or not self._thread.is_alive():
                started = threading.Event()
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._serve, args=(self._loop, started), name=self._name, daemon=True
                )
                self._thread.start()
                started.wait()
            return self._loop

    @staticmethod
    def _serve(loop: asyncio.AbstractEventLoop, started: threading.Event) -> None:
        asyncio.set_event_loop(loop)
        loop.call_soon(started.set)
        try:
            loop.run_forever()
        finally:
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def call(self, function: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> T:
        """The result of `await function(*args, **kwargs)` on the background loop.

        An exception of the waiting thread (KeyboardInterrupt) cancels the coroutine.

        Raises:
            RuntimeError: called from the background loop itself, which would wait for itself; or the
                portal was closed while the call was under way.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("a blocking call was made on Understudy's own event loop; await it instead")
        loop = self.loop
        shielded = _shielding(function(*args, **kwargs))
        future: Future[T | _Interruption] = asyncio.run_coroutine_threadsafe(shielded, loop)
        try:
            result = future.result()
        except CancelledError:
            raise RuntimeError("the call was cancelled, as happens when Understudy is closed under it") from None
        except BaseException:
            future.cancel()
            raise
        if isinstance(result, _Interruption):
            raise result.error
        return result

    def send(self, function: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> None:
        """Run `function(*args)` on the background loop without waiting for it; nothing, when there is none.

        For clean-up from places that may not block, such as a finalizer, which may run in any thread.
        """
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or not thread.is_alive():
            return
        try:
            loop.call_soon_threadsafe(lambda: _kept(loop.create_task(function(*args))))
        except RuntimeError:
            return  # the loop has been closed at this very moment, and with it what was to be cleaned up

    def close(self) -> None:
        """Cancel what runs and end the thread; a later `call` starts a new one."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None and thread.is_alive():
            loop.call_soon_threadsafe(loop.stop)
            thread.join(timeout=10.0)

    def _forked(self) -> None:
        """In the child of a fork: the lock may be held by a thread that does not exist here."""
        self._lock = threading.Lock()
        self._loop = self._thread = None


class _Interruption:
    """KeyboardInterrupt or SystemExit out of a coroutine, on its way to the thread that waits for it."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


async def _shielding(coroutine: Coroutine[Any, Any, T]) -> T | _Interruption:
    """Await `coroutine`; what would stop the loop under everybody else reaches its own caller instead."""
    try:
        return await coroutine
    except (KeyboardInterrupt, SystemExit) as error:
        return _Interruption(error)


#: Tasks of `send`: a loop keeps weak references only.
_TASKS: set[asyncio.Task[Any]] = set()


def _kept(task: asyncio.Task[Any]) -> None:
    _TASKS.add(task)
    task.add_done_callback(_TASKS.discard)


_PORTALS: weakref.WeakSet[Portal] = weakref.WeakSet()


def _after_fork() -> None:
    for portal in list(_PORTALS):
        portal._forked()  # noqa: SLF001 - of this module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
