"""`POST /api/alerts/rules/backtest`: the past of a service, asked rightly and wrongly."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from test_alert_endpoints import ask

from understudy.alerts.identity import fingerprint
from understudy.alerts.ports import Change, EpisodeRow, EventRow
from understudy.alerts.rules import rule_to_doc
from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.clock import SYSTEM_CLOCK
from understudy.monitor.rollup import Bucket, SeriesName
from understudy.storage import StorageOptions

PATH = "/api/alerts/rules/backtest"
MINUTE, HOUR = 60, 3600


async def served():
    return 1


@pytest.fixture
async def app(tmp_path):
    storage = StorageOptions(url=f"sqlite:///{tmp_path}/u.db")
    async with Understudy.build(dataclasses.replace(Settings(), storage=storage), seed=1, keep=True) as app:
        app.fallback.register_api("odds", route="odds", operation=served)
        now = int(SYSTEM_CLOCK.time()) // MINUTE * MINUTE
        rows = []
        for back in range(10 * 60, 2, -1):
            bucket = Bucket()
            for _ in range(10):
                bucket.add_one(0.2)
            if back % 120 in (60, 61, 62):  # three bad minutes in two hours, too few for a window of ten
                bucket.n, bucket.err = bucket.n + 40, 40
            rows.append(bucket.row(now - back * MINUTE, SeriesName("api", "odds")))
        await app.keeping.store.rollups.write({60: rows})
        await app.keeping.store.rollups.write({10: []})
        yield app


async def test_the_past_tells_what_a_rule_would_have_told_and_what_a_change_would_change(app):
    calmer = {"name": "error_rate", "metric": "error_rate", "threshold": 20, "window": 300, "for": 1200}
    body = {"rules": ["error_rate"], "changed": [calmer], "last": "9h", "zone": "America/Sao_Paulo", "proposals": True}
    status, _, told = await ask(app, PATH, "POST", body)
    assert status == 200, told
    assert told["resolution"] == 60
    [rule] = told["rules"]
    assert not rule["blind"]
    assert rule["noise"]["episodes"] >= 4
    assert all(each["lasted"] is None or each["lasted"] > 0 for each in rule["episodes"])
    assert rule["changed"]["noise"]["episodes"] == 0
    assert len(rule["changed"]["difference"]["gone"]) == rule["noise"]["episodes"]


async def test_a_history_that_has_only_just_begun_tells_that_all_was_well(app):
    app.fallback.register_api("young")
    now = int(SYSTEM_CLOCK.time()) // 10 * 10
    rows = []
    for back in range(12, 6, -1):
        bucket = Bucket()
        for _ in range(20):
            bucket.add_one(0.2)
        rows.append(bucket.row(now - back * 10, SeriesName("api", "young")))
    await app.keeping.store.rollups.write({10: rows})
    status, _, told = await ask(app, PATH, "POST", {"last": "30m", "rules": ["success_rate"], "api": "young"})
    assert status == 200, told
    [rule] = told["rules"]
    assert not rule["blind"]
    assert rule["noise"]["episodes"] == 0


async def test_every_rule_about_numbers_is_tried_and_those_about_events_are_not(app):
    status, _, told = await ask(app, PATH, "POST", {"last": "2h"})
    names = {each["rule"] for each in told["rules"]}
    assert status == 200
    assert {"success_rate", "response_time", "error_rate"} <= names
    assert "api_down" not in names
    status, _, told = await ask(app, PATH, "POST", {"last": "2h", "rules": ["api_down"], "api": "odds"})
    assert told["rules"][0]["blind"]


@pytest.mark.parametrize("many", [False, True])
async def test_a_question_that_makes_no_sense_is_refused_in_one_line(app, many):
    wrong = [
        ({"rules": ["nobody"]}, 404), ({"api": "nobody"}, 404), ({"zone": "Mars/Olympus"}, 422),
        ({"zone": "../x"}, 422),
        ({"last": "soon"}, 400), ({"last": 5}, 422), ({"from": "2099-01-01"}, 400), ({"changed": {}}, 422),
        ({"changed": [{}]}, 422), ({"changed": [1]}, 422), ({"rules": "x"}, 422), ({"proposals": "yes"}, 422),
        ({"last": "900d"}, 422), ({"incidents": {}}, 422),
        ({"incidents": [{"from": "soon", "to": 5}]}, 422), ({"incidents": [{"from": 9, "to": 5}]}, 422),
        ({"incidents": [{"from": 1, "to": 5, "labels": {"api": 7}}]}, 422), ({"incidents": [{}] * 1001}, 422),
        ({"incidents": [{"from": True, "to": 5}]}, 422), ({"incidents": [{"from": 1, "to": 1e12}]}, 422),
        ({"colour": "red"}, 422), ({"rules": ["x"] * 51}, 422),
    ]  # fmt: skip
    for body, expected in wrong if not many else []:
        status, _, told = await ask(app, PATH, "POST", body)
        assert status == expected, (body, told)
        assert "\n" not in told["detail"]
    if many:
        for number in range(60):
            app.fallback.register_api(f"api{number}", operation=served)
        status, _, told = await ask(app, PATH, "POST", {"last": "30d"})
        assert (status, "too much" in told["detail"]) == (422, True)


async def test_backtests_wait_for_their_turn_and_nobody_takes_more_than_three_places(app):
    short = {"last": "1h", "rules": ["error_rate"]}
    answers = await asyncio.gather(*(ask(app, PATH, "POST", short) for _ in range(5)))
    assert sorted(status for status, _, _ in answers) == [200, 200, 200, 429, 429]
    assert "wait already" in next(told["detail"] for status, _, told in answers if status == 429)
    # Who has closed the page keeps nobody waiting, neither in the queue nor while it is their turn.
    left = [asyncio.Event(), asyncio.Event()]
    gone = [asyncio.ensure_future(ask(app, PATH, "POST", {"last": "9h"}, left=each)) for each in left]
    other = asyncio.ensure_future(ask(app, PATH, "POST", short))
    await asyncio.sleep(0)
    for each in left:
        each.set()
    assert (await other)[0] == 200
    assert [status for status, _, _ in await asyncio.gather(*gone)] == [400, 400]
    assert (await ask(app, PATH, "POST", short))[0] == 200


async def test_silences_that_hold_over_the_span_keep_a_backtest_quiet_too(app):
    body = {"rules": ["success_rate"], "last": "9h"}
    _, _, before = await ask(app, PATH, "POST", body)
    silence = {"matchers": ["rule=success_rate"], "reason": "known", "starts_at": SYSTEM_CLOCK.time() - 10 * HOUR}
    assert (await ask(app, "/api/alerts/silences", "POST", {**silence, "for": "20h"}))[0] == 201
    _, _, after = await ask(app, PATH, "POST", body)
    told, quiet = before["rules"][0]["noise"], after["rules"][0]["noise"]
    assert quiet["episodes"] == told["episodes"] > 0
    assert told["told"] > 0
    assert quiet["told"] == 0
    assert quiet["suppressed"]["silence"] > 0


async def test_what_another_rule_in_force_inhibits_is_not_told_in_a_backtest_either(app):
    _, _, told = await ask(app, PATH, "POST", {"rules": ["error_rate"], "last": "9h"})
    [rule] = told["rules"]
    assert rule["noise"]["episodes"] >= 4
    assert rule["noise"]["told"] == 0
    assert rule["noise"]["suppressed"]["inhibition"] >= 4


async def test_labelled_incidents_that_no_rule_told_of_are_named(app):
    end = int(SYSTEM_CLOCK.time()) // MINUTE * MINUTE
    bad = [end - back * MINUTE for back in range(10 * 60, 2, -1) if back % 120 == 62]
    seen = {"from": bad[-1], "to": bad[-1] + 10 * MINUTE, "name": "the outage", "labels": {"api": "odds"}}
    quiet = {"from": bad[-1] + 40 * MINUTE, "to": bad[-1] + 50 * MINUTE, "name": "nobody noticed"}
    other = {**seen, "name": "elsewhere", "labels": {"api": "scores"}}
    deaf = {"name": "success_rate", "metric": "success_rate", "operator": "<", "threshold": 1}
    body = {"rules": ["success_rate"], "changed": [deaf], "last": "9h", "incidents": [seen, quiet, other]}
    status, _, told = await ask(app, PATH, "POST", body)
    assert status == 200, told
    [rule] = told["rules"]
    assert [each["name"] for each in rule["incidents"]["told"]] == ["the outage"]
    assert 0 <= rule["incidents"]["told"][0]["after"] <= 3 * MINUTE
    assert [each["name"] for each in rule["incidents"]["missed"]] == ["nobody noticed", "elsewhere"]
    assert len(rule["changed"]["incidents"]["missed"]) == 3
    assert [each["name"] for each in told["missed"]] == ["the outage", "nobody noticed", "elsewhere"]
    _, _, told = await ask(app, PATH, "POST", {**body, "changed": []})
    assert [each["name"] for each in told["missed"]] == ["nobody noticed", "elsewhere"]


async def test_a_rule_about_an_event_is_tried_on_the_alerts_that_were_kept_of_it(app):
    now = SYSTEM_CLOCK.time()
    rule = app.alerts.rules.get("api_down")
    labels = {"api": "odds"}
    name = fingerprint("api_down", labels)
    episodes, events = [], []
    for number, (since, lasted) in enumerate(
        [(now - 7 * HOUR, 100.0), (now - 5 * HOUR, 700.0), (now - 2 * HOUR, 45.0)]
    ):
        began, ended = round(since, 3), round(since + lasted + rule.keep_firing_for, 3)
        one = f"episode{number}"
        episodes.append(
            EpisodeRow(one, name, number + 1, "api_down", rule.version, labels, "critical", "critical", began, ended)
        )
        for kind, at in (("fired", began), ("resolved", ended)):
            events.append(EventRow(f"{one}{kind}", one, name, "api_down", kind, at, "critical"))
    await app.keeping.store.alerts.commit(Change(now, episodes=episodes, events=events))
    patient = {**rule_to_doc(rule), "for": 300}
    status, _, told = await ask(app, PATH, "POST", {"rules": ["api_down"], "changed": [patient], "last": "9h"})
    assert status == 200, told
    [found] = told["rules"]
    assert not found["blind"]
    assert found["recorded"]["episodes"] == 3
    again = [(each["kind"], each["severity"], round(each["at"], 3)) for each in found["events"]]
    assert again == [(each.kind, each.severity, each.at) for each in events]
    assert found["changed"]["noise"]["episodes"] == 1
    assert len(found["changed"]["difference"]["gone"]) == 2
    # And what is asked about numbers is inhibited by it, as it was live.
    assert "api_down" in {each["rule"] for each in (await ask(app, PATH, "POST", {"last": "9h"}))[2]["rules"]}


async def test_the_noise_of_real_alerts_is_told_rule_by_rule(app):
    now = SYSTEM_CLOCK.time()
    episodes, events = [], []
    for number in range(6):
        rule, lasted = ("success_rate", 60.0) if number < 4 else ("response_time", 4000.0)
        labels, began, one = {"api": "odds"}, now - (number + 1) * 4 * HOUR, f"noise{number}"
        name = fingerprint(rule, labels)
        episodes.append(EpisodeRow(one, name, number, rule, 1, labels, "critical", "critical", began, began + lasted))
        told = [("fired", began), ("acked", began + 30.0), ("resolved", began + lasted)]
        for kind, at in told if rule == "response_time" else (told[0], told[2]):
            events.append(EventRow(f"{one}{kind}", one, name, rule, kind, at, "critical"))
    await app.keeping.store.alerts.commit(Change(now, episodes=episodes, events=events))
    status, _, told = await ask(app, "/api/alerts/noise", last="7d", zone="America/Sao_Paulo")
    assert status == 200, told
    first, second = told["rules"]
    assert [first[name] for name in ("rule", "episodes", "short", "unanswered", "pages", "noisy")] == [
        "success_rate", 4, 4, 4, 4, True
    ]  # fmt: skip  # in that order
    assert first["pages_per_week"] == pytest.approx(4.0)
    assert [second[name] for name in ("rule", "episodes", "short", "unanswered", "noisy")] == [
        "response_time", 2, 0, 0, False
    ]  # fmt: skip  # in that order
    assert (await ask(app, "/api/alerts/noise", last="1h"))[2]["rules"] == []
    for wrong in ({"zone": "Mars/Olympus"}, {"last": "soon"}, {"colour": "red"}):
        status, _, told = await ask(app, "/api/alerts/noise", **wrong)
        assert status in (400, 422)
        assert "\n" not in told["detail"]
