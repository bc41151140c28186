"""What changed is told where people look: on the first page, in the stream, as marks on charts."""

from __future__ import annotations

import dataclasses
import json

import pytest

from flows.test_api_pages import ask, served
from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.errors import ConnectFailed
from understudy.core.events import Event
from understudy.storage import StorageOptions


async def refusing():
    raise ConnectFailed("bad certificate", stage="tls", host="lead.test")


@pytest.fixture
def settings(tmp_path):
    return dataclasses.replace(Settings(), storage=StorageOptions(url=f"sqlite:///{tmp_path}/u.db"))


async def begun(app):
    for name in ("lead", "spare"):
        app.fallback.register_api(name, route="odds", operation=served)
    app.fallback.register_api("alone", operation=served)
    await app.fallback.execute_with_fallback("lead", served)
    await app.fallback.execute_with_fallback("alone", served)
    await app.monitor.drain_in_turns()
    await app.keeping.acted()  # that it has started is entered behind


async def drawn(app, name):
    status, _, body = await ask(app, f"/apis/{name}/charts", last="1h")
    assert status == 200
    return json.loads(body)["charts"]


async def marked(app, name):
    return [(each["kind"], each["label"]) for each in (await drawn(app, name))[0]["marks"]]


async def test_what_is_done_by_hand_marks_the_charts_of_whom_it_touches_also_after_a_restart(settings):
    async with Understudy.build(settings, seed=1, keep=True) as app:
        await begun(app)
        app.fallback.pin("odds", "spare", reason="tariff", actor="ana")
        app.fallback.drain("lead", reason="move", actor="ana")
        app.fallback.pause_checks("lead", reason="quiet", actor="ana")
        app.fallback.force("alone", "forced_open", reason="broken", actor="ana")
        now = app.clock.time()
        app.events.emit(Event("quota.exhausted", now, "lead", "", {"key": "k"}))
        app.events.emit(
            Event("breaker.opened", now, "", "", {"breaker": app.fallback.roster.apis["lead"].hub.breaker.name})
        )
        app.events.emit(Event("selection.changed", now, "spare", "odds", {"previous": "lead"}))
        for _ in range(1200):  # an outage
            app.events.emit(Event("attempt.failed", now, "lead", "odds"))
        lead = await marked(app, "lead")
        assert ("route.pinned", "Pinned to spare (odds, tariff)") in lead
        assert {kind for kind, _ in lead} >= {
            "service.started", "api.drained", "api.checks_paused", "quota.exhausted", "breaker.opened",
            "selection.changed",
        }  # fmt: skip
        assert "Lead changed to spare (odds)" in [label for _, label in lead]
        assert {kind for kind, _ in await marked(app, "alone")} == {"service.started", "api.forced"}
        _, _, body = await ask(app, "/overview/now")
        told = json.loads(body)["events"]
        assert [each["name"] for each in told if each["kind"] == "selection.changed"] == ["odds"]
        assert not any(each["kind"] == "attempt.failed" or each["text"] == each["kind"] for each in told)
        before = await marked(app, "lead")
    async with Understudy.build(settings, seed=1, keep=True) as app:
        await begun(app)
        after = await marked(app, "lead")
        lasting = [each for each in before if each[0] in ("route.pinned", "api.drained", "api.checks_paused")]
        assert len(lasting) == 3 and set(lasting) <= set(after)
        assert [kind for kind, _ in after].count("service.started") == 2
        _, _, page = await ask(app, "/routes/odds")
        assert "Pinned to spare" in page and "api.drained" not in page


async def test_no_account_is_named_to_whoever_may_only_read(settings):
    async with Understudy.build(settings, seed=1, keep=True) as app:
        await begun(app)
        app.events.emit(Event("accounts.changed", app.clock.time(), detail={"account": "root"}))
        for path in ("/overview/now", "/api/status", "/api/overview"):
            _, _, body = await ask(app, path)
            assert "accounts.changed" not in body, path


async def test_a_bad_certificate_is_a_class_of_its_own_from_the_call_to_the_chart(settings):
    async with Understudy.build(settings, seed=1, keep=True) as app:
        await begun(app)
        await app.fallback.execute_with_fallback("lead", refusing)
    async with Understudy.build(settings, seed=1, keep=True) as app:
        await begun(app)
        failures = next(each for each in await drawn(app, "lead") if each["key"] == "failures")
        assert [each["label"] for each in failures["series"]] == ["TLS, certificate"]
        _, _, body = await ask(app, "/api/requests", q="class:tls")
        found = json.loads(body)["requests"]
        assert len(found) == 1 and found[0]["api"] == "spare"
