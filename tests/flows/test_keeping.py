"""What is kept across restarts of one application with a store: history, request log, state, audit log, reports."""

from __future__ import annotations

import dataclasses

import pytest

from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.audit import AuditEntry
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.errors import StoreUnavailable, StoreUnusable
from understudy.monitor.requests import RequestEntry, RequestQuery
from understudy.monitor.rollup import SeriesName
from understudy.resilience.breaker_state import BreakerState
from understudy.storage import StorageOptions


class Down(Exception):
    status = 503


async def answer():
    return "served"


async def fail():
    raise Down("out of order")


def build(folder, **options) -> Understudy:
    storage = StorageOptions(url=f"sqlite:///{folder}/understudy.db", **options)
    app = Understudy.build(dataclasses.replace(Settings(), storage=storage), seed=1, keep=True)
    app.fallback.register_route("odds", mode="priority")
    app.fallback.register_api("lead", priority=1, route="odds", operation=answer, price=2.0)
    app.fallback.register_api("standby", priority=2, route="odds", operation=answer)
    return app


async def past(app, kind, name):
    now = SYSTEM_CLOCK.time()
    return await app.keeping.history.series(SeriesName(kind, name), now - 3600, now + 20, 100)


async def test_history_adds_up_over_restarts(tmp_path):
    for _ in range(3):
        async with build(tmp_path) as app:
            for _ in range(20):
                await app.fallback.execute_with_fallback("lead", answer)
    async with build(tmp_path) as app:
        calls, attempts = await past(app, "route", "odds"), await past(app, "api", "lead")
        assert (calls.whole.n, attempts.whole.n) == (60, 60)
        assert attempts.whole.cost == pytest.approx(0.12)
        assert attempts.whole.p50 is not None


async def test_failures_and_fallbacks_are_found_after_a_restart(tmp_path):
    async with build(tmp_path) as app:
        await app.fallback.execute_with_fallback("lead", fail)
    async with build(tmp_path) as app:
        (entry,) = await app.keeping.requests.search(RequestQuery(apis=("lead",), text=("OUT OF",)), 10)
        assert (entry.outcome, entry.api, entry.error) == ("fallback", "standby", "Down: out of order")
        (group,) = await app.keeping.requests.groups(0, SYSTEM_CLOCK.time() + 1)
        assert (group.api, group.count) == ("lead", 1)


async def test_an_open_breaker_is_open_after_a_restart(tmp_path):
    async with build(tmp_path) as app:
        for _ in range(3):
            await app.fallback.execute_with_fallback("lead", fail)
    async with build(tmp_path) as app:
        found = app.fallback.roster.binding(app.fallback.roster.api("lead"), app.fallback.roster.route("odds"))
        assert found.breaker.state is BreakerState.OPEN
        assert await app.fallback.execute_with_fallback("lead", fail) == "served"


async def test_reports_are_written_from_what_was_kept(tmp_path):
    async with build(tmp_path) as app:
        for _ in range(30):
            await app.fallback.execute_with_fallback("lead", answer)
        await app.fallback.execute_with_fallback("lead", fail)
    async with build(tmp_path) as app:
        now = SYSTEM_CLOCK.time()
        report = await app.keeping.reports.make("summary", now - 3600, now)
        texts = [value for table in report.tables for row in table.rows for value in row]
        assert "Down: out of order" in texts
        assert "standby" in texts


async def test_acts_are_chained_over_restarts(tmp_path):
    for number in range(3):
        async with build(tmp_path) as app:
            await app.keeping.acted(AuditEntry(1000.0 + number, "ana", "fallback.reset", "lead"))
    async with build(tmp_path) as app:
        kept = await app.keeping.audit.read()
        assert [record.seq for record in kept] == list(range(len(kept), 0, -1))
        acts = [record.entry.action for record in reversed(kept)]
        assert acts[:6] == ["service.started", "fallback.reset", "service.stopped"] * 2
        assert await app.keeping.audit.verify() == ""


async def test_an_act_that_cannot_be_entered_is_told_and_entered_later(tmp_path):
    async with build(tmp_path) as app:
        log = app.keeping.store.audit
        real, log.append = log.append, refusing
        await app.keeping.acted(AuditEntry(1000.0, "ana", "fallback.reset", "lead"))
        assert any("audit log" in problem for problem in app.keeping.problems())
        log.append = real
        await app.keeping.acted(AuditEntry(1001.0, "ana", "fallback.reset", "lead"))
        assert app.keeping.problems() == []
        assert [record.entry.at for record in await log.read()][:2] == [1001.0, 1000.0]


async def test_resets_reloads_and_forced_breakers_are_entered_by_themselves(tmp_path):
    async with build(tmp_path) as app:
        app.fallback.reset("lead", actor="ana", reason="new contract")
        app.reload(dataclasses.replace(Settings(), storage=app.settings.storage))
        app.fallback.force("lead", "forced_open", reason="maintenance", actor="ana", expires_in=60)
        await app.keeping.acted()
        acts = {record.entry.action: record.entry for record in await app.keeping.audit.read()}
        assert (acts["fallback.reset"].actor, acts["fallback.reset"].object) == ("ana", "lead")
        forced = acts["api.forced"]
        assert (forced.actor, forced.object, forced.before) == ("ana", "lead", None)
        assert (forced.after["state"], forced.after["reason"]) == ("forced_open", "maintenance")
        assert "config.reloaded" in acts


async def refusing(entry):
    raise StoreUnavailable("away")


async def test_a_store_that_cannot_be_used_stops_the_start_before_anything_runs(tmp_path):
    (tmp_path / "understudy.db").write_bytes(b"\x7fELF" + b"x" * 5000)
    app = build(tmp_path)
    try:
        await app.start()
    except StoreUnusable as error:
        assert "understudy.db" in str(error)
        assert app.keeping is None
    else:  # set aside and begun anew: then it must say so
        assert app.keeping.problems() or app.keeping.store.health().quarantined
        await app.stop()


async def test_without_keep_nothing_is_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with Understudy.build(Settings()) as app:
        await app.fallback.execute_with_fallback("lead", answer)
        assert app.keeping is None
    assert list(tmp_path.iterdir()) == []


async def test_an_act_that_is_just_being_entered_is_no_problem(tmp_path):
    async with build(tmp_path) as app:
        app.keeping.store.audit.append = refusing
        await app.keeping.acted(AuditEntry(SYSTEM_CLOCK.time(), "ana", "fallback.reset", "lead"))
        assert app.keeping.problems() == []


async def test_the_slowest_of_a_span_are_found_however_many_calls_came_after_them(tmp_path):
    async with build(tmp_path) as app:
        kept = [RequestEntry(1000.0 + n, f"c{n}", "odds", "lead", "success", n % 7 / 100, 1) for n in range(1500)]
        slow = [RequestEntry(1000.5 + n, f"slow{n}", "odds", "lead", "success", 5.0 + n, 1) for n in range(3)]
        for begin in range(0, len(kept), 500):
            await app.keeping.requests.append([*kept[begin : begin + 500], *(slow if not begin else ())], [])
        report = await app.keeping.reports.make("failures", 900, 9000)
        rows = next(table for table in report.tables if any(column.key == "latency" for column in table.columns))
        place = [column.key for column in rows.columns].index("latency")
        assert [row[place] for row in rows.rows[:4]] == [7.0, 6.0, 5.0, 0.06]
