"""The notation of series in tests of rules."""

from __future__ import annotations

import pytest

from understudy.alerts.notation import MOST_STEPS, NotationError, series


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("5", [5]),
        ("100x3 0x2", [100, 100, 100, 0, 0]),
        ("1+2x4", [1, 3, 5, 7]),
        ("10-2.5x3", [10, 7.5, 5]),
        ("_ 1 _x2", [None, 1, None, None]),
        ("-1 .5 1e3 2.", [-1, 0.5, 1000, 2]),
        ("  1\n\t2 ", [1, 2]),
    ],
)
def test_one_value_stands_for_each_step(text, values):
    assert series(text) == values


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0), ("  ", 0), ("x3", 0), ("1 2x", 2), ("1x0", 0), ("1+2", 0), ("_+1x3", 0), ("1 nan", 2), ("1 inf", 2),
        (f"1x{MOST_STEPS} 1", 9), ("1e999", 0), ("1+1e308x9", 0), ("1x9999999", 0), ("1,2", 0), ("١", 0), ("1x3x3", 0),
    ],
)  # fmt: skip
def test_a_series_that_cannot_be_read_is_refused_with_its_place(text, position):
    with pytest.raises(NotationError) as caught:
        series(text)
    assert caught.value.position == position
