"""What a rule costs the people whom it tells, and what an edit changes."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from understudy.alerts.noise import difference, noise
from understudy.alerts.ports import EpisodeRow, EventRow

DAY = 86400.0
#: Midnight UTC of a Monday.
START = 1_767_571_200.0


def episode(
    name: str, begin: float, end: float | None = None, api: str = "odds", severity: str = "critical"
) -> EpisodeRow:
    return EpisodeRow(
        name, "f", 1, "r", 1, {"api": api}, severity, severity, START + begin, None if end is None else START + end
    )


def event(name: str, kind: str, at: float, severity: str = "critical", suppressed_by: str = "") -> EventRow:
    return EventRow(f"{name}{kind}{at}", name, "f", "r", kind, START + at, severity, suppressed_by=suppressed_by)


def test_pages_are_critical_ones_that_ring_and_nights_are_local():
    events = [
        event("a", "fired", 3 * 3600), event("a", "reminder", 12 * 3600), event("a", "resolved", 13 * 3600),
        event("b", "fired", 14 * 3600, "warning"), event("b", "escalated", 23 * 3600),
        event("c", "fired", 15 * 3600, suppressed_by="silence:1"),
    ]  # fmt: skip
    found = noise([], events, START, START + 7 * DAY)
    assert (found.told, found.pages, found.night_pages, found.pages_per_week) == (5, 3, 2, 3.0)
    assert found.suppressed == {"silence": 1}
    # In São Paulo it is three hours earlier: midnight, nine, and eight in the evening.
    assert noise([], events, START, START + 7 * DAY, ZoneInfo("America/Sao_Paulo")).night_pages == 1


def test_noise_is_what_nobody_could_have_helped():
    episodes = [episode("a", 0, 60), episode("b", 1000, 5000), episode("c", 9000, 9119.9), episode("d", 20_000)]
    events = [
        event("b", "fired", 1000), event("b", "flapping_started", 2000), event("d", "fired", 20_000),
        event("d", "acked", 20_100),
    ]  # fmt: skip
    found = noise(episodes, events, START, START + DAY)
    assert (found.episodes, found.open, found.short, found.flapped, found.unanswered) == (4, 1, 2, 1, 1)
    assert found.share_noise == 75.0
    assert found.share_firing == pytest.approx(100 * (60 + 4000 + 119.9 + DAY - 20_000) / DAY)


def test_time_that_several_episodes_share_counts_once():
    episodes = [episode("a", -50, 100), episode("b", 50, 150, "other"), episode("c", 60, 70, "third")]
    assert noise(episodes, [], START, START + 1000).share_firing == pytest.approx(15.0)
    assert noise([], [], START, START + 1000).share_noise is None


def test_episodes_that_overlap_are_the_same_and_each_is_matched_once():
    before = [episode("a", 0, 100), episode("b", 500, 600), episode("c", 0, 100, "other")]
    after = [episode("x", 30, 100), episode("y", 90, 95), episode("z", 900, None)]
    found = difference(before, after)
    assert [(old.episode, new.episode) for old, new in found.kept] == [("a", "x")]
    assert [each.episode for each in found.gone] == ["b", "c"]
    assert [each.episode for each in found.new] == ["y", "z"]
    assert found.as_dict()["later"] == 30.0
    assert difference([episode("a", 0, 100)], [episode("x", 150, 200)], slack=60.0).kept
    assert difference([], []).as_dict() == {"gone": [], "new": [], "kept": 0, "later": None}
