"""Ninety days as a small drawing and as text: one path for each state, and a sentence that says the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from understudy.core.text import Texts
from understudy.web.views.status_page import PublicComponent, PublicDay

#: Width of a day with its gap, and of the bar in it; height of the drawing.
STEP, BAR, HEIGHT = 4, 3, 24
#: How much of the height a bar has: a state is told by height and colour together.
_HEIGHTS: Final = {"ok": 24, "degraded": 16, "down": 24, "unknown": 4}
#: A bad day has a gap in its middle, so that it is no good one to whoever sees no colours.
_GAP: Final = (10, 14)


@dataclass(frozen=True, slots=True)
class Strip:
    """What a template draws, and says."""

    width: int
    paths: tuple[tuple[str, str], ...]
    said: str
    #: The days that were not good: date, state, rate.
    troubled: tuple[PublicDay, ...]


def strip(component: PublicComponent, _: Texts) -> Strip:
    """The ninety days of a component."""
    drawn: dict[str, list[str]] = {}
    for place, day in enumerate(component.days):
        drawn.setdefault(day.state, []).append(_bar(place * STEP, day.state))
    counts = Counter(day.state for day in component.days)
    said = [
        _.plural("{count} good day", "{count} good days", counts["ok"]),
        *([_.plural("{count} with trouble", "{count} with trouble", found)] if (found := counts["degraded"]) else []),
        *([_.plural("{count} bad", "{count} bad", found)] if (found := counts["down"]) else []),
        *([_.plural("{count} without data", "{count} without data", found)] if (found := counts["unknown"]) else []),
    ]
    troubled = tuple(day for day in reversed(component.days) if day.state in ("degraded", "down"))
    paths = tuple((state, "".join(parts)) for state, parts in drawn.items())
    return Strip(len(component.days) * STEP - (STEP - BAR), paths, ", ".join(said), troubled)


def _bar(x: int, state: str) -> str:
    height = _HEIGHTS.get(state, 4)
    top = HEIGHT - height
    if state == "down":
        low, high = _GAP
        return f"M{x} 0h{BAR}v{low}h-{BAR}zM{x} {high}h{BAR}v{HEIGHT - high}h-{BAR}z"
    return f"M{x} {top}h{BAR}v{height}h-{BAR}z"


def date(at: float) -> str:
    """A day as `2026-11-28`, UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"
