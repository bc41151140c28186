"""Numbers of the past, as rules ask for them: running sums against counting everything once more."""

from __future__ import annotations

import random

import pytest

from understudy.alerts.past import REACH, PastBucket, PastSeries, PastSource

MINUTE = 60.0


def middle(durations):
    known = sorted(each for each in durations if each is not None)
    return lambda share: known[round(share * (len(known) - 1))] if known else None


def random_buckets(rng: random.Random, count: int, width: float = MINUTE) -> list[PastBucket]:
    found = []
    for step in range(count):
        if rng.random() < 0.2:
            continue  # nothing happened: there is no bucket
        ok, failed, neutral = rng.randrange(20), rng.randrange(4), rng.randrange(2)
        low = rng.uniform(0.1, 1.0) if ok else None
        high = low and low + rng.random()
        seconds = ok * (low or 0.0)
        found.append(
            PastBucket(step * width, (step + 1) * width, ok + failed + neutral, ok, failed, seconds, low, high, low)
        )
    return found


@pytest.mark.parametrize("seed", range(20))
def test_a_window_is_what_counting_its_buckets_gives(seed):
    rng = random.Random(seed)
    buckets = random_buckets(rng, 100)
    source = PastSource({"api": [({"api": "a"}, [PastSeries(buckets, middle)])]})
    for minute in range(101):
        at = minute * MINUTE
        source.advance(at)
        for window in (60.0, 300.0, 3600.0):
            sample = source.sample("api", {"api": "a"}, window)
            inside = [each for each in buckets if at - window <= each.start and each.end <= at]
            assert sample is not None
            assert sample.total == sum(each.total for each in inside)
            assert (sample.successes, sample.failures) == (
                sum(each.successes for each in inside),
                sum(each.failures for each in inside),
            )
            assert sample.neutral == sample.total - sample.successes - sample.failures
            assert sample.seconds == pytest.approx(sum(each.seconds for each in inside))
            lows = [each.fastest for each in inside if each.fastest is not None]
            assert sample.fastest == (min(lows) if lows else None)
            assert sample.quantile(0.5) == middle([each.durations for each in inside])(0.5)


@pytest.mark.parametrize("seed", range(20))
def test_the_last_calls_are_the_fewest_buckets_that_hold_them_within_an_hour(seed):
    rng = random.Random(seed)
    buckets = random_buckets(rng, 200)
    source = PastSource({"api": [({"api": "a"}, [PastSeries(buckets)])]})
    for minute in range(0, 201, 7):
        at = minute * MINUTE
        source.advance(at)
        count = rng.randrange(1, 200)
        rated = 0  # neutral outcomes say nothing, so they are not what is asked for
        for bucket in reversed([each for each in buckets if each.end <= at and each.start >= at - REACH]):
            if rated >= count:
                break
            rated += bucket.successes + bucket.failures
        sample = source.last_calls("api", {"api": "a"}, count)
        assert sample is not None
        assert sample.successes + sample.failures == rated


def test_windows_of_the_history_begin_where_those_of_the_live_source_do():
    buckets = [PastBucket(at, at + 10.0, 1, 1, 0) for at in range(0, 40_000, 10)]
    exact, live = PastSeries(buckets), PastSeries(buckets, as_live=True)
    for at, window, shorter in ((30_010.0, 300.0, 0), (30_010.0, 600.0, 50), (30_010.0, 21_600.0, 290)):
        first, last = exact.window(at, window)
        assert exact.width(first, last) == window
        first, last = live.window(at, window)
        assert live.width(first, last) == window - shorter


def test_a_hub_is_the_sum_of_its_apis():
    one = PastSeries([PastBucket(0, 60, 10, 10, 0, 1.0, 0.1, 0.1, 0.1)], middle)
    other = PastSeries([PastBucket(0, 60, 10, 0, 10)], middle)
    source = PastSource({"hub": [({"hub": "h"}, [one, other])]})
    source.advance(60.0)
    sample = source.sample("hub", {"hub": "h"}, 300.0)
    assert sample is not None
    assert (sample.total, sample.successes, sample.failures, sample.slowest) == (20, 10, 10, 0.1)
    assert sample.covered == 60.0


def test_a_bucket_that_is_longer_than_the_window_stands_for_it_with_its_own_length():
    hour = PastSeries([PastBucket(0, 3600, 600, 600, 0)])
    source = PastSource({"api": [({"api": "a"}, [hour])]})
    source.advance(3600.0)
    sample = source.sample("api", {"api": "a"}, 300.0)
    assert sample is not None
    assert (sample.total, sample.window, sample.covered) == (600, 3600.0, 3600.0)
    source.advance(3700.0)
    idle = source.sample("api", {"api": "a"}, 60.0)
    assert idle is not None
    assert idle.total == 0


def test_a_subject_is_there_from_its_first_bucket_on():
    source = PastSource({"api": [({"api": "a"}, [PastSeries([PastBucket(600, 660, 1, 1, 0)])])]})
    source.advance(500.0)
    assert list(source.subjects("api")) == []
    source.advance(600.0)
    assert list(source.subjects("api")) == [{"api": "a"}]
    assert source.sample("api", {"api": "b"}, 60.0) is None
    assert list(source.subjects("all")) == [{}]


def test_what_has_moved_is_told_cheaply():
    source = PastSource(
        {"api": [({"api": "a"}, [PastSeries([PastBucket(0, 60, 1, 1, 0), PastBucket(60, 120, 1, 1, 0)])])]}
    )
    told = []
    for at in (0.0, 60.0, 100.0, 120.0, 500.0):
        source.advance(at)
        told.append(source.moved("api", {"api": "a"}))
    assert told == [0, 1, 1, 2, 2]
