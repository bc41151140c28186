"""What becomes of calls and attempts on their way into rollups: an API's row counts attempts, a route's calls."""

from __future__ import annotations

import asyncio

import pytest

from understudy.app import Understudy
from understudy.monitor.collector import Collector
from understudy.monitor.rollup import SeriesName
from understudy.testing import FakeClock
from understudy.testing.raw_server import RawServer, Reply


class Down(Exception):
    status = 503


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def app(clock):
    async with Understudy.build(clock=clock, seed=1) as app:
        yield app


@pytest.fixture
def collector(app):
    collector = Collector()
    app.monitor.collect_into(collector)
    return collector


def taken(app, collector):
    app.monitor.drain()
    return collector.take()


def api(name):
    return SeriesName("api", name)


def route(name):
    return SeriesName("route", name)


async def answer():
    return "served"


async def fail():
    raise Down


async def hang():
    await asyncio.get_running_loop().create_future()


async def test_clean_calls_count_once_on_the_route_and_once_on_the_api(app, collector):
    app.fallback.register_api("lead", priority=1, route="odds", operation=answer)
    app.fallback.register_api("standby", priority=2, route="odds", operation=answer)
    for _ in range(50):
        await app.fallback.execute_with_fallback("lead", answer)
    found = taken(app, collector)
    assert (found[api("lead")].n, found[api("lead")].ok) == (50, 50)
    assert (found[route("odds")].n, found[route("odds")].ok) == (50, 50)
    assert sum(found[route("odds")].hist.values()) == 50
    assert api("standby") not in found


async def test_a_fallback_is_one_call_of_the_route_and_two_attempts(app, collector):
    app.fallback.register_api("lead", priority=1, route="odds", operation=fail)
    app.fallback.register_api("standby", priority=2, route="odds", operation=answer)
    await app.fallback.execute_with_fallback("lead", fail)
    found = taken(app, collector)
    calls = found[route("odds")]
    assert (calls.n, calls.ok, calls.err, calls.fallback_used) == (1, 1, 0, 1)
    assert found[api("lead")].err == found[api("lead")].n
    assert (found[api("standby")].n, found[api("standby")].fallback_used) == (1, 1)
    assert calls.retries == found[api("lead")].retries == found[api("lead")].n - 1


async def test_a_call_that_nobody_serves_is_one_failure_of_the_route_under_its_last_class(app, collector):
    app.fallback.register_api("lead", priority=1, route="odds", operation=fail)
    with pytest.raises(Down):
        await app.fallback.execute_with_fallback("lead", fail)
    calls = taken(app, collector)[route("odds")]
    assert (calls.n, calls.ok, calls.err) == (1, 0, 1)
    assert calls.classes == {(False, "provider"): 1}


async def test_a_call_under_an_apis_own_name_is_booked_on_a_route_of_that_name(app, collector):
    for _ in range(5):
        await app.fallback.execute_with_fallback("api_principal", answer, answer)
    await app.fallback.execute_with_fallback("api_principal", fail, answer)
    calls = taken(app, collector)[route("api_principal")]
    assert (calls.n, calls.ok, calls.fallback_used) == (6, 6, 1)


async def test_what_is_recorded_by_hand_is_no_call(app, collector):
    app.monitor.record_request_success("theirs", 0.2)
    app.monitor.record_request_failure("theirs", "boom")
    found = taken(app, collector)
    assert (found[api("theirs")].ok, found[api("theirs")].err) == (1, 1)
    assert route("theirs") not in found


async def test_attempts_that_were_executed_cost_their_price(app, collector):
    collector.price_of = {"lead": 1500, "standby": 200}.__getitem__
    app.fallback.register_api("lead", priority=1, route="odds", operation=answer)
    app.fallback.register_api("standby", priority=2, route="odds", operation=answer)
    for _ in range(10):
        await app.fallback.execute_with_fallback("lead", answer)
    found = taken(app, collector)
    assert found[api("lead")].cost_microunits == found[route("odds")].cost_microunits == 15_000


async def test_an_odd_object_in_the_raw_list_costs_nothing_but_its_duration(app, collector):
    series = app.monitor.series("raw", "odds")
    series.append("nonsense")
    series.append(0.5)
    found = taken(app, collector)
    assert (found[api("raw")].ok, sum(found[api("raw")].hist.values())) == (2, 1)


async def test_a_series_without_traffic_leaves_no_bucket(app, collector):
    app.fallback.register_api("lead", priority=1, route="odds", operation=answer)
    assert taken(app, collector) == {}


async def test_routes_sum_up_to_the_calls_made_whatever_happened(app, collector, clock):
    outcomes = iter([answer, fail, answer, answer, fail, fail, fail, fail, answer] * 20)

    async def moody():
        return await next(outcomes)()

    app.fallback.register_api("lead", priority=1, route="odds", operation=moody)
    app.fallback.register_api("standby", priority=2, route="odds", operation=answer)
    for _ in range(60):
        await app.fallback.execute_with_fallback("lead", moody)
        await clock.advance(0.7)
    calls = taken(app, collector)[route("odds")]
    assert (calls.n, calls.ok) == (60, 60)
    assert sum(calls.hist.values()) == 60


async def test_a_call_that_its_caller_gives_up_counts_once_on_either_way(app, collector, clock):
    app.fallback.register_api("lead", priority=1, route="odds", operation=answer)
    for _ in range(3):  # the first by the pipeline, the others by the prepared path
        await app.fallback.execute_with_fallback("lead", answer)
        call = asyncio.ensure_future(app.fallback.execute_with_fallback("lead", hang))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])
    found = taken(app, collector)
    for name in (route("odds"), api("lead")):
        assert (found[name].n, found[name].ok, found[name].err) == (6, 3, 0)
        assert found[name].classes == {(True, "cancelled"): 3}
    given_up = [record for record in app.fallback.decisions() if record.outcome == "cancelled"]
    assert [record.attempts[0].outcome.value for record in given_up] == ["cancelled"] * 3
    assert all(app.fallback.decision(record.call_id) is record for record in given_up)


async def test_a_download_that_goes_on_is_one_call_with_a_retry(clock):
    broken = b'HTTP/1.1 200 OK\r\nETag: "v1"\r\nContent-Length: 6\r\n\r\nabc'
    rest = b'HTTP/1.1 206 Partial Content\r\nETag: "v1"\r\nContent-Range: bytes 3-5/6\r\nContent-Length: 3\r\n\r\ndef'
    async with RawServer(Reply(broken, "close"), Reply(rest)) as server, Understudy.build(seed=1) as app:
        collector = Collector()
        app.monitor.collect_into(collector)
        app.fallback.register_api("files", route="files", base_url=server.url)
        response = await app.route("files").download("/big")
        assert b"".join([piece async for piece in response.chunks()]) == b"abcdef"
        found = taken(app, collector)
    assert (found[route("files")].n, found[route("files")].retries) == (1, 1)
    assert (found[api("files")].n, found[api("files")].retries) == (2, 1)
