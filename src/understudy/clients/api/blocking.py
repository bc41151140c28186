"""The client for code that does not await: the same methods, each waited for."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Self

from understudy.core.portal import Portal

from .client import Client


class Blocking:
    """As `Client`: every method of it, blocking; lists that are awaited piece by piece are plain iterators here."""

    def __init__(self, url: str, **options: Any) -> None:
        """The options are those of `Client`."""
        self._client = Client(url, **options)
        self._portal = Portal("understudy-client")
        self.url = self._client.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Blocking of {self.url}>"

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *(name for name in dir(self._client) if not name.startswith("_"))})

    def __getattr__(self, name: str) -> Any:
        method = None if name.startswith("_") else getattr(self._client, name, None)
        if callable(method):
            return self._iterating(method) if inspect.isasyncgenfunction(method) else self._waiting(method)
        raise AttributeError(f"the client has no method {name!r}")

    def close(self) -> None:
        """Close the connections and end the thread that waited."""
        try:
            self._portal.call(self._client.close)
        finally:
            self._portal.close()

    def _waiting(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def waited(*arguments: Any, **options: Any) -> Any:
            return self._portal.call(method, *arguments, **options)

        return waited

    def _iterating(self, method: Callable[..., AsyncIterator[Any]]) -> Callable[..., Iterator[Any]]:
        @functools.wraps(method)
        def iterated(*arguments: Any, **options: Any) -> Iterator[Any]:
            found = method(*arguments, **options)
            while (item := self._portal.call(_following, found)) is not _END:
                yield item

        return iterated


_END = object()


async def _following(items: AsyncIterator[Any]) -> Any:
    return await anext(items, _END)
