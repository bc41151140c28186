"""The page of /metrics, read back by Prometheus' own parsers."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as classic

from understudy.app import Understudy
from understudy.core.types import Attribution, OutcomeClass
from understudy.export.prometheus import Exposition
from understudy.export.prometheus_text import accepted, escaped
from understudy.testing import FakeClock

PARSERS = {"text": classic, "openmetrics": openmetrics}
HOSTILE = 'a"} 1\\ %s %d {x="'


def make() -> tuple[Understudy, Exposition]:
    app = Understudy.build(clock=FakeClock(), seed=1)
    page = Exposition(app.fallback, app.monitor, version="1", started_at=app.started_at, clock=app.clock)
    return app, page


async def read(page: Exposition, style="text") -> dict[tuple[str, frozenset], float]:
    families = PARSERS[style]((await page.text(style)).decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def labels(**values: str) -> frozenset:
    return frozenset(values.items())


@pytest.mark.parametrize("style", ["text", "openmetrics"])
async def test_every_series_of_an_api_exists_with_zero_from_its_registration(style):
    app, page = make()
    app.fallback.register_api("rates", base_url="https://rates.test")
    found = await read(page, style)
    requests = "understudy_upstream_requests_total"
    for outcome in ("success", "provider", "timeout", "rate", "unclassified"):
        assert found[requests, labels(api="rates", outcome=outcome)] == 0
    assert found["understudy_upstream_request_duration_seconds_count", labels(api="rates")] == 0
    assert found["understudy_upstream_up", labels(api="rates")] == 1
    assert found["understudy_breaker_state", labels(api="rates", state="closed")] == 1
    assert found["understudy_breaker_transitions_total", labels(api="rates", to="open")] == 0
    assert found["understudy_retry_budget_remaining_ratio", labels(api="rates")] == 1


@pytest.mark.parametrize("style", ["text", "openmetrics"])
async def test_counts_and_buckets_are_those_of_the_monitor(style):
    app, page = make()
    series = app.monitor.series("rates")
    for seconds in (0.003, 0.02, 0.02, 20.0):
        series.append(seconds)
    series.failed(0.5, OutcomeClass.PROVIDER, Attribution.PROVIDER)
    series.drain()
    found = await read(page, style)
    bucket = "understudy_upstream_request_duration_seconds_bucket"
    assert found[bucket, labels(api="rates", le="0.005")] == 1
    assert found[bucket, labels(api="rates", le="0.025")] == 3
    assert found[bucket, labels(api="rates", le="+Inf")] == 4
    assert found["understudy_upstream_requests_total", labels(api="rates", outcome="success")] == 4
    assert found["understudy_upstream_requests_total", labels(api="rates", outcome="provider")] == 1


@pytest.mark.parametrize("style", ["text", "openmetrics"])
async def test_a_hostile_name_stays_inside_its_label(style):
    app, page = make()
    app.fallback.register_api(HOSTILE)
    found = await read(page, style)
    assert found["understudy_upstream_in_flight", labels(api=HOSTILE)] == 0


async def test_a_change_shows_at_the_next_scrape_and_a_removed_api_goes():
    app, page = make()
    app.fallback.register_api("rates")
    before = await read(page)
    app.monitor.series("rates").append(0.1)
    app.monitor.drain()
    name = ("understudy_upstream_requests_total", labels(api="rates", outcome="success"))
    assert (before[name], (await read(page))[name]) == (0, 1)


async def test_a_fallback_and_its_reason_are_counted():
    app, page = make()

    async def broken():
        raise ConnectionRefusedError

    async def works():
        return 1

    async with app:
        app.fallback.register_api("lead", priority=1)
        app.fallback.register_api("second", priority=2)
        await app.fallback.execute_with_fallback("lead", broken, works)
    found = await read(page)
    fallbacks = {key: value for key, value in found.items() if key[0] == "understudy_fallback_total"}
    [(key, value)] = fallbacks.items()
    assert dict(key[1])["from"] == "lead"
    assert dict(key[1])["to"] == "second"
    assert value == 1


async def test_fallbacks_that_can_happen_are_shown_with_0_before_they_do():
    app, page = make()
    app.fallback.register_api("lead", priority=1, route="r")
    app.fallback.register_api("second", priority=2, route="r")
    app.fallback.register_api("alone", priority=1, route="s")
    shown = {key[1]: value for key, value in (await read(page)).items() if key[0] == "understudy_fallback_total"}
    assert shown[labels(**{"from": "lead", "to": "second", "reason": "provider"})] == 0
    assert shown[labels(**{"from": "second", "to": "lead", "reason": "breaker_open"})] == 0
    assert {dict(each)["from"] for each in shown} == {"lead", "second"}
    app.fallback.register_api("third", priority=3, route="s")
    shown = {key[1] for key in await read(page) if key[0] == "understudy_fallback_total"}
    assert labels(**{"from": "alone", "to": "third", "reason": "timeout"}) in shown


async def test_too_many_possible_fallbacks_are_shown_when_they_happen():
    app, page = make()
    for number in range(10):
        app.fallback.register_api(f"a{number}", priority=number + 1, route="r")
    assert not [key for key in await read(page) if key[0] == "understudy_fallback_total"]


async def test_other_work_gets_its_turn_while_a_large_page_is_made():
    app = Understudy.build(seed=1)
    page = Exposition(app.fallback, app.monitor, version="1", started_at=app.started_at)
    for number in range(300):
        app.fallback.register_api(f"api{number}")
    turns = 0

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.ensure_future(other())
    await page.text()
    task.cancel()
    assert turns > 3


@pytest.mark.parametrize(
    ("header", "style"),
    [
        ("", "text"),
        ("*/*", "text"),
        ("text/plain;version=0.0.4", "text"),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4", "openmetrics"),
        ("application/openmetrics-text;version=1.0.0;q=0.3,text/plain;q=0.4", "text"),
        ("application/openmetrics-text;version=9.0.0", "text"),
        ("application/openmetrics-text;q=nonsense", "text"),
    ],
)
def test_the_format_follows_the_accept_header(header, style):
    assert accepted(header) == style


def test_quotes_backslashes_and_line_ends_are_escaped():
    assert escaped('a"b\\c\nd') == 'a\\"b\\\\c\\nd'
