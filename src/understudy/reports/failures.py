"""What failed most, and what took longest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from understudy.core.text import Texts

from .model import Column, Fact, Section, Table
from .ports import Entry, Group, Past


def _groups(_: Texts) -> tuple[Column, ...]:
    return (
        Column("api", _("API")),
        Column("class", _("Class")),
        Column("message", _("What it said")),
        Column("count", _("Times"), "count"),
        Column("first", _("First seen"), "time"),
        Column("last", _("Last seen"), "time"),
    )


def _slowest(_: Texts) -> tuple[Column, ...]:
    return (
        Column("at", _("When"), "time"),
        Column("call", _("Call")),
        Column("route", _("Route")),
        Column("api", _("Served by")),
        Column("endpoint", _("Request")),
        Column("latency", _("Took"), "seconds"),
        Column("outcome", _("Outcome")),
    )


def _classes(_: Texts) -> tuple[Column, ...]:
    return (Column("api", _("API")), Column("class", _("Class")), Column("count", _("Failures"), "count"))


def failures(_: Texts, groups: Sequence[Group], slowest: Sequence[Entry], pasts: Mapping[str, Past]) -> Section:
    """The section: kinds of errors, most frequent first, and the slowest calls that were kept."""
    classes = sorted(
        ((name, outcome, times) for name, past in pasts.items() for outcome, times in past.errors.items()),
        key=lambda row: -row[2],
    )
    return Section(
        _("Failures and slow calls"),
        _("Errors that differ in numbers and quoted parts only are one kind."),
        (Fact(_("Failed attempts"), sum(past.whole.err for past in pasts.values()), "count"),),
        (),
        (
            Table(
                "failures",
                _("Most common failures"),
                _groups(_),
                tuple((g.api, g.error_class, g.message, g.count, g.first_at, g.last_at) for g in groups),
            ),
            Table("failures-by-class", _("By class"), _classes(_), tuple(classes)),
            Table(
                "slowest-calls",
                _("Slowest calls"),
                _slowest(_),
                tuple((e.at, e.call_id, e.route, e.api, e.endpoint, e.latency, e.outcome) for e in slowest),
            ),
        ),
    )
