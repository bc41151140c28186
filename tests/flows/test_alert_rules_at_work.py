"""From calls that fail to a message that arrives: the default alerts, rules of one's own, callbacks."""

from __future__ import annotations

import pytest
from alerted import Alerted, Down, settings_of

from understudy.alerts.escalation import Escalation, Step
from understudy.alerts.model import Level, Rule
from understudy.alerts.options import AlertOptions
from understudy.core.notices import Severity
from understudy.core.secrets import Secret
from understudy.monitor import PerformanceMonitor
from understudy.notifications.options import NotificationOptions
from understudy.notifications.policy import PolicyOptions
from understudy.testing import FakeClock, ScriptedHttp

#: What is not critical waits that long for others to be told with, and a little more, s.
GROUPED = 34.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def test_an_api_that_dies_is_told_at_once_and_its_recovery_when_it_lasts(clock: FakeClock) -> None:
    async with Alerted(clock) as world:
        await world.calls("odds", 100, every=0.05)
        await world.calls("odds", 6, fails=True)
        await clock.advance(0.02)
        assert world.told == [("fired", "api_down", "critical")]
        await clock.advance(60)  # the breaker lets a trial through by then
        await world.calls("odds", 45, every=1.0)
        assert world.told == [("fired", "api_down", "critical")]
        await world.calls("odds", 30, every=1.0)
        assert world.of("api_down") == [("fired", "critical"), ("resolved", "critical")]
        assert world.app.alerts.active() == []
        fired, resolved = world.channel.delivered
        assert fired.notice.episode == resolved.notice.episode
        assert fired.notice.dedup_key == resolved.notice.dedup_key


async def test_an_outage_that_a_standby_covers_is_a_warning_until_the_standby_fails_too(clock: FakeClock) -> None:
    async with Alerted(clock) as world:
        await world.calls("odds", 3, standby=True)
        await world.calls("odds", 6, fails=True, standby=True)
        await clock.advance(GROUPED)
        assert world.of("api_down") == [("fired", "warning")]
        await world.calls("odds.fallback", 6, fails=True)
        await clock.advance(2)
        assert ("escalated", "critical") in [
            (str(each.notice.kind), str(each.notice.severity))
            for each in world.channel.delivered
            if each.notice.labels["api"] == "odds"
        ]


@pytest.mark.parametrize(
    ("good", "bad", "rule", "severity"),
    [
        (75, 25, "success_rate", "warning"),
        (50, 50, "success_rate", "critical"),
        (90, 10, None, None),
    ],
)
async def test_the_success_ladder_speaks_for_the_error_ladder(good, bad, rule, severity, clock: FakeClock) -> None:
    async with Alerted(clock) as world:
        assert world.app.alerts.active() == []  # the first use: from now on everything is counted
        monitor = world.app.monitor
        for _ in range(good):
            monitor.record_request_success("recorded", 0.1)
        for _ in range(bad):
            monitor.record_request_failure("recorded", "no")
        await clock.advance(GROUPED)
        assert world.told == ([] if rule is None else [("fired", rule, severity)])
        if rule is not None:
            assert world.firing()["error_rate"].startswith("inhibition")


@pytest.mark.parametrize(("seconds", "severity"), [(1.9, None), (2.1, "warning"), (5.5, "critical")])
async def test_slow_answers_are_told_by_their_ladder(seconds, severity, clock: FakeClock) -> None:
    async with Alerted(clock) as world:
        assert world.firing() == {}
        for _ in range(20):
            world.app.monitor.record_request_success("slow", seconds)
        await clock.advance(GROUPED)
        assert world.told == ([] if severity is None else [("fired", "response_time", severity)])


async def test_the_error_ladder_is_told_where_the_success_ladder_is_switched_off(clock: FakeClock) -> None:
    quiet = Rule(
        "success_rate", metric="success_rate", operator="<", levels=(Level(Severity.WARNING, 80.0),), enabled=False
    )
    async with Alerted(clock, settings=settings_of(alerts=AlertOptions(rules={"success_rate": quiet}))) as world:
        assert world.firing() == {}
        for number in range(100):
            if number % 2:
                world.app.monitor.record_request_success("recorded", 0.1)
            else:
                world.app.monitor.record_request_failure("recorded", "no")
        await clock.advance(2)
        assert world.told == [("fired", "error_rate", "critical")]


async def test_an_api_that_is_called_once_a_minute_and_always_fails_is_told_within_three_calls(
    clock: FakeClock,
) -> None:
    async with Alerted(clock) as world:
        assert world.firing() == {}
        for _ in range(3):
            world.app.monitor.record_request_failure("rare", "no")
            await clock.advance(60)
        assert world.of("success_rate") == [("fired", "critical")]


async def test_a_rule_put_by_code_is_in_force_at_once_and_once(clock: FakeClock) -> None:
    async with Alerted(clock) as world:
        for _ in range(2):
            rule = await world.app.alerts.add_custom_alert_rule(
                name="busy", metric="total_requests", threshold=5, operator=">=", severity="info", cooldown_seconds=0
            )
        assert rule.version == 1
        for _ in range(5):
            world.app.monitor.record_request_success("odds", 0.1)
        await clock.advance(GROUPED)
        assert world.of("busy") == [("fired", "info")]


async def test_callbacks_hear_of_every_alert_and_harm_nothing_when_they_raise(clock: FakeClock) -> None:
    heard: list[str] = []

    async def good(notice) -> None:
        heard.append(notice.rule)

    def bad(notice) -> None:
        raise RuntimeError("a callback that raises")

    async with Alerted(clock) as world:
        world.app.alerts.add_callback(good, name="good")
        world.app.alerts.add_callback(bad, name="bad")
        await world.calls("odds", 6, fails=True)
        await clock.advance(5)
        assert heard == ["api_down", "dead_letters"], "and of what the other could not be told"
        assert world.of("api_down") == [("fired", "critical")]


async def test_a_program_that_never_asks_for_alerts_pays_nothing_for_them(clock: FakeClock) -> None:
    from understudy.app import Understudy

    app = Understudy.build(clock=clock, seed=1)
    async with app:
        await app.fallback.execute_with_fallback("odds", lambda: 1)
        assert app._alerting is None
        assert _taps(app.monitor) == [None]


def _taps(monitor: PerformanceMonitor) -> list[object]:
    return [series.tap for ledger in monitor._ledgers.values() for series in ledger.all()]


async def test_an_outage_is_told_with_its_cause_and_who_stands_in(clock: FakeClock) -> None:
    async with Alerted(clock) as world:

        async def good() -> str:
            return "served"

        async def bad() -> str:
            raise Down("out of order")

        world.app.fallback.register_route("fixtures", mode="priority")
        world.app.fallback.register_api("lead", route="fixtures", operation=bad, retry={"mode": "off"})
        world.app.fallback.register_api("second", priority=2, route="fixtures", operation=good)
        for _ in range(80):
            await world.app.fallback.execute_with_fallback("lead", bad)
            await clock.advance(1.0)
        facts = world.message(lambda each: each.notice.rule == "api_down").notice.facts
        assert facts["standbys"] == "second"
        assert facts["covered"] == "100.0 %"
        assert facts["cause"]


async def test_why_says_how_many_calls_were_judged_and_which_policy_the_rules_labels_chose(clock: FakeClock) -> None:
    rule = Rule("busy", metric="total_requests", operator=">", levels=(Level(Severity.WARNING, 5.0),),
                labels={"team": "data"}, escalation="duty")  # fmt: skip
    duty = Escalation((Step(60.0, ("people",)),))
    policies = {"data": PolicyOptions(match=("team=data",), channels=("people",)), "rest": PolicyOptions()}
    settings = settings_of(alerts=AlertOptions(rules={"busy": rule}, escalations={"duty": duty}), policies=policies)
    async with Alerted(clock, settings=settings) as world:
        assert world.firing() == {}
        for _ in range(7):
            world.app.monitor.record_request_success("odds", 0.1)
        await clock.advance(70)
        fired, step = (each.notice for each in world.channel.delivered)
        why = await world.app.alerts.why(fired.event_id)
        assert (why["event"]["trace"]["samples"], why["event"]["trace"]["value"]) == (7, 7.0)
        assert why["routing"]["policies"] == ["data"]
        assert [each["state"] for each in why["deliveries"]] == ["delivered"]
        why = await world.app.alerts.why(step.event_id)
        assert (why["routing"], why["event"]["trace"]["told"]) == (None, {"targets": ["people"]})


@pytest.mark.parametrize("rule", ["success_rate", "api_down"])
async def test_what_was_resolved_by_hand_goes_on_to_speak_for_what_follows_from_it(rule: str, clock: FakeClock) -> None:
    async with Alerted(clock) as world:

        async def go_on(seconds: int) -> None:
            for _ in range(seconds):
                if rule == "api_down":
                    await world.calls("odds", fails=True)
                else:
                    world.app.monitor.record_request_failure("odds", "no")
                    world.app.monitor.record_request_success("odds", 0.1)
                await clock.advance(1.0)

        assert world.firing() == {}
        await go_on(20)
        fired = world.channel.delivered[0].notice
        await world.app.alerts.resolve(fired.fingerprint, actor="ana", reason="we know")
        await go_on(320)
        assert world.told == [(kind, rule, "critical") for kind in ("fired", "resolved", "fired")]
        assert [each.notice.reason for each in world.channel.delivered][1:] == ["we know", "reopened"]


async def test_a_rule_that_cannot_be_evaluated_is_told_by_its_name(clock: FakeClock) -> None:
    def broken() -> float:
        raise OSError("the number cannot be read")

    async with Alerted(clock) as world:
        assert world.firing() == {}
        gauges = world.app.alerting.source.gauges
        before, gauges.of_all["dead_letters"] = gauges.of_all["dead_letters"], broken
        await clock.advance(10.0)
        assert world.told == [("fired", "rule_evaluation_failing", "warning")]
        assert world.channel.delivered[0].notice.facts == {"rules": "dead_letters"}
        assert "rules that cannot be evaluated: dead_letters" in world.app.alerts.problems()
        gauges.of_all["dead_letters"] = before
        await clock.advance(70.0)
        assert world.told[1:] == [("resolved", "rule_evaluation_failing", "warning")]


@pytest.mark.parametrize(
    ("no_data", "told"),
    [
        ("keep_last", ["fired"]),
        ("resolve", ["fired", "resolved"]),
        ("ok_after", ["fired", "resolved"]),
        ("alert", ["fired", "resolved", "fired"]),
    ],
)
async def test_what_nobody_calls_is_what_the_rule_takes_it_for(no_data, told: list[str], clock: FakeClock) -> None:
    rule = Rule("rare", metric="success_rate", operator="<", levels=(Level(Severity.INFO, 80.0),), no_data=no_data,
                no_data_after=600.0, cooldown=0.0, reminder=0.0)  # fmt: skip
    async with Alerted(clock, settings=settings_of(alerts=AlertOptions(rules={"rare": rule}))) as world:
        world.app.fallback.register_api("odds", base_url="http://odds")
        assert world.firing() == {}
        await clock.advance(5.0)
        assert [kind for kind, _ in world.of("rare")] == (["fired"] if no_data == "alert" else [])
        if no_data == "alert":  # nothing was known of it from the beginning
            for _ in range(70):
                world.app.monitor.record_request_success("odds", 0.1)
                await clock.advance(1.0)
            assert [kind for kind, _ in world.of("rare")] == ["fired", "resolved"]
        else:
            for _ in range(20):
                world.app.monitor.record_request_failure("odds", "no")
        await clock.advance(1000.0)
        assert [kind for kind, _ in world.of("rare")] == told


async def test_the_dead_mans_switch_is_not_fed_while_nothing_is_evaluated(clock: FakeClock) -> None:
    def broken(subject: str) -> list[object]:
        raise RuntimeError("a fault of our own")

    http = ScriptedHttp(200, clock=clock)
    options = NotificationOptions(heartbeat_url=Secret("https://hc.example.com/ping/not-a-real-one"))
    async with Alerted(clock, settings=settings_of(notifications=options), http=http) as world:
        assert world.firing() == {}
        await clock.advance(130.0)
        assert len(http.requests) == 3
        source = world.app.alerting.source
        works, source.subjects = source.subjects, broken
        await clock.advance(300.0)
        assert len(http.requests) == 4
        assert any("alerts have not been evaluated for" in each for each in world.app.problems())
        source.subjects = works
        await clock.advance(70.0)
        assert len(http.requests) > 4
        assert not any("alerts have not been evaluated for" in each for each in world.app.problems())
