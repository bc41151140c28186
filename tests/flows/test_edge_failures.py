"""What a wrapped operation may raise, and what becomes of it (rules R1, R3 and R19)."""

from __future__ import annotations

import asyncio

import pytest

from understudy.app import Understudy
from understudy.core.errors import AllApisFailed, BreakerOpen, DeadlineExceeded, NoEligibleApi
from understudy.core.types import Mode
from understudy.resilience.breaker import BreakerOptions
from understudy.resilience.bulkhead import BulkheadOptions
from understudy.resilience.retry import RetryOptions
from understudy.testing import FakeClock

QUIET = RetryOptions(mode=Mode.OFF)


class Boom(Exception):
    """What a failing operation raises."""


class Busy(Exception):
    """What one library raises when it is told to slow down."""

    retry_after = 30.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def app(clock: FakeClock):
    async with Understudy.build(clock=clock, seed=1) as app:
        yield app


def raising(error: BaseException, log: list[str] | None = None, name: str = "asked"):
    async def operation():
        if log is not None:
            log.append(name)
        raise error

    return operation


async def fine():
    return "standby"


def breaker(app: Understudy, name: str):
    return app.fallback.roster.api(name).bindings[""].breaker


# -- one failure, counted once, judged by its root ---------------------------------------------------


async def test_a_failure_is_counted_once_however_it_is_told(app):
    app.fallback.register_api("api", retry=QUIET)
    with pytest.raises(Boom):
        await app.fallback.execute_with_fallback("api", raising(Boom("x")))
    assert breaker(app, "api").view().failures == 1
    assert app.monitor.snapshot("api").failures == 1


async def test_a_group_of_failures_is_one_failure(app):
    app.fallback.register_api("api", retry=QUIET)

    async def operation():
        async with asyncio.TaskGroup() as group:
            group.create_task(raising(Boom("one"))())
            group.create_task(raising(Boom("two"))())

    with pytest.raises(ExceptionGroup):
        await app.fallback.execute_with_fallback("api", operation)
    assert breaker(app, "api").view().failures == 1


async def test_a_library_that_wraps_an_error_changes_nothing_of_its_meaning(app):
    async def operation():
        try:
            raise ConnectionRefusedError(111, "refused")
        except OSError as error:
            raise Boom("the library's own error") from error

    result = await app.fallback.call("lead", operation, fine)
    assert result.value == "standby"
    assert [attempt.outcome.value for attempt in result.explain().attempts[:2]] == ["connect", "connect"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit()], ids=lambda e: type(e).__name__)
async def test_what_ends_the_program_is_nobodys_failure_and_goes_on(app, error):
    with pytest.raises(type(error)):
        coroutine = app.fallback.execute_with_fallback("api", raising(error), fine)
        while True:
            coroutine.send(None)
    assert breaker(app, "api").view().failures == 0
    assert app.fallback.roster.api("api").in_flight == 0


async def test_a_task_group_that_is_aborted_leaves_nothing_behind(app, clock):
    app.fallback.register_api("api", bulkhead=BulkheadOptions(limit=2))

    async def hang():
        await asyncio.Event().wait()

    async def one():
        await app.fallback.execute_with_fallback("api", hang)

    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(one())
            await clock.advance(0.1)
            group.create_task(raising(Boom("abort"))())
    api = app.fallback.roster.api("api")
    assert (api.in_flight, api.bulkhead.active, api.bulkhead.waiting) == (0, 0, 0)
    assert breaker(app, "api").view().failures == 0


# -- the user's own judgement ------------------------------------------------------------------------


async def test_classify_says_what_an_exception_means(app, clock):
    asked: list[str] = []
    app.fallback.register_api("lead", classify=lambda error: "rate" if isinstance(error, Busy) else None)
    for _ in range(3):
        assert await app.fallback.execute_with_fallback("lead", raising(Busy(), asked), fine) == "standby"
    assert len(asked) == 1  # held for the thirty seconds that the exception told
    assert breaker(app, "lead").view().failures == 0
    await clock.advance(31)
    await app.fallback.execute_with_fallback("lead", raising(Busy(), asked), fine)
    assert len(asked) == 2


async def test_classify_may_call_an_exception_the_callers_own(app):
    app.fallback.register_api("lead", classify=lambda error: "caller")
    with pytest.raises(Boom):
        await app.fallback.execute_with_fallback("lead", raising(Boom("bad arguments")), fine)
    assert breaker(app, "lead").view().failures == 0


@pytest.mark.parametrize("answer", ["success", "nonsense", 7])
async def test_classify_that_answers_nonsense_or_raises_decides_nothing(app, answer):
    def classify(error: Exception) -> str:
        if answer == 7:
            raise RuntimeError("a bug in the hook")
        return answer

    app.fallback.register_api("lead", classify=classify, retry=QUIET)
    result = await app.fallback.call("lead", raising(Boom("x")), fine)
    first = result.explain().attempts[0]
    assert (result.value, first.attribution.value) == ("standby", "provider")
    assert "classify itself failed" in first.reason


# -- safety, for each operation of its own -----------------------------------------------------------


async def test_an_unsafe_standby_is_not_repeated_although_its_lead_is_safe(app):
    asked: list[str] = []
    app.fallback.register_api("lead", route="r", operation=raising(Boom("x"), asked, "lead"))
    app.fallback.register_api("spare", 2, route="r", operation=raising(Boom("y"), asked, "spare"), safe=False)
    app.fallback.register_api("third", 3, route="r", operation=fine)
    with pytest.raises(AllApisFailed):
        await app.fallback.call("r")
    assert asked == ["lead", "spare"]


# -- calls inside calls ------------------------------------------------------------------------------


async def test_what_is_refused_inside_an_operation_is_not_tried_again_at_once(app):
    asked: list[str] = []
    app.fallback.register_api("outer")
    with pytest.raises(BreakerOpen):
        await app.fallback.execute_with_fallback("outer", raising(BreakerOpen("inner", 5.0), asked))
    assert len(asked) == 1
    assert breaker(app, "outer").view().failures == 0


async def test_repeats_do_not_multiply_through_nested_calls(app):
    asked: list[str] = []
    app.fallback.register_api("inner")
    app.fallback.register_api("outer")

    async def operation():
        return await app.fallback.execute_with_fallback("inner", raising(Boom("x"), asked))

    with pytest.raises(Boom):
        await app.fallback.execute_with_fallback("outer", operation)
    assert len(asked) == 3  # two by the outer's first attempt, one by its repeat


async def test_a_nested_call_that_nobody_could_serve_is_a_failure_of_the_outer_api(app):
    app.fallback.register_api("outer", retry=QUIET)
    with pytest.raises(NoEligibleApi):
        await app.fallback.execute_with_fallback("outer", raising(NoEligibleApi("nothing is left")))
    assert breaker(app, "outer").view().failures == 1


async def test_a_chain_of_three_apis_makes_four_attempts_at_most(app):
    asked: list[str] = []
    for number, name in enumerate(("a", "b", "c"), 1):
        error = ConnectionRefusedError(111, "refused")
        app.fallback.register_api(name, number, route="r", operation=raising(error, asked, name))
    with pytest.raises(AllApisFailed, match=r"a: .*b: "):
        await app.fallback.call("r")
    assert len(asked) == 4 and asked.count("a") == 2


async def test_a_hundred_failures_at_once_are_repeated_by_the_budget_only(app):
    asked: list[str] = []
    app.fallback.register_api("api", breaker=BreakerOptions(mode=Mode.OFF))

    async def one():
        with pytest.raises(Boom):
            await app.fallback.execute_with_fallback("api", raising(Boom("x"), asked))

    await asyncio.gather(*(one() for _ in range(100)))
    assert 103 <= len(asked) <= 100 + 3 + 20  # a floor of three, and a fifth of the first attempts


async def test_a_chain_remembers_its_dead_head(app, clock):
    asked: list[str] = []
    app.fallback.register_api("head", 1, route="r", operation=raising(Boom("x"), asked, "head"))
    app.fallback.register_api("tail", 2, route="r", operation=fine)
    for _ in range(15):
        assert (await app.fallback.call("r")).value == "standby"
        await clock.advance(4.0)
    assert asked.count("head") <= 6  # with a free probe at most four: see test_lead_outage


# -- our own faults ----------------------------------------------------------------------------------


async def test_a_bug_of_ours_before_anything_is_sent_lets_the_call_through_once(app, monkeypatch):
    asked = 0

    async def operation():
        nonlocal asked
        asked += 1
        return "value"

    def bug(*_):
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(app.fallback._pipeline, "_choose", bug)
    assert await app.fallback.execute_with_fallback("api", operation) == "value"
    assert asked == 1 and app.fallback.self_failures == 1
    assert "self.failure" in [event.kind for event in app.events.recent()]


async def test_a_bug_of_ours_after_the_answer_has_come_delivers_it(app, monkeypatch):
    asked = 0

    async def operation():
        nonlocal asked
        asked += 1
        return "value"

    def bug(*_):
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(app.fallback._pipeline, "_report", bug)
    assert await app.fallback.execute_with_fallback("one", operation) == "value"
    monkeypatch.setattr(app.fallback, "_refresh", bug)
    assert await app.fallback.execute_with_fallback("two", operation) == "value"
    assert asked == 2 and app.fallback.self_failures == 3


async def test_a_bug_of_ours_between_a_failed_attempt_and_the_next_is_raised_and_sends_nothing_twice(app, monkeypatch):
    asked: list[str] = []

    def bug(*_):
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(app.fallback._pipeline._next, "after", bug)
    with pytest.raises(RuntimeError, match="a bug of ours"):
        await app.fallback.execute_with_fallback("api", raising(Boom("x"), asked), fine)
    assert len(asked) == 1 and app.fallback.self_failures == 1


async def test_the_error_tells_time_ran_out_from_everything_failed(app, clock):
    async def slow():
        await clock.sleep(100.0)

    app.fallback.register_api("lead", retry=QUIET)
    task = asyncio.ensure_future(app.fallback.call("lead", slow, slow, deadline=2.0))
    await clock.advance(3.0)
    with pytest.raises(DeadlineExceeded, match="time ran out after 2 attempts"):
        await task
    with pytest.raises(AllApisFailed, match="every API failed"):
        await app.fallback.call("other", raising(Boom("x")), raising(Boom("y")))
