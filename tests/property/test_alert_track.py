"""The windows of rules against plain lists of what happened."""

from __future__ import annotations

import random
from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.alerting.tally import together
from understudy.alerting.track import Counted, Past, Track

#: What happens at once, after a pause: (pause in s, successes, failures, neutral, ms of each success).
STEPS = st.lists(
    st.tuples(
        st.sampled_from((0.0, 0.2, 1.0, 3.0, 17.0, 80.0, 400.0)),
        st.integers(0, 3), st.integers(0, 3), st.integers(0, 2), st.integers(0, 5000),
    ),
    max_size=250,
)  # fmt: skip
WINDOWS = (10.0, 60.0, 300.0, 900.0, 3600.0)


def _counted(ok: int, failed: int, neutral: int, ms: int) -> Counted:
    seconds = ms / 1000
    if not ok:
        return Counted(0, failed, neutral, 0, 0.0)
    return Counted(ok, failed, neutral, ok, ok * seconds, seconds, seconds)


def _stretch(age: float) -> float:
    """How much shorter a window of that age may be, s."""
    return next(width for limit, width in ((64, 1), (360, 5), (3_900, 60), (inf, 300)) if age <= limit)


def _check(track: Track, events: list[tuple[float, Counted]], now: float) -> None:
    for window in WINDOWS:
        sample = track.sample(now, 0.0, window)
        # Everything that surely lies inside must be counted, and nothing that surely lies outside.
        least = [each for at, each in events if at > now - window + _stretch(window)]
        most = [each for at, each in events if at >= now - window]
        for name, of in (
            ("successes", "ok"), ("failures", "failed"), ("neutral", "neutral"),
        ):  # fmt: skip
            found = getattr(sample, name)
            assert sum(getattr(each, of) for each in least) <= found <= sum(getattr(each, of) for each in most)
        assert sample.total == sample.successes + sample.failures + sample.neutral
        highest = max((each.high for each in most if each.timed), default=-inf)
        assert (sample.slowest if sample.slowest is not None else -inf) <= highest
        if any(each.timed for each in least):
            assert sample.slowest is not None
            assert sample.slowest >= max(each.high for each in least if each.timed)
            assert sample.fastest is not None
            assert sample.fastest <= min(each.low for each in least if each.timed)
        assert sample.seconds <= sum(each.seconds for each in most) + 1e-5
        assert sample.seconds >= sum(each.seconds for each in least) - 1e-5


@settings(max_examples=80, deadline=None)
@given(STEPS)
def test_a_window_holds_what_happened_in_it(steps: list[tuple[float, int, int, int, int]]) -> None:
    now, events = 1000.5, []
    track = Track(now)
    for pause, *numbers in steps:
        now += pause
        counted = _counted(*numbers)
        track.count(now, counted)
        events.append((now, counted))
    _check(track, events, now)
    _check(track, events, now + 250.0)


@settings(max_examples=40, deadline=None)
@given(STEPS, st.integers(0, 250))
def test_a_track_that_was_seeded_is_as_one_that_saw_everything(
    steps: list[tuple[float, int, int, int, int]], cut: int
) -> None:
    now, events = 1000.5, []
    for pause, *numbers in steps:
        now += pause
        events.append((now, _counted(*numbers)))
    begun = events[cut][0] if cut < len(events) else now
    before = [each for each in events[:cut] if int(each[0]) < int(begun)]
    late = Track(begun)
    for at, counted in events[len(before) :]:
        late.count(at, counted)
    late.seed(together([[Past(at, counted)] for at, counted in before]))
    _check(late, events, now)


def test_the_last_calls_reach_back_as_far_as_they_must_and_an_hour_at_most() -> None:
    track = Track(0.0)
    for minute in range(120):
        track.count(60.0 * minute, Counted(0, 1, 0, 0, 0.0))
    now = 60.0 * 119 + 1
    three = track.last(now, 0.0, 3, lambda _: lambda _: None)
    assert (three.failures, three.window) == (3, 121.0)
    assert track.last(now, 0.0, 1000, lambda _: lambda _: None).failures == 60
    assert Track(0.0).last(now, 0.0, 3, lambda _: lambda _: None).total == 0


def test_a_day_of_traffic_takes_no_more_room_than_its_windows_need() -> None:
    track, rng = Track(0.0), random.Random(1)
    now = 0.0
    while now < 86_400:
        now += rng.uniform(0.5, 2.0)
        track.count(now, Counted(1, 0, 0, 1, 0.1, 0.1, 0.1))
    assert len(list(track.stretches())) < 64 * 2 + 64 + 60 + 10
    assert 2_600 < track.sample(now, 0.0, 3600.0).successes < 3_000


def test_sums_do_not_drift_whatever_absurd_duration_was_recorded() -> None:
    track = Track(0.0)
    track.count(1.0, Counted(1, 0, 0, 1, 3.0e38, 3.0e38, 3.0e38))
    track.count(500.0, Counted(2, 0, 0, 2, 0.25, 0.1, 0.15))
    sample = track.sample(510.0, 0.0, 60.0)
    assert (sample.successes, sample.seconds, sample.fastest, sample.slowest) == (2, 0.25, 0.1, 0.15)
