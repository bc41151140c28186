"""A service that has nothing to do does little: what it asks of its store, how it waits, what it has loaded."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from alerted import Alerted, memory_store

from understudy.cli.serve import Server, configured, open_socket
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.text import texts
from understudy.storage.memory import MemoryStore
from understudy.testing import FakeClock
from understudy.web.asgi import Service

#: What a service that runs has no use for: migrations, the wizard, a terminal, hashing before anybody signs in.
UNUSED = {
    "alembic",
    "mako",
    "pygments",
    "markdown_it",
    "questionary",
    "prompt_toolkit",
    "argon2",
    "tracemalloc",
    "psycopg",
    "redis",
    "jsonschema_rs",
}


class Asked:
    """Counts what one port of a store is asked."""

    def __init__(self, port: Any, counts: Counter[str]) -> None:
        self._port, self._counts = port, counts

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if callable(found):
            self._counts[name] += 1
        return found


def counted(store: MemoryStore) -> Counter[str]:
    """What the store is asked from now on, by method."""
    counts: Counter[str] = Counter()
    for port in ("leases", "outbox", "alerts", "documents"):
        setattr(store, port, Asked(getattr(store, port), counts))
    return counts


async def test_a_store_that_nobody_else_can_open_is_hardly_asked_and_nothing_is_missed_for_that() -> None:
    clock = FakeClock()
    store = memory_store(clock)
    store.alone = True  # as a SQLite file is
    counts = counted(store)
    async with Alerted(clock, store) as world:
        await clock.advance(5)
        counts.clear()
        await clock.advance(60)
        assert counts["claim"] <= 2 * 5
        assert counts["pending"] <= 8
        assert counts["newest"] == 0, "rules and silences change by us only"
        await world.calls("odds", 6, fails=True)
        await clock.advance(1)
        assert world.of("api_down") == [("fired", "critical")], "own messages go at once"
        # A row whose commit was not heard of, as when the answer of the store was lost.
        notice = world.channel.delivered[0].notice
        manager = world.app.alerting.notifications
        await store.outbox.add([manager.plans.row(replace(notice, event_id="unheard"), "people")])
        await clock.advance(12)
        assert len(world.channel.delivered) == 2


async def test_the_server_is_woken_once_a_second_and_ends_at_once_when_it_is_told_from_another_thread() -> None:
    clock = FakeClock()
    with open_socket("127.0.0.1", 0, texts("en")) as opened:
        async with Alerted(clock) as world:
            up, timers = asyncio.Event(), []

            class Watched:
                """The real clock, with its timers noted, and none of them ever due."""

                monotonic, time, sleep = SYSTEM_CLOCK.monotonic, SYSTEM_CLOCK.time, SYSTEM_CLOCK.sleep

                def call_later(self, seconds: float, callback: Any) -> Any:
                    timers.append(seconds)
                    return SYSTEM_CLOCK.call_later(3600.0, callback)

            server = Server(configured(Service(world.app), 1), Watched(), up.set)
            serving = asyncio.ensure_future(server.serve(sockets=[opened]))
            await asyncio.wait_for(up.wait(), 30)
            await asyncio.to_thread(setattr, server, "should_exit", True)
            await asyncio.wait_for(serving, 30)  # without a timer that came due
            assert set(timers) <= {1.0}


def test_a_service_that_runs_has_not_loaded_what_it_has_no_use_for(tmp_path: Path) -> None:
    code = (
        "import atexit, json, sys; atexit.register(lambda: print('MODULES' + json.dumps(sorted(sys.modules))));"
        "from understudy.cli import main; sys.argv = ['understudy', 'run', '--port', '0']; main()"
    )
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        seen = []
        for line in process.stdout:
            seen.append(line)
            if "http://" in line:
                break
        process.send_signal(signal.SIGTERM)
        seen += process.stdout.read().splitlines(keepends=True)
    (found,) = [line.removeprefix("MODULES") for line in seen if line.startswith("MODULES")]
    loaded = {name.partition(".")[0] for name in json.loads(found)}
    assert "uvicorn" in loaded
    assert sorted(loaded & UNUSED) == []
