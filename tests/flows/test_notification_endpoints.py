"""The endpoints of notifications and the links of messages: what they do, show, refuse, and never tell."""

from __future__ import annotations

import dataclasses
import re
from urllib.parse import quote, urlencode

import pytest
from test_alert_endpoints import HOSTILE, ask, fire

from understudy.alerts.escalation import Escalation, Step
from understudy.alerts.model import Level, Rule
from understudy.alerts.options import AlertOptions
from understudy.alerts.timings import MuteTiming
from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.notices import Severity
from understudy.notifications.message import PerRecipient, Rejected
from understudy.notifications.policy import PolicyOptions
from understudy.notifications.ports import Traits
from understudy.storage import StorageOptions
from understudy.testing import FakeClock, MemoryChannel
from understudy.testing.memory_channel import UNBOUNDED
from understudy.web.asgi import Service
from understudy.web.middleware import Limit


@pytest.fixture
async def ops():
    return MemoryChannel()


@pytest.fixture
async def app(tmp_path, ops):
    storage = StorageOptions(url=f"sqlite:///{tmp_path}/u.db")
    settings = dataclasses.replace(Settings(), storage=storage)
    async with Understudy.build(settings, seed=1, keep=True) as app:
        app.add_channel("ops", ops)
        for _ in range(1500):
            if await app.alerts.ready():
                break
            await SYSTEM_CLOCK.sleep(0.02)
        yield app


async def until(found):
    for _ in range(1500):
        if result := await found():
            return result
        await SYSTEM_CLOCK.sleep(0.02)
    return pytest.fail("it never came")


async def test_a_message_is_sent_and_the_answer_says_what_became_of_it(app, ops):
    body = {"title": "Deploy", "content": "about\nten minutes", "severity": "warning", "fields": {"version": "2.3"}}
    status, _, told = await ask(app, "/api/notifications/send", "POST", body)
    assert status == 200
    assert {name: (each["success"], each["state"]) for name, each in told["results"].items()} == {
        "ops": (True, "delivered")
    }
    assert ops.delivered[0].notice.title == "Deploy"
    assert ops.delivered[0].notice.facts == {"version": "2.3"}
    _, _, overview = await ask(app, "/api/notifications", last="1h")
    assert overview["channels"]["ops"]["delivered"] == 1
    assert (overview["accounting"]["rows"], overview["accounting"]["missing"]) == (1, 0)
    _, _, log = await ask(app, "/api/notifications/log", channel="ops")
    assert [each["result"] for each in log["attempts"]] == ["delivered"]
    assert "notification.sent" in [record.entry.action for record in await app.keeping.audit.read()]


async def test_a_test_says_what_the_service_said(app, ops):
    status, _, told = await ask(app, "/api/notifications/test", "POST", {"channel": "ops"})
    assert (status, told["success"]) == (200, True)
    ops.script.extend([Rejected("no such place", "endpoint", 404, "channel_not_found")])
    _, _, told = await ask(app, "/api/notifications/test", "POST", {"channel": "ops"})
    assert (told["success"], told["status"], told["response"]) == (False, 404, "channel_not_found")


async def test_a_dead_letter_is_shown_replayed_and_thrown_away(app, ops):
    ops.script.extend([Rejected("refused"), Rejected("refused")])
    for title in ("one", "two"):
        await ask(app, "/api/notifications/send", "POST", {"title": title})
    _, _, page = await ask(app, "/api/notifications/dead", limit=1)
    _, _, rest = await ask(app, "/api/notifications/dead", limit=1, before=page["next"])
    (two,), (one,) = page["rows"], rest["rows"]
    assert (two["title"], one["title"], one["reason"]) == ("two", "one", "refused")
    assert (await ask(app, f"/api/notifications/dead/{one['id']}/replay", "POST"))[0] == 200
    assert (await ask(app, f"/api/notifications/dead/{two['id']}/discard", "POST", {}))[0] == 200

    async def delivered():
        return [message for message in ops.delivered if message.id == one["id"]]

    assert await until(delivered)
    assert (await ask(app, "/api/notifications/dead"))[2]["rows"] == []
    assert (await ask(app, f"/api/notifications/dead/{two['id']}/replay", "POST"))[0] == 404
    for name in HOSTILE:
        assert (await ask(app, f"/api/notifications/dead/{quote(name, safe='')}/replay", "POST"))[0] == 404


async def test_all_that_was_given_up_is_decided_about_at_once_and_entered(app, ops, monkeypatch):
    monkeypatch.setattr("understudy.notifications.deadletters.TOGETHER", 2)
    app.add_channel("room", MemoryChannel(script=[Rejected("no such room")]))
    ops.script.extend([Rejected("refused")] * 5)
    for number in range(5):
        body = {"title": f"message {number}", "channels": ["ops", "room"][: 2 if number == 4 else 1]}
        await ask(app, "/api/notifications/send", "POST", body)
    assert len((await ask(app, "/api/notifications/dead"))[2]["rows"]) == 6

    async def left(**query):
        _, _, told = await ask(app, "/api/notifications/dead", **query)
        return [(each["channel"], each["title"]) for each in told["rows"]]

    # Pages keep the channel that was asked for, and ask before all are thrown away.
    _, _, page = await ask(app, "/notifications/dead", channel="ops", limit=2, all="discard")
    assert "channel=ops&amp;limit=2&amp;before=" in page
    assert 'value="discard_all"' in page
    assert "message 0" not in page
    form = urlencode({"action": "discard_all", "channel": "room", "reason": "it is gone for good"})
    assert (await post(app, "/notifications/dead", form))[0] == 303
    assert await left() == [("ops", f"message {number}") for number in (4, 3, 2, 1, 0)]
    assert (await ask(app, "/api/notifications/dead", "POST", {"decision": "burn"}))[0] == 422
    _, _, told = await ask(app, "/api/notifications/dead", "POST", {"decision": "replay", "channel": "ops"})
    assert told == {"decision": "replay", "channel": "ops", "rows": 5}

    async def delivered():
        return {message.notice.title for message in ops.delivered} >= {f"message {number}" for number in range(5)}

    assert await until(delivered)
    assert await left() == []
    await ask(app, "/api/notifications/test", "POST", {"channel": "ops"})
    entries = [record.entry for record in await app.keeping.audit.read()]
    assert [(each.action, each.object, each.after) for each in entries if each.action != "notification.sent"][:3] == [
        ("notification.tested", "ops", {"state": "delivered"}),
        ("notification.replayed_all", "ops", {"rows": 5}),
        ("notification.discarded_all", "room", {"rows": 1, "reason": "it is gone for good"}),
    ]


async def test_addresses_are_never_shown_in_full(app, ops):
    refused = PerRecipient({"ana.silva@example.org": Rejected("550 unknown")})
    ops.script.extend([refused])
    await ask(app, "/api/notifications/send", "POST", {"title": "x"})
    for path in ("/api/notifications", "/api/notifications/log", "/api/notifications/dead"):
        _, _, told = await ask(app, path)
        assert "ana.silva" not in str(told)


@pytest.mark.parametrize("path", ["/api/notifications", "/api/notifications/log", "/api/notifications/dead"])
async def test_a_question_that_makes_no_sense_is_refused(app, path):
    for query in ({"unknown": "1"}, {"limit": "0"}, {"limit": "x"}, {"last": "soon"}):
        assert (await ask(app, path, **query))[0] == 400
    for before in ("x", "1-", "-1", "1.5-x", "9" * 40 + "-1"):
        if path.endswith("log"):
            assert (await ask(app, path, before=before))[0] == 400


MESSAGES = [
    {}, {"title": ""}, {"title": "  "}, {"title": "a\nb"}, {"title": "x" * 1001}, {"title": 5},
    {"title": "x", "severity": "loud"}, {"title": "x", "priority": "now"}, {"title": "x", "channels": "ops"},
    {"title": "x", "channels": [1]}, {"title": "x", "fields": []}, {"title": "x", "fields": {"a": 1}},
    {"title": "x", "fields": {"a": "\x00"}}, {"title": "x", "content": "\x1b[2J"}, {"title": "x", "other": 1},
    {"title": "x", "fields": {str(number): "" for number in range(51)}}, {"title": "x", "content": "y" * 100_001},
]  # fmt: skip


async def test_a_message_with_a_fault_is_not_sent(app, ops):
    for body in MESSAGES:
        status, _, answered = await ask(app, "/api/notifications/send", "POST", body)
        assert status == 422, (body, answered)
    assert (await ask(app, "/api/notifications/send", "POST", {"title": "x", "channels": ["nobody"]}))[0] == 404
    assert (await ask(app, "/api/notifications/test", "POST", {"channel": "nobody"}))[0] == 404
    assert ops.sent == []


# -- the links of messages ----------------------------------------------------------------------------


async def link(app, action, alert, valid=3600.0):
    return f"/act/{app.alerting.signer.sign(action, alert.fingerprint, 'ops', valid)}"


async def test_opening_a_link_changes_nothing_and_posting_its_page_does(app):
    alert = await fire(app)
    path = await link(app, "acknowledge", alert)
    status, told, page = await ask(app, path)
    assert status == 200
    assert "api_down" in page
    assert '<form method="post">' in page
    assert told["content-security-policy"].count("form-action") == 1
    assert told["referrer-policy"] == "same-origin"
    assert not app.alerts.active()[0].acknowledged_by
    status, _, page = await ask(app, path, "POST", b"for=", [(b"content-type", b"application/x-www-form-urlencoded")])
    assert status == 415  # two content types: the first one counts, and it is none of a form
    assert (await post(app, path, ""))[0] == 200
    assert app.alerts.active()[0].acknowledged_by == "link ops"


async def post(app, path, form, headers=()):
    sent = []
    scope = {
        "type": "http", "method": "POST", "path": path, "query_string": b"",
        "headers": [
            (b"host", b"127.0.0.1"), (b"content-type", b"application/x-www-form-urlencoded"),
            (b"sec-fetch-site", b"same-origin"), *headers,
        ],
        "client": ("127.0.0.1", 50000),
    }  # fmt: skip  # a scope reads as a table

    async def receive():
        return {"type": "http.request", "body": form.encode(), "more_body": False}

    async def send(message):
        sent.append(message)

    await Service(app, limit=Limit(FakeClock(), burst=10_000))(scope, receive, send)
    return sent[0]["status"], b"".join(each.get("body", b"") for each in sent[1:]).decode()


async def test_a_silence_of_one_click_lasts_as_long_as_was_clicked(app):
    alert = await fire(app)
    path = await link(app, "silence", alert)
    _, _, page = await ask(app, path, headers=[(b"accept-language", b"pt-BR,en;q=0.5")])
    assert 'lang="pt-BR"' in page
    offered = re.findall(r'value="(\d+)"', page)
    assert (await post(app, path, urlencode({"for": "1"})))[0] == 422
    assert (await post(app, path, urlencode({"for": offered[1]})))[0] == 200
    [silence] = app.alerts.silences()
    assert silence.ends_at - silence.starts_at == int(offered[1])
    assert silence.covers({"rule": "api_down", "api": "odds"})
    assert not silence.covers({"rule": "api_down", "api": "other"})
    assert not silence.covers({"rule": "success_rate", "api": "odds"})


async def test_a_link_that_is_forged_expired_or_too_late_does_nothing(app):
    alert = await fire(app)
    good = await link(app, "acknowledge", alert)
    expired = await link(app, "acknowledge", alert, -1.0)
    tokens = [
        good[:-10] + ("A" if good[-10] != "A" else "B") + good[-9:],
        good[:-5],
        expired,
        *(f"/act/{quote(n, safe='')}" for n in HOSTILE),
    ]
    for path in tokens:
        for status in ((await ask(app, path))[0], (await post(app, path, ""))[0]):
            assert status == 410, path
    assert not app.alerts.active()[0].acknowledged_by
    await app.alerts.resolve(alert.episode, actor="test")
    assert "does not fire" in (await ask(app, good))[2]
    assert (await post(app, good, ""))[0] == 200
    assert "<script>" not in (await ask(app, "/act/%3Cscript%3E"))[2]


async def test_a_page_of_another_site_cannot_post_a_link_and_one_behind_the_proxy_can(app):
    alert = await fire(app)
    path = await link(app, "acknowledge", alert)
    assert (await post(app, path, "", [(b"origin", b"https://evil.example")]))[0] == 403
    app.notifications.options = dataclasses.replace(app.notifications.options, public_url="https://watch.example/u")
    assert (await post(app, path, "", [(b"origin", b"https://watch.example.evil.example")]))[0] == 403
    assert (await post(app, path, "", [(b"origin", b"https://watch.example")]))[0] == 200


async def test_the_metrics_tell_of_alerts_and_deliveries(app, ops):
    await fire(app)
    ops.script.extend([Rejected("refused")])
    await ask(app, "/api/notifications/send", "POST", {"title": "x"})
    status, _, page = await ask(app, "/metrics")
    assert status == 200
    assert 'understudy_alerts_active{rule="api_down",severity="critical"} 1' in page
    assert re.search(r'understudy_notifications_total\{channel="ops",result="(rejected|delivered)"\} [12]', page)
    assert 'understudy_outbox_pending{channel="ops"} 0' in page
    assert "understudy_alert_detection_delay_seconds_count 1" in page


async def test_an_alert_that_does_not_fire_is_shown_with_people_channels_and_words(app, ops):
    settings = dataclasses.replace(
        app.settings,
        policies={
            "night": PolicyOptions(match=('api=~"odds.*"',), min_severity=Severity.CRITICAL, channels=("ops", "gone"))
        },
        alerts=AlertOptions(
            mute_timings={"night": MuteTiming(match=("rule=success_rate",), times=("22:00-06:00",))},
            escalations={
                "people": Escalation((Step(600.0, ("boss",)), Step(900.0, ("all",), Severity.CRITICAL, 300.0)))
            },
            rules={"deaf": Rule("deaf", metric="error_rate", levels=(Level(Severity.INFO, 5.0),), escalation="people")},
        ),
    )
    app.alerting.configure(settings)
    quiet = MemoryChannel(Traits("memory", "quiet", UNBOUNDED, language="pt-BR", min_severity=Severity.CRITICAL))
    app.add_channel("quiet", quiet)
    path = "/api/notifications/simulate"
    noon, midnight = "2027-01-15T12:00", "2027-01-15T23:30"
    body = {"rule": "success_rate", "labels": {"api": "odds_prime"}, "severity": "critical", "at": noon, "value": 54.2}
    status, _, told = await ask(app, path, "POST", body)
    assert status == 200, told
    assert (told["suppressed_by"], told["policies"]) == ("", ["night"])
    ops_told, gone = told["channels"]
    assert (ops_told["channel"], ops_told["known"], gone["channel"], gone["known"]) == ("ops", True, "gone", False)
    said = str(ops_told["message"])
    assert "odds_prime" in said
    assert "54.2" in said
    assert ops_told["message"]["actions"] == []
    _, _, told = await ask(app, path, "POST", {**body, "at": midnight})
    assert told["suppressed_by"] == "mute:night"
    assert told["until"] is not None
    _, _, told = await ask(app, path, "POST", {**body, "severity": "warning"})
    by_name = {each["channel"]: each for each in told["channels"]}
    assert told["policies"] == ["default"]
    assert by_name["quiet"]["suppressed_by"]
    assert not by_name["ops"]["suppressed_by"]
    _, _, told = await ask(app, path, "POST", {"rule": "deaf", "labels": {"api": "a"}, "at": noon})
    assert (told["escalation"], [each["targets"] for each in told["steps"]]) == ("people", [["boss"]])
    _, _, told = await ask(app, path, "POST", {**body, "kind": "resolved"})
    assert (told["kind"], told["steps"]) == ("resolved", [])
    assert (ops.delivered, quiet.delivered) == ([], [])
    assert app.alerts.active() == []


@pytest.mark.parametrize("bad", [
    {}, {"rule": "nobody"}, {"rule": "api_down", "kind": "acked"}, {"rule": "api_down", "severity": "dire"},
    {"rule": "api_down", "at": "soon"}, {"rule": "api_down", "labels": ["api"]}, {"rule": "api_down", "value": "x"},
    {"rule": "api_down", "labels": {"api": 7}}, {"rule": "api_down", "colour": "red"}, {"rule": 7},
])  # fmt: skip  # a list of them
async def test_an_alert_that_cannot_be_imagined_is_refused(app, bad):
    status, _, told = await ask(app, "/api/notifications/simulate", "POST", bad)
    assert status == (404 if bad.get("rule") == "nobody" else 422)
    assert "\n" not in told["detail"]
