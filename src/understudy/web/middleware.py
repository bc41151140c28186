"""What every request passes: who may ask (host, origin, rate), and what every answer carries.

The service is open to whoever reaches its loopback port, so a page in the operator's browser must not:
foreign hosts (DNS rebinding), foreign origins and floods end here.
"""

from __future__ import annotations

import logging
import random
from collections import OrderedDict
from collections.abc import Callable, Collection, MutableMapping
from math import ceil
from typing import Any

from understudy.core.clock import Clock
from understudy.core.ids import ulid_source

from .auth.exposure import LOOPBACK_NAMES
from .http import Answer, App, Problem, Receive, Scope, Send

_log = logging.getLogger("understudy.web")

SAFE = ("GET", "HEAD", "OPTIONS")
#: Where programs report their numbers.
REPORTS = "/api/instances/report"

SECURE = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-store"),
)

#: Over TLS browsers shall not come back without it, for a year.
STRICT = (b"strict-transport-security", b"max-age=31536000")


def header(scope: Scope, name: bytes) -> str | None:
    """The only value of a header; None without one. Raises `Problem` when it is repeated."""
    values = [value for key, value in scope["headers"] if key.lower() == name]
    if len(values) > 1:
        raise Problem(400, f"the header {name.decode()} is given twice")
    return values[0].decode("latin-1") if values else None


class Guard:
    """Refuses foreign hosts and origins, keeps every client to its rate, and puts the security headers on."""

    def __init__(
        self,
        app: App,
        clock: Clock,
        hosts: Collection[str] = LOOPBACK_NAMES,
        limit: Limit | None = None,
        public_url: Callable[[], str] = lambda: "",
        tell: Callable[[Scope, Problem], Answer] = lambda _, problem: problem.answer(),
        token: Callable[[Scope], str] = lambda _: "",
    ) -> None:
        self._app = app
        #: How a problem is told to whoever asked: programs and browsers read different things.
        self._tell = tell
        #: The token that a request is known to come with: each has a rate of its own, wherever it is used from.
        self._token = token
        self._ids = ulid_source(clock, random.SystemRandom())
        #: Where people reach the service through a proxy: pages that it showed there may post to it.
        self._public_url = public_url
        self._hosts = frozenset(host.strip("[]").lower() for host in hosts)
        self._limit = limit or Limit(clock)
        # Programs of one machine report each second, all from one address.
        self._reports = Limit(clock, rate=500.0, burst=2000)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer why not."""
        scope["understudy.request_id"] = name = self._ids()
        extra: list[tuple[bytes, bytes]] = [(b"x-request-id", name.encode())]
        started = False

        async def guarded(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                own = {name for name, _ in message["headers"]}  # a page with a form says itself what it may do
                message["headers"] = [*message["headers"], *(each for each in SECURE if each[0] not in own), *extra]
            await send(message)

        try:
            self._host(scope)
            self._embedded(scope)
            # A probe that is refused would be taken for a dead service; twenty tabs ask for many files at once.
            if scope["path"] not in ("/health", "/live") and not scope["path"].startswith("/static/"):
                limit = self._reports if scope["path"] == REPORTS else self._limit
                extra += limit.take(self._token(scope) or (scope["client"][0] if scope.get("client") else ""))
            if scope.get("scheme") == "https":
                extra.append(STRICT)
            # A stream costs something for as long as it lasts, so that no page of another site may open one either.
            if scope["method"] not in SAFE or scope["path"] == "/live":
                self._origin(scope)
            await self._app(scope, receive, guarded)
        except Problem as problem:
            if not started:
                await self._tell(scope, problem).send(guarded, bodiless=scope["method"] == "HEAD")
        except Exception:
            # The caller is told nothing about our insides; the log says where to look.
            _log.exception("%s failed, request %s", scope["path"][:200], name)
            if started:
                raise
            failed = Problem(500, f"an error of the service itself; its log says more under {name}")
            await self._tell(scope, failed).send(guarded, bodiless=scope["method"] == "HEAD")

    def _host(self, scope: Scope) -> None:
        name = _host_name(header(scope, b"host") or "")
        if name not in self._hosts:
            raise Problem(421, "this service is not known by that host name; use the address it printed at its start")

    def _embedded(self, scope: Scope) -> None:
        """A page of another site may link here, but not use us for pictures, frames or floods of requests.

        It could read nothing, but it would use up the rate that Prometheus needs. Such requests are not counted.
        """
        if header(scope, b"sec-fetch-site") not in ("cross-site", "same-site"):
            return
        linked = header(scope, b"sec-fetch-mode") == "navigate" and header(scope, b"sec-fetch-dest") == "document"
        if not linked or scope["method"] not in SAFE:
            raise Problem(403, "requests from other sites are refused")

    def _origin(self, scope: Scope) -> None:
        """A page of another site must not change anything here; programs send neither header."""
        site = header(scope, b"sec-fetch-site")
        if site is not None and site not in ("same-origin", "none"):
            raise Problem(403, "requests from other sites are refused")
        origin = header(scope, b"origin")
        if origin is not None:
            host = (header(scope, b"host") or "").lower()
            scheme, slashes, name = origin.lower().partition("://")
            public = self._public_url().lower()
            ours = public == origin.lower() or public.startswith(f"{origin.lower()}/")
            if not ours and (not slashes or name != host or scheme not in ("http", "https")):
                raise Problem(403, "requests from other origins are refused")


def _host_name(host: str) -> str:
    """`[::1]:8080` -> `::1`; empty for what is no plain host and port."""
    if len(host) > 255 or any(sign in host for sign in "@/\\ ,?#"):
        return ""
    if host.startswith("["):
        name, bracket, rest = host[1:].partition("]")
        port = rest[1:]
        return name.lower() if bracket and (not rest or (rest[0] == ":" and port.isdigit())) else ""
    name, _, port = host.partition(":")
    return name.lower() if not port or port.isdigit() else ""


class Limit:
    """A token bucket for each client address: `burst` requests at once, `rate` a second in the long run."""

    def __init__(self, clock: Clock, rate: float = 20.0, burst: int = 200, keep: int = 10_000) -> None:
        self._now = clock.monotonic
        self._rate, self._burst, self._keep = rate, burst, keep
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> list[tuple[bytes, bytes]]:
        """Count a request; the headers that tell the client where it stands, or `Problem` 429."""
        now = self._now()
        tokens, at = self._buckets.pop(client, (float(self._burst), now))
        tokens = min(float(self._burst), tokens + (now - at) * self._rate)
        allowed = tokens >= 1.0
        tokens -= 1.0 if allowed else 0.0
        self._buckets[client] = (tokens, now)
        if len(self._buckets) > self._keep:
            self._buckets.popitem(last=False)
        full_in = ceil((self._burst - tokens) / self._rate)
        told = {
            "RateLimit-Limit": str(self._burst),
            "RateLimit-Remaining": str(int(tokens)),
            "RateLimit-Reset": str(full_in),
            # The same as the newer drafts of the standard write it (draft-ietf-httpapi-ratelimit-headers-10).
            "RateLimit-Policy": f'"default";q={self._burst};w={ceil(self._burst / self._rate)}',
            "RateLimit": f'"default";r={int(tokens)};t={full_in}',
        }
        if not allowed:
            wait = max(1, ceil((1.0 - tokens) / self._rate))
            raise Problem(429, f"too many requests; wait {wait} s", {**told, "Retry-After": str(wait)})
        return [(name.lower().encode(), value.encode()) for name, value in told.items()]
