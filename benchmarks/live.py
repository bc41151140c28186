"""What live pages cost, and how soon they know: the real service, raw streams beside a browser.

The service runs in a process of its own with 1,000 registered APIs, of which 100 are called; its processor time and
memory are those that the kernel counts. Events carry the time at which they happened, so that whoever reads them
knows how long they took. Run: `python benchmarks/live.py`.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parent))

from _process import descriptors, resident, used
from common import QUICK, Table
from understudy.app import Understudy
from understudy.cli.serve import Server, configured, open_socket
from understudy.config.settings import Settings
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.events import Event
from understudy.core.text import texts
from understudy.storage import StorageOptions
from understudy.web.asgi import Service

APIS, ACTIVE, PER_SECOND = 1000, 100, 200
EVERY = 0.5
VIEWERS = (1, 5, 10) if QUICK else (1, 200, 500)
SECONDS = 2.0 if QUICK else 20.0
CHURN = 100 if QUICK else 10_000
KIND = "breaker.opened"


# -- the service ----------------------------------------------------------------------------------


async def serve() -> None:
    """The service, until it is told to end: calls, and an event twice a second that says when it happened."""
    settings = Settings(storage=StorageOptions(url="memory:"))
    with open_socket("127.0.0.1", 0, texts("en")) as opened:
        async with Understudy.build(settings, seed=1, keep=True) as app:
            for number in range(APIS):
                app.fallback.register_api(f"api{number}", route=f"route{number // 4}", operation=_served)
            port = opened.getsockname()[1]
            server = Server(configured(Service(app), 1), SYSTEM_CLOCK, lambda: print(port, flush=True))
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: setattr(server, "should_exit", True))
            work = [asyncio.ensure_future(each(app)) for each in (_traffic, _events)]
            await server.serve(sockets=[opened])
            for each in work:
                each.cancel()


async def _served() -> int:
    return 1


async def _traffic(app: Understudy) -> None:
    number = 0
    while True:
        for _ in range(PER_SECOND // 20):
            app.monitor.record_request_success(f"api{number % ACTIVE}", 0.02 + number % 50 / 1000)
            number += 1
        await asyncio.sleep(0.05)


async def _events(app: Understudy) -> None:
    while True:
        await asyncio.sleep(EVERY)
        app.events.emit(Event(KIND, time.time(), "api0", "route0"))


# -- the viewers ----------------------------------------------------------------------------------


class Viewers:
    """Raw streams to the service: each is a connection whose bytes are read."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._tasks: list[asyncio.Task[None]] = []
        self.open = self._awaited = 0
        self._there = asyncio.Event()
        #: From an event to the byte that tells of it, s.
        self.late: list[float] = []
        self.bytes = 0

    async def __call__(self, count: int, topics: list[str]) -> None:
        """So many streams more."""
        before = self.open
        self._tasks += [asyncio.ensure_future(self._listen(topics)) for _ in range(count)]
        self._awaited = before + count
        self._there.clear()
        if self.open < self._awaited:
            await self._there.wait()

    async def close(self) -> None:
        """End all of them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self.open = 0

    async def _listen(self, topics: list[str]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(_request(topics))
            status = await reader.readline()
            if b" 200 " not in status:
                raise ConnectionError(status.decode())
            self.open += 1
            if self.open >= self._awaited:
                self._there.set()
            while piece := await reader.read(65536):
                now = time.time()
                self.bytes += len(piece)
                for line in piece.split(b"\n"):
                    if line.startswith(b'data: {"t":"events"') and b'"i":1' not in line:
                        self.late += [now - each["at"] for each in json.loads(line[6:])["f"] if each["kind"] == KIND]
        finally:
            writer.close()


def _request(topics: list[str]) -> bytes:
    return f"GET /live?topics={quote(json.dumps(topics))} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


@asynccontextmanager
async def running() -> AsyncIterator[tuple[int, int]]:
    """The service: its process and port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--serve", stdout=asyncio.subprocess.PIPE
    )  # fmt: skip
    if process.stdout is None:
        raise RuntimeError("the service has no output")
    try:
        yield process.pid, int(await process.stdout.readline())
    finally:
        process.terminate()
        await process.wait()


async def load(pid: int, seconds: float) -> float:
    """Processor time of the service over a stretch, percent of one core."""
    before, began = used(pid), time.perf_counter()
    await asyncio.sleep(seconds)
    return 100.0 * (used(pid) - before) / (time.perf_counter() - began)


async def come_and_go(port: int, count: int) -> None:
    """So many streams that are opened and left, some at a time, half of them without a word."""
    gate = asyncio.Semaphore(20)

    async def one(number: int) -> None:
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(_request(["overview", "events"]))
            await reader.readline()
            if number % 2:
                writer.transport.abort()
            writer.close()

    await asyncio.gather(*(one(number) for number in range(count)))


# -- the browser ----------------------------------------------------------------------------------

#: Notes when an event is on the screen: after the frame in which a page has written it was painted.
_PAGE = """
import("%s").then(({live}) => {
  globalThis.late = [];
  const place = document.createElement("p");
  document.body.append(place);
  live.on("events", (items, {initial}) => {
    if (initial) return;
    place.textContent = items.map(each => each.kind).join(" ");
    requestAnimationFrame(() => setTimeout(() => {
      for (const each of items) if (each.kind === "%s") late.push(Date.now() / 1000 - each.at);
    }));
  });
  return 1;
})
"""


def to_pixel(port: int, seconds: float) -> list[float]:
    """From an event to its pixels in Chromium, s. Runs in a thread: Playwright's blocking calls own a loop."""
    from playwright.sync_api import sync_playwright

    from understudy.web.assets import assets

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_timeout(1000 if QUICK else 4000)  # a page that is still being built paints late
        session = page.context.new_cdp_session(page)

        def evaluate(script: str) -> object:
            told = session.send(
                "Runtime.evaluate", {"expression": script, "awaitPromise": True, "returnByValue": True}
            )  # fmt: skip
            return told["result"].get("value")

        evaluate(_PAGE % (assets().url("app.js"), KIND))
        page.wait_for_timeout(seconds * 1000)
        late = evaluate("late")
        browser.close()
    return [float(each) for each in late] if isinstance(late, list) else []


def p95(values: list[float]) -> float:
    """The 95th percentile, ms."""
    return 1e3 * quantiles(values, n=20)[-1] if len(values) > 1 else float("nan")


async def main() -> bool:
    """Measure all of it."""
    table = Table("live", "Live pages: how soon they know, and what they cost", ("uvicorn", "uvloop"))
    topics = ["overview", "events", "alerts", "rows:" + ",".join(f"api{number}" for number in range(40))]
    async with running() as (pid, port):
        await asyncio.sleep(1 if QUICK else 5)
        alone = await load(pid, SECONDS)
        rows: list[list[object]] = [[0, "", "", alone, 0.0, resident(pid) / 2**20]]
        viewers = Viewers(port)
        for count in VIEWERS:
            await viewers(count - viewers.open, topics)
            await asyncio.sleep(2)
            viewers.late.clear()
            viewers.bytes = 0
            busy = await load(pid, SECONDS)
            share = viewers.bytes / count / SECONDS / 1024
            rows.append([count, 1e3 * median(viewers.late), p95(viewers.late), busy, share, resident(pid) / 2**20])
            if count == VIEWERS[-1]:
                table.goal(f"{count} viewers: processor beyond no viewer, % of a core", busy - alone, 10.0)
            table.goal(f"{count} viewers: event to byte, p95 ms", p95(viewers.late), 250.0)
        await viewers.close()
        table.section(
            "Streams of the overview, forty rows, events and alerts",
            ["viewers", "event to byte, median ms", "p95 ms", "processor, % of a core", "KiB/s each", "memory, MiB"],
            rows,
        )
        await _pixels(table, viewers, port, topics)
        await _churn(table, pid, port)
    return table.write()


async def _pixels(table: Table, viewers: Viewers, port: int, topics: list[str]) -> None:
    rows: list[list[object]] = []
    for others, limit in ((0, 150.0), (VIEWERS[1], 300.0)):
        if others:
            await viewers(others, topics)
        late = await asyncio.to_thread(to_pixel, port, SECONDS)
        rows.append([others + 1, 1e3 * median(late) if late else float("nan"), p95(late)])
        table.goal(f"event to pixel with {others + 1} viewers, p95 ms", p95(late), limit)
    await viewers.close()
    table.section("Event to pixel, on the overview in Chromium", ["viewers", "median ms", "p95 ms"], rows)


async def _churn(table: Table, pid: int, port: int) -> None:
    await come_and_go(port, CHURN // 10)
    await asyncio.sleep(1)
    before = resident(pid), descriptors(pid)
    began = time.perf_counter()
    await come_and_go(port, CHURN)
    seconds = time.perf_counter() - began
    await asyncio.sleep(2)
    after = resident(pid), descriptors(pid)
    table.section(
        f"{CHURN:,} streams opened and left, half of them aborted",
        ["", "before", "after"],
        [["memory, MiB", before[0] / 2**20, after[0] / 2**20], ["descriptors", before[1], after[1]]],
    )
    table.note(f"That took {seconds:.1f} s.")
    table.goal("descriptors that stay", float(after[1] - before[1]), 2.0)
    table.goal("memory that stays, MiB", (after[0] - before[0]) / 2**20, 8.0)


if __name__ == "__main__":
    if "--serve" in sys.argv:
        asyncio.run(serve())
    else:
        sys.exit(0 if asyncio.run(main()) else 1)
