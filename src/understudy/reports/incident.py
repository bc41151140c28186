"""A report of one API's failure that can be handed to its vendor: times, rates, samples, and nothing of ours.

It names no other API, no route, no key and no header; request paths are shown without their queries.
"""

from __future__ import annotations

from collections.abc import Sequence

from understudy.core.text import Texts

from .model import Chart, Column, Fact, Line, Section, Table, Value
from .ports import Entry, Group, Past
from .shown import duration


def _timeline(_: Texts) -> tuple[Column, ...]:
    return (
        Column("at", _("From"), "time"),
        Column("requests", _("Requests"), "count"),
        Column("failures", _("Failures"), "count"),
        Column("success_rate", _("Success"), "percent"),
        Column("p95", _("95 % took up to"), "seconds"),
    )


def _groups(_: Texts) -> tuple[Column, ...]:
    return (
        Column("class", _("Class")),
        Column("message", _("What was seen")),
        Column("count", _("Times"), "count"),
        Column("first", _("First seen"), "time"),
        Column("last", _("Last seen"), "time"),
    )


def _taken(_: Texts) -> tuple[Column, ...]:
    return (
        Column("at", _("Sent"), "time"),
        Column("request", _("Request")),
        Column("status", _("Status"), "count"),
        Column("after", _("Ended after"), "seconds"),
        Column("seen", _("What was seen")),
        Column("id", _("Our reference")),
    )


def incident(_: Texts, api: str, past: Past, groups: Sequence[Group], entries: Sequence[Entry]) -> Section:
    """The section."""
    bad = [point for point in past.points if point.err]
    return Section(
        _("Failures of {api}", api=api),
        _(
            "Times are UTC. A failure is a request that got no valid answer: no connection, no answer in time, "
            "an answer with a server error, or one that was cut or invalid."
        ),
        _facts(_, past),
        (
            Chart(
                _("Failures"),
                "count",
                (Line(_("failures"), tuple((float(point.at), float(point.err)) for point in past.points)),),
            ),
        ),
        (
            Table(
                "timeline",
                _("Timeline"),
                _timeline(_),
                tuple((float(p.at), p.n, p.err, p.success_rate, p.p95) for p in bad),
                _("stretches of {length} with failures", length=duration(past.step, _)),
                most="failures",
            ),
            Table(
                "failures",
                _("Kinds of failures"),
                _groups(_),
                tuple((g.error_class, g.message, g.count, g.first_at, g.last_at) for g in groups),
            ),
            Table("samples", _("Samples"), _taken(_), tuple(row for entry in entries for row in _samples(api, entry))),
        ),
    )


def _facts(_: Texts, past: Past) -> tuple[Fact, ...]:
    bad = [point for point in past.points if point.err]
    whole = past.whole
    return (
        Fact(_("First failing stretch"), float(bad[0].at) if bad else None, "time"),
        Fact(_("End of the last"), float(bad[-1].at + past.step) if bad else None, "time"),
        Fact(_("Requests"), whole.n, "count"),
        Fact(_("Failures"), whole.err, "count"),
        Fact(_("Success"), whole.success_rate, "percent"),
    )


def _samples(api: str, entry: Entry) -> list[tuple[Value, ...]]:
    """The failed attempts on this API in one call."""
    return [
        (
            entry.at + attempt.get("started_at", 0.0),
            entry.endpoint,
            attempt.get("status"),
            attempt.get("duration"),
            attempt.get("reason") or attempt.get("outcome", ""),
            entry.call_id,
        )
        for attempt in entry.record.get("attempts", ())
        if attempt.get("api") == api and attempt.get("outcome") != "success"
    ]
