"""Short runs of the experiments in which nothing may grow: the service, and the first page in Chromium."""

from __future__ import annotations

from soak import flat_page, flat_service


async def test_a_live_service_keeps_nothing_of_what_has_passed():
    report = await flat_service.sample(7)
    assert report.broken == []
    assert report.figures["browsers"] == flat_service.SAMPLE // 10


async def test_an_open_page_keeps_nothing_of_what_has_passed():
    report = await flat_page.sample(7)
    assert report.broken == []
    assert set(report.figures["topics"]) >= {"overview", "newest", "events", "heat"}
