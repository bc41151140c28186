"""Identifiers that sort by time: within a millisecond, when the clock steps back, and over processes."""

from __future__ import annotations

import random

from understudy.core.ids import ulid_source
from understudy.testing import FakeClock


def test_each_is_greater_than_the_one_before_whatever_the_clock_does():
    clock = FakeClock()
    make = ulid_source(clock, random.Random(1))
    made = []
    for seconds in (0.0, 0.0, -3600.0, 0.0, 7200.0, -1.0):
        clock.jump_wall(seconds)
        made.append(make())
    assert made == sorted(set(made))
    assert all(len(each) == 26 for each in made)


def test_two_processes_that_go_on_from_the_same_one_make_different_ones():
    """One made an identifier that the other cannot see, while the clock is behind both."""
    clock = FakeClock()
    newest = ulid_source(clock, random.Random(1))()
    clock.jump_wall(-3600.0)
    first, second = (ulid_source(clock, random.Random(seed)) for seed in (2, 3))
    first.go_behind(newest)
    second.go_behind(newest)
    one, other = first(), second()
    assert newest < one
    assert newest < other
    assert one != other
