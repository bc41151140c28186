"""A seeded sample of `make soak`: a process that delivers is killed; no alert is lost, no incident opened twice."""

from __future__ import annotations

import pytest

from soak import delivery_kill


@pytest.mark.long
async def test_a_process_that_is_killed_while_it_delivers_loses_no_alert_and_opens_no_incident_twice():
    report = await delivery_kill.sample(5)
    assert not report.broken, report.broken
    assert report.figures["events"] > 10
