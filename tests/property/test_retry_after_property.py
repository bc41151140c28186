"""Whatever a hostile server writes into its headers, the wait is a bounded number or nothing."""

from __future__ import annotations

from email.utils import formatdate

from hypothesis import given
from hypothesis import strategies as st

from understudy.resilience.limits import parse_limits
from understudy.resilience.quota import QuotaOptions
from understudy.resilience.retry_after import QUOTA_CAP, RATE_CAP, parse_retry_after

NOW = 1_800_000_000.0
NAMES = st.sampled_from(["Retry-After", "retry-after-ms", "x-ms-retry-after-ms", "Date"])
LIMITS = st.sampled_from(
    ["x-ratelimit-limit", "X-RateLimit-Remaining", "x-ratelimit-reset", "x-ratelimit-requests-reset", "RateLimit",
     "x-ratelimit-requests-remaining", "RateLimit-Policy", "ratelimit-reset", "x-ratelimit-reset-after"]
)  # fmt: skip


@given(st.dictionaries(NAMES, st.text(max_size=80)))
def test_any_text_gives_a_bounded_wait_or_none(headers: dict[str, str]) -> None:
    wait = parse_retry_after(headers, NOW)
    assert wait is None or 0 <= wait <= RATE_CAP


@given(st.integers(0, 10**9))
def test_seconds_are_obeyed_to_the_letter_up_to_the_cap(seconds: int) -> None:
    assert parse_retry_after({"Retry-After": str(seconds)}, NOW) == min(seconds, RATE_CAP)


@given(wait=st.integers(0, 80_000), skew=st.integers(-10_000_000, 10_000_000))
def test_the_skew_of_the_server_s_clock_does_not_matter(wait: int, skew: int) -> None:
    sent = NOW + skew
    headers = {"Retry-After": formatdate(sent + wait, usegmt=True), "Date": formatdate(sent, usegmt=True)}
    assert parse_retry_after(headers, NOW) == wait


VALUES = st.one_of(st.text(max_size=60), st.from_regex(r"[0-9;=rtqw,\" -]{0,40}", fullmatch=True))


@given(st.dictionaries(LIMITS, VALUES))
def test_any_limit_headers_give_bounded_limits(headers: dict[str, str]) -> None:
    for info in parse_limits(headers, QuotaOptions(), NOW):
        assert info.limit is None or info.limit >= 0
        assert info.remaining is None or info.remaining >= 0
        assert info.reset_after is None or 0 <= info.reset_after <= QUOTA_CAP
