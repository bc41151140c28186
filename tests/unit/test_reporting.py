"""Reports of a library's numbers to a service: each counted once, bounded while it is away."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.errors import ConnectFailed
from understudy.core.secrets import Secret
from understudy.export import reporting
from understudy.export.reporting import Reporting
from understudy.monitor.collector import Collector
from understudy.monitor.delta import LONGEST_KEY, MAX_ROWS, in_time, row_from_wire, row_to_wire, shift
from understudy.monitor.histogram import digest
from understudy.monitor.rollup import Bucket, SeriesName, encode_histogram
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
        self.sizes: list[int] = []
        self.faulty = ""

    async def send(self, request):
        self.attempts += 1
        self.headers.append(request.headers)
        if not self.up:
            raise ConnectFailed("refused", stage="refused")
        self.sizes.append(len(request.body))
        if self.status == 200:
            content = json.loads(request.body)
            if any(row[2] == self.faulty for report in content["reports"] for row in report["rows"]):
                return Answered(422)
            for report in content["reports"]:
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
    def __init__(self, status, body=b'{"taken": 1, "left_out": 0}'):
        self.status = status
        self.body = body

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


async def test_nothing_to_report_is_a_sign_of_life_every_few_seconds(reports, service, clock):
    for _ in range(60):
        await reports.report()
        await clock.advance(1)
    assert service.attempts == 60 / reporting.SIGN_OF_LIFE
    assert service.rows == []


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


async def test_what_is_reported_with_a_faulty_report_is_not_lost_with_it(reports, collector, service, clock):
    service.up = False
    for number in range(10):
        happen(collector, name=f"api{number}")
        await reports.report()
        await clock.advance(10)
    service.up, service.faulty = True, "api4"
    await reports.report()
    assert taken(service) == 9
    assert (reports.state.waiting, reports.state.lost_rows) == (0, 1)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (401, "the service answered 401: the service wants another report_token"),
        (404, f"the service answered 404: {reporting._MEANINGS[404]}"),
        (429, "the service answered 429"),
        (500, "the service answered 500"),
    ],
)
async def test_an_answer_that_may_change_is_waited_for_and_its_meaning_told(reports, collector, service, status, told):
    service.status = status
    happen(collector)
    await reports.report()
    assert (reports.state.problem, reports.state.waiting) == (told, 1)
    service.status = 200
    await reports.report()
    assert (reports.state.problem, reports.state.waiting, taken(service)) == ("", 0, 1)


async def test_requests_stay_below_what_a_service_takes_whatever_the_names(reports, collector, service):
    service.up = False
    for second in range(5):
        for number in range(1000):
            happen(collector, name=f"{second}-{number:04d}".ljust(200, "漢"))
        await reports.report()
    service.up = True
    await reports.report()
    assert taken(service) == 5000
    assert max(service.sizes) < 512 * 1024


async def test_a_long_outage_of_a_busy_program_costs_no_more_memory_and_loses_nothing(
    reports, collector, service, clock, monkeypatch
):
    monkeypatch.setattr(reporting, "ROWS_WAITING", 100)
    monkeypatch.setattr(reports._backlog, "_most", 200)
    service.up = False
    for _ in range(600):
        for number in range(20):
            happen(collector, name=f"api{number}")
        await reports.report()
        await clock.advance(10)
    assert len(reports._backlog) <= 200
    service.up = True
    await reports.report()
    assert taken(service) == 12_000
    assert reports.state.lost_rows == 0
    assert len({row[0] for row in service.rows}) >= 6000 / 600  # spread over the time of the outage


class Restless:
    """A clock by which every piece of work has taken long: the loop turns wherever it may."""

    def __init__(self, clock):
        self._clock = clock
        self._reads = 0

    def monotonic(self):
        self._reads += 1
        return self._clock.monotonic() + 0.01 * self._reads

    def __getattr__(self, name):
        return getattr(self._clock, name)


async def test_a_report_that_is_cancelled_anywhere_loses_nothing(collector, service, clock):
    reports = Reporting(collector, nothing, service, Restless(clock), "http://127.0.0.1:1/", None, "w", "b", "1")
    service.up = False
    for _ in range(150):  # past what waits one by one
        happen(collector, name="early")
        await reports.report()
    service.up = True
    for turns in range(40):
        service.up = turns % 8 != 0
        for number in range(30):
            happen(collector, name=f"api{number}")
        running = asyncio.ensure_future(reports.report())
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running])
    service.up = True
    await reports.report()
    assert taken(service) == 150 + 40 * 30


async def test_two_reports_at_once_count_nothing_twice(reports, collector, service):
    for _ in range(20):
        for number in range(50):
            happen(collector, name=f"api{number}")
        await asyncio.gather(reports.report(), reports.report(), reports.report())
    assert taken(service) == 1000
    seqs = sorted(service.seen)
    assert seqs == list(range(1, len(seqs) + 1))


async def test_more_series_than_fit_go_in_several_reports(reports, collector, service):
    for number in range(MAX_ROWS + 10):
        happen(collector, name=f"api{number}")
    await reports.report()
    assert taken(service) == MAX_ROWS + 10
    assert len(service.seen) > 1


# -- the wire form --------------------------------------------------------------------------------

NOW = 1_764_000_005.0
TS = 1_764_000_000


def row(ts=TS, name="odds", batch=(0.1, 0.2, -1.0)):
    bucket = Bucket()
    bucket.add(digest(list(batch)), {(False, "timeout", "provider"): 1}, 0, list(batch))
    return bucket.row(ts, SeriesName("api", name))


def test_a_row_survives_the_wire():
    sent = row()
    assert row_from_wire(json.loads(json.dumps(row_to_wire(sent)))) == sent


def packed(hist):
    return base64.b64encode(encode_histogram(hist)).decode()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, TS + 1), (0, "x"), (0, True), (1, "hub"), (2, ""), (2, "a\nb"),
        (2, "x" * 201), (2, 7), (3, -1), (3, 1.5), (3, 2**60), (4, 99), (5, 99), (13, "???"), (14, "AgEB"), (14, 5),
        (14, packed({LONGEST_KEY + 1: 1})), (14, packed({65_000: 1})),
    ],
)  # fmt: skip
def test_a_faulty_row_is_refused(place, value):
    values = row_to_wire(row())
    values[place] = value
    with pytest.raises(ValueError):
        row_from_wire(values)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda s: st.lists(s, max_size=20))
)
def test_no_json_of_any_shape_does_more_than_be_refused(values):
    try:
        row_from_wire(values)
    except ValueError:
        pass


@pytest.mark.parametrize("off", [0.0, 4.0, 7.0, 300.0, -300.0, 2 * 86400.0, -2 * 86400.0, 1e9])
def test_a_clock_that_is_off_is_corrected_to_the_bucket(off):
    theirs = NOW + off
    stamped = int(theirs // 10) * 10
    assert abs(stamped + shift(theirs, NOW) - NOW) <= 15
    assert shift(theirs, NOW) % 10 == 0


def test_what_is_older_than_a_day_or_not_yet_is_not_in_time():
    assert in_time(int(NOW) - 86_000, NOW)
    assert not in_time(int(NOW) - 87_000, NOW)
    assert not in_time(int(NOW) + 200, NOW)
