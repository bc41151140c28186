"""A configuration that changes while alerts fire and messages are on their way; and a stop in the middle of both."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from alerted import Alerted, memory_store, settings_of

from understudy.alerts.model import Level, Rule
from understudy.alerts.options import AlertOptions
from understudy.alerts.silences import PlannedSilence, SilenceError
from understudy.channels.slack import SlackOptions
from understudy.core.errors import OptionError
from understudy.core.notices import Severity
from understudy.core.secrets import Secret
from understudy.notifications.message import Retry
from understudy.notifications.policy import PolicyOptions
from understudy.resilience.api import ApiOptions
from understudy.testing import HANGS, FakeClock, MemoryChannel

RULE = Rule("busy", metric="total_requests", operator=">=", levels=(Level(Severity.CRITICAL, 5.0),))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def slack(name: str, **more: object) -> SlackOptions:
    return SlackOptions(url=Secret(f"https://127.0.0.1:1/{name}"), allow_private=True, **more)


async def test_a_rule_of_the_file_changes_while_its_alert_fires(clock: FakeClock) -> None:
    async with Alerted(clock, settings=settings_of(alerts=AlertOptions(rules={"busy": RULE}))) as world:
        assert world.firing() == {}
        for _ in range(6):
            world.app.monitor.record_request_success("odds", 0.1)
        await clock.advance(2)
        assert world.told == [("fired", "busy", "critical")]
        higher = dataclasses.replace(RULE, levels=(Level(Severity.CRITICAL, 50.0),), keep_firing_for=0.0)
        world.app.reload(settings_of(alerts=AlertOptions(rules={"busy": higher})))
        await clock.advance(2)
        assert world.told == [("fired", "busy", "critical"), ("resolved", "busy", "critical")]
        assert world.app.alerts.rules.origin("busy") == "file"


async def test_a_rule_that_is_taken_out_of_the_file_ends_its_alert_with_the_reason(clock: FakeClock) -> None:
    async with Alerted(clock, settings=settings_of(alerts=AlertOptions(rules={"busy": RULE}))) as world:
        assert world.firing() == {}
        for _ in range(6):
            world.app.monitor.record_request_success("odds", 0.1)
        await clock.advance(2)
        world.app.reload(settings_of())
        await clock.advance(2)
        assert world.told[-1] == ("resolved", "busy", "critical")
        assert world.message(lambda each: each.notice.kind == "resolved").notice.reason == "rule_deleted"


async def test_a_channel_that_stays_the_same_stays_and_one_that_is_gone_is_accounted_for(clock: FakeClock) -> None:
    settings = settings_of(channels={"one": slack("one"), "two": slack("two")})
    async with Alerted(clock, settings=settings) as world:
        alerting = world.app.alerting
        one = alerting._configured["one"][1]
        await world.calls("odds", 6, fails=True)
        await clock.advance(1)
        world.app.reload(settings_of(channels={"one": slack("one"), "three": slack("three")}))
        assert alerting._configured["one"][1] is one
        assert set(world.app.notifications.channels()) == {"one", "three", "people"}
        await clock.advance(130)
        found = await world.app.notifications.accounting(0, clock.time() + 1)
        accounted = found.delivered + found.digested + sum(found.suppressed.values()) + found.dead + found.pending
        assert accounted + found.discarded == found.rows
        assert any("two" in reason or "channel" in reason for reason in found.suppressed)


async def test_what_cannot_be_used_changes_nothing(clock: FakeClock) -> None:
    endless = PlannedSilence(match=("api=x",), reason="never ends")
    async with Alerted(clock, settings=settings_of(channels={"one": slack("one")})) as world:
        before = set(world.app.notifications.channels())
        for broken, error in (
            (settings_of(channels={"two": slack("two", ca_file="/nowhere/ca.pem")}), OptionError),
            (settings_of(policies={"p": PolicyOptions(match=("api=~[",))}), OptionError),
            (settings_of(alerts=AlertOptions(silences={"s": endless})), SilenceError),
        ):
            with pytest.raises(error):
                world.app.reload(broken)
            assert set(world.app.notifications.channels()) == before


async def test_a_program_without_alerts_gets_them_when_channels_are_configured(clock: FakeClock) -> None:
    from understudy.app import Understudy

    app = Understudy.build(settings_of(), clock=clock, seed=1)
    async with app:
        assert app._alerting is None
        app.reload(settings_of(channels={"one": slack("one")}))
        await clock.advance(2)
        assert set(app.notifications.channels()) == {"one"}
        assert app.alerts.evaluation.count > 0


async def test_what_is_in_the_middle_of_being_sent_at_a_stop_is_sent_by_the_next_start(clock: FakeClock) -> None:
    store = memory_store(clock)
    before = await Alerted(clock, store).__aenter__()
    before.channel.script.extend([Retry("busy"), HANGS])
    await clock.advance(2)
    await before.calls("odds", 6, fails=True)
    await clock.advance(3)
    stopping = asyncio.ensure_future(before.app.stop(5.0))
    await clock.advance(6)
    await stopping
    assert before.channel.delivered == []
    async with Alerted(clock, store) as after:
        await clock.advance(5)
        assert after.of("api_down") == [("fired", "critical")]
        found = await after.app.notifications.accounting(0, clock.time() + 1)
        assert (found.rows, found.delivered) == (1, 1)


async def test_a_broken_channel_harms_neither_calls_nor_health(clock: FakeClock) -> None:
    async with Alerted(clock) as world:
        world.channel.script.extend([RuntimeError("a bug in a channel")] * 20)
        await world.calls("odds", 6, fails=True)
        await clock.advance(60)
        await world.calls("other", 3)
        assert world.app.readiness() == []
        assert world.app.live() == []
        assert any("people" in each for each in world.app.problems())


async def test_the_alert_about_an_api_that_is_taken_out_of_the_configuration_ends(clock: FakeClock) -> None:
    """Nothing is ever known of it again, so without that its alert would fire, and remind people, for ever."""
    configured = settings_of(apis={"odds": ApiOptions(base_url="http://127.0.0.1:1")})
    async with Alerted(clock, settings=configured) as world:
        assert world.firing() == {}
        await world.calls("odds", 5, fails=True, every=0.1)
        await clock.advance(10)
        assert world.firing()["api_down"] == ""
        world.app.reload(settings_of())
        await clock.advance(460)  # five minutes in which the calls still count, a minute of grace, and a minute of calm
        assert world.firing() == {}
        ended = world.message(lambda each: each.notice.kind == "resolved").notice
        assert (ended.rule, ended.reason) == ("api_down", "subject_gone")


async def test_what_is_wrong_with_a_channel_is_not_told_as_the_alert_of_an_api(clock: FakeClock) -> None:
    async with Alerted(clock) as world:
        world.app.add_channel("broken", MemoryChannel(script=[Retry("out of order")] * 100, clock=clock))
        assert world.firing() == {}
        await world.calls("odds", 5, fails=True, every=0.1)
        await clock.advance(30)
        assert {each.labels.get("api", "") for each in world.app.alerts.active()} == {"odds"}
