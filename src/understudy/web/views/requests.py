"""The request log as people see it: a search with its page of entries, and one call in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, Self

from understudy.alerts.ports import EpisodeQuery
from understudy.core.errors import StoreUnavailable, UnknownName
from understudy.monitor.requests import Cursor, RequestEntry, RequestQuery

from .curl import curl

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Gaps between attempts that are shorter are our own work, no waiting, s.
_WAITED: Final = 0.002
#: Alerts that are shown beside a call.
_ALERTS: Final = 10


@dataclass(frozen=True, slots=True)
class Step:
    """One stretch of a call: an attempt, or a wait before the next one. Times are seconds since the call began."""

    kind: str
    api: str
    begin: float
    end: float
    key: str = ""
    outcome: str = ""
    attribution: str = ""
    status: int | None = None
    reason: str = ""
    #: What was left of the retry budget (retries) and of the key's quota (calls) afterwards.
    budget_left: float | None = None
    quota_left: int | None = None


@dataclass(frozen=True, slots=True)
class AlertBeside:
    """An alert that was firing while a call ran."""

    fingerprint: str
    episode: str
    rule: str
    severity: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CallView:
    """One call in full; `GET /api/requests/{call}`.

    `record` is its decision record, `steps` its attempts and waits in order, `commands` a line of curl for each HTTP
    API that it was tried on, with variables in the place of secrets. `kept` tells whether it is in the request log;
    one that is not is remembered for a while only.
    """

    entry: RequestEntry
    steps: tuple[Step, ...]
    commands: Mapping[str, str]
    alerts: tuple[AlertBeside, ...]
    kept: bool

    @classmethod
    async def of(cls, app: Understudy, call_id: str) -> Self:
        """The call from the request log, or else from what this process remembers.

        Raises:
            UnknownName: there is none.
            StoreUnavailable: the log cannot be read, and this process does not remember it.
        """
        entry, kept = await _entry(app, call_id)
        return cls(entry, steps_of(entry.record), _commands(app, entry), await _beside(app, entry), kept)

    @property
    def record(self) -> Mapping[str, Any]:
        """The decision record as plain values; empty where none is kept."""
        return self.entry.record

    @property
    def length(self) -> float:
        """The whole of it, s."""
        return max([self.entry.latency, *(step.end for step in self.steps)])

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        return {
            **self.entry.as_dict(),
            "steps": [asdict(each) for each in self.steps],
            "commands": dict(self.commands),
            "alerts": [{**asdict(each), "labels": dict(each.labels)} for each in self.alerts],
            "kept": self.kept,
        }


async def _entry(app: Understudy, call_id: str) -> tuple[RequestEntry, bool]:
    trouble: StoreUnavailable | None = None
    if app.keeping is not None:
        try:
            found = await app.keeping.requests.search(RequestQuery(call_id=call_id), 1)
        except StoreUnavailable as problem:
            found, trouble = [], problem
        if found:
            return found[0], True
    record = app.fallback.decision(call_id)
    if record is None:
        if trouble is not None:
            raise trouble
        raise UnknownName("call", call_id)
    last = record.attempts[-1] if record.attempts else None
    entry = RequestEntry(
        at=record.at, call_id=record.call_id, route=record.route, api=record.chosen or (last.api if last else ""),
        outcome=record.outcome, latency=record.duration, attempts=len(record.attempts),
        status=last.status if last else None, error=last.reason if last else "", record=record.as_dict(),
    )  # fmt: skip
    return entry, False


def steps_of(record: Mapping[str, Any]) -> tuple[Step, ...]:
    """The attempts of a decision record, and the waits between them."""
    known = {each.name for each in fields(Step)}
    steps: list[Step] = []
    until = 0.0
    for attempt in sorted(record.get("attempts", ()), key=lambda each: float(each["started_at"])):
        begin = float(attempt["started_at"])
        if begin - until > _WAITED:
            steps.append(Step("wait", str(attempt["api"]), until, begin))
        end = begin + float(attempt["duration"])
        told = {name: value for name, value in attempt.items() if name in known}
        steps.append(Step(kind="attempt", begin=begin, end=end, **told))
        until = max(until, end)
    return tuple(steps)


def _commands(app: Understudy, entry: RequestEntry) -> dict[str, str]:
    apis = app.fallback.roster.apis
    lines = {name: curl(apis[name], entry.endpoint) for name in entry.tried if name in apis}
    return {name: line for name, line in lines.items() if line}


async def _beside(app: Understudy, entry: RequestEntry) -> tuple[AlertBeside, ...]:
    """Alerts about the call's APIs or route that were firing while it ran; none where they cannot be read now."""
    if app.keeping is None:
        return ()
    query = EpisodeQuery(start=entry.at, end=entry.at + max(entry.latency, 1.0))
    try:
        episodes = await app.alerts.history(query, 100)
    except StoreUnavailable:
        return ()
    found = [
        AlertBeside(each.fingerprint, each.episode, each.rule, each.severity, dict(each.labels))
        for each in episodes
        if each.labels.get("api") in entry.tried or each.labels.get("route") == entry.route
    ]
    return tuple(found[:_ALERTS])


def within(query: RequestQuery, start: float | None, end: float | None) -> RequestQuery:
    """The query, narrowed to a span."""
    if start is not None:
        query = replace(query, start=max(start, query.start or 0.0))
    if end is not None:
        query = replace(query, end=end if query.end is None else min(end, query.end))
    return query


def place(entries: Sequence[RequestEntry], limit: int) -> str:
    """Where the next page goes on, as text; empty on the last one."""
    if len(entries) < limit:
        return ""
    last = entries[-1].cursor
    return f"{last.ts_ms}-{last.id}"


def cursor(text: str) -> Cursor | None:
    """The place that `place` gave; None for the beginning.

    Raises:
        ValueError: it is none.
    """
    if not text:
        return None
    at, _, number = text.partition("-")
    if not all(part.isascii() and part.isdigit() and len(part) <= _DIGITS for part in (at, number)):
        raise ValueError("before is the text that the page before gave as next")
    return Cursor(int(at), int(number))


#: Longest number in a place; more does not fit into a database.
_DIGITS: Final = 18
