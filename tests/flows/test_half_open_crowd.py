"""Fifty callers at a half-open breaker, over real HTTP: exactly the permitted number reach the API."""

from __future__ import annotations

from soak import half_open


async def test_exactly_the_permitted_number_of_waiting_callers_reach_a_half_open_api():
    report = await half_open.sample(7)
    assert not report.broken, "\n".join(report.broken)
