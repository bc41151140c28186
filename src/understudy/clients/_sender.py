"""What the transports for other people's clients ask of the application, and what they share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

#: Headers that belong to one connection, one host or one encoding of a body; each API gets its own.
_OWN = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "keep-alive", "proxy-connection", "te", "upgrade"}
    | {"proxy-authorization", "accept-encoding"}
)
#: What no longer describes a body that has been decoded.
_STALE = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection", "keep-alive"})


class Sender(Protocol):
    """Serves a request by a route; `Understudy` is one.

    Answers a `core.http.HttpResponse` that may have `explain()`. `extensions` may hold
    `understudy_deadline` (seconds) and `understudy_idempotent`.
    """

    async def send(
        self,
        route: str,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        content: bytes | AsyncIterator[bytes] | None,
        stream: bool,
        extensions: Mapping[str, Any],
    ) -> Any: ...


class PortalLike(Protocol):
    """Runs coroutines from blocking code; `core.portal.Portal` is one."""

    def call(self, function: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> T: ...


def forwarded(headers: Mapping[str, str]) -> dict[str, str]:
    """The user's headers as every API may get them: nothing of one connection or host."""
    return {name: value for name, value in headers.items() if name.lower() not in _OWN}


def delivered(headers: Mapping[str, str], body_length: int | None) -> list[tuple[str, str]]:
    """The response's headers as the user's client gets them: about the decoded body."""
    kept = [(name, value) for name, value in headers.items() if name.lower() not in _STALE]
    if body_length is not None:
        kept.append(("Content-Length", str(body_length)))
    return kept


async def next_piece(pieces: AsyncIterator[bytes]) -> bytes | None:
    """The next piece of a stream, or None at its end; for blocking readers."""
    return await anext(pieces, None)
