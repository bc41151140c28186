# ruff: noqa: D102, S101 - a suite: its names are its documentation, its asserts its content
"""What every `Clock` promises, as a suite: a subclass named `Test…` provides the `clock` fixture.

class TestMine(ClockContract):
    @pytest.fixture
    def clock(self): return MyClock()

For a fake clock, time has to pass by itself while all tasks sleep. The waits are short, as they are
real ones for a real clock.
"""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from understudy.core.clock import Clock

#: A wait, s; and how much too early it may end, because a loop's timers have a clock of their own.
SHORT, EARLY = 0.03, 0.02


class ClockContract:
    """The promises of `core.clock.Clock`."""

    async def test_monotonic_is_a_callable_to_be_bound_once_and_never_goes_back(self, clock: Clock) -> None:
        now = clock.monotonic
        seen = [now() for _ in range(100)]
        await clock.sleep(SHORT)
        seen.append(now())
        assert seen == sorted(seen)

    async def test_a_sleep_lasts_its_time_on_the_monotonic_clock(self, clock: Clock) -> None:
        before = clock.monotonic()
        await clock.sleep(SHORT)
        assert clock.monotonic() - before >= SHORT - EARLY

    async def test_time_is_that_of_the_epoch_and_runs_as_monotonic_does(self, clock: Clock) -> None:
        wall, before = clock.time(), clock.monotonic()
        assert wall > 1_500_000_000, "seconds since 1970"
        await clock.sleep(SHORT)
        assert clock.time() - wall == pytest.approx(clock.monotonic() - before, abs=EARLY)

    @pytest.mark.parametrize("seconds", [0, 0.0, -1])
    async def test_to_sleep_for_nothing_does_not_suspend(self, clock: Clock, seconds: float) -> None:
        with pytest.raises(StopIteration):
            clock.sleep(seconds).send(None)

    async def test_sleepers_wake_in_the_order_of_their_times(self, clock: Clock) -> None:
        woken: list[int] = []

        async def sleeper(number: int) -> None:
            await clock.sleep(SHORT * number)
            woken.append(number)

        await asyncio.gather(*(sleeper(number) for number in (3, 1, 2)))
        assert woken == [1, 2, 3]

    async def test_a_sleeper_can_be_cancelled_and_the_others_sleep_on(self, clock: Clock) -> None:
        before = clock.monotonic()
        long, short = asyncio.ensure_future(clock.sleep(3600)), asyncio.ensure_future(clock.sleep(SHORT))
        await asyncio.sleep(0)  # noqa: TID251 - lets both begin; no time passes
        long.cancel()
        await asyncio.wait([long, short])
        assert long.cancelled()
        assert clock.monotonic() - before < 3600

    async def test_timers_call_back_once_in_the_order_of_their_times(self, clock: Clock) -> None:
        called: list[tuple[int, float]] = []
        before = clock.monotonic()

        def note(number: int) -> None:
            called.append((number, clock.monotonic() - before))

        for number in (3, 1, 2):
            clock.call_later(SHORT * number, partial(note, number))
        await clock.sleep(SHORT * 5)
        assert [number for number, _ in called] == [1, 2, 3]
        assert all(after >= SHORT * number - EARLY for number, after in called)

    @pytest.mark.parametrize("seconds", [0, -1])
    async def test_a_timer_that_is_due_never_calls_back_at_once(self, clock: Clock, seconds: float) -> None:
        called: list[int] = []
        clock.call_later(seconds, lambda: called.append(1))
        assert not called
        await clock.sleep(SHORT)
        assert called == [1]

    async def test_a_timer_that_is_called_off_never_calls_back(self, clock: Clock) -> None:
        called: list[str] = []
        off = clock.call_later(SHORT, lambda: called.append("called off"))
        on = clock.call_later(SHORT, lambda: called.append("not called off"))
        off.cancel()
        off.cancel()
        await clock.sleep(SHORT * 2)
        on.cancel()
        assert called == ["not called off"]

    def test_one_clock_serves_two_event_loops_in_turn(self, clock: Clock) -> None:
        async def slept() -> float:
            left_behind = asyncio.ensure_future(clock.sleep(3600))
            before = clock.monotonic()
            await clock.sleep(SHORT)
            assert not left_behind.done()
            return clock.monotonic() - before

        for _ in range(2):
            assert asyncio.run(asyncio.wait_for(slept(), 10)) < 3600
