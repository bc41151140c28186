"""Histograms that the process keeps of its own work."""

from __future__ import annotations

from math import inf, nan

from hypothesis import given
from hypothesis import strategies as st

from understudy.core.durations import Durations


def test_a_duration_counts_under_its_own_bound_and_every_larger_one():
    durations = Durations((1.0, 2.0, 5.0))
    for seconds in (0.5, 1.0, 1.5, 2.0, 5.1):
        durations.add(seconds)
    assert durations.cumulative() == [2, 4, 4, 5]
    assert (durations.count, durations.seconds) == (5, 10.1)


def test_what_no_clock_can_have_measured_does_no_harm():
    durations = Durations((1.0,))
    for seconds in (-3.0, nan, inf, -inf):
        durations.add(seconds)
    assert durations.cumulative() == [1, 1]
    assert durations.seconds == 0.0


@given(st.lists(st.floats(0, 1e6)))
def test_each_bucket_holds_what_a_count_of_all_durations_would(found):
    durations = Durations()
    for seconds in found:
        durations.add(seconds)
    told = [sum(each <= bound for each in found) for bound in durations.bounds]
    assert durations.cumulative() == [*told, len(found)]
