"""Backtests tell what was told: exactly over recorded calls, within one bucket over the stored history."""

from __future__ import annotations

import asyncio
import dataclasses
import random

import pytest

from understudy.alerts.backtest import backtest
from understudy.alerts.defaults import default_rules
from understudy.alerts.options import AlertOptions
from understudy.alerts.ports import EpisodeQuery
from understudy.app import Understudy
from understudy.backtesting import Roster, read_past, run_over
from understudy.cli.recorded import Call, replayed
from understudy.config.settings import Settings
from understudy.monitor.history import Retention
from understudy.monitor.rollup import Bucket, SeriesName
from understudy.storage.memory import MemoryStore
from understudy.storage.options import StorageOptions
from understudy.testing import FakeClock

LADDERS = ("success_rate", "response_time", "error_rate")
KEEP = Retention({10: 7 * 86400.0, 60: 60 * 86400.0, 3600: None})


def ladders():
    return [rule for rule in default_rules() if rule.name in LADDERS]


def recording(start: float, seconds: int, seed: int) -> list[Call]:
    """Calls of two APIs with outages, slow times and quiet times."""
    rng = random.Random(seed)
    calls = []
    for second in range(seconds):
        for api in ("odds", "fixtures"):
            bad = (second // 240 + (api == "odds")) % 5 == 3
            slow = (second // 180) % 7 == 4
            for _ in range(rng.randrange(4) if (second // 600) % 4 else 1):
                ok = rng.random() > (0.7 if bad else 0.02)
                calls.append(
                    Call(start + second + rng.random(), api, ok, rng.uniform(3, 7) if slow else rng.uniform(0.1, 1))
                )
    return sorted(calls)


async def live(clock: FakeClock, calls: list[Call], seconds: int):
    """What a running application tells while the same calls come in."""
    off = {rule.name: dataclasses.replace(rule, enabled=False) for rule in default_rules() if rule.name not in LADDERS}
    settings = dataclasses.replace(Settings(), alerts=AlertOptions(rules=off))
    async with Understudy.build(settings, clock=clock, seed=1) as app:
        await app.alerts.evaluate_now()
        begin = clock.time()
        for call in calls:
            await clock.advance(max(0.0, call.at - clock.time()))
            if call.ok:
                app.monitor.record_request_success(call.api, call.seconds)
            else:
                app.monitor.record_request_failure(call.api, "recorded")
        await clock.advance(begin + seconds - clock.time())
        events = []
        for row in await app.alerts.history(EpisodeQuery(), 1000):
            events += [(each, row.labels["api"]) for each in (await app.alerts.episode(row.episode)).events]
        return sorted(
            (round(each.at, 3), each.rule, api, each.kind, each.severity, each.suppressed_by) for each, api in events
        )


@pytest.mark.parametrize("seed", [1, 2])
async def test_over_recorded_calls_the_events_are_those_of_the_live_path(seed):
    seconds = 1400
    clock = FakeClock()
    start, uptime = clock.time(), clock.monotonic()
    calls = recording(start, seconds - 5, seed)
    told = await live(clock, calls, seconds)
    # As the command does it: no loop runs where the past is played.
    found = await asyncio.to_thread(replayed, calls, ladders(), start, start + seconds, uptime)
    labels = {row.episode: row.labels["api"] for row in found.episodes}
    mine = sorted(
        (round(each.at, 3), each.rule, labels[each.episode], each.kind, each.severity, each.suppressed_by)
        for each in found.events
    )
    assert len(told) > 10
    assert {each[1] for each in told} == set(LADDERS)
    assert mine == told


async def test_over_stored_history_each_event_lies_within_one_bucket_of_the_live_one():
    start, seconds = 1_800_000_000.0, 7200
    calls = recording(start, seconds, 3)
    exact = await asyncio.to_thread(replayed, calls, ladders(), start, start + seconds)
    clock = FakeClock()
    store = MemoryStore(clock, StorageOptions(url="memory:"))
    buckets: dict[tuple[int, str], Bucket] = {}
    for call in calls:
        bucket = buckets.setdefault((int(call.at // 60) * 60, call.api), Bucket())
        if call.ok:
            bucket.add_one(call.seconds)
        else:
            bucket.n += 1
            bucket.err += 1
    rows = [bucket.row(ts, SeriesName("api", api)) for (ts, api), bucket in buckets.items()]
    await store.rollups.write({60: rows})
    past = await read_past(
        store.rollups, Roster({"odds": "", "fixtures": ""}), start, start + seconds,
        now=start + seconds + 10 * 86400.0, retention=KEEP,
    )  # fmt: skip  # one line of arguments
    found = backtest(run_over(past, ladders()))
    assert found.resolution == 60
    assert found.as_dict()["resolution"] == 60
    fired = [(e.rule, _api(exact, e), e.at) for e in exact.events if e.kind == "fired" and not e.suppressed_by]
    again = [(e.rule, _api(found, e), e.at) for e in found.events if e.kind == "fired" and not e.suppressed_by]
    assert len(fired) > 5
    for rule, api, at in fired:
        assert any(r == rule and a == api and abs(t - at) <= 60.0 for r, a, t in again), (rule, api, at - start, again)


def _api(result, event):
    return next(row.labels["api"] for row in result.episodes if row.episode == event.episode)


async def test_a_past_longer_than_the_minutes_are_kept_is_read_from_hours_and_says_so():
    clock = FakeClock()
    store = MemoryStore(clock, StorageOptions(url="memory:"))
    now = 1_800_000_000.0 // 3600 * 3600
    hours = [_filled().row(int(now) - hour * 3600, SeriesName("api", "odds")) for hour in range(1, 200)]
    minutes = [_filled().row(int(now) - minute * 60, SeriesName("api", "odds")) for minute in range(1, 3000)]
    await store.rollups.write({3600: hours, 60: minutes})
    keep = Retention({10: 86400.0, 60: 2 * 86400.0, 3600: None})
    past = await read_past(store.rollups, Roster({"odds": ""}), now - 5 * 86400, now, now=now + 120, retention=keep)
    assert past.resolution == 3600
    assert [length for _, length in past.pieces] == [3600, 60]
    assert list(past.moments) == sorted(set(past.moments))
    past.source.advance(now)
    sample = past.source.sample("api", {"api": "odds"}, 300.0)
    assert sample is not None
    assert sample.total == 50
    past.source.advance(now - 4 * 86400)
    sample = past.source.sample("api", {"api": "odds"}, 300.0)
    assert sample is not None
    assert (sample.total, sample.window) == (10, 3600.0)


def _filled() -> Bucket:
    bucket = Bucket()
    for _ in range(10):
        bucket.add_one(0.2)
    return bucket
