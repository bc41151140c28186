"""Health checks of HTTP APIs: what they cost, what they may say, and what they never touch (rule R8)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from served import breaker, keys, served

from understudy.core.errors import BadResponse
from understudy.core.types import Mode
from understudy.resilience.healthcheck import HealthCheckOptions
from understudy.resilience.quota import QuotaOptions
from understudy.testing.scripted_http import Answer

FREE = HealthCheckOptions(path="/ping", cost="free")


def kinds(app) -> list[str]:
    return [event.kind for event in reversed(app.events.recent()) if event.kind.startswith("probe.")]


def probes(http) -> int:
    return sum(request.url.endswith("/ping") for request in http.requests)


def answering(ping, call=200):
    return lambda request: ping if request.url.endswith("/ping") else call


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (503, "open"),
        (429, "closed"),
        (401, "closed"),
        (403, "closed"),
        (402, "closed"),
        (404, "closed"),
        (200, "closed"),
    ],
)
async def test_three_probes_open_a_breaker_only_when_they_are_the_providers_failures(reply, state):
    async with served(answering(reply), {"a": {"health_check": FREE, "auth": keys("key-one-1")}}) as (
        app,
        _http,
        clock,
    ):
        await app.route("r").get("/")
        for _ in range(300):
            await clock.advance(1.0)
        assert breaker(app, "a").state == state


async def test_as_many_failed_probes_as_configured_open_it():
    patient = replace(FREE, unhealthy_after=5)
    async with served(answering(503), {"a": {"health_check": patient}}) as (app, http, clock):
        await app.route("r").get("/")
        opened_after = None
        for _ in range(600):
            await clock.advance(1.0)
            if opened_after is None and breaker(app, "a").state == "open":
                opened_after = probes(http)
        assert opened_after == 5


async def test_a_real_success_that_nobody_has_settled_yet_counts_against_failed_probes():
    async with served(answering(503), {"a": {"health_check": FREE}}) as (app, http, clock):
        await app.route("r").get("/")
        for _ in range(200):
            await clock.advance(1.0)
            if probes(http) == 2:
                break
        binding = app.fallback.roster.api("a").bindings["r"]
        binding.series.append(0.05)  # as the prepared path does
        await app.prober._checker.check_now("a")
        assert breaker(app, "a").state == "closed"


async def test_probes_never_enter_the_success_rate_of_real_calls():
    async with served(answering(503), {"a": {"health_check": FREE}}) as (app, http, clock):
        await app.route("r").get("/")
        for _ in range(300):
            await clock.advance(1.0)
        assert probes(http) >= 3
        assert app.monitor.snapshot("a", "1h").total == 1
        view = app.health_checks()["a"]
        assert len(view["series"]) == probes(http) and not any(result["ok"] for result in view["series"])


async def test_a_free_probe_draws_on_no_quota_and_a_metered_one_keeps_to_one_percent():
    quota = QuotaOptions(limit=1000, window="day")
    for cost, most in (("free", 0), ("metered", 10)):
        check = HealthCheckOptions(path="/ping", cost=cost, interval=60.0)
        async with served(answering(200), {"a": {"health_check": check, "quota": quota}}) as (app, http, clock):
            await app.route("r").get("/")
            for _ in range(3000):
                await clock.advance(1.0)
            [known] = app.fallback.describe()["apis"]["a"]["quota"]
            assert 999 - most <= known["remaining"] <= 999
            assert probes(http) >= 1
            if cost == "metered":
                assert probes(http) == 999 - known["remaining"]


async def test_a_change_in_what_probes_say_is_told_once_each_way():
    replies = {"ping": 503}

    async with served(lambda request: replies["ping"], {"a": {"health_check": FREE}}) as (app, _http, clock):
        for _ in range(200):
            await clock.advance(1.0)
        replies["ping"] = 200
        for _ in range(200):
            await clock.advance(1.0)
        assert kinds(app) == ["probe.failed", "probe.succeeded"]


async def test_observed_probes_tell_what_they_see_and_change_nothing():
    watching = replace(FREE, mode=Mode.OBSERVE)
    async with served(answering(503), {"a": {"health_check": watching}}) as (app, _, clock):
        await app.route("r").get("/")
        for _ in range(300):
            await clock.advance(1.0)
        assert breaker(app, "a").state == "closed"
        [event] = [event for event in app.events.recent() if event.kind == "probe.failed"]
        assert event.detail["observed"] is True


async def test_a_free_probe_ends_an_open_phase_early_but_only_for_trials():
    down = {"a": True}

    def script(request):
        return Answer(503 if down["a"] else 200)

    async with served(script, {"a": {"health_check": FREE}, "b": {"enabled": False}}) as (
        app,
        _,
        clock,
    ):
        for _ in range(3):
            with pytest.raises(BadResponse):
                await app.route("r").get("/")
        assert breaker(app, "a").state == "open"
        down["a"] = False
        for _ in range(7):
            await clock.advance(1.0)
        assert breaker(app, "a").state == "half_open"
        for _ in range(3):
            await app.route("r").get("/")
        assert breaker(app, "a").state == "closed"


async def test_a_probe_that_the_hub_refuses_is_the_hubs_failure_and_one_good_probe_ends_its_open_phase():
    down = {"hub": True}
    marker = {"X-RapidAPI-Proxy-Response": "true"}

    def script(request):
        return Answer(502, headers=marker) if down["hub"] else Answer(200)

    lead = {"health_check": FREE, "preset": "rapidapi"}
    async with served(script, {"a": lead}) as (app, http, clock):
        for _ in range(5):
            with pytest.raises(BadResponse):
                await app.route("r").get("/")
        hub = app.fallback.roster.api("a").hub.breaker
        assert hub.state == "open"
        for _ in range(20):
            await clock.advance(1.0)
        assert probes(http) >= 3 and breaker(app, "a").state == "closed"
        down["hub"] = False
        for _ in range(7):
            await clock.advance(1.0)
        assert hub.state == "half_open"
