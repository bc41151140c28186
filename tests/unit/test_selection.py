"""The expected cost of an API, term by term, and the order that follows from it (rule R9)."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from understudy.resilience.selection import Standing, cost_terms, rank


def order(*standings: Standing, mode: str = "balanced", incumbent: str = "", seed: int = 1) -> list[str]:
    return [candidate.api for candidate in rank(standings, mode, incumbent, random.Random(seed))]


@pytest.mark.parametrize(
    ("standing", "term", "milliseconds"),
    [
        (Standing("a", 1, latency=0.25), "latency", 250.0),
        (Standing("a", 1, latency=0.25, load=0.5), "latency", 250.0),
        (Standing("a", 1, latency=0.25, load=0.75), "latency", 1000.0),
        (Standing("a", 1, latency=0.25, load=5.0), "latency", 25_000.0),
        (Standing("a", 1, reliability=0.9), "failure", 500.0),
        (Standing("a", 3), "priority", 1000.0),
        (Standing("a", 1, price=2.0), "price", 2000.0),
        (Standing("a", 1, pressure=0.5), "pressure", 250.0),
        (Standing("a", 1, domain_failed=True), "domain", 1000.0),
        (Standing("a", 1), "domain", 0.0),
    ],
)
def test_each_term_is_in_milliseconds(standing: Standing, term: str, milliseconds: float) -> None:
    assert cost_terms(standing, "balanced")[term] == pytest.approx(milliseconds)


def test_the_cost_is_the_sum_of_its_terms() -> None:
    standing = Standing("a", 2, latency=0.4, reliability=0.8, price=1.0, pressure=0.2, domain_failed=True)
    [candidate] = rank([standing], "balanced", "", random.Random(1))
    assert candidate.cost == pytest.approx(400 + 1000 + 500 + 1000 + 100 + 1000) == sum(candidate.terms.values())


def test_a_faster_standby_is_not_taken_for_half_a_second_of_latency() -> None:
    lead, standby = Standing("lead", 1, latency=0.6), Standing("standby", 2, latency=0.2)
    assert order(lead, standby, incumbent="lead") == ["lead", "standby"]


def test_a_lead_that_fails_often_loses_its_calls() -> None:
    lead, standby = Standing("lead", 1, reliability=0.6), Standing("standby", 2)
    assert order(lead, standby, incumbent="lead")[0] == "standby"


@pytest.mark.parametrize(("challenger", "first"), [(0.91, "a"), (0.89, "b")])
def test_the_incumbent_stays_unless_another_is_a_tenth_cheaper(challenger: float, first: str) -> None:
    # Each costs 1000 ms but for the challenger's advantage.
    a = Standing("a", 1, latency=1.0, reliability=1.0)
    b = Standing("b", 1, latency=challenger, reliability=1.0)
    assert order(a, b, incumbent="a")[0] == first
    assert order(a, b, incumbent="")[0] == "b"


def test_equal_apis_are_drawn_evenly() -> None:
    peers = [Standing(name, 1) for name in "abc"]
    first = Counter(order(*peers, seed=seed)[0] for seed in range(600))
    assert all(150 <= count <= 250 for count in first.values())


def test_mode_priority_compares_priority_before_cost() -> None:
    slow, quick = Standing("slow", 1, latency=3.0), Standing("quick", 2, latency=0.1)
    peer = Standing("peer", 1, latency=1.0)
    assert order(slow, quick, peer, mode="priority") == ["peer", "slow", "quick"]


def test_mode_fastest_knows_no_priority() -> None:
    lead, standby = Standing("lead", 1, latency=0.4), Standing("standby", 9, latency=0.1)
    assert order(lead, standby, mode="fastest") == ["standby", "lead"]


def test_mode_cheapest_lets_the_price_decide_but_not_over_failure() -> None:
    dear, cheap = Standing("dear", 1, latency=0.1, price=0.5), Standing("cheap", 3, latency=2.0, price=0.1)
    assert order(dear, cheap, mode="cheapest") == ["cheap", "dear"]
    equal = [Standing("broken", 1, price=0.1, reliability=0.1), Standing("fine", 3, price=0.1)]
    assert order(*equal, mode="cheapest") == ["fine", "broken"]


def test_gated_apis_come_last_with_their_reason_and_without_a_cost() -> None:
    ranked = rank([Standing("a", 1, "hold", "3.0 s"), Standing("b", 2)], "balanced", "a", random.Random(1))
    assert [(c.api, c.gate, c.detail, c.cost is None) for c in ranked] == [
        ("b", "", "", False),
        ("a", "hold", "3.0 s", True),
    ]


def test_an_api_that_warms_up_serves_when_nobody_else_can() -> None:
    warming, other = Standing("warming", 1, spared=True), Standing("other", 2, latency=9.0)
    assert order(warming, other) == ["other", "warming"]
    assert order(warming, Standing("other", 2, "hold")) == ["warming", "other"]
