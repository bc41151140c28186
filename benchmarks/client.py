"""What one GET costs the client's process, with everything of the pipeline on, beside what teams use today.

Processor time of the client, 32 callers on one event loop, the APIs in a process of their own. Every
candidate sends the same key, reads the whole body, and keeps its connections. Run: `python benchmarks/client.py`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import aiohttp
import httpx
import prometheus_client
import stamina
import uvloop
from purgatory import AsyncCircuitBreakerFactory

from _apis import serving
from common import Candidate, Table, Timing, measure, ratio
from understudy.app import Understudy
from understudy.core.secrets import Secret
from understudy.resilience.keys import AuthOptions, KeyOptions

CALLERS = 32
REQUESTS, ROUNDS = 640, 40
KEY = "0123456789abcdef0123456789abcdef"
PATH = "/fixtures?season=2026"

BARE = "aiohttp"
ROUTE = "Understudy route on aiohttp, everything on"
TUNED = "aiohttp, nothing but the request"
AIOHTTP_USUAL = "aiohttp + stamina + purgatory + prometheus_client"
HTTPX = "httpx, 100 connections kept"
HTTPX_STOCK = "httpx as it comes, 20 connections kept"
HTTPX_OURS = "httpx on our transport, everything on"
HTTPX_USUAL = "httpx + stamina + purgatory + prometheus_client"

WHAT = {
    BARE: "one ClientSession with the key as a default header and its default total timeout; "
    "`async with session.get(url)`, then `read()`",
    TUNED: "the same with a session that has no cookie jar and no timeout, and follows no redirect",
    ROUTE: '`app.route("fixtures").get(path)` on a route of three APIs: total deadline and limits of the attempt, '
    "breakers of API and hub, retry and its budget, bulkhead of 100, key, quota learned from the headers, "
    "attribution by the RapidAPI preset, choice by cost, record, explanation on demand",
    AIOHTTP_USUAL: "as aiohttp, with a timeout of 10 s, three attempts, a breaker, a counter and a histogram with "
    "cached children",
    HTTPX: "one AsyncClient with the key as a default header, its default timeouts, and a pool that keeps a "
    "connection for each caller",
    HTTPX_STOCK: "the same with its default pool, which keeps fewer connections than there are callers",
    HTTPX_OURS: 'the user\'s AsyncClient with `transport=app.httpx_transport("fixtures")`; the same route as above',
    HTTPX_USUAL: "as httpx with 100 connections kept, with a timeout of 10 s, three attempts, a breaker, a counter "
    "and a histogram with cached children",
}

Once = Callable[[], Awaitable[object]]


def shared(loop: asyncio.AbstractEventLoop, once: Once) -> Candidate:
    """`once`, n times in all, by the callers side by side."""

    async def caller(times: int) -> None:
        for _ in range(times):
            await once()

    async def everyone(n: int) -> None:
        each, more = divmod(n, CALLERS)
        await asyncio.gather(*[caller(each + (number < more)) for number in range(CALLERS)])

    return lambda n: loop.run_until_complete(everyone(n))


def application(urls: list[str]) -> Understudy:
    """Three APIs of a hub that can stand in for one another."""
    app = Understudy.build(seed=1)
    auth = AuthOptions(kind="rapidapi", keys=(KeyOptions(Secret(KEY)),))
    for number, url in enumerate(urls, 1):
        app.fallback.register_api(f"fixtures{number}", number, "fixtures", base_url=url, auth=auth)
    return app


def usual(once: Once, name: str) -> Once:
    """`once` under the libraries that teams combine, each used as its own documentation shows."""
    purgatory = AsyncCircuitBreakerFactory()
    registry = prometheus_client.CollectorRegistry()
    count = prometheus_client.Counter("calls", "Calls", ["api"], registry=registry).labels(name).inc
    observe = prometheus_client.Histogram("seconds", "Seconds", ["api"], registry=registry).labels(name).observe

    @stamina.retry(on=Exception, attempts=3)
    async def protected() -> object:
        async with await purgatory.get_breaker(name), asyncio.timeout(10):
            began = time.perf_counter()
            value = await once()
            observe(time.perf_counter() - began)
        count()
        return value

    return protected


class Clients:
    """All that is open during a measurement, on one event loop."""

    def __init__(self, urls: list[str]) -> None:
        headers = {"X-RapidAPI-Key": KEY, "X-RapidAPI-Host": urls[0].removeprefix("http://")}
        self.url = urls[0] + PATH
        self.app = application(urls)
        self.session = aiohttp.ClientSession(headers=headers)
        self.tuned = aiohttp.ClientSession(
            headers=headers, cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=None)
        )
        self.stock = httpx.AsyncClient(headers=headers)
        self.kept = httpx.AsyncClient(headers=headers, limits=httpx.Limits(max_keepalive_connections=100))
        self.ours = httpx.AsyncClient(transport=self.app.httpx_transport("fixtures"), base_url="http://fixtures.test")

    def operations(self) -> dict[str, Once]:
        """One GET of each candidate."""
        route = self.app.route("fixtures")

        async def bare() -> bytes:
            async with self.session.get(self.url) as response:
                return await response.read()

        async def tuned() -> bytes:
            async with self.tuned.get(self.url, allow_redirects=False) as response:
                return await response.read()

        async def ours() -> bytes:
            return (await route.get(PATH)).body

        def by_httpx(client: httpx.AsyncClient, url: str) -> Once:
            async def get() -> bytes:
                return (await client.get(url)).content

            return get

        kept = by_httpx(self.kept, self.url)
        return {
            BARE: bare,
            TUNED: tuned,
            ROUTE: ours,
            AIOHTTP_USUAL: usual(bare, "aiohttp"),
            HTTPX: kept,
            HTTPX_STOCK: by_httpx(self.stock, self.url),
            HTTPX_OURS: by_httpx(self.ours, PATH),
            HTTPX_USUAL: usual(kept, "httpx"),
        }

    def check(self) -> None:
        """That ours did what the table says: the lead served, its quota was learned, everything was recorded."""
        [lead, *others] = self.app.fallback.roster.apis.values()
        self.app.monitor.drain()
        seen = self.app.monitor.snapshot("fixtures1", "5m")
        [quota] = lead.keys.quotas()
        if not seen.successes or seen.failures or any(self.app.monitor.snapshot(o.name, "5m").total for o in others):
            raise RuntimeError(f"the lead was to serve every call, found {seen}")
        if quota["object"] != "requests" or not quota["remaining"]:
            raise RuntimeError(f"the quota was to be learned, found {quota}")

    async def close(self) -> None:
        await self.app.stop(0)
        await self.session.close()
        await self.tuned.close()
        for client in (self.stock, self.kept, self.ours):
            await client.aclose()


def timings_on(
    loop: asyncio.AbstractEventLoop, urls: list[str], wanted: tuple[str, ...], rounds: int
) -> dict[str, Timing]:
    """Processor time of each wanted candidate on this loop."""
    asyncio.set_event_loop(loop)

    async def opened() -> Clients:
        clients = Clients(urls)
        await clients.app.start()
        return clients

    clients = loop.run_until_complete(opened())
    operations: dict[str, Any] = {label: shared(loop, once) for label, once in clients.operations().items()}
    share = {HTTPX: 0.2, HTTPX_STOCK: 0.2, HTTPX_USUAL: 0.2, HTTPX_OURS: 0.5}
    candidates = {label: operations[label] for label in wanted}
    timings = measure(candidates, REQUESTS, rounds, cpu=True, warm=2 * CALLERS, share=share)
    clients.check()
    loop.run_until_complete(clients.close())
    loop.close()
    return timings


def main() -> int:
    """Measure, print and write the table; 1 when a goal is missed."""
    libraries = ("aiohttp", "httpx", "stamina", "purgatory", "prometheus_client", "uvloop")
    table = Table("client", "One GET, processor time of the client's process", libraries=libraries, unit="µs")
    with serving(3) as urls:
        timings = timings_on(asyncio.new_event_loop(), urls, tuple(WHAT), ROUNDS)
        on_uvloop = timings_on(uvloop.new_event_loop(), urls, (BARE, TUNED, ROUTE, AIOHTTP_USUAL), ROUNDS)
    table.add(timings, BARE, f"{CALLERS} callers on asyncio's own loop")
    table.add(on_uvloop, BARE, f"{CALLERS} callers on uvloop, for scale")
    table.explain(WHAT)
    table.figure("aiohttp", ratio(timings, ROUTE, BARE))
    table.figure("aiohttp_uvloop", ratio(on_uvloop, ROUTE, BARE))
    table.figure("aiohttp_usual", ratio(timings, ROUTE, AIOHTTP_USUAL))
    table.figure("httpx", ratio(timings, HTTPX_OURS, HTTPX))
    table.figure("httpx_usual", ratio(timings, HTTPX_OURS, HTTPX_USUAL))
    table.goal(f"{ROUTE} ≤ 1.03 of aiohttp", ratio(timings, ROUTE, BARE), 1.03)
    table.goal(f"{HTTPX_OURS} ≤ 0.35 of {HTTPX_STOCK}", ratio(timings, HTTPX_OURS, HTTPX_STOCK), 0.35)
    table.goal(f"{HTTPX_OURS} ≤ 0.35 of {HTTPX}", ratio(timings, HTTPX_OURS, HTTPX), 0.35)
    table.note(
        "Understudy can be cheaper than the session it would be compared with, because it drives aiohttp's "
        "connector and parser itself: no cookie jar, no redirects, no timer for each request."
    )
    return 0 if table.write() else 1


if __name__ == "__main__":
    raise SystemExit(main())
