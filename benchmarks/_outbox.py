"""What alerts take of the store: kept with their messages, claimed, settled. Printed only; needs nothing else.

Each step is one commit that is safe from a loss of power. Alone, so one alert at a time, and 500 together
as in a storm. Run: `python benchmarks/_outbox.py`; with a URL, on that store in place of a SQLite file.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles

from understudy.alerts.ports import Change, EpisodeRow, EventRow
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.ids import ulid_source
from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.core.outbox import OutboxRow, RowState
from understudy.notifications.message import Receipt
from understudy.notifications.ports import Attempt, Settlement
from understudy.storage import StorageOptions, open_store
from understudy.storage.store import Store

#: How many alerts together, and how often.
RUNS = ((1, 300), (500, 12))
WORDS = "The API answers with errors; standbys serve its routes. " * 4


def storm(many: int, rng: random.Random) -> Change:
    """So many alerts that fire at once, each with one message."""
    at, ulid = time.time(), ulid_source(SYSTEM_CLOCK, rng)
    states, episodes, events, rows = {}, [], [], []
    for number in range(many):
        name, event, episode = f"{rng.getrandbits(128):032x}", f"{rng.getrandbits(128):032x}", ulid()
        notice = Notice(
            event, NoticeKind.FIRED, Severity.CRITICAL, at, f"odds {number} fails", WORDS, "success", name, episode, 1,
            labels={"api": f"odds {number}", "hub": "rapid"}, metric="success_rate", operator="<", value=51.2,
            threshold=80.0, started_at=at, facts={"standby": "serves 100 %"},
        )  # fmt: skip
        states[name] = {"phase": "firing", "since": at, "samples": list(range(20))}
        episodes.append(EpisodeRow(episode, name, 1, "success", 1, notice.labels, "critical", "critical", at))
        events.append(EventRow(event, episode, name, "success", "fired", at, "critical", notice=notice.as_dict()))
        rows.append(OutboxRow(ulid(), event, "chat", "chat", notice.kind, notice.severity, 0, at, at, at + 3600, notice,
                              fingerprint=name, episode=episode))  # fmt: skip
    return Change(at, states, episodes, events, rows)


def arrived(row: OutboxRow, token: int) -> Settlement:
    """A message that its service has taken."""
    attempt = Attempt(row.id, row.channel, 1, row.created_at, "delivered", 0.1, 200, response="ok", since_detected=0.2)
    return Settlement(replace(row, token=token, state=RowState.DELIVERED, attempts=1), (attempt,), Receipt("1"))


async def run(store: Store, many: int, times: int) -> dict[str, list[float]]:
    """Seconds of each step."""
    rng = random.Random()
    taken: dict[str, list[float]] = {"keep": [], "claim": [], "settle": []}
    for _ in range(times):
        change = storm(many, rng)
        began = time.perf_counter()
        rows = await store.alerts.commit(change)
        kept = time.perf_counter()
        tokens = await store.outbox.claim([row.id for row in rows], "me", 30.0)
        claimed = time.perf_counter()
        refused = await store.outbox.settle([arrived(row, tokens[row.id]) for row in rows])
        ended = time.perf_counter()
        assert len(rows) == len(tokens) == many
        assert not refused
        for name, seconds in (("keep", kept - began), ("claim", claimed - kept), ("settle", ended - claimed)):
            taken[name].append(seconds)
    return taken


async def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{Path(folder) / 'understudy.db'}"
        store = open_store(StorageOptions(url=url), SYSTEM_CLOCK)
        await run(store, 1, 5)
        for many, times in RUNS:
            for step, seconds in (await run(store, many, times)).items():
                late = quantiles(seconds, n=20)[-1]
                print(f"{many:4} together: {step:6} {median(seconds) * 1e3:7.2f} ms, 95 % within {late * 1e3:7.2f} ms")
        await store.close()


asyncio.run(main())
