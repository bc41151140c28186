"""What the transports for other people's clients ask of the application, and what they share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from understudy.core.errors import BadResponse, CallError, DeadlineExceeded, UnderstudyError

T = TypeVar("T")
Pairs = list[tuple[bytes, bytes]]

#: Headers that belong to one connection, one host or one encoding of a body; each API gets its own.
_OWN = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "keep-alive", "proxy-connection", "te", "upgrade"}
    | {"proxy-authorization", "accept-encoding", "trailer", "expect"}
)
#: What no longer describes a body that has been decoded.
_STALE = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})
_HOP = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"proxy-connection", b"upgrade", b"trailer"})
_PORTS = {"http": 80, "https": 443}


class Sender(Protocol):
    """Serves a request by a route; `Understudy` is one.

    `url` is where the user's client believes to send to: its path and query are asked of the API that
    serves, and `private` headers (credentials, cookies) go to an API of its origin only.
    `extensions` may hold `understudy_deadline` (seconds) and `understudy_idempotent`. Answers a
    `core.http.HttpResponse` that may have `explain()`, and the base URL of the API that gave it.
    """

    async def send(
        self,
        route: str,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | AsyncIterator[bytes] | None,
        stream: bool,
        private: bool,
        extensions: Mapping[str, Any],
    ) -> tuple[Any, str]: ...


class PortalLike(Protocol):
    """Runs coroutines from blocking code; `core.portal.Portal` is one."""

    def call(self, function: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> T: ...

    def send(self, function: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> None: ...


def forwarded(headers: Iterable[tuple[str | bytes, str | bytes]]) -> dict[str, str]:
    """The user's headers as every API may get them: nothing of one connection or host."""
    pairs = ((_text(name), _text(value)) for name, value in headers)
    return {name: value for name, value in pairs if name.lower() not in _OWN}


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


class Delivery:
    """A response as somebody else's client gets it: its decoded body, and headers that are about it.

    `body` is None for a stream. Cookies are delivered only where they come from the origin that the
    client asked: it would keep them under that name, and send them to whichever API serves next. A
    redirect within the API's base URL leads to the same place below the client's own.
    """

    def __init__(self, response: Any, base_url: str, method: str, url: str, body: bytes | None) -> None:
        self.response = response
        self.status: int = response.status
        self.body = body
        self.explain: Callable[[], Any] | None = getattr(response, "explain", None)
        bodiless = method == "HEAD" or self.status in (204, 304)
        stale = _HOP if bodiless else _HOP | _STALE
        own = bool(base_url) and _origin(base_url) == _origin(url)
        self.headers: Pairs = []
        for name, value in _pairs(response):
            lower = name.lower()
            if lower in stale or (lower == b"set-cookie" and not own):
                continue
            self.headers.append((name, _led_back(value, base_url, url) if lower == b"location" else value))
        if body is not None and not bodiless:
            self.headers.append((b"Content-Length", str(len(body)).encode()))

    @property
    def reason(self) -> str:
        """What the status is called."""
        try:
            return HTTPStatus(self.status).phrase
        except ValueError:
            return ""


def _pairs(response: Any) -> Sequence[tuple[bytes, bytes]]:
    raw: Sequence[tuple[bytes, bytes]] | None = getattr(response, "raw_headers", None)
    if raw is not None:
        return raw
    return [(name.encode("latin-1", "replace"), value.encode()) for name, value in response.headers.items()]


def refusal(error: UnderstudyError, method: str, url: str) -> Delivery | None:
    """The answer that `error` stands for, where there is one that tells by its status that it is no success.

    Of several APIs that failed it is the last one's; users of a client expect a 503 as a response.
    """
    last: BaseException = error
    if isinstance(error, CallError) and not isinstance(error, DeadlineExceeded) and error.causes:
        last = list(error.causes.values())[-1]
    if not isinstance(last, BadResponse) or last.response is None or 200 <= last.status < 300:
        return None
    held = getattr(last.response, "so_far", None)
    delivery = Delivery(last.response, "", method, url, last.response.body if held is None else held)
    if isinstance(error, CallError):
        delivery.explain = error.explain
    return delivery


def _origin(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url)
        return parts.scheme.lower(), (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return "", "", 0


def _led_back(location: bytes, base_url: str, url: str) -> bytes:
    """Where a redirect leads in the client's own terms; unchanged when it leaves the API's base URL."""
    text = location.decode("latin-1")
    base = urlsplit(base_url)
    path = base.path.rstrip("/")
    try:
        target = urlsplit(text)
    except ValueError:
        return location
    if target.netloc and _origin(text) != _origin(base_url):
        return location
    inside = target.path == path or target.path.startswith(path + "/")
    if not base_url or not target.path.startswith("/") or not inside:
        return location
    client = urlsplit(url)
    led = target._replace(scheme=client.scheme, netloc=client.netloc, path=target.path[len(path) :] or "/")
    return led.geturl().encode("latin-1", "replace")
