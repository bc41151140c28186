"""A client that counts, a server that counts, and everything that the service says of the same calls: one number."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections import Counter
from contextlib import asynccontextmanager

from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.errors import UnderstudyError
from understudy.export.prometheus import Exposition
from understudy.monitor.requests import RequestQuery
from understudy.monitor.rollup import SeriesName
from understudy.storage import StorageOptions

ANSWERS = {
    "ok": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "404": b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
    "500": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno",
    "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
}
CALLS = 400
KINDS = ["ok"] * 8 + ["404", "500", "cut", "slow", "late", "gone", "gone", "stream", "left", "default"]


class Api:
    """A server that does what it is asked for, unless it is able to do better, and counts."""

    def __init__(self, *, able: bool) -> None:
        self.requests = 0
        self._able = able

    @asynccontextmanager
    async def running(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                kind = head.split(b" ", 2)[1].rpartition(b"/")[2].decode()
                if self._able and kind in ("500", "cut"):
                    kind = "ok"
                if kind == "slow":
                    await asyncio.sleep(0.2)
                writer.write(ANSWERS.get(kind, ANSWERS["ok"]))
                await writer.drain()
                if kind == "cut":
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def call(app: Understudy, kind: str, seen: Counter) -> None:
    """One call, counted as its caller sees it."""
    route = app.route("facts")
    try:
        if kind in ("stream", "left"):
            response = await route.get("/ok", stream=True)
            if kind == "stream":
                async for _ in response.chunks():
                    pass
            await response.close()
        elif kind == "default":
            response = await route.get("/500", default=None)
        else:
            deadline = 0.05 if kind == "late" else None
            response = await route.get("/slow" if kind in ("late", "gone") else f"/{kind}", deadline=deadline)
        seen[response.explain().outcome if response is not None else "failed"] += 1
    except asyncio.CancelledError:
        seen["cancelled"] += 1
        raise
    except UnderstudyError:
        seen["failed"] += 1


async def work(app: Understudy, seen: Counter) -> None:
    """All calls, some of them given up by whoever made them."""
    chance = random.Random(3)
    running = []
    for number in range(CALLS):
        kind = chance.choice(KINDS)
        task = asyncio.ensure_future(call(app, kind, seen))
        running.append(task)
        if kind == "gone":
            asyncio.get_running_loop().call_later(0.01 + chance.random() / 10, task.cancel)
        app.monitor.record_request_success("by hand", 0.01)
        if number % 10 == 0:
            await asyncio.sleep(0.02)
    await asyncio.wait(running)


async def whole(app: Understudy, kind: str, name: str):
    now = SYSTEM_CLOCK.time()
    return (await app.keeping.history.series(SeriesName(kind, name), now - 3600, now + 20, 10)).whole


async def scraped(app: Understudy) -> Counter:
    """Attempts of each API, by /metrics."""
    found: Counter = Counter()
    exposition = Exposition(app.fallback, app.monitor, version="1", started_at=0.0, extra=list, clock=app.clock)
    async for piece in exposition.page("text"):
        for line in piece.decode().splitlines():
            if line.startswith("understudy_upstream_requests_total{"):
                found[line.split('"')[1]] += int(float(line.rpartition(" ")[2]))
    return found


async def test_what_callers_servers_history_statistics_and_metrics_count_is_the_same(tmp_path):
    storage = StorageOptions(url=f"sqlite:///{tmp_path}/u.db")
    settings = dataclasses.replace(Settings(), storage=storage)
    seen: Counter = Counter()
    async with (
        Api(able=False).running() as lead,
        Api(able=True).running() as standby,
        Understudy.build(settings, seed=1, keep=True) as app,
    ):
        app.fallback.register_route("facts", mode="priority")
        app.fallback.register_api("lead", priority=1, route="facts", base_url=lead.url, price=1.0)
        app.fallback.register_api("standby", priority=2, route="facts", base_url=standby.url, price=3.0)
        await work(app, seen)
        statistics = app.monitor.get_performance_summary()["apis"]
        metrics = await scraped(app)
    async with Understudy.build(settings, keep=True) as app:
        calls = await whole(app, "route", "facts")
        attempts = {name: await whole(app, "api", name) for name in ("lead", "standby", "by hand")}
        groups = await app.keeping.requests.groups(0, SYSTEM_CLOCK.time() + 1)
        kept = Counter(entry.outcome for entry in await app.keeping.requests.search(RequestQuery(), 1000))
    assert len(seen) == 4, seen
    assert calls.n == CALLS == seen.total()
    assert (calls.ok, calls.err, calls.neutral) == (
        seen["success"] + seen["fallback"], seen["failed"], seen["cancelled"]
    )  # fmt: skip  # side by side
    assert calls.fallback_used == seen["fallback"] == attempts["standby"].fallback_used
    assert attempts["by hand"].n == CALLS
    for name, api in (("lead", lead), ("standby", standby)):
        counted = attempts[name]
        assert counted.n == statistics[name]["total_requests"] == metrics[name]
        assert (counted.ok, counted.err) == (
            statistics[name]["successful_requests"], statistics[name]["failed_requests"]
        )  # fmt: skip  # side by side
        assert 0 <= counted.n - api.requests <= seen["cancelled"]  # some were given up before they were sent
    executed = attempts["lead"].cost * 1000 + attempts["standby"].cost * 1000 / 3
    assert abs(executed - attempts["lead"].n - attempts["standby"].n) < 0.5
    assert sum(group.count for group in groups) == seen["fallback"] + seen["failed"]
    assert kept["failed"] + kept["deadline"] + kept["fallback"] <= seen["fallback"] + seen["failed"]
