# ruff: noqa: D102, S101 - a suite: its names are its documentation, its asserts its content
"""What every `HealthView` and its `Series` promise, as a suite: a subclass named `Test…` provides `health`.

class TestMine(HealthViewContract):
    @pytest.fixture
    def health(self): return MyView()
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from math import copysign, inf
from typing import TYPE_CHECKING

import pytest

from understudy.core.types import Attribution, OutcomeClass

if TYPE_CHECKING:
    from understudy.resilience.ports import HealthView, Series

FAULT = (OutcomeClass.PROVIDER, Attribution.PROVIDER)
NEUTRAL = (OutcomeClass.CALLER, Attribution.CALLER)


def listen(series: Series) -> list[list[float]]:
    """The batches that the listener of `series` will be given."""
    batches: list[list[float]] = []
    series.listener = lambda batch: batches.append(list(batch))
    return batches


class HealthViewContract:
    """The promises of `resilience.ports.HealthView` and `resilience.ports.Series`."""

    def test_one_api_and_operation_have_one_series_and_others_their_own(self, health: HealthView) -> None:
        first = health.series("a")
        assert health.series("a", "") is first
        assert health.series("a", "odds") is not first
        assert health.series("b") is not first

    def test_a_drain_hands_over_what_arrived_in_its_order_and_once(self, health: HealthView) -> None:
        series = health.series("a")
        batches = listen(series)
        series.append(0.1)
        series.failed(0.2, *FAULT)
        series.append(0.3)
        series.drain()
        series.append(0.4)
        series.drain()
        assert batches == [[0.1, -0.2, 0.3], [0.4]]

    def test_a_drain_of_nothing_tells_nobody(self, health: HealthView) -> None:
        batches = listen(health.series("a"))
        health.series("a").drain()
        assert batches == []

    def test_a_success_of_a_recorded_call_is_an_attempt_like_any_other(self, health: HealthView) -> None:
        series = health.series("odds")
        heard = listen(series)
        series.append(0.1)
        series.succeeded(0.2)
        series.drain()
        assert heard == [[0.1, 0.2]]

    @pytest.mark.parametrize(("seconds", "expected"), [(0.0, -0.0), (1.5, -1.5), (None, -inf)])
    def test_a_failure_has_a_minus_sign_whatever_it_took(
        self, health: HealthView, seconds: float | None, expected: float
    ) -> None:
        series = health.series("a")
        batches = listen(series)
        series.failed(seconds, *FAULT, "no answer", 503)
        series.drain()
        assert batches == [[expected]]
        assert copysign(1.0, batches[0][0]) == -1.0

    def test_an_attempt_that_is_neither_success_nor_failure_reaches_no_listener(self, health: HealthView) -> None:
        series = health.series("a")
        batches = listen(series)
        series.neutral(*NEUTRAL, "bad request", 400)
        series.drain()
        assert batches == []

    def test_what_was_settled_without_a_listener_is_not_told_later(self, health: HealthView) -> None:
        series = health.series("a")
        series.append(0.1)
        series.drain()
        batches = listen(series)
        series.drain()
        assert batches == []

    def test_a_rotation_settles_first_and_late_results_reach_statistics_only(self, health: HealthView) -> None:
        series = health.series("a")
        batches = listen(series)
        before = series.append
        before(0.1)
        series.rotate()
        assert batches == [[0.1]]
        before(9.0)  # an attempt that was admitted before the rotation, and ends after it
        series.append(0.2)
        series.drain()
        assert batches == [[0.1], [0.2]]
        assert health.p50("a") == pytest.approx(0.2, rel=0.02), "of 0.1, 0.2 and 9.0"

    def test_a_listener_may_rotate_the_series_that_tells_it(self, health: HealthView) -> None:
        series = health.series("a")
        told: list[list[float]] = []

        def listener(batch: Sequence[float]) -> None:
            told.append(list(batch))
            series.rotate()

        series.listener = listener
        series.append(0.1)
        series.drain()
        series.append(0.2)
        series.drain()
        assert told == [[0.1], [0.2]]

    def test_a_listener_that_raises_is_not_told_the_same_again(self, health: HealthView) -> None:
        series = health.series("a")
        told: list[list[float]] = []

        def listener(batch: Sequence[float]) -> None:
            told.append(list(batch))
            raise LookupError("a listener's own fault")

        series.listener = listener
        series.append(0.1)
        for _ in range(2):
            with suppress(LookupError):
                series.drain()
        assert told == [[0.1]]
        assert health.p50("a") == pytest.approx(0.1, rel=0.02)

    def test_no_append_of_another_thread_is_lost(self, health: HealthView) -> None:
        series = health.series("a")
        batches = listen(series)
        append = series.append

        def work(number: int) -> None:
            for place in range(1000):
                append(float(number * 1000 + place))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            series.drain()
        series.drain()
        told = [seconds for batch in batches for seconds in batch]
        assert sorted(told) == [float(number) for number in range(4000)]
        for first in range(0, 4000, 1000):  # in order, as far as one thread is concerned
            assert [s for s in told if first <= s < first + 1000] == [float(n) for n in range(first, first + 1000)]

    def test_the_median_is_that_of_the_successes_of_all_operations(self, health: HealthView) -> None:
        for operation, seconds in (("", (0.1, 0.2, 0.3)), ("odds", (0.4, 5.0))):
            series = health.series("a", operation)
            for each in seconds:
                series.append(each)
            series.failed(60.0, *FAULT)
            series.failed(0.0, *FAULT)
            series.neutral(*NEUTRAL)
            series.drain()
        assert health.p50("a") == pytest.approx(0.3, rel=0.02)

    def test_without_successes_there_is_no_median(self, health: HealthView) -> None:
        assert health.p50("never heard of") is None
        series = health.series("a")
        series.failed(1.0, *FAULT)
        series.neutral(*NEUTRAL)
        series.drain()
        assert health.p50("a") is None
