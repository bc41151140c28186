"""Which key goes next, and what rests for how long (rules R1 and R7)."""

from __future__ import annotations

from typing import Any

import pytest

from understudy.core.errors import KeysUnavailable, QuotaExhausted, RateLimited
from understudy.core.secrets import Secret
from understudy.core.types import Mode
from understudy.resilience.api import ApiOptions
from understudy.resilience.keys import AuthOptions, Key, KeyOptions, KeyPool
from understudy.resilience.limiter import RateLimitOptions
from understudy.resilience.outcome import SUCCESS, Classifier
from understudy.resilience.quota import QuotaOptions
from understudy.testing.clock import FakeClock

JUDGE = Classifier(ApiOptions())
Events = list[tuple[str, dict[str, Any]]]


def options(*groups: str, quota: QuotaOptions | None = None) -> ApiOptions:
    keys = tuple(KeyOptions(Secret(f"secret-{n}"), quota_group=group) for n, group in enumerate(groups))
    return ApiOptions(
        base_url="https://api.test", auth=AuthOptions(kind="bearer", keys=keys), quota=quota or QuotaOptions()
    )


def pool_of(*groups: str, quota: QuotaOptions | None = None) -> tuple[KeyPool, FakeClock, Events]:
    clock = FakeClock()
    events: Events = []
    pool = KeyPool("odds", options(*groups, quota=quota), clock, lambda kind, detail: events.append((kind, detail)))
    return pool, clock, events


def answer(pool: KeyPool, key: Key, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
    pool.settle(key, JUDGE.response(status, headers or {}, body, 1_800_000_000.0), status, headers or {})


def test_a_keyless_api_has_one_anonymous_key_so_that_holds_work_the_same() -> None:
    clock = FakeClock()
    pool = KeyPool("plain", ApiOptions(), clock, lambda kind, detail: None)
    key = pool.pick()
    assert key.secret is None
    answer(pool, key, 429, {"Retry-After": "5"})
    with pytest.raises(RateLimited) as caught:
        pool.pick()
    assert caught.value.retry_after == pytest.approx(5.0)


def test_a_refusal_of_what_the_caller_brought_keeps_no_other_caller_from_a_keyless_api() -> None:
    pool, _, events = pool_of()
    for status in (401, 403, 402):
        answer(pool, pool.pick(), status)
        assert pool.pick().alias == ""
    assert not pool.misconfigured
    assert list(events) == []


def test_a_429_holds_the_key_until_its_reset_and_not_longer() -> None:
    pool, clock, events = pool_of("")
    answer(pool, pool.pick(), 429, {"Retry-After": "5"})
    assert pool.usable(clock.monotonic()) == "held"
    assert pool.release_after() == pytest.approx(5.0)
    clock.tick(5.0)
    assert pool.usable(clock.monotonic()) == ""
    pool.pick()
    assert events[0][0] == "key.held"


def test_a_429_that_tells_no_time_holds_longer_each_time() -> None:
    pool, clock, _ = pool_of("")
    waits = []
    for _ in range(8):
        answer(pool, pool.pick(), 429)
        wait = pool.release_after()
        assert wait is not None
        waits.append(wait)
        clock.tick(wait)
    assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60])


def test_a_refused_key_rests_and_the_other_goes_on() -> None:
    pool, _, events = pool_of("", "")
    bad = pool.pick()
    answer(pool, bad, 401)
    assert all(pool.pick() is not bad for _ in range(5))
    assert events == [("key.quarantined", {"key": bad.alias, "reason": "HTTP 401", "seconds": 60.0})]


def test_when_all_keys_are_refused_the_api_is_misconfigured() -> None:
    pool, clock, events = pool_of("", "")
    for _ in range(2):
        answer(pool, pool.pick(), 403)
    assert pool.usable(clock.monotonic()) == "misconfigured"
    assert [kind for kind, _ in events] == ["key.quarantined", "key.quarantined", "key.all_refused"]
    with pytest.raises(KeysUnavailable):
        pool.pick()
    clock.tick(60)
    assert pool.usable(clock.monotonic()) == ""


def test_a_success_ends_the_quarantine() -> None:
    pool, clock, events = pool_of("")
    first, second = pool.pick(), pool.pick()
    answer(pool, first, 401)
    pool.settle(second, SUCCESS, 200, {})
    assert pool.usable(clock.monotonic()) == ""
    assert events[-1][0] == "key.released"


def test_a_402_lasts_until_somebody_releases_it() -> None:
    pool, clock, _ = pool_of("")
    answer(pool, pool.pick(), 402)
    clock.tick(40 * 86400)
    assert pool.usable(clock.monotonic()) == "billing"
    assert pool.release_after() is None
    pool.reset()
    assert pool.usable(clock.monotonic()) == ""


def test_a_spent_quota_takes_the_key_out_until_its_reset() -> None:
    pool, clock, events = pool_of("")
    body = b'{"message": "You have exceeded the MONTHLY quota"}'
    headers = {"x-ratelimit-requests-remaining": "0", "x-ratelimit-requests-reset": "864000"}
    answer(pool, pool.pick(), 429, headers, body)
    with pytest.raises(QuotaExhausted) as caught:
        pool.pick()
    assert caught.value.retry_after == pytest.approx(864000)
    assert events[0][0] == "quota.exhausted"
    clock.tick(864000)
    pool.pick()


def test_keys_of_one_account_share_their_quota() -> None:
    pool, clock, _ = pool_of("team", "team")
    answer(pool, pool.pick(), 200, {"x-ratelimit-remaining": "1", "x-ratelimit-reset": "60"})
    pool.pick()
    assert pool.usable(clock.monotonic()) == "rate"
    apart, clock, _ = pool_of("", "")
    answer(apart, apart.pick(), 200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "60"})
    assert apart.usable(clock.monotonic()) == ""


def test_the_key_under_the_least_pressure_goes_first() -> None:
    pool, _, _ = pool_of("", "")
    one = pool.pick()
    two = pool.pick(exclude=(one,))
    answer(pool, one, 200, {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "20"})
    answer(pool, two, 200, {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "90"})
    assert pool.pick() is two


def test_peers_take_turns() -> None:
    pool, _, _ = pool_of("", "", "")
    picked = []
    for _ in range(6):
        key = pool.pick()
        picked.append(key.alias)
        pool.settle(key, SUCCESS, 200, {})
    assert sorted(picked[:3]) == ["key1", "key2", "key3"]
    assert picked[:3] == picked[3:]


def test_observe_says_what_it_would_have_refused_and_goes_on() -> None:
    pool, _, events = pool_of("", quota=QuotaOptions(mode=Mode.OBSERVE))
    answer(pool, pool.pick(), 200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "60"})
    pool.pick()
    pool.pick()
    assert [kind for kind, _ in events] == ["quota.would_refuse"]


def test_off_learns_nothing() -> None:
    pool, _, _ = pool_of("", quota=QuotaOptions(mode=Mode.OFF))
    answer(pool, pool.pick(), 200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "60"})
    pool.pick()
    assert pool.quotas() == []


def test_the_configured_rate_of_a_key_is_kept_and_unused_moments_come_back() -> None:
    clock = FakeClock()
    limited = ApiOptions(rate_limit=RateLimitOptions(rate=1, per=10))
    pool = KeyPool("slow", limited, clock, lambda kind, detail: None)
    pool.give_back(pool.pick())
    pool.settle(pool.pick(), SUCCESS, 200, {})
    with pytest.raises(RateLimited) as caught:
        pool.pick()
    assert caught.value.retry_after == pytest.approx(10.0)
    assert pool.release_after() == pytest.approx(10.0)
    clock.tick(10.0)
    pool.pick()


def test_units_of_calls_without_an_end_come_back() -> None:
    pool, _, _ = pool_of("")
    for _ in range(100):
        pool.give_back(pool.pick())
    assert pool.pick().account.in_flight == 1


def test_nothing_shows_a_key() -> None:
    pool, _, events = pool_of("", "")
    key = pool.pick()
    for _ in range(2):
        pool.settle(key, JUDGE.error(RuntimeError("x"), elapsed=0), None)
        answer(pool, pool.pick(), 401)
    shown = f"{pool.view()} {pool.quotas()} {events} {key!r} {pool.export_state()} {pool.ledger.export_state()}"
    assert "secret-" not in shown


def test_a_reload_keeps_the_state_of_keys_that_stay() -> None:
    pool, clock, _ = pool_of("", "")
    bad = pool.pick()
    in_flight = pool.pick(exclude=(bad,))
    answer(pool, bad, 401)
    changed = pool.reconfigured(options("", "", ""))
    assert len(changed) == 3
    assert {changed.pick().alias for _ in range(4)} == {key for key in ("key1", "key2", "key3") if key != bad.alias}
    changed.settle(in_flight, SUCCESS, 200, {})
    gone = changed.reconfigured(ApiOptions(base_url="https://api.test"))
    gone.settle(in_flight, SUCCESS, 200, {})
    assert gone.usable(clock.monotonic()) == ""


def test_quarantine_survives_a_restart() -> None:
    pool, clock, _ = pool_of("")
    answer(pool, pool.pick(), 401)
    later = FakeClock(start=5.0, epoch=clock.time() + 20)
    fresh = KeyPool("odds", options(""), later, lambda kind, detail: None)
    fresh.import_state(pool.export_state())
    assert fresh.release_after() == pytest.approx(40.0)
