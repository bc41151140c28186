"""A process that delivers alerts is killed at a random moment, again and again: none lost, none told twice unsaid."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from understudy.core.outbox import OutboxRow, RowState
from understudy.notifications.merging import is_merged
from understudy.notifications.ports import OutboxQuery
from understudy.storage import StorageOptions
from understudy.storage.sqlite_store import SqliteStore
from understudy.testing import FakeClock
from understudy.testing.receivers import PagerDutyReceiver, WebhookReceiver

from .delivery_child import SIGNING, FastClock
from .experiment import Report, Tell, quiet

TITLE = "kill -9 at a random moment while alerts are delivered"
#: Longest time from the first sign of work to the kill, s; and alerts of one life, if it lived to see them all.
LONGEST, ALERTS = 0.8, 12
#: What may be on its way to one receiver when the process dies.
IN_FLIGHT = 1
#: The last life has that long to deliver what is left, s.
PATIENCE = 60.0


async def life(
    number: int, path: Path, hook: str, pager: str, rng: random.Random, alerts: int
) -> tuple[list[str], bool]:
    """One life of the child: the events that it said were kept, and whether it came to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "soak.delivery_child", str(path), hook, pager, str(number), str(rng.randrange(1 << 30)),
        str(alerts), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[1], env=dict(os.environ),
    )  # fmt: skip
    assert process.stdout is not None
    told, ended = [], False
    longest = PATIENCE if not alerts else rng.random() * LONGEST
    try:
        await process.stdout.readline()  # from the opening on
        async with asyncio.timeout(longest):
            while line := (await process.stdout.readline()).decode().split():
                if line[0] == "empty":
                    ended = True
                elif line[0] == "told":
                    told.append(line[1])
    except TimeoutError:
        process.kill()
    rest = (await process.stdout.read()).decode().split("\n")
    await process.wait()
    return told + [line.split()[1] for line in rest if line.startswith("told")], ended


async def kill(lives: int, seed: int, tell: Tell = quiet) -> Report:
    """So many lives on one store, before one pair of receivers."""
    began, rng, kept = time.perf_counter(), random.Random(seed), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "understudy.db"
        async with WebhookReceiver(SIGNING, clock=FastClock()) as hook, PagerDutyReceiver() as pager:
            for number in range(lives):
                told, _ = await life(number, path, hook.url, pager.base, rng, ALERTS)
                kept += told
                tell((number + 1) / (lives + 1))
            _, ended = await life(lives, path, hook.url, pager.base, rng, 0)
            rows = await _rows(path)
    report = Report("delivery_kill", f"{lives} × {TITLE}")
    _judge(report, kept, rows, hook, pager, lives)
    report.exactly("everything came to an end", ended, True)
    report.figures.update(lives=lives, events=len(kept), rows=len(rows), repeats=hook.repeats)
    report.seconds = time.perf_counter() - began
    return report


async def _rows(path: Path) -> list[OutboxRow]:
    store = SqliteStore(StorageOptions(url=f"sqlite:///{path}"), FakeClock())
    try:
        return list(await store.outbox.rows(OutboxQuery(), 100_000))
    finally:
        await store.close()


def _judge(
    report: Report, kept: list[str], rows: list[OutboxRow], hook: WebhookReceiver, pager: PagerDutyReceiver, lives: int
) -> None:
    known = {(row.event_id, row.channel) for row in rows}
    report.none_of(
        "events without their rows", [each for each in kept if not {(each, "hook"), (each, "pager")} <= known]
    )
    arrived = {request.headers["webhook-id"] for request in hook.requests}
    delivered = {row.id for row in rows if row.channel == "hook" and row.state is RowState.DELIVERED}
    report.none_of("delivered rows that never arrived", sorted(delivered - arrived))
    report.none_of(
        "rows that are neither delivered, told in another nor needless",
        [
            f"{row.event_id} on {row.channel}: {row.state} {row.reason}"
            for row in rows
            if row.state not in (RowState.DELIVERED, RowState.DIGESTED, RowState.SUPPRESSED)
        ],
    )
    report.none_of("digested rows whose message never arrived", [
        row.event_id for row in rows
        if row.channel == "hook" and row.state is RowState.DIGESTED and row.told_in not in arrived
    ])  # fmt: skip
    incidents = Counter(incident.key for incident in pager.incidents)
    report.none_of("alerts with two incidents", [key for key, count in incidents.items() if count > 1])
    told = {row.notice.dedup_key for row in rows if row.channel == "pager" and row.state is RowState.DELIVERED}
    report.none_of("incidents that stay open after their end", [
        incident.key for incident in pager.open
        if f"{_name(incident.key)}-resolved" in kept and incident.key in told
    ])  # fmt: skip
    report.none_of("refusals", [*hook.refusals, *pager.refusals])
    report.at_most("repeats at the webhook", hook.repeats, lives * IN_FLIGHT)
    unsure = [row for row in rows if row.ambiguous and not is_merged(row)]
    report.at_most("messages told as possible repeats, on two channels", len(unsure), 2 * lives * IN_FLIGHT)


def _name(key: str) -> str:
    return key.removeprefix("understudy-").lstrip("0")


async def full(seed: int, tell: Tell = quiet) -> Report:
    """Two hundred lives."""
    return await kill(200, seed, tell)


async def sample(seed: int, tell: Tell = quiet) -> Report:
    """A few lives."""
    return await kill(3, seed, tell)
