"""Calls an operation of any kind: async, returning an awaitable, or plain and blocking.

A callable that is not known to be async first runs in a thread. If what it returns is awaitable,
that is awaited on the caller's loop, and its code is remembered: from then on it runs on the loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from understudy.core.errors import Rejected

#: Operations whose caller has gone but whose thread has not returned; more are refused.
MAX_ABANDONED = 64
MAX_THREADS = 32
#: Code objects remembered; a program that makes code at run time must not fill memory with it.
MAX_REMEMBERED = 10_000


class Invoker:
    """Runs operations; one for each application."""

    def __init__(self) -> None:
        #: Code of callables that are, or return, awaitables, by identity: hashing a code object costs
        #: a tenth of a microsecond each time. The values keep the identities from being used again.
        #: The prepared path looks here itself, as a call of `knows` would cost more than the look.
        self.known: dict[int, Any] = {}
        self.abandoned = 0
        self._pool: ThreadPoolExecutor | None = None

    async def __call__(self, operation: Callable[..., Any], on_return: Callable[[], None] | None = None) -> Any:
        """The operation's value.

        `on_return` is called when the operation has really returned, which for a blocking one may be
        long after the caller was told that time is up; without it nothing waits for that.
        """
        threaded = False
        try:
            code = code_of(operation)
            if self.knows(code):
                return await operation()
            bare = _bare(operation)
            if inspect.iscoroutinefunction(bare) or inspect.iscoroutinefunction(
                getattr(bare, "__call__", None)  # noqa: B004 - an object whose __call__ is async, not a test
            ):
                self._remember(code)
                return await operation()
            threaded = True
            return await self._in_thread(operation, code, on_return)
        finally:
            if not threaded and on_return is not None:
                on_return()

    def knows(self, code: Any) -> bool:
        """Whether callables of this code are known to be, or to return, awaitables."""
        return id(code) in self.known

    def _remember(self, code: Any) -> None:
        if code is not None:
            if len(self.known) >= MAX_REMEMBERED:
                self.known.clear()
            self.known[id(code)] = code

    async def _in_thread(self, operation: Callable[..., Any], code: Any, on_return: Callable[[], None] | None) -> Any:
        if self.abandoned >= MAX_ABANDONED:
            if on_return is not None:
                on_return()
            raise Rejected(f"{self.abandoned} blocking operations have outlived their callers; no more are started")
        if self._pool is None:
            self._pool = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="understudy-call")
        context = contextvars.copy_context()
        future = self._pool.submit(context.run, _catch, operation)
        waiting = asyncio.wrap_future(future)
        try:
            result, error = await asyncio.shield(waiting)
        except asyncio.CancelledError:
            if not future.cancel():
                self.abandoned += 1
                loop = asyncio.get_running_loop()
                future.add_done_callback(functools.partial(self._returned, loop, on_return))
            elif on_return is not None:
                on_return()
            raise
        if on_return is not None and not inspect.isawaitable(result):
            on_return()
            on_return = None
        try:
            if isinstance(error, RuntimeError) and "no running event loop" in str(error):
                # It needed the loop before it could even make its awaitable; once more, there.
                self._remember(code)
                result = operation()
            elif error is not None:
                raise error
            if inspect.isawaitable(result):
                self._remember(code)
                return await result
            return result
        finally:
            if on_return is not None:
                on_return()

    def _returned(self, loop: asyncio.AbstractEventLoop, on_return: Callable[[], None] | None, ended: Any) -> None:
        result, _ = ended.result()
        if inspect.iscoroutine(result):
            result.close()  # nobody is left to await it

        def settle() -> None:
            self.abandoned -= 1
            if on_return is not None:
                on_return()

        try:
            loop.call_soon_threadsafe(settle)
        except RuntimeError:  # the loop has ended meanwhile, and its permits with it
            self.abandoned -= 1

    def close(self) -> None:
        """Start no more threads; running operations are not waited for."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def refuse_uncallable(what: str, operation: Any) -> None:
    """Tell whoever handed over the result of a call in place of the function: `fetch()` for `fetch`.

    Raises:
        TypeError: `operation` cannot be called.
    """
    if callable(operation):
        return
    if inspect.iscoroutine(operation):
        operation.close()  # it will never be awaited, and needs no second warning that says so
    raise TypeError(
        f"{what}: expected a function without arguments, found {type(operation).__name__}; "
        "hand over the function itself, not what it returns"
    )


def code_of(operation: Callable[..., Any]) -> Any:
    """What tells one operation from another although each call makes a new closure: its code."""
    return getattr(_bare(operation), "__code__", None)


def _bare(operation: Callable[..., Any]) -> Callable[..., Any]:
    """The callable under the arguments that were bound to it."""
    while isinstance(operation, functools.partial):
        operation = operation.func
    return operation


def _catch(operation: Callable[..., Any]) -> tuple[Any, BaseException | None]:
    """Run in the thread; a StopIteration cannot cross a future, so errors travel as values."""
    try:
        return operation(), None
    except BaseException as error:  # noqa: BLE001 - handed to the caller's loop unchanged
        return None, error


def bound(
    function: Callable[..., Any], fallback: Callable[..., Any] | None, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Callable[[], Any], Callable[[], Any] | None]:
    """Operations without arguments, as the pipeline runs them."""
    if not args and not kwargs:
        return function, fallback
    operation = functools.partial(function, *args, **kwargs)
    return operation, None if fallback is None else functools.partial(fallback, *args, **kwargs)
