"""A report of one API's failure that can be handed to its vendor: times, rates, samples, and nothing of ours.

It names no other API, no route, no key and no header; request paths are shown without their queries.
"""

from __future__ import annotations

from collections.abc import Sequence

from .model import Chart, Column, Fact, Line, Section, Table, Value
from .ports import Entry, Group, Past

_TIMELINE = (
    Column("at", "From", "time"),
    Column("requests", "Requests", "count"),
    Column("failures", "Failures", "count"),
    Column("success_rate", "Success", "percent"),
    Column("p95", "95 % took up to", "seconds"),
)
_GROUPS = (
    Column("class", "Class"),
    Column("message", "What was seen"),
    Column("count", "Times", "count"),
    Column("first", "First", "time"),
    Column("last", "Last", "time"),
)
_SAMPLES = (
    Column("at", "Sent", "time"),
    Column("request", "Request"),
    Column("status", "Status", "count"),
    Column("after", "Ended after", "seconds"),
    Column("seen", "What was seen"),
    Column("id", "Our reference"),
)
#: Stretches of the timeline that are listed, those with most failures first.
_STRETCHES = 40


def incident(api: str, past: Past, groups: Sequence[Group], entries: Sequence[Entry]) -> Section:
    """The section."""
    bad = [point for point in past.points if point.err]
    listed = sorted(sorted(bad, key=lambda point: -point.err)[:_STRETCHES], key=lambda point: point.at)
    whole = past.whole
    return Section(
        f"Failures of {api}",
        "Times are UTC. A failure is a request that got no valid answer: no connection, no answer in time, "
        "an answer with a server error, or one that was cut or invalid.",
        (
            Fact("First failing stretch", float(bad[0].at) if bad else None, "time"),
            Fact("End of the last", float(bad[-1].at + past.step) if bad else None, "time"),
            Fact("Requests", whole.n, "count"),
            Fact("Failures", whole.err, "count"),
            Fact("Success", whole.success_rate, "percent"),
        ),
        (
            Chart(
                "Failures",
                "count",
                (Line("failures", tuple((float(point.at), float(point.err)) for point in past.points)),),
            ),
        ),
        (
            Table(
                "Timeline",
                _TIMELINE,
                tuple((float(p.at), p.n, p.err, p.success_rate, p.p95) for p in listed),
                f"stretches of {past.step} s with failures",
            ),
            Table(
                "Kinds of failures",
                _GROUPS,
                tuple((g.error_class, g.message, g.count, g.first_at, g.last_at) for g in groups),
            ),
            Table("Samples", _SAMPLES, tuple(row for entry in entries for row in _samples(api, entry))),
        ),
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
