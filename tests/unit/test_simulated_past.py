"""The made-up past: every tier agrees with the finer ones, routes with their APIs, and the same seed with itself."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from understudy.monitor.rollup import TIERS, Bucket, Row, SeriesName
from understudy.simulator.past import PastOptions, group_past
from understudy.simulator.past_requests import requests
from understudy.simulator.past_shapes import Shapes, example, packed, unpacked
from understudy.simulator.past_weather import merged, nature, some, state_at, troubles
from understudy.testing import FakeClock

HOUR, DAY = 3600, 86400
NOON = int(FakeClock().time()) // DAY * DAY + 12 * HOUR
#: Two and a half days, the last of them in ten-second rows too, ending within a minute.
OPTIONS = PastOptions(apis=6, days=3, seed=11, end=NOON + 1234, keep_10s=DAY, keep_1m=2 * DAY)


@pytest.fixture(scope="module")
def past():
    return group_past(OPTIONS, 0)


def rows(past, name: SeriesName, tier: int) -> list[Row]:
    return [Row(ts, name, *tail) for ts, tail in past.rows[name][tier]]


def plain(row: Row) -> tuple:
    bucket = Bucket()
    bucket.take_in(row)
    return row[:1] + row[2:12] + (bucket.classes, {key: times for key, times in bucket.hist.items() if times})


def test_every_coarser_bucket_is_the_sum_of_its_finer_ones(past):
    for name in past.rows:
        for finer, tier in pairwise(TIERS):
            fine = rows(past, name, finer)
            first = -(-fine[0].ts // tier) * tier if fine[0].ts % tier else fine[0].ts
            sums: dict[int, Bucket] = {}
            for row in fine:
                sums.setdefault(row.ts // tier * tier, Bucket()).take_in(row)
            told = [plain(row) for row in rows(past, name, tier) if row.ts >= first]
            expected = [plain(bucket.row(ts, name)) for ts, bucket in sums.items() if first <= ts <= OPTIONS.end - tier]
            assert told == expected, (name, tier)
            assert told


def test_a_row_holds_together(past):
    for name in past.rows:
        for tier in TIERS:
            for row in rows(past, name, tier):
                bucket = Bucket()
                bucket.take_in(row)
                failed = sum(times for (neutral, _), times in bucket.classes.items() if not neutral)
                assert row.n == row.ok + row.err + sum(bucket.classes.values()) - failed
                assert row.err == failed
                assert sum(bucket.hist.values()) == row.ok
                assert not row.ok or 0 < row.lat_min_us - 1 <= row.lat_sum_us / row.ok <= row.lat_max_us + 1


def test_what_standbys_took_over_is_what_the_route_was_saved(past):
    route = SeriesName("route", past.route)
    apis = [name for name in past.rows if name.kind == "api"]
    for tier in TIERS:
        served = sum(row.fallback_used for name in apis for row in rows(past, name, tier))
        assert served == sum(row.fallback_used for row in rows(past, route, tier))
        assert sum(row.ok for name in apis for row in rows(past, name, tier)) == sum(
            row.ok for row in rows(past, route, tier)
        )
    assert sum(row.fallback_used for row in rows(past, route, HOUR)) > 0


def test_nothing_lies_outside_its_span_or_is_not_over(past):
    for name in past.rows:
        for tier, kept in ((10, OPTIONS.keep_10s), (60, OPTIONS.keep_1m), (HOUR, 4 * DAY), (DAY, 4 * DAY)):
            starts = [row.ts for row in rows(past, name, tier)]
            assert starts == sorted(set(starts))
            assert starts[0] >= max(OPTIONS.start // tier * tier, (OPTIONS.end - kept) // HOUR * HOUR)
            assert starts[-1] <= OPTIONS.end - tier
            assert not [ts for ts in starts if ts % tier]


def test_the_same_seed_makes_the_same_past_and_another_one_does_not(past):
    assert group_past(OPTIONS, 0).rows == past.rows
    assert group_past(PastOptions(6, 3, 12, OPTIONS.end, DAY, 2 * DAY), 0).rows != past.rows


def test_groups_hold_every_api_once():
    for apis in (1, 5, 6, 100, 101, 1000):
        options = PastOptions(apis, 1, 1, NOON)
        assert [n for group in range(options.groups) for n in options.numbers(group)] == list(range(apis))


def test_an_api_without_standbys_loses_what_it_cannot_serve():
    alone = group_past(PastOptions(1, 20, 3, NOON, keep_10s=0, keep_1m=0), 0)
    (api, route) = sorted(alone.rows)
    assert sum(row.fallback_used for row in rows(alone, route, HOUR)) == 0
    assert sum(row.err for row in rows(alone, route, HOUR)) == sum(row.err for row in rows(alone, api, HOUR)) > 0


def test_a_packed_sum_is_the_merged_bucket():
    shapes = Shapes(nature(1, Random(1)), Random(1), alone=False)
    buckets = []
    for each in [*shapes.pool("well", 1.0, 60), *shapes.pool("degraded", 0.5, 60), shapes.standby(7)]:
        buckets.append(unpacked(each.packed, each.low, each.high))
    whole = Bucket()
    for bucket in buckets:
        whole.merge(bucket)
    total = sum(packed(bucket) for bucket in buckets)
    again = unpacked(total, min(b.lat_min_us for b in buckets), max(b.lat_max_us for b in buckets))
    assert again.row(0, SeriesName("api", "a")) == whole.row(0, SeriesName("api", "a"))
    assert example(whole, 0, 0).tail == whole.row(0, SeriesName("api", "a"))[2:]


def test_troubles_do_not_overlap_and_are_in_order():
    for seed in range(50):
        rng = Random(seed)
        found = merged(troubles(0, 60 * DAY, rng), troubles(0, 60 * DAY, rng))
        assert all(one.start < one.end for one in found)
        assert all(one.end <= other.start for one, other in pairwise(found))
        assert all(state_at(found, each.start) == each.kind for each in found)


@pytest.mark.parametrize("mean", [0.3, 5.0, 200.0])
def test_numbers_of_events_have_their_mean(mean):
    rng = Random(4)
    drawn = [some(mean, rng) for _ in range(4000)]
    assert sum(drawn) / 4000 == pytest.approx(mean, rel=0.1)
    assert min(drawn) >= 0


def test_troubles_leave_entries_and_groups_in_the_request_log():
    made = group_past(OPTIONS, 0)
    entries, groups = requests(made.natures, made.troubles, made.route, OPTIONS.start, OPTIONS.end, "x")
    assert entries
    assert groups
    known = {group.fingerprint for group in groups}
    for entry in entries:
        assert OPTIONS.start <= entry.at <= OPTIONS.end
        assert entry.fingerprint in known
        assert entry.route == made.route
        assert entry.outcome in ("fallback", "failed")
        assert len(entry.tried) == (2 if entry.outcome == "fallback" else 1)
