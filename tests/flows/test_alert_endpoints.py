"""The endpoints of alerts, rules and silences: what they answer, what they do, and what they refuse."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from itertools import product
from urllib.parse import quote, urlencode

import pytest

from understudy.alerts.ports import Signal
from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.clock import SYSTEM_CLOCK
from understudy.storage import StorageOptions
from understudy.testing import FakeClock, MemoryChannel
from understudy.web.asgi import Service
from understudy.web.middleware import Limit

#: What is hostile in names: markup, ends of lines, what moves a cursor, half characters, what is long.
HOSTILE = ["<script>", "a/b", "a b", "..", "%2e", "é", "x" * 5000, "'; --", "{alert}", "*", "\u202e", "null"]


@pytest.fixture
async def app(tmp_path):
    storage = StorageOptions(url=f"sqlite:///{tmp_path}/u.db")
    settings = dataclasses.replace(Settings(), storage=storage)
    async with Understudy.build(settings, seed=1, keep=True) as app:
        app.add_channel("ops", MemoryChannel())
        yield app


async def ask(app, path, method="GET", body=None, headers=(), left=None, **query):
    """The status, the headers, and the body: as JSON where it is that."""
    sent = []
    raw = path.encode("ascii")
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": raw, "query_string": urlencode(query).encode(),
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json"), *headers],
        "client": ("127.0.0.1", 50000),
    }  # fmt: skip  # a scope reads as a table
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()

    given = False

    async def receive():
        nonlocal given
        if given:  # whoever asked stays until it is answered, unless the test lets them leave
            await (left or asyncio.Event()).wait()
            return {"type": "http.disconnect"}
        given = True
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message):
        sent.append(message)

    await Service(app, limit=Limit(FakeClock(), burst=10_000))(scope, receive, send)
    answered = b"".join(each.get("body", b"") for each in sent[1:])
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], told, json.loads(answered) if "json" in told["content-type"] else answered.decode()


async def fire(app, api="odds"):
    """Let an alert fire; its view."""
    for _ in range(1500):
        if await app.alerts.ready():
            break
        await SYSTEM_CLOCK.sleep(0.02)
    now = SYSTEM_CLOCK.time()
    await app.alerts.signal(Signal("api_down", {"api": api}, True, now))
    [alert] = [each for each in app.alerts.active() if each.labels.get("api") == api]
    return alert


async def test_an_alert_is_shown_taken_in_hand_and_ended(app):
    alert = await fire(app)
    _, _, told = await ask(app, "/api/alerts")
    assert told["counts"]["critical"] + told["counts"]["warning"] == 1
    assert told["alerts"][0]["episode"] == alert.episode
    assert (await ask(app, "/api/alerts", severity="info"))[2]["alerts"] == []
    assert (await ask(app, "/api/alerts", api="odds", rule="api_down"))[2]["alerts"] != []

    base = f"/api/alerts/{alert.episode}"
    assert (await ask(app, f"{base}/acknowledge", "POST", {"comment": "on it"}))[0] == 200
    assert (await ask(app, f"{base}/acknowledge", "POST", {}))[0] == 200
    assert (await ask(app, "/api/alerts"))[2]["alerts"][0]["acknowledged_by"]
    assert (await ask(app, f"{base}/unacknowledge", "POST", {}))[0] == 200
    status, _, done = await ask(app, f"{base}/snooze", "POST", {"for": "2h"})
    assert status == 200
    assert done["until"] == pytest.approx(SYSTEM_CLOCK.time() + 7200, abs=60)
    assert (await ask(app, f"{base}/resolve", "POST", {"reason": "by hand"}))[0] == 200
    assert (await ask(app, f"{base}/acknowledge", "POST", {}))[0] == 409

    status, _, whole = await ask(app, base)
    assert status == 200
    assert [each["kind"] for each in whole["events"]][0] == "fired"
    assert whole["episode"]["resolved_at"] is not None
    assert whole["deliveries"]
    _, _, past = await ask(app, "/api/alerts", state="all")
    assert [each["episode"] for each in past["episodes"]] == [alert.episode]
    assert past["next"] is None
    status, _, why = await ask(app, f"/api/alerts/why/{whole['events'][0]['event_id']}")
    assert status == 200
    assert why
    acts = [record.entry.action for record in await app.keeping.audit.read()]
    assert any("acknowledge" in action for action in acts), acts
    assert any("resolve" in action for action in acts), acts


async def test_the_link_of_a_message_leads_to_the_episode(app):
    alert = await fire(app)
    status, headers, page = await ask(app, f"/alerts/{alert.episode}")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert alert.rule in page
    assert (await ask(app, "/alerts"))[0] == 200


@pytest.mark.parametrize("name", ["01JDX3ZQ4M8W6T2N0V9K5H7B1C", *HOSTILE[:5]])
async def test_the_link_of_an_episode_that_is_gone_says_so(app, name):
    assert (await ask(app, f"/alerts/{quote(name, safe='')}"))[0] == 404


async def test_past_episodes_are_answered_page_by_page(app):
    for number in range(5):
        alert = await fire(app, f"api{number}")
        await app.alerts.resolve(alert.episode, actor="test")
    seen, before = [], ""
    while True:
        _, _, page = await ask(app, "/api/alerts", state="resolved", limit=2, **({"before": before} if before else {}))
        seen += [each["labels"]["api"] for each in page["episodes"]]
        before = page["next"]
        if before is None:
            break
    assert sorted(seen) == [f"api{number}" for number in range(5)]


NONSENSE = [
    ("/api/alerts", {"state": "open", "last": "x"}), ("/api/alerts", {"state": "nothing"}),
    ("/api/alerts", {"severity": "bad"}), ("/api/alerts", {"unknown": "1"}), ("/api/alerts", {"state": ""}),
    ("/api/alerts", {"state": "all", "limit": "0"}), ("/api/alerts", {"state": "all", "limit": "501"}),
    ("/api/alerts/rules", {"q": "1"}), ("/api/alerts/silences", {"q": "1"}),
]  # fmt: skip


async def test_a_question_that_makes_no_sense_is_refused_in_one_line(app):
    for path, query in NONSENSE:
        status, _, body = await ask(app, path, **query)
        assert status == 400, (path, query)
        assert "\n" not in body["detail"]


NAMED = [
    ("GET", "/api/alerts/{}"), ("POST", "/api/alerts/{}/acknowledge"), ("POST", "/api/alerts/{}/unacknowledge"),
    ("POST", "/api/alerts/{}/resolve"), ("GET", "/api/alerts/why/{}"), ("GET", "/api/alerts/rules/{}"),
    ("GET", "/api/alerts/rules/{}/versions"), ("DELETE", "/api/alerts/rules/{}"),
    ("DELETE", "/api/alerts/silences/{}"),
]  # fmt: skip


async def test_a_name_that_nobody_knows_is_not_found_whatever_is_in_it(app):
    for (method, path), name in product(NAMED, HOSTILE):
        status, _, body = await ask(app, path.format(quote(name, safe="")), method, {} if method == "POST" else None)
        assert status == 404, (path, name, body)
        assert len(body["detail"]) < 10_000


BODIES = [
    b"nothing", b"[]", b'"x"', b'{"comment": 1}', b'{"other": "x"}', b'{"comment": "a\\nb"}',
    json.dumps({"comment": "x" * 501}).encode(), b'{"comment": ' + b"[" * 100_000,
]  # fmt: skip


async def test_a_body_that_makes_no_sense_changes_nothing(app):
    alert = await fire(app)
    for body in BODIES:
        status, _, _ = await ask(app, f"/api/alerts/{alert.episode}/acknowledge", "POST", body)
        assert status in (400, 422), body[:50]
    assert not app.alerts.active()[0].acknowledged_by


SNOOZES = [
    {}, {"for": "2h", "until": 99999999999}, {"for": "soon"}, {"for": 0}, {"for": -1}, {"until": "yesterday"},
    {"until": 1}, {"for": "100d"}, {"for": True}, {"until": "9999-12-31"}, {"for": 1e300}, {"for": []},
]  # fmt: skip


async def test_a_snooze_ends_in_the_near_future(app):
    alert = await fire(app)
    for body in SNOOZES:
        status, _, answered = await ask(app, f"/api/alerts/{alert.episode}/snooze", "POST", body)
        assert status == 422, (body, answered)


RULE = {"metric": "success_rate", "operator": "<", "threshold": 70.0, "severity": "warning"}


async def test_a_rule_is_changed_only_as_it_was_looked_at(app):
    path = "/api/alerts/rules/mine"
    status, told, kept = await ask(app, path, "PUT", {"rule": RULE, "comment": "first"})
    assert (status, told["etag"], kept["origin"]) == (200, '"1"', "api")
    assert kept["rule"]["name"] == "mine"
    status, told, read = await ask(app, path)
    assert told["etag"] == '"1"'
    changed = {**read["rule"], "window": 600}
    assert (await ask(app, path, "PUT", {"rule": changed}, [(b"if-match", b'"0"')]))[0] == 412
    assert (await ask(app, path, "PUT", {"rule": changed, "expected": 0}))[0] == 409
    assert (await ask(app, path, "PUT", {"rule": changed}, [(b"if-none-match", b"*")]))[0] == 412
    assert (await ask(app, path, "PUT", {"rule": changed}, [(b"if-match", b'"1"')]))[1]["etag"] == '"2"'
    assert (await ask(app, path, "DELETE", None, [(b"if-match", b'"1"')]))[0] == 412
    _, _, versions = await ask(app, f"{path}/versions")
    assert [(each["version"], each["comment"]) for each in versions["versions"]] == [(2, ""), (1, "first")]
    assert (await ask(app, path, "DELETE", None, [(b"if-match", b'"2"')]))[0] == 200
    assert (await ask(app, path))[0] == 404
    acts = [(r.entry.action, r.entry.object) for r in await app.keeping.audit.read()]
    assert acts.count(("rule.put", "mine")) == 2
    assert ("rule.deleted", "mine") in acts


async def test_a_default_rule_is_overridden_and_comes_back(app):
    path = "/api/alerts/rules/success_rate"
    _, told, default = await ask(app, path)
    assert (told["etag"], default["origin"]) == ('"0"', "default")
    override = {**default["rule"], "window": 600}
    assert (await ask(app, path, "PUT", {"rule": override}, [(b"if-match", b'"0"')]))[0] == 200
    assert (await ask(app, path))[2]["rule"]["window"] == 600
    assert (await ask(app, path, "DELETE"))[2]["rule"] == default["rule"]
    assert (await ask(app, path))[2]["origin"] == "default"
    assert (await ask(app, path, "DELETE"))[0] == 422


BROKEN = [
    {}, {"metric": "sucess_rate", "threshold": 1}, {**RULE, "threshold": 700}, {**RULE, "operator": "~"},
    {**RULE, "colour": "red"}, {**RULE, "name": "other"}, {"kind": "expression", "when": "("}, {**RULE, "for": -1},
    {**RULE, "severity": "loud"}, [], "rule", None, {**RULE, "match": ["api=~("]}, {**RULE, "window": "long"},
]  # fmt: skip


async def test_a_rule_with_a_fault_is_refused_and_says_where(app):
    for rule in BROKEN:
        status, _, body = await ask(app, "/api/alerts/rules/mine", "PUT", {"rule": rule})
        assert status == 422, (rule, body)
        assert body["detail"]
        assert (await ask(app, "/api/alerts/rules/check", "POST", {"rule": rule}))[0] in (200, 422)
    assert (await ask(app, "/api/alerts/rules/mine"))[0] == 404


async def test_a_rule_is_checked_without_being_taken_in(app):
    status, _, told = await ask(app, "/api/alerts/rules/check", "POST", {"rule": {**RULE, "name": "mine"}})
    assert (status, told["rule"]["name"]) == (200, "mine")
    assert (await ask(app, "/api/alerts/rules/mine"))[0] == 404


async def test_a_silence_is_previewed_made_and_ended(app):
    await fire(app)
    wanted = {"matchers": ['api="odds"'], "for": "2h", "reason": "the provider maintains it", "author": "ana"}
    status, _, seen = await ask(app, "/api/alerts/silences/preview", "POST", {"matchers": ['api=~"od.*"']})
    assert status == 200
    assert [each["labels"]["api"] for each in seen["alerts"]] == ["odds"]
    status, _, made = await ask(app, "/api/alerts/silences", "POST", wanted)
    assert status == 201
    assert made["matching"]
    _, _, listed = await ask(app, "/api/alerts/silences")
    assert [(each["author"], each["active"]) for each in listed["silences"]] == [("ana", True)]
    assert (await ask(app, f"/api/alerts/silences/{made['id']}", "DELETE"))[0] == 200
    _, _, listed = await ask(app, "/api/alerts/silences")
    assert not any(each["active"] for each in listed["silences"])


FAULTS = [
    {"matchers": []}, {"matchers": "api=x"}, {"matchers": ["api"]}, {"matchers": ["api=~("]}, {"reason": ""},
    {"reason": "  "}, {"for": None}, {"ends_at": "2099-01-01"}, {"for": "0s"}, {"rrule": "FREQ=DAILY"},
    {"rrule": "nonsense", "duration": 3600, "for": None}, {"duration": 60}, {"time_zone": "Mars/Olympus"},
    {"starts_at": "never"}, {"for": "2000d"}, {"matchers": ["api=x"] * 21}, {"matchers": [1]}, {"colour": "red"},
]  # fmt: skip


async def test_a_silence_with_a_fault_is_refused(app):
    good = {"matchers": ['api="odds"'], "for": "2h", "reason": "maintenance"}
    for change in FAULTS:
        body = {name: value for name, value in {**good, **change}.items() if value is not None}
        status, _, answered = await ask(app, "/api/alerts/silences", "POST", body)
        assert status == 422, (change, answered)
    assert (await ask(app, "/api/alerts/silences"))[2]["silences"] == []
