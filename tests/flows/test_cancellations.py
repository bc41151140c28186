"""A seeded sample of `make soak`'s ten thousand random cancellations."""

from __future__ import annotations

from soak import cancellations


async def test_random_cancellations_at_every_stage_leave_nothing_behind():
    report = await cancellations.sample(7)
    assert not report.broken, "\n".join(report.broken)
