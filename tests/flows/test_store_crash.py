"""A seeded sample of `make soak`'s crashes: whatever the moment, the file is sound and nothing acknowledged is lost."""

from __future__ import annotations

from soak import storage_crash, storage_kill


async def test_a_store_that_is_killed_at_random_moments_loses_nothing_it_acknowledged():
    report = await storage_kill.sample(11)
    assert not report.broken, report.broken
    assert report.figures["acknowledged_control_writes"] > 20


async def test_a_crash_at_any_write_or_a_loss_of_power_leaves_a_sound_store_with_all_control_data():
    report = await storage_crash.sample(7)
    assert not report.broken, report.broken
    assert report.figures["states"] > 30
