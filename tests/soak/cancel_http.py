"""The stages of an HTTP call at which it may be cancelled, over real sockets."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from understudy.app import Understudy
from understudy.core.secrets import Secret
from understudy.resilience.breaker import BreakerOptions
from understudy.resilience.bulkhead import BulkheadOptions
from understudy.resilience.deadline import TimeoutOptions
from understudy.resilience.keys import AuthOptions, KeyOptions
from understudy.resilience.limiter import RateLimitOptions
from understudy.resilience.retry import RetryOptions

from .cancellations import Stage
from .upstream import Asked, Pieces, Upstream, answer

_HEAD = b"HTTP/1.1 200 Word\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
#: No breaker of the experiment trips unless a stage is about it.
_CALM = BreakerOptions(consecutive=10_000, consecutive_with_standby=10_000, failure_ratio=1.0, min_calls=100_000)
_QUICK = BreakerOptions(consecutive=1, consecutive_with_standby=1, open_for=0.02, open_cap=0.02, jitter=0.0)


class Api:
    """One server that behaves by path."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    async def handle(self, asked: Asked) -> Pieces:
        """The server's handler."""
        match asked.path.split("?")[0]:
            case "/quick":
                return answer()
            case "/slow" | "/token":
                await asyncio.sleep(self._chance.uniform(0.0, 0.06))
                token = b'{"access_token": "t%d", "expires_in": 1}' % asked.number
                return answer(200, token, "Content-Type: application/json")
            case "/failing":
                await asyncio.sleep(self._chance.uniform(0.0, 0.01))
                return answer(503)
            case "/wavering":
                await asyncio.sleep(self._chance.uniform(0.0, 0.02))
                return answer(503 if self._chance.random() < 0.5 else 200)
            case "/limited":
                return answer(429, b"slow down", "Retry-After-Ms: 30") if self._chance.random() < 0.5 else answer()
            case "/cut":
                return None
            case "/body":
                return self._body()
        return answer(404)

    async def _body(self) -> AsyncIterator[bytes]:
        yield _HEAD
        for _ in range(8):
            yield b"5\r\nhello\r\n"
            await asyncio.sleep(self._chance.uniform(0.0, 0.015))
        yield b"0\r\n\r\n"


@contextmanager
def nowhere() -> Iterator[str]:
    """An address at which no connection is ever made: the line of its listener is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def furnish(app: Understudy, url: str, dead: str) -> None:
    """The APIs of the stages, each with the mechanism that it is about."""
    register = app.fallback.register_api
    quick_retry = RetryOptions(base=0.05, cap=0.1)
    limits = TimeoutOptions(attempt=1.0, connect=0.3, idle=0.5)
    common: dict[str, Any] = {"base_url": url, "timeout": limits, "retry": quick_retry, "breaker": _CALM}
    register("plain", **common)
    register("narrow", bulkhead=BulkheadOptions(limit=2), **common)
    register("trial", **{**common, "breaker": _QUICK, "bulkhead": BulkheadOptions(limit=4)})
    register("dead", **{**common, "base_url": dead})
    register("paced", rate_limit=RateLimitOptions(rate=200.0, burst=1), **common)
    keys = tuple(KeyOptions(Secret(f"key-{n}"), alias=f"key{n}") for n in (1, 2))
    register("keyed", auth=AuthOptions(kind="header", name="X-Key", keys=keys), **common)
    token = AuthOptions(kind="token_request", keys=keys[:1], token_url=f"{url}/token")
    register("signed", auth=token, **common)
    register("lead", 1, "pair", **common)
    register("standby", 2, "pair", **common)
    app.fallback.register_route("pair", mode="priority")


def stages(app: Understudy) -> dict[str, Stage]:
    """Every stage by name."""

    def get(api: str, path: str, **options: Any) -> Stage:
        async def stage(chance: random.Random) -> None:
            await app.route(api).get(path, **options)

        return stage

    async def deadline(chance: random.Random) -> None:
        # Our own limit and the caller's cancellation come close to one another.
        await app.route("plain").get("/slow", deadline=chance.uniform(0.01, 0.12))

    async def upload(chance: random.Random) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(5):
                yield b"piece"
                await asyncio.sleep(chance.uniform(0.0, 0.01))

        await app.route("plain").post("/quick", data=pieces)

    async def read(chance: random.Random) -> None:
        async with await app.route("narrow").get("/body", stream=True) as response:
            async for _ in response.chunks():
                await asyncio.sleep(chance.uniform(0.0, 0.005))

    async def dropped(chance: random.Random) -> None:
        # Nobody closes it: leaving the loop, or being cancelled in it, has to be enough.
        response = await app.route("narrow").get("/body", stream=True)
        async for _ in response.chunks():
            if chance.random() < 0.1:
                break

    async def unread(chance: random.Random) -> None:
        async with await app.route("narrow").get("/body", stream=True):
            await asyncio.sleep(chance.uniform(0.0, 0.02))

    async def by_httpx(chance: random.Random) -> None:
        async with httpx.AsyncClient(transport=app.httpx_transport("narrow"), base_url="http://any.example") as client:
            await client.get("/slow")

    async def streamed_by_httpx(chance: random.Random) -> None:
        async with (
            httpx.AsyncClient(transport=app.httpx_transport("narrow"), base_url="http://any.example") as client,
            client.stream("GET", "/body") as response,
        ):
            async for _ in response.aiter_bytes():
                await asyncio.sleep(chance.uniform(0.0, 0.005))

    return {
        "before admission": get("plain", "/quick"),
        "before the headers": get("plain", "/slow"),
        "in the body": get("plain", "/body"),
        "queued in a bulkhead": get("narrow", "/slow"),
        "during backoff": get("plain", "/failing"),
        "half-open": get("trial", "/wavering"),
        "connecting": get("dead", "/quick"),
        "waiting for a token of the rate": get("paced", "/quick"),
        "waiting for a key": get("keyed", "/limited"),
        "signing in": get("signed", "/slow"),
        "on the standby": get("pair", "/wavering"),
        "a connection that closes": get("plain", "/cut"),
        "near the deadline": deadline,
        "sending a body": upload,
        "in a stream": read,
        "in a stream that nobody closes": dropped,
        "holding a stream": unread,
        "through a client of httpx": by_httpx,
        "in a stream of httpx": streamed_by_httpx,
    }


def serve(chance: random.Random) -> Upstream:
    """The server of all stages."""
    return Upstream(Api(chance).handle, keep=10)  # what the server remembers is not the client's memory
