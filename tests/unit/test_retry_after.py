"""What a response says about when to come back (rule R3)."""

from __future__ import annotations

import pytest

from understudy.resilience.retry_after import parse_retry_after

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"RETRY-AFTER": "1.5"}, 1.5),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "3, 9"}, 9.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"x-ms-retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "250", "Retry-After": "1"}, 0.25),
        ({"retry-after-ms": "soon", "Retry-After": "1"}, 1.0),
        ({"Retry-After": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30.0),
        ({"Retry-After": "2027-01-15T08:00:30Z"}, 30.0),
    ],
)
def test_every_form_is_read(headers: dict[str, str], seconds: float) -> None:
    assert parse_retry_after(headers, NOW) == pytest.approx(seconds)


def test_a_date_is_measured_against_the_response_s_own_date() -> None:
    headers = {"Retry-After": "Fri, 15 Jan 2027 09:00:30 GMT", "Date": "Fri, 15 Jan 2027 09:00:00 GMT"}
    assert parse_retry_after(headers, NOW) == pytest.approx(30.0)
    assert parse_retry_after(headers, NOW + 5 * 3600) == pytest.approx(30.0)


@pytest.mark.parametrize(
    "text", ["", "-1", "soon", "nan", "inf", "1e3", "0x10", "Fri, 99 Foo 2027", "²", "9" * 80, "\x00", "-0"]
)
def test_negative_and_garbage_is_ignored(text: str) -> None:
    assert parse_retry_after({"Retry-After": text}, NOW) is None


def test_a_date_in_the_past_is_ignored() -> None:
    assert parse_retry_after({"Retry-After": "Fri, 15 Jan 2027 07:59:00 GMT"}, NOW) is None


def test_absurd_values_are_capped_at_a_day() -> None:
    assert parse_retry_after({"Retry-After": "999999999999"}, NOW) == 86400.0
    assert parse_retry_after({"Retry-After": "9" * 40}, NOW) == 86400.0
    assert parse_retry_after({"Retry-After": "Fri, 15 Jan 2100 08:00:00 GMT"}, NOW) == 86400.0


def test_nothing_said_means_none() -> None:
    assert parse_retry_after({}, NOW) is None
