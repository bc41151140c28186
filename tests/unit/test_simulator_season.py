"""The facts behind the simulated APIs, and the shapes they are told in."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from understudy.core.errors import OptionError, UnknownName
from understudy.simulator import CATALOGUE, SCENARIOS, Fault
from understudy.simulator.faults import ActiveFaults
from understudy.simulator.meter import Meter, Standing, quota_headers, wait_headers
from understudy.simulator.scenarios import TURNS, each_api_in_turn, scenario, storm
from understudy.simulator.season import Season
from understudy.testing.clock import FakeClock


def test_one_seed_draws_one_season_and_another_seed_another() -> None:
    assert Season.draw(7) == Season.draw(7)
    assert Season.draw(7) != Season.draw(8)


def test_each_team_meets_each_other_once_at_home_and_once_away() -> None:
    season = Season.draw(7)
    pairs = Counter((m.home.number, m.away.number) for m in season.matches)
    assert len(pairs) == 20 * 19 and set(pairs.values()) == {1}
    for number in range(1, 39):
        teams = [t for m in season.of_round(number) for t in (m.home, m.away)]
        assert len(teams) == len(set(teams)) == 20
    assert season.of_round(0) == season.of_round(39) == ()


def test_chances_sum_to_a_hundred_and_odds_hold_a_margin() -> None:
    for match in Season.draw(7).matches:
        assert sum(match.chances) == 100 and min(match.chances) > 0
        assert 1.0 < sum(1 / price for price in match.odds) < 1.12


def test_the_apis_of_a_family_tell_the_same_facts() -> None:
    matches = Season.draw(7).of_round(19) + Season.draw(7).of_round(20)
    told = {name: spec.shape(matches) for name, spec in CATALOGUE.items()}
    for i, match in enumerate(matches):
        pro = told["fixtures_pro"]["response"][i]
        lite = told["fixtures_lite"]["matches"][i]
        world = told["fixtures_world"]["rows"][i]
        assert pro["teams"]["home"]["name"] == lite["homeTeam"]["name"] == world[2] == match.home.name
        assert pro["fixture"]["timestamp"] * 1000 == world[1]
        assert pro["fixture"]["date"].removesuffix("+00:00") == lite["utcDate"].removesuffix("Z")
        goals = pro["goals"]
        assert goals == lite["score"]["fullTime"]
        assert world[5] == ("" if goals["home"] is None else f"{goals['home']}:{goals['away']}")
        prime = told["odds_prime"][i]["bookmakers"][0]["markets"][0]["outcomes"]
        milli = list(told["odds_open"]["events"][i]["prices"].values())
        assert [round(o["price"] * 1000) for o in prime] == milli
        ai = told["predictions_ai"]["predictions"][i]["probability"]
        stats = told["predictions_stats"]["forecasts"][i]
        assert [f"{round(p * 100)}%" for p in ai.values()] == [stats["win"], stats["tie"], stats["loss"]]


def test_a_fault_says_what_is_wrong_with_itself() -> None:
    with pytest.raises(UnknownName, match="did you mean 'truncated'"):
        Fault("truncate")
    with pytest.raises(OptionError, match="one of: before_headers, mid_body"):
        Fault("reset", stage="late")
    with pytest.raises(OptionError, match="no parameters"):
        Fault("refuse", seconds=1)
    with pytest.raises(OptionError, match="status from 200 to 599"):
        Fault("status", status=99)
    with pytest.raises(OptionError, match="from 0 to 1"):
        Fault("hang", share=2)


def test_a_share_strikes_by_seeded_chance() -> None:
    def struck(seed: int) -> list[bool]:
        active = ActiveFaults(random.Random(seed))
        active.add(Fault("status", share=0.3))
        return [active.plan(probe=False, key="key1").answer is not None for _ in range(1_000)]

    assert struck(1) == struck(1)
    assert 250 < sum(struck(1)) < 350


def test_delays_add_up_and_the_latest_fault_of_a_level_decides() -> None:
    active = ActiveFaults(random.Random(1))
    for fault in (Fault("latency", seconds=2), Fault("status"), Fault("empty"), Fault("sliced"), Fault("drip")):
        active.add(fault)
    plan = active.plan(probe=False, key="key1")
    assert plan.delay == 2 and plan.answer == Fault("empty") and plan.wire == Fault("drip")


def test_a_fault_can_spare_probes_and_strike_one_key_only() -> None:
    active = ActiveFaults(random.Random(1))
    active.add(Fault("quota_end", key="key1", probes=False))
    assert active.plan(probe=False, key="key1").answer is not None
    assert active.plan(probe=False, key="key2").answer is None
    assert active.plan(probe=True, key="key1").answer is None


def test_a_replaced_fault_does_not_end_its_successor_even_when_both_are_the_very_same() -> None:
    active = ActiveFaults(random.Random(1))
    fault = Fault("status")
    first = active.add(fault)
    second = active.add(fault)
    assert not active.remove(first)
    assert active.all() == (fault,)
    assert active.remove(second)
    assert active.all() == ()


def test_each_family_of_headers_tells_the_same_standing() -> None:
    s = Standing(limit=100, remaining=40, window=3600, reset_in=59.2, reset_at=1_800_000_059.2)
    assert dict(quota_headers("requests", s))["x-ratelimit-requests-reset"] == "60"
    assert dict(quota_headers("hard_limit", s))["x-ratelimit-rapid-free-plans-hard-limit-remaining"] == "40"
    assert dict(quota_headers("ietf", s))["RateLimit"] == '"month";r=40;t=60'
    assert dict(quota_headers("ietf_split", s))["RateLimit-Remaining"] == "40"
    assert dict(quota_headers("plain_seconds", s))["X-RateLimit-Reset"] == "1800000060"
    assert dict(quota_headers("plain_ms", s))["X-RateLimit-Reset"] == "1800000059200"


def test_a_wait_is_told_in_each_form_and_never_too_short() -> None:
    assert wait_headers("seconds", 1.2, 0.0) == [("Retry-After", "2")]
    assert wait_headers("date", 1.2, 0.9) == [("Retry-After", "Thu, 01 Jan 1970 00:00:02 GMT")]
    assert wait_headers("ms", 1.2, 0.0) == [("retry-after-ms", "1200")]
    assert wait_headers("x_ms", 1.2, 0.0) == [("x-ms-retry-after-ms", "1200")]
    assert ("x-ratelimit-burst-reset", "2") in wait_headers("reset", 1.2, 0.0)
    assert wait_headers("none", 1.2, 0.0) == []


def test_in_each_api_in_turn_no_two_faults_overlap_and_all_apis_have_a_turn() -> None:
    scenario = each_api_in_turn(60)
    ends = 0.0
    for event in scenario.events:
        assert event.at >= ends
        ends = event.at + event.duration
    assert scenario.seconds <= 60
    assert {event.api for event in scenario.events} == set(CATALOGUE)


def test_one_seed_brings_one_storm_and_never_takes_two_apis_of_a_family_at_once() -> None:
    for seed in range(20):
        told = storm(300, seed)
        assert told == scenario("storm", 300, seed)
        assert told != storm(300, seed + 1)
        assert {event.fault.kind for event in storm(3_000, seed).events} == {fault.kind for fault in TURNS}
        for family in ("fixtures", "odds", "predictions"):
            free = 0.0
            for event in told.events:
                if CATALOGUE[event.api].family == family:
                    assert event.at >= free
                    free = event.at + event.duration
            assert 0 < free <= 300


def test_every_ready_scenario_keeps_to_its_length() -> None:
    for make in SCENARIOS.values():
        assert make(30.0).seconds <= 30.000_001


def test_a_plan_is_spent_by_key_and_renewed_with_its_window() -> None:
    clock = FakeClock()
    spec = replace(CATALOGUE["odds_open"], limit=2, window=100.0)
    meter = Meter(spec, clock, first_reset=30.0)
    assert [meter.draw("key1") for _ in range(3)] == [True, True, False]
    assert meter.draw("key2")
    assert meter.standing("key1").remaining == 0 and meter.standing("key1").reset_in == 30.0
    clock.jump_wall(3600)
    assert not meter.draw("key1"), "a jump of the wall clock renews nothing"
    clock.tick(30)
    assert meter.draw("key1") and meter.standing("key1").reset_in == 100.0
    clock.tick(250)
    assert meter.standing("key1").remaining == 2 and meter.standing("key1").reset_in == 50.0
