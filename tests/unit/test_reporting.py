"""Reports of a library's numbers to a service: each counted once, bounded while it is away."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.errors import ConnectFailed
from understudy.core.secrets import Secret
from understudy.export import reporting
from understudy.export.reporting import Reporting
from understudy.monitor.collector import Collector
from understudy.monitor.delta import MAX_ROWS, merged, row_from_wire, row_to_wire, rows_from_wire
from understudy.monitor.histogram import digest
from understudy.monitor.rollup import Bucket, SeriesName
from understudy.testing import FakeClock


class Service:
    """The HTTP seam with a service behind it that takes each number once, as ours does."""

    def __init__(self) -> None:
        self.up = True
        self.status = 200
        self.lose_answer = False
        self.seen: set[int] = set()
        self.rows: list = []
        self.headers: list = []
        self.attempts = 0

    async def send(self, request):
        self.attempts += 1
        self.headers.append(request.headers)
        if not self.up:
            raise ConnectFailed("refused", stage="refused")
        if self.status == 200:
            for report in json.loads(request.body)["reports"]:
                if report["seq"] not in self.seen:
                    self.seen.add(report["seq"])
                    self.rows += report["rows"]
        if self.lose_answer:
            self.lose_answer = False
            raise ConnectFailed("reset", stage="other")
        return Answered(self.status)

    async def close(self) -> None:
        pass


class Answered:
    def __init__(self, status):
        self.status = status

    async def close(self):
        pass


async def nothing() -> None:
    """Nothing waits to be drained: the tests fill the collector themselves."""


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def service():
    return Service()


@pytest.fixture
def collector():
    return Collector()


@pytest.fixture
def reports(collector, service, clock):
    return Reporting(collector, nothing, service, clock, "http://127.0.0.1:1/", Secret("t0ken"), "worker", "b1", "1")


def happen(collector, times=1, name="odds"):
    batch = [0.1] * times
    collector.attempts(name, "", digest(batch), None, 0, batch, ())


def taken(service) -> int:
    return sum(row[3] for row in service.rows)


async def test_what_happened_is_reported_once_with_the_token(reports, collector, service):
    happen(collector, 3)
    await reports.report()
    await reports.report()
    assert taken(service) == 3
    assert service.headers[0]["Authorization"] == "Bearer t0ken"


async def test_nothing_to_report_is_no_request(reports, service):
    await reports.report()
    assert service.attempts == 0


async def test_an_answer_that_is_lost_does_not_count_twice(reports, collector, service):
    happen(collector, 2)
    service.lose_answer = True
    await reports.report()
    happen(collector, 5)
    await reports.report()
    assert taken(service) == 7


async def test_while_the_service_is_away_everything_waits_and_memory_stays_bounded(reports, collector, service, clock):
    service.up = False
    for _ in range(1000):
        happen(collector, 1)
        await reports.report()
        await clock.advance(1)
    assert reports.state.waiting <= reporting.MOST_WAITING + 1
    service.up = True
    await reports.report()
    assert taken(service) == 1000
    assert (reports.state.waiting, reports.state.lost_rows, reports.state.problem) == (0, 0, "")


async def test_what_may_have_arrived_is_never_changed(reports, collector, service, clock):
    service.lose_answer = True
    happen(collector)
    await reports.report()
    service.up = False
    for _ in range(300):
        happen(collector)
        await reports.report()
    service.up = True
    await reports.report()
    assert taken(service) == 301


async def test_a_faulty_report_does_not_hold_up_the_others(reports, collector, service):
    happen(collector, 2)
    service.status = 422
    await reports.report()
    service.status = 200
    happen(collector, 3)
    await reports.report()
    assert taken(service) == 3
    assert reports.state.lost_rows == 1


async def test_a_wrong_token_waits_and_is_told(reports, collector, service):
    service.status = 401
    happen(collector)
    await reports.report()
    assert reports.state.problem == "the service answered 401"
    assert reports.state.waiting == 1


async def test_more_series_than_fit_go_in_several_reports(reports, collector, service):
    for number in range(MAX_ROWS + 10):
        happen(collector, name=f"api{number}")
    await reports.report()
    assert taken(service) == MAX_ROWS + 10
    assert len(service.seen) == 2


# -- the wire form --------------------------------------------------------------------------------

NOW = 1_764_000_005.0
TS = 1_764_000_000


def row(ts=TS, name="odds", batch=(0.1, 0.2, -1.0)):
    bucket = Bucket()
    bucket.add(digest(list(batch)), {(False, "timeout", "provider"): 1}, 0, list(batch))
    return bucket.row(ts, SeriesName("api", name))


def test_a_row_survives_the_wire():
    sent = row()
    assert row_from_wire(json.loads(json.dumps(row_to_wire(sent))), NOW) == sent


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, TS + 1), (0, TS - 2 * 86400), (0, TS + 3600), (0, "x"), (0, True), (1, "hub"), (2, ""), (2, "a\nb"),
        (2, "x" * 201), (2, 7), (3, -1), (3, 1.5), (3, 2**60), (4, 99), (5, 99), (13, "???"), (14, "AgEB"), (14, 5),
    ],
)  # fmt: skip
def test_a_faulty_row_is_refused(place, value):
    values = row_to_wire(row())
    values[place] = value
    with pytest.raises(ValueError):
        row_from_wire(values, NOW)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda s: st.lists(s, max_size=20))
)
def test_no_json_of_any_shape_does_more_than_be_refused(values):
    try:
        rows_from_wire(values, NOW)
    except ValueError:
        pass


def test_the_same_series_twice_in_one_report_is_refused():
    with pytest.raises(ValueError, match="twice"):
        rows_from_wire([row_to_wire(row()), row_to_wire(row())], NOW)


def test_merging_rows_adds_up_what_belongs_together():
    together = merged([row(), row(name="b")], [row(), row(ts=TS + 10)])
    assert sorted((each.ts, each.series.name, each.n) for each in together) == [
        (TS, "b", 3),
        (TS, "odds", 6),
        (TS + 10, "odds", 3),
    ]
