"""From the call that decides to the message at its receiver, through the real application and its SQLite store.

A webhook receiver on this machine takes the messages. Every alert is kept, with its message, in a commit that
is safe from a loss of power before it is sent. Where `prometheus` and `alertmanager` are installed (Debian's
packages), they watch the same kind of outage in the same run. Run: `python benchmarks/alert_latency.py`.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import gc
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import _prometheus
from common import QUICK, Table
from understudy.alerts.model import Level, Rule
from understudy.alerts.options import AlertOptions
from understudy.alerts.ports import Signal
from understudy.app import Understudy
from understudy.channels import ChannelDeps
from understudy.channels.webhook import WebhookChannel, WebhookOptions
from understudy.clients.outward import OutwardClients
from understudy.config.settings import Settings
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.notices import Severity
from understudy.core.secrets import Secret
from understudy.notifications.ports import Rate
from understudy.storage import StorageOptions
from understudy.testing.receivers import Received, Reply, WebhookReceiver

#: Outages of each kind; calls a second beside them.
DECIDED, IN_HAND, TOGETHER = (8, 4, 10) if QUICK else (200, 60, 40)
PER_SECOND = 1000
FLOOD, FLOOD_SECONDS = (200, 2.0) if QUICK else (5000, 10.0)
#: What the messages are signed with.
SECRET = "whsec_" + base64.b64encode(b"only for the benchmark" * 2).decode()[:44]
#: The event of the flood's rule.
STORM = "storm"


class Arrivals(WebhookReceiver):
    """Notes when the first message about each API came; monotonic seconds."""

    def __init__(self) -> None:
        super().__init__(SECRET)
        self.at: dict[tuple[str, str], float] = {}
        self.first: float | None = None

    def answer(self, request: Received) -> Reply:
        """As the receiver answers, with the moment noted."""
        now = time.perf_counter()
        data = request.json().get("data", {})
        labels = data.get("labels", {})
        self.at.setdefault((labels.get("api", ""), str(data.get("rule", ""))), now)
        return super().answer(request)

    async def came(self, api: str, rule: str, within: float = 20.0) -> float:
        """When the first message of a rule about an API came."""
        until = time.perf_counter() + within
        while (found := self.at.get((api, rule))) is None:
            if time.perf_counter() > until:
                raise RuntimeError(f"no message of {rule} about {api} within {within:g} s")
            await asyncio.sleep(0.002)
        return found


class Swift(WebhookChannel):
    """The webhook without a rate limit of its own: what is measured is how fast it could be told."""

    def __init__(self, name: str, options: WebhookOptions, deps: ChannelDeps) -> None:
        super().__init__(name, options, deps)
        self.traits = dataclasses.replace(self.traits, rate=Rate(10_000.0, burst=10_000), concurrency=20)


class Chat(WebhookChannel):
    """The webhook with the limits of a chat, and its digests."""

    def __init__(self, name: str, options: WebhookOptions, deps: ChannelDeps) -> None:
        super().__init__(name, options, deps)
        self.traits = dataclasses.replace(self.traits, rate=Rate(1.0, burst=3), digests=True)


@asynccontextmanager
async def service(
    folder: Path, kind: type[WebhookChannel], rules: dict[str, Rule] | None = None
) -> AsyncIterator[tuple[Understudy, Arrivals]]:
    """A running service with a store of its own and one webhook."""
    async with Arrivals() as hook:
        settings = dataclasses.replace(
            Settings(),
            storage=StorageOptions(url=f"sqlite:///{folder / 'understudy.db'}"),
            alerts=AlertOptions(rules=rules or {}),
        )
        app = Understudy.build(settings, seed=1, keep=True)
        options = WebhookOptions(url=Secret(hook.url), secrets=(Secret(SECRET),), allow_private=True)
        clients = OutwardClients()
        app.add_channel("hook", kind("hook", options, ChannelDeps(SYSTEM_CLOCK, random.Random(1), clients)))
        async with app:
            await asyncio.sleep(1.5)  # the role, the first round
            gc.collect()
            gc.freeze()
            sys.setswitchinterval(0.0005)  # both as `understudy run` does
            yield app, hook


async def fails() -> None:
    """An API that refuses at once."""
    raise ConnectionError("refused")


async def steady(app: Understudy, per_second: float) -> None:
    """Calls that succeed, evenly, on ten other APIs."""

    async def works() -> int:
        return 1

    began, number = time.perf_counter(), 0
    while True:
        number += 1
        await app.fallback.execute_with_fallback(f"well {number % 10}", works)
        wait = began + number / per_second - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)


async def outage(app: Understudy, api: str, every: float) -> float:
    """Call an API that refuses until its breaker opens; when that was decided, monotonic seconds."""
    app.fallback.register_api(api)
    while True:
        began = time.perf_counter()
        task = asyncio.ensure_future(app.fallback.execute_with_fallback(api, fails))
        await asyncio.wait([task])
        task.exception()
        binding = next(iter(app.fallback.roster.apis[api].bindings.values()), None)
        if binding is not None and not binding.breaker.closed:
            return time.perf_counter()
        await asyncio.sleep(max(0.0, every - (time.perf_counter() - began)))


async def decided(app: Understudy, hook: Arrivals) -> list[float]:
    """Seconds from the decision to the bytes, for one outage after the other, beside the steady calls."""
    opened: dict[str, float] = {}

    def heard(event: Any) -> None:
        if event.kind == "breaker.opened" and event.api:
            opened.setdefault(event.api, time.perf_counter())

    end = app.events.subscribe(heard)
    traffic = asyncio.ensure_future(steady(app, PER_SECOND))
    try:
        found = []
        for number in range(DECIDED):
            api = f"decided {number}"
            await outage(app, api, 0.01)
            found.append(await hook.came(api, "api_down") - opened[api])
            await asyncio.sleep(0.15)
        return found
    finally:
        end()
        traffic.cancel()


async def in_hand(app: Understudy, hook: Arrivals) -> list[float]:
    """Seconds from the beginning of a total outage, ten calls a second, to the message; several overlap."""

    async def one(number: int) -> float:
        api = f"in hand {number}"
        app.fallback.register_api(api, retry={"mode": "off"})
        await asyncio.sleep(number * 0.237)
        began = time.perf_counter()
        await outage(app, api, 0.1)
        return await hook.came(api, "api_down") - began

    return list(await asyncio.gather(*(one(number) for number in range(IN_HAND))))


async def together(app: Understudy, hook: Arrivals) -> list[float]:
    """Seconds from the beginning of many outages at once to the message of each."""

    async def one(number: int) -> float:
        api = f"together {number}"
        await outage(app, api, 0.05)
        return await hook.came(api, "api_down")

    began = time.perf_counter()
    return sorted(at - began for at in await asyncio.gather(*(one(number) for number in range(TOGETHER))))


async def flood(app: Understudy, hook: Arrivals) -> tuple[float, dict[str, Any]]:
    """Seconds to the first message of a flood, and what became of all of them."""
    began, since = time.perf_counter(), time.time()
    async with asyncio.TaskGroup() as tasks:
        for number in range(FLOOD):
            signal = Signal(STORM, {"api": f"storm {number}"}, True, time.time())
            tasks.create_task(app.alerts.signal(signal))
            wait = began + number * FLOOD_SECONDS / FLOOD - time.perf_counter()
            await asyncio.sleep(max(0.0, wait))
    took = time.perf_counter() - began
    first = min(at for (api, rule), at in hook.at.items() if rule == STORM) - began
    account: dict[str, Any] = {}
    for _ in range(300):
        account = (await app.notifications.accounting(since - 1, time.time() + 1)).as_dict()
        if not account["pending"]:
            break
        await asyncio.sleep(0.2)
    return first, {**account, "took": took}


def p99(values: list[float]) -> float:
    """Their 99th percentile."""
    return quantiles(values, n=100, method="inclusive")[98]


async def run(table: Table) -> None:
    """Everything, each on a store of its own."""
    rule = Rule(STORM, kind="event", event=STORM, levels=(Level(Severity.CRITICAL),))
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as folder:
        async with service(Path(folder), Swift) as (app, hook):
            path = await decided(app, hook)
            rows.append([f"decision to bytes, beside {PER_SECOND:,} calls/s", len(path), *_row(path)])
            hand = await in_hand(app, hook)
            rows.append(["outage to message, 10 calls/s", len(hand), *_row(hand)])
            many = await together(app, hook)
            rows.append([f"{TOGETHER} outages at once, each", len(many), *_row(many)])
    with tempfile.TemporaryDirectory() as folder:
        async with service(Path(folder), Chat, {STORM: rule}) as (app, hook):
            first, account = await flood(app, hook)
    if _prometheus.available() and not QUICK:
        theirs = await _prometheus.outages(12, 10.0)
        rows.append(["Prometheus + Alertmanager, outage to message", len(theirs), *_row(theirs)])
    table.section("", ["", "n", "median ms", "p99 ms", "longest ms"], rows)
    ended = sum(account[name] for name in ("delivered", "digested", "dead", "discarded", "pending"))
    ended += sum(account["suppressed"].values())
    table.section(
        f"{FLOOD:,} alerts in {FLOOD_SECONDS:g} s",
        ["", ""],
        [[k, v] for k, v in account.items() if isinstance(v, int | float)],
    )
    table.goal("decision to bytes, p99, ms", 1e3 * p99(path), 25.0)
    table.goal("outage in hand, median, s", median(hand), 0.6)
    table.goal("outage in hand, p99, s", p99(hand), 0.8)
    table.goal("outages at once: first message, s", many[0], 1.0)
    table.goal("outages at once: last message, s", many[-1], 5.0)
    table.goal("flood: first critical message, s", first, 2.0)
    table.goal("flood: messages without an account", float(account["rows"] - ended), 0.0)


def _row(values: list[float]) -> list[float]:
    return [1e3 * median(values), 1e3 * p99(values), 1e3 * max(values)]


def main() -> int:
    """Measure, print, write; the exit code."""
    table = Table("alert_latency", "From the deciding call to the message")
    asyncio.run(run(table))
    return 0 if table.write() else 1


if __name__ == "__main__":
    raise SystemExit(main())
