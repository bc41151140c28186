"""A busy pool reads the limits of some responses only; it must never ask for more than its plan holds.

Against a server with a fixed window that tells its limits in each response: calls overlap, and come back
in any order.
"""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.core.errors import Rejected
from understudy.core.secrets import Secret
from understudy.core.types import Mode
from understudy.resilience.api import ApiOptions
from understudy.resilience.keys import LOOK_AGAIN, PASS_OVER, ROOM, AuthOptions, KeyOptions, KeyPool
from understudy.resilience.outcome_table import SUCCESS
from understudy.resilience.quota import QuotaOptions
from understudy.testing.clock import FakeClock

#: Calls of a bulkhead with its default limit.
CONCURRENT = 100


def pool_of(clock: FakeClock, reserve: float = 0.0) -> KeyPool:
    auth = AuthOptions(kind="rapidapi", keys=(KeyOptions(Secret("0123456789abcdef"), "key1"),))
    options = ApiOptions(base_url="https://a.test", auth=auth, quota=QuotaOptions(reserve=reserve))
    return KeyPool("a", options, clock, lambda kind, detail: None)


def told(limit: int, left: int, reset: float = 86400.0) -> dict[str, str]:
    return {
        "X-RateLimit-Requests-Limit": str(limit),
        "X-RateLimit-Requests-Remaining": str(max(0, left)),
        "X-RateLimit-Requests-Reset": f"{reset:.0f}",
    }


@settings(max_examples=60, deadline=None)
@given(limit=st.integers(1, 900), seed=st.integers(0, 2**32), hurry=st.floats(0.2, 0.9))
def test_no_call_is_sent_beyond_the_plan(limit, seed, hurry):
    rng = random.Random(seed)
    clock = FakeClock()
    pool = pool_of(clock)
    left = limit
    flying: list[tuple[object, dict[str, str]]] = []
    for _ in range(20 * limit + 400):
        known = bool(next(iter(pool)).account.buckets)
        if rng.random() < hurry and len(flying) < (CONCURRENT if known else 1):
            try:
                key = pool.pick()
            except Rejected:
                pass
            else:
                assert left > 0, "a call was sent although the plan is spent"
                left -= 1
                flying.append((key, told(limit, left)))
        elif flying:
            key, headers = flying.pop(rng.randrange(len(flying)))
            pool.settle(key, SUCCESS, 200, headers)
            clock.tick(rng.random() * 0.002)
    for key, headers in flying:
        pool.settle(key, SUCCESS, 200, headers)
    assert left == 0, "what the plan holds is used to its last call"


def used(pool: KeyPool, headers: dict[str, str]) -> int | None:
    key = pool.pick()
    pool.settle(key, SUCCESS, 200, headers)
    return pool.remaining(key)


def test_responses_that_are_not_read_count_as_one_call_each():
    pool = pool_of(FakeClock())
    assert used(pool, told(10_000, 9_000)) == 9_000
    assert [used(pool, told(10_000, 8_000)) for _ in range(PASS_OVER)] == list(range(8_999, 8_999 - PASS_OVER, -1))
    assert used(pool, told(10_000, 7_000)) == 7_000, "the next one is read, and what it tells is what holds"


def test_calls_that_the_api_does_not_count_do_not_add_up():
    pool = pool_of(FakeClock())
    for _ in range(50 * (PASS_OVER + 1) + 1):
        seen = used(pool, told(10_000, 9_000))
    assert seen == 9_000


def test_every_response_of_an_unhurried_caller_is_read():
    clock = FakeClock()
    pool = pool_of(clock)
    for left in range(9_000, 8_900, -7):
        assert used(pool, told(10_000, left)) == left
        clock.tick(LOOK_AGAIN)


def test_every_response_is_read_when_little_is_left():
    pool = pool_of(FakeClock())
    for left in range(ROOM - 1, 10, -5):
        assert used(pool, told(10_000, left)) == left


def test_a_refusal_ends_the_time_in_which_nothing_is_looked_at():
    clock = FakeClock()
    pool = pool_of(clock)
    used(pool, told(10_000, 9_000))
    key = pool.pick()
    key.account.spent_until(clock.monotonic() + 60)
    pool.settle(key, SUCCESS, 200, told(10_000, 8_999))
    try:
        pool.pick()
    except Rejected as refused:
        assert refused.retry_after is not None
        assert refused.retry_after > 50
    else:
        raise AssertionError("a key whose quota is spent was handed out")


def test_observing_counts_as_enforcing_does():
    clock = FakeClock()
    heard: list[str] = []
    auth = AuthOptions(kind="rapidapi", keys=(KeyOptions(Secret("0123456789abcdef"), "key1"),))
    quota = QuotaOptions(mode=Mode.OBSERVE, reserve=0)
    pool = KeyPool(
        "a",
        ApiOptions(base_url="https://a.test", auth=auth, quota=quota),
        clock,
        lambda kind, detail: heard.append(kind),
    )
    for left in range(400, -1, -1):
        used(pool, told(400, left))
    pool.pick()
    assert "quota.would_refuse" in heard
