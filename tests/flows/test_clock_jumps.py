"""A sample of `make soak`'s clock jumps: an hour forward and back changes nothing that Understudy does."""

from __future__ import annotations

from soak import clock_jumps


async def test_jumps_of_the_wall_clock_change_no_call_no_hold_no_quota_and_no_number():
    report = await clock_jumps.sample(7)
    assert not report.broken, "\n".join(report.broken)
