"""What the program knows from serving calls is told at once: keys, quotas, hubs, our own network; each problem once."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any

import pytest
from served import keys

from understudy.app import Understudy
from understudy.core.errors import ConnectFailed, UnderstudyError
from understudy.core.types import Mode
from understudy.resilience.quota import QuotaOptions
from understudy.resilience.retry import RetryOptions
from understudy.testing import FakeClock, MemoryChannel, ScriptedHttp
from understudy.testing.scripted_http import Answer

ONCE = {"retry": RetryOptions(mode=Mode.OFF)}
HUB_DOWN = Answer(502, headers={"X-RapidAPI-Proxy-Response": "true"})
BEHIND = {"preset": "rapidapi", "hub": "market", **ONCE}


class World:
    """Scripted APIs, one channel, and calls."""

    def __init__(self, app: Understudy, channel: MemoryChannel, clock: FakeClock, script: dict[str, Any]) -> None:
        self.app, self.channel, self.clock, self.script = app, channel, clock, script

    async def call(self, *routes: str, times: int = 1, every: float = 1.0) -> None:
        """Call each route so many times, `every` seconds apart."""
        for _ in range(times):
            for route in routes:
                try:
                    await self.app.route(route).get("/")
                except UnderstudyError:
                    pass
                await self.clock.advance(every)

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """What people were told: kind, rule, severity."""
        return [(str(each.notice.kind), each.notice.rule, str(each.notice.severity)) for each in self.channel.delivered]


@asynccontextmanager
async def world(script: dict[str, Any], apis: dict[str, dict[str, Any]], route: str = ""):
    """Each API behind a route of its own name, or all behind `route`; `script` may be changed meanwhile."""
    clock = FakeClock()
    answers = dict(script)
    http = ScriptedHttp(lambda request: answers[request.url.split("/")[2]], clock=clock)
    app, channel = Understudy.build(clock=clock, http=http, seed=1), MemoryChannel(clock=clock)
    app.add_channel("people", channel)
    for number, (name, given) in enumerate(apis.items(), 1):
        app.fallback.register_api(name, route=route or name, priority=number, base_url=f"http://{name}", **given)
    async with app:
        yield World(app, channel, clock, answers)


@pytest.mark.parametrize(("standby", "severity"), [(True, "warning"), (False, "critical")])
async def test_a_spent_quota_is_told_when_ordinary_calls_are_refused(standby, severity):
    """Also where a reserve for critical calls is left: to everybody else it is spent."""
    metered = {"auth": keys("not-a-real-key"), "quota": QuotaOptions(limit=100), **ONCE}
    apis = {"metered": metered, **({"other": ONCE} if standby else {})}
    async with world({"metered": 200, "other": 200}, apis, route="r") as found:
        await found.call("r", times=95, every=0.1)
        assert found.told == []
        await found.call("r", times=5)
        assert found.told == [("fired", "quota_exhausted", severity)]


async def test_that_a_quota_will_be_spent_is_told_before():
    metered = {"auth": keys("not-a-real-key"), "quota": QuotaOptions(limit=50_000), **ONCE}
    async with world({"metered": 200}, {"metered": metered}) as found:
        await found.call("metered", times=400)
        assert found.told == [("fired", "quota_forecast", "warning")]


async def test_a_refused_key_is_a_warning_and_the_last_one_is_no_further_alert_but_the_apis():
    async with world({"paid": 401}, {"paid": {"auth": keys("not-a-real-first"), **ONCE}}) as found:
        await found.call("paid", times=3)
        assert found.told == [("fired", "keys_gone", "critical")]


async def test_a_hub_that_fails_is_one_alert_with_the_list_and_its_end_is_one():
    names = ("a", "b", "c")
    async with world(dict.fromkeys(names, HUB_DOWN), {name: dict(BEHIND) for name in names}) as found:
        await found.call(*names, times=20, every=0.3)
        assert found.told == [("fired", "hub_down", "critical")]
        assert found.channel.delivered[0].notice.facts["apis"] == "a, b, c"
        found.script.update(dict.fromkeys(names, 200))
        await found.call(*names, times=300, every=0.5)
        assert found.told == [("fired", "hub_down", "critical"), ("resolved", "hub_down", "critical")]
        assert found.app.alerts.active() == []


async def test_apis_of_a_hub_that_fail_one_by_one_are_an_incident_from_the_third_on():
    names = ("a", "b", "c")
    async with world(dict.fromkeys(names, 503), {name: {"hub": "market", **ONCE} for name in names}) as found:
        await found.call(*names, times=20, every=0.25)
        assert found.told == [
            ("fired", "api_down", "critical"), ("fired", "api_down", "critical"), ("fired", "hub_incident", "critical"),
        ]  # fmt: skip
        found.script.update(dict.fromkeys(names, 200))
        await found.call(*names, times=500, every=0.25)
        assert sorted(found.told[3:]) == [
            ("resolved", "api_down", "critical"), ("resolved", "api_down", "critical"),
            ("resolved", "hub_incident", "critical"),
        ]  # fmt: skip
        assert found.app.alerts.active() == []


async def test_our_own_network_is_one_alert_and_no_api_is_blamed():
    names = ("a", "b", "c", "d")
    down = {name: ConnectFailed("refused", stage="refused", host=name) for name in names}
    async with world(down, {name: dict(ONCE) for name in names}) as found:
        await found.call(*names, times=30, every=0.25)
        assert found.told == [("fired", "network_down", "critical")]
        found.script.update(dict.fromkeys(names, 200))
        await found.call(*names, times=100, every=0.25)
        assert found.told[1:] == [("resolved", "network_down", "critical")]
        assert found.app.alerts.active() == []


async def test_calls_that_come_each_second_and_fail_are_told_as_api_down_alone():
    """The ladder sees it at the third call, the breaker at the fifth: it is one problem, so the ladder waits."""
    async with world({"odds": 503}, {"odds": ONCE}) as found:
        await found.call("odds", times=30)
        assert found.told == [("fired", "api_down", "critical")]


async def test_calls_that_come_each_minute_and_fail_are_told_at_the_third():
    async with world({"odds": 503}, {"odds": ONCE}) as found:
        await found.call("odds", times=2, every=60.0)
        assert found.told == []
        await found.call("odds", every=10.0)
        assert found.told == [("fired", "success_rate", "critical")]
