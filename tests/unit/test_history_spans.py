"""Which stored buckets a span of history is read from: all of it, nothing of its neighbours."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.monitor.history import MAX_POINTS, SETTLED, History, Retention, plan
from understudy.monitor.rollup import TIERS, Bucket, SeriesName
from understudy.testing import FakeClock

DAY = 86400
KEPT = Retention({10: 2 * DAY, 60: 30 * DAY, 3600: 2 * 366 * DAY, 86400: None})
EVERYTHING = Retention({})
ODDS = SeriesName("api", "odds")


class Rows:
    """A store that holds one success a second, in every bucket of every tier."""

    def __init__(self) -> None:
        self.read_rows = 0

    async def read(self, tier, names, start, end, fold):
        rows = []
        for ts in range(-(-start // tier) * tier, end, tier):
            bucket = Bucket()
            bucket.n = bucket.ok = tier
            rows.append(bucket.row(ts, ODDS))
        self.read_rows += len(rows)
        return fold(rows)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


async def read(start: float, end: float, points: int, now: float, retention: Retention = KEPT):
    store = Rows()
    found = await History(store, FakeClock(epoch=now), retention).series(ODDS, start, end, points)
    return found, store


@pytest.mark.parametrize("points", [1, 7, 300, MAX_POINTS])
async def test_a_month_holds_nothing_of_its_neighbours(points):
    start, end = at("2026-11-01"), at("2026-12-01")
    found, _ = await read(start, end, points, at("2026-12-24T11:12:13"))
    assert (found.start, found.end, found.whole.n) == (start, end, end - start)


async def test_one_point_is_one_point_wherever_the_span_begins():
    start = at("2026-11-03T10:17:23")
    found, _ = await read(start, start + 5 * DAY, 1, start + 6 * DAY)
    assert len(found.points) == 1
    assert found.points[0].n == found.whole.n


async def test_a_point_at_the_edge_is_as_busy_as_the_others():
    now = at("2026-11-25T14:31:20")
    found, _ = await read(now - 6 * 3600, now, 24, now)
    assert {point.requests_per_minute for point in found.points} == {60.0}
    assert found.whole.requests_per_minute == 60.0


async def test_thirty_days_in_about_300_points_are_some_hundred_rows():
    now = at("2026-11-25T14:31:20")
    found, store = await read(now - 30 * DAY, now, 300, now)
    assert 300 <= len(found.points) <= 362
    assert store.read_rows < 1000


async def test_an_edge_whose_finer_rows_are_gone_takes_its_whole_bucket():
    start, end = at("2025-03-01T10:30:00"), at("2025-03-09T11:30:00")
    found, _ = await read(start, end, 10, at("2026-11-25"))
    assert (found.start, found.end) == (at("2025-03-01T10:00:00"), at("2025-03-09T12:00:00"))


spans = st.tuples(st.integers(1_600_000_000, 1_800_000_000), st.integers(1, 900 * DAY), st.integers(0, 3 * DAY))


@given(spans, st.integers(1, MAX_POINTS), st.sampled_from([KEPT, EVERYTHING]))
def test_every_plan_covers_its_span_once_and_little_more(span, points, retention):
    start, length, ago = span
    end = start + length
    now = end + ago
    found = plan(start, end, now, points, retention)
    place = found.start
    for tier, first, last in found.stretches:
        assert first == place
        assert first < last
        assert tier in TIERS
        assert tier <= found.tier
        assert first % tier == last % tier == 0
        assert tier == TIERS[0] or last <= now - SETTLED
        assert retention.reaches(tier, first, now - tier)
        place = last
    assert place == found.end
    assert found.start <= start
    assert found.end >= end
    for edge, exact in ((found.start, start), (found.end, end)):
        wide = abs(edge - exact)
        # A finer tier would have been nearer, had it been kept.
        assert wide < min(tier for tier in TIERS if retention.reaches(tier, edge, now + DAY))
    assert found.step % found.tier == 0
    assert -(-(found.end - found.origin) // found.step) <= MAX_POINTS
