"""Limits read from headers, and what is made of them (rule R7)."""

from __future__ import annotations

import pytest

from understudy.resilience.limit_reader import LimitReader
from understudy.resilience.limits import LimitInfo, parse_limits
from understudy.resilience.presets import load_preset
from understudy.resilience.quota import Account, QuotaLedger, QuotaOptions
from understudy.testing.clock import FakeClock

NOW = 1_800_000_000.0


def parsed(headers: dict[str, str], preset: str = "", options: QuotaOptions | None = None) -> dict[str, LimitInfo]:
    return {info.object: info for info in parse_limits(headers, options, NOW, load_preset(preset))}


@pytest.mark.parametrize("skew", [0, 3600, -3600])
@pytest.mark.parametrize(
    "reset",
    [str(int(NOW) + 30), str((int(NOW) + 30) * 1000), "Fri, 15 Jan 2027 08:00:30 GMT"],
    ids=["epoch seconds", "epoch milliseconds", "date"],
)
def test_a_reset_told_as_a_moment_counts_from_the_responses_own_date(reset: str, skew: int) -> None:
    headers = {
        "Date": "Fri, 15 Jan 2027 08:00:00 GMT",
        "X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset,
    }  # fmt: skip
    [found] = parse_limits(headers, None, NOW + skew)
    assert found.reset_after == pytest.approx(30.0)
    assert LimitReader(QuotaOptions(), None).read(headers, NOW + skew) == [found]


def account(clock: FakeClock, options: QuotaOptions | None = None) -> Account:
    return QuotaLedger(clock).account("hub", "api", "key1", options or QuotaOptions())


def test_both_families_of_rapidapi() -> None:
    found = parsed(
        {
            "X-RateLimit-Requests-Limit": "500", "X-RateLimit-Requests-Remaining": "491",
            "X-RateLimit-Requests-Reset": "2163603",
            "x-ratelimit-rapid-free-plans-hard-limit-limit": "500000",
            "x-ratelimit-rapid-free-plans-hard-limit-remaining": "499000",
            "x-ratelimit-rapid-free-plans-hard-limit-reset": "2163603",
            "x-ratelimit-anything-at-all-limit": "9", "x-ratelimit-anything-at-all-remaining": "8",
            "x-ratelimit-limit": "5", "x-ratelimit-remaining": "4", "x-ratelimit-reset": "1",
        },
        "rapidapi",
    )  # fmt: skip
    assert found["requests"] == LimitInfo("requests", 500, 491, 2163603, None, plan=True)
    assert found["rapid-free-plans-hard-limit"].remaining == 499000
    assert found["anything-at-all"].long
    assert not found[""].long


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2163603", 2163603.0),
        (str(int(NOW) + 60), 60.0),
        (str((int(NOW) + 60) * 1000), 60.0),
        ("2027-01-15T08:01:00Z", 60.0),
        ("Fri, 15 Jan 2027 08:01:00 GMT", 60.0),
        ("1m0s", 60.0),
        ("20ms", 0.02),
        (str(int(NOW) - 60), None),
        ("-5", None),
        ("soon", None),
    ],
)
def test_a_reset_is_read_in_every_unit(text: str, seconds: float | None) -> None:
    assert parsed({"x-ratelimit-remaining": "1", "x-ratelimit-reset": text})[""].reset_after == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("headers", "name", "limit", "remaining", "reset", "window"),
    [
        ({"RateLimit": '"default";r=50;t=30', "RateLimit-Policy": '"default";q=100;w=60'}, "default", 100, 50, 30, 60),
        ({"RateLimit": "limit=100, remaining=50, reset=5", "RateLimit-Policy": "100;w=60"}, "", 100, 50, 5, 60),
        ({"RateLimit-Limit": "100, 100;w=60", "RateLimit-Remaining": "3"}, "", 100, 3, None, None),
        ({"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59"}, "requests", 60, 59, None, None),
        ({"X-Rate-Limit-Limit": "60", "X-Rate-Limit-Remaining": "2"}, "", 60, 2, None, None),
        ({"anthropic-ratelimit-tokens-remaining": "12000"}, "tokens", None, 12000, None, None),
        ({"X-RateLimit-Remaining-Day": "7", "X-RateLimit-Limit-Day": "1,000"}, "day", 1000, 7, None, 86400),
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset-After": "0.5"}, "", None, 1, 0.5, None),
    ],
)
def test_other_families(
    headers: dict[str, str], name: str, limit: float, remaining: float, reset: float, window: float
) -> None:
    info = parsed(headers)[name]
    assert (info.limit, info.remaining, info.reset_after) == (limit, remaining, reset)
    assert info.window == window or window is None


def test_configured_names_are_read() -> None:
    options = QuotaOptions(header_remaining="X-Left", header_limit="X-Max", header_reset="X-When", window="day")
    assert parsed({"x-left": "3", "x-max": "9", "x-when": "60"}, options=options)[""] == LimitInfo("", 9, 3, 60, 86400)


@pytest.mark.parametrize("value", ["-3", "many", "", "1e9", "0x3", "9" * 600])
def test_garbage_is_passed_over(value: str) -> None:
    assert parsed({"x-ratelimit-remaining": value}) == {}


# -- buckets ----------------------------------------------------------------------------------------


def told(remaining: float, limit: float | None = 100, reset: float | None = 600, name: str = "") -> list[LimitInfo]:
    return [LimitInfo(name, limit, remaining, reset)]


def test_the_last_unit_is_taken_by_one_call() -> None:
    clock = FakeClock()
    one = account(clock)
    one.begin()
    one.end(True, told(1))
    assert one.refusal(clock.monotonic())[0] == ""
    one.begin()
    assert one.refusal(clock.monotonic())[0] == "rate"


def test_a_call_that_was_not_sent_gives_its_unit_back() -> None:
    clock = FakeClock()
    one = account(clock)
    one.begin()
    one.end(True, told(1))
    one.begin()
    one.end(False)
    assert one.remaining(clock.monotonic()) == 1


def test_a_call_whose_response_told_nothing_counts_as_used() -> None:
    clock = FakeClock()
    one = account(clock)
    one.begin()
    one.end(True, told(5))
    one.begin()
    one.end(True)
    assert one.remaining(clock.monotonic()) == 4


def test_responses_out_of_order_never_raise_what_is_left() -> None:
    clock = FakeClock()
    one = account(clock)
    for remaining in (9, 5, 7, 6):
        one.begin()
        one.end(True, told(remaining))
    assert one.remaining(clock.monotonic()) == 5


def test_after_the_reset_what_is_left_is_unknown_not_zero() -> None:
    clock = FakeClock()
    one = account(clock)
    one.begin()
    one.end(True, told(0))
    assert one.refusal(clock.monotonic()) == ("rate", clock.monotonic() + 600)
    clock.jump_wall(3600)
    assert one.refusal(clock.monotonic())[0] == "rate"
    clock.tick(600)
    assert one.refusal(clock.monotonic()) == ("", 0.0)
    assert one.remaining(clock.monotonic()) is None


def test_a_new_window_is_believed() -> None:
    clock = FakeClock()
    one = account(clock)
    one.begin()
    one.end(True, told(3, reset=20))
    clock.tick(10)
    one.begin()
    one.end(True, told(99, reset=3600))
    assert one.remaining(clock.monotonic()) == 99


def test_a_reserve_is_kept_for_critical_calls() -> None:
    clock = FakeClock()
    one = account(clock)
    one.begin()
    one.end(True, told(5, reset=86400))
    assert one.refusal(clock.monotonic())[0] == "quota_reserve"
    assert one.refusal(clock.monotonic(), critical=True)[0] == ""


def test_a_spent_quota_is_refused_unless_overage_is_allowed() -> None:
    clock = FakeClock()
    for allowed, reason in ((False, "quota"), (True, "")):
        one = account(clock, QuotaOptions(overage_price=2.0, allow_overage=allowed))
        one.begin()
        one.end(True, told(0, reset=86400))
        assert one.refusal(clock.monotonic())[0] == reason


def test_a_configured_quota_is_counted_and_starts_anew_with_its_window() -> None:
    clock = FakeClock()
    one = account(clock, QuotaOptions(limit=2, window="minute"))
    for _ in range(2):
        assert one.refusal(clock.monotonic())[0] == ""
        one.begin()
        one.end(True)
    assert one.refusal(clock.monotonic())[0] == "rate"
    clock.tick(60)
    assert one.refusal(clock.monotonic())[0] == ""
    one.begin()
    assert one.remaining(clock.monotonic()) == 1


def test_a_configured_day_ends_at_midnight_utc() -> None:
    clock = FakeClock()  # 08:00 UTC
    one = account(clock, QuotaOptions(limit=1, window="day", reserve=0))
    one.begin()
    one.end(True)
    assert one.refusal(clock.monotonic())[1] == pytest.approx(clock.monotonic() + 16 * 3600)


def test_headers_override_the_configured_limit() -> None:
    clock = FakeClock()
    one = account(clock, QuotaOptions(limit=2, window="day"))
    one.begin()
    one.end(True, told(500, 1000, 80000, "requests"))
    assert one.remaining(clock.monotonic()) == 500


def test_pressure_is_projected_use_over_what_is_left() -> None:
    clock = FakeClock()
    one = account(clock)
    one.begin()
    one.end(True, told(100, reset=100))
    clock.tick(10)
    one.begin()
    one.end(True, told(90, reset=90))
    assert one.pressure(clock.monotonic()) == pytest.approx(1.0, abs=0.05)


def test_the_forecast_tells_when_a_quota_ends_before_its_reset() -> None:
    clock = FakeClock()
    ledger = QuotaLedger(clock)
    one = ledger.account("hub", "api", "key1", QuotaOptions())
    one.begin()
    one.end(True, told(1000, 1000, 86400, "requests"))
    clock.tick(100)
    assert ledger.forecast() == []
    one.begin()
    one.end(True, told(900, 1000, 86300, "requests"))
    forecast = ledger.forecast()[0]
    assert forecast.per_second == pytest.approx(1.0)
    assert forecast.at == pytest.approx(clock.time() + 900)


def test_an_exhausted_month_survives_a_restart() -> None:
    before = FakeClock(start=50.0)
    ledger = QuotaLedger(before)
    ledger.account("hub", "api", "key1", QuotaOptions()).end(True, told(0, 500, 86400 * 20, "requests"))
    state = ledger.export_state()
    after = FakeClock(start=9_000_000.0, epoch=before.time() + 3600)
    fresh = QuotaLedger(after)
    one = fresh.account("hub", "api", "key1", QuotaOptions())
    fresh.import_state(state)
    reason, until = one.refusal(after.monotonic())
    assert reason == "quota"
    assert until - after.monotonic() == pytest.approx(86400 * 20 - 3600)
    late = FakeClock(start=1.0, epoch=before.time() + 86400 * 21)
    stale = QuotaLedger(late)
    other = stale.account("hub", "api", "key1", QuotaOptions())
    stale.import_state(state)
    assert other.refusal(late.monotonic()) == ("", 0.0)
