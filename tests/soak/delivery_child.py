"""The process that `delivery_kill` kills: `delivery_child.py PATH HOOK PAGER LIFE SEED ALERTS`.

It keeps alerts in its store, says so, and delivers them to a webhook and a pager; with no alerts to make it
delivers what is left, says `empty`, and ends. Its time runs twenty times as fast, so that leases end soon.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Callable

from understudy.channels import build
from understudy.channels.options import ChannelDeps
from understudy.channels.pagerduty import PagerDutyOptions
from understudy.channels.webhook import WebhookOptions
from understudy.clients.aiohttp import AiohttpClient
from understudy.core.clock import Timer
from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.core.secrets import Secret
from understudy.notifications.manager import NotificationManager
from understudy.storage import StorageOptions
from understudy.storage.sqlite_store import SqliteStore
from understudy.testing.receivers.pagerduty import ROUTING_KEY

#: How much faster time runs.
FASTER = 20.0
#: When it began to, on the machine's clock: the same for all lives.
EPOCH = 1_700_000_000.0
SIGNING = "whsec_bm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm4="


class FastClock:
    """The machine's clock, sped up."""

    @staticmethod
    def monotonic() -> float:
        return time.perf_counter() * FASTER

    @staticmethod
    def time() -> float:
        return EPOCH + (time.time() - EPOCH) * FASTER

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / FASTER)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        return asyncio.get_running_loop().call_later(seconds / FASTER, callback)


def say(*what: object) -> None:
    os.write(1, (" ".join(map(str, what)) + "\n").encode())


def notice(name: str, kind: NoticeKind, at: float) -> Notice:
    return Notice(
        event_id=f"{name}-{kind}", kind=kind, severity=Severity.CRITICAL, at=at, title=f"{name} fails", rule="api down",
        fingerprint=f"{name:0>32}"[-32:], episode=f"ep-{name}", labels={"api": name}, started_at=at,
    )  # fmt: skip


async def main(path: str, hook: str, pager: str, life: str, seed: int, alerts: int) -> None:
    clock, rng = FastClock(), random.Random(seed)
    store = SqliteStore(StorageOptions(url=f"sqlite:///{path}"), clock)
    http = AiohttpClient()
    deps = ChannelDeps(clock, rng, lambda ca_file, proxy: http)
    manager = NotificationManager(store.outbox, clock, rng, instance=f"life {life}", state=store.state)
    options = {
        "hook": WebhookOptions(url=Secret(hook), secrets=(Secret(SIGNING),), allow_private=True),
        "pager": PagerDutyOptions(routing_key=Secret(ROUTING_KEY), api_base=pager, allow_private=True),
    }
    manager.set_channels({name: build(name, each, deps) for name, each in options.items()})
    running = asyncio.ensure_future(manager.run())

    async def tell(name: str, kind: NoticeKind) -> None:
        rows = manager.leased(manager.plan(notice(name, kind, clock.time())))
        await store.outbox.add(rows)
        say("told", f"{name}-{kind}")
        manager.accept(rows)

    say("opened")
    for number in range(alerts):
        await tell(f"{life}-{number}", NoticeKind.FIRED)
        await asyncio.sleep(rng.random() * 0.08)
        await tell(f"{life}-{number}", NoticeKind.RESOLVED)
        await asyncio.sleep(rng.random() * 0.04)
    while await store.outbox.pending(1) or manager.dispatcher.in_flight:
        await asyncio.sleep(0.05)
    say("empty")
    await manager.stop()
    await asyncio.wait([running])
    await http.close()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5], int(sys.argv[5]), int(sys.argv[6])))
