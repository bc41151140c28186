"""A seeded sample of `make soak`: services that alert are killed; nobody misses an alert, and a pager rings once."""

from __future__ import annotations

import pytest

from soak import alert_kill, alert_takeover


@pytest.mark.long
async def test_a_service_that_is_killed_while_it_alerts_loses_no_alert_and_repeats_only_what_was_on_its_way():
    report = await alert_kill.sample(7)
    assert not report.broken, report.broken
    assert report.figures["alerts"] == 12


@pytest.mark.long
async def test_of_two_services_on_postgresql_the_other_goes_on_when_the_one_that_alerts_is_killed():
    report = await alert_takeover.sample(7)
    assert not report.broken, report.broken
    assert report.figures["kills"] == 2
