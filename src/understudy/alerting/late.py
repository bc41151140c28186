"""Stand-ins for what is there only later: parts of the store until it is open, an HTTP client until it is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from understudy.core.errors import StoreUnavailable
from understudy.core.http import HttpClient, HttpRequest, HttpResponse


class Late:
    """A part of a store. Until `open`, every method of it raises `StoreUnavailable`; then it is that part."""

    def __init__(self, part: object | None = None) -> None:
        self._part = part

    def open(self, part: object) -> None:
        """From now on be `part`."""
        self._part = part

    def close(self) -> None:
        """The store is closed."""
        self._part = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return _not_open if self._part is None else getattr(self._part, name)


async def _not_open(*_: object, **__: object) -> Any:
    raise StoreUnavailable("the store is not open: start the application first")


class LateHttp:
    """An HTTP client that is made when it first sends: importing one takes a while, and few need it."""

    def __init__(self, make: Callable[[], HttpClient]) -> None:
        self._make = make

    async def send(self, request: HttpRequest) -> HttpResponse:
        """As `HttpClient.send`."""
        return await self._make().send(request)

    async def close(self) -> None:
        """As `HttpClient.close`: whoever made the client closes it."""
