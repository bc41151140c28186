"""A seeded sample of `make soak`: a fault of each channel, and what becomes of all that was to be told."""

from __future__ import annotations

import pytest

from soak import alert_faults


@pytest.mark.long
async def test_whatever_a_channel_suffers_all_arrives_or_is_given_up_with_a_reason():
    report = await alert_faults.sample(7)
    assert not report.broken, report.broken
    assert report.figures["rows"]["delivered"] > 100
