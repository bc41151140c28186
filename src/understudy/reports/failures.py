"""What failed most, and what took longest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .model import Column, Fact, Section, Table
from .ports import Entry, Group, Past

_GROUPS = (
    Column("api", "API"),
    Column("class", "Class"),
    Column("message", "What it said"),
    Column("count", "Times", "count"),
    Column("first", "First", "time"),
    Column("last", "Last", "time"),
)
_SLOWEST = (
    Column("at", "When", "time"),
    Column("call", "Call"),
    Column("route", "Route"),
    Column("api", "Served by"),
    Column("endpoint", "Request"),
    Column("latency", "Took", "seconds"),
    Column("outcome", "Outcome"),
)
_CLASSES = (Column("api", "API"), Column("class", "Class"), Column("count", "Failures", "count"))


def failures(groups: Sequence[Group], slowest: Sequence[Entry], pasts: Mapping[str, Past]) -> Section:
    """The section: kinds of errors, most frequent first, and the slowest calls that were kept."""
    classes = sorted(
        ((name, outcome, times) for name, past in pasts.items() for outcome, times in past.errors.items()),
        key=lambda row: -row[2],
    )
    return Section(
        "Failures and slow calls",
        "Errors that differ in numbers and quoted parts only are one kind.",
        (Fact("Failed attempts", sum(past.whole.err for past in pasts.values()), "count"),),
        (),
        (
            Table(
                "Most common failures",
                _GROUPS,
                tuple((g.api, g.error_class, g.message, g.count, g.first_at, g.last_at) for g in groups),
            ),
            Table("By class", _CLASSES, tuple(classes[:50])),
            Table(
                "Slowest calls",
                _SLOWEST,
                tuple((e.at, e.call_id, e.route, e.api, e.endpoint, e.latency, e.outcome) for e in slowest),
            ),
        ),
    )
