"""The span of time that a page shows, as its address says it: what the picker in the top bar is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from understudy.core.text import Texts
from understudy.web.api.span import SPAN, span
from understudy.web.http import Problem

#: What the picker offers; the names are those of `last=`.
PRESETS: Final = ("5m", "1h", "6h", "24h", "7d", "30d")
#: What says where in a list the reader is: another span begins at its begin.
_PLACES: Final = frozenset(("before", "after", "done"))


@dataclass(frozen=True, slots=True)
class Preset:
    """One span that is offered."""

    title: str
    href: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Range:
    """The chosen span (epoch seconds), what else can be chosen, and what of the address stays as it is."""

    title: str
    start: float
    end: float
    #: The span's own words in the address, as `last=1h`: for links to other pages.
    query: str
    presets: tuple[Preset, ...]
    kept: tuple[tuple[str, str], ...]
    #: Whether any begin and end may be chosen.
    free: bool = True

    @property
    def start_text(self) -> str:
        """The begin as a date field takes it."""
        return _field(self.start)

    @property
    def end_text(self) -> str:
        """The end as a date field takes it."""
        return _field(self.end)


def range_of(
    _: Texts, pairs: Sequence[tuple[str, str]], now: float, default: str = "1h", offered: Sequence[str] = PRESETS
) -> Range:
    """The span that the query of a page says; the default one where it says none, or none that can be read.

    A page that knows some spans only names those that it offers; it is then no place for others.
    """
    kept = tuple((name, value) for name, value in pairs if name not in SPAN and name not in _PLACES)
    said = {name: value for name, value in pairs if name in SPAN} or {"last": default}
    try:
        start, end = span(said, now)
    except Problem:  # the page itself answers with what is wrong
        said = {"last": default}
        start, end = span(said, now)
    chosen = said.get("last", "")
    presets = tuple(
        Preset(_title(_, each), "?" + urlencode((*kept, ("last", each))), chosen == each) for each in offered
    )
    if chosen:
        title = _title(_, chosen)
    elif "month" in said:
        title = said["month"]
    else:
        title = f"{_field(start).replace('T', ' ')} – {_field(end).replace('T', ' ')} UTC"
    return Range(title, start, end, urlencode(said), presets, kept, offered is PRESETS)


def _title(_: Texts, last: str) -> str:
    return {
        "5m": _("Last 5 min"), "1h": _("Last hour"), "6h": _("Last 6 h"), "24h": _("Last 24 h"),
        "7d": _("Last 7 days"), "30d": _("Last 30 days"),
    }.get(last) or _("Last {span}", span=last)  # fmt: skip


def _field(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M")
