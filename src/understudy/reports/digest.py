"""A report in short, as a message to people: its first facts, and where all of it stands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from understudy.core.text import texts

from .model import Report
from .shown import plain, shown

#: Facts that a message has room for.
MOST: Final = 12


def title(report: Report) -> str:
    """What it is, and of when: `Summary, 2026-11-01 to 2026-11-30`."""
    _ = texts(report.language)
    # The end is the first moment that is not covered any more.
    first, last = (f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}" for at in (report.start, report.end - 1))
    if first == last:
        return _("{report}, {day}", report=plain(report.title), day=first)
    return _("{report}, {start} to {end}", report=plain(report.title), start=first, end=last)


def facts(report: Report) -> Mapping[str, str]:
    """The first facts of each section, by label, as a page shows them; of two with one label the first."""
    _ = texts(report.language)
    found: dict[str, str] = {}
    for section in report.sections:
        for fact in section.facts:
            if len(found) < MOST:
                note = f" ({fact.note})" if fact.note else ""
                found.setdefault(plain(fact.label), f"{shown(fact.value, fact.kind, _)}{note}")
    return found


def content(report: Report, public_url: str, api: str = "") -> str:
    """Where all of it stands; without a URL of the service, who reads it knows the dashboard."""
    _ = texts(report.language)
    asked = {"kind": report.kind, "from": f"{report.start:.0f}", "to": f"{report.end:.0f}"} | (
        {"api": api} if api else {}
    )
    path = f"/reports?{urlencode(asked)}"
    return _("All of it: {url}", url=f"{public_url.rstrip('/')}{path}" if public_url else path)
