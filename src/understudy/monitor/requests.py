"""What is kept of single calls: entries of the request log, groups of errors, and what can be asked of them.

Every failure and every fallback is kept, and a sample of the successes. In a storm of one error the
first entries are kept and the rest is counted in its group.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple

#: How a comparison of the search may compare.
Operator = Literal["=", "!=", ">", ">=", "<", "<="]


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip


class Cursor(NamedTuple):
    """The place of an entry in the order of time: where the next page goes on (keyset pagination)."""

    ts_ms: int
    id: int


@dataclass(frozen=True, slots=True)
class RequestEntry:
    """One call, finished. `at` is epoch seconds, `latency` seconds.

    `api` is the one that served, or the last that was tried. `endpoint` is `GET /path` without its
    query, empty for wrapped operations. `error` is one clipped, masked line. `record` is the decision
    record as plain values; `responses` has the status and the masked headers of refused answers, by API.
    `id` is given by the store; `instance` names the process.
    """

    at: float
    call_id: str
    route: str
    api: str
    outcome: str
    latency: float
    attempts: int
    status: int | None = None
    endpoint: str = ""
    error_class: str = ""
    error: str = ""
    fingerprint: str = ""
    instance: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)
    responses: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    id: int = 0

    @property
    def cursor(self) -> Cursor:
        """Where a page that ends with this entry goes on."""
        return Cursor(round(self.at * 1000), self.id)

    @property
    def tried(self) -> tuple[str, ...]:
        """Every API that the call was tried on, the one of `api` included, each once."""
        attempts = self.record.get("attempts", ())
        return tuple(dict.fromkeys(api for api in (self.api, *(each["api"] for each in attempts)) if api))

    def as_dict(self) -> dict[str, Any]:
        """The entry as JSON-ready values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            **values,
            "record": dict(self.record),
            "responses": {api: dict(told) for api, told in self.responses.items()},
        }


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """One kind of error and how often it occurred; `count` is what is to be added when it is written."""

    fingerprint: str
    api: str
    error_class: str
    message: str
    first_at: float
    last_at: float
    count: int

    def as_dict(self) -> dict[str, Any]:
        """The group as JSON-ready values."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


class Comparison(NamedTuple):
    """`status:>=500`, `lat:>2s`: a number and how it is compared; latencies in seconds."""

    operator: Operator
    value: float


@dataclass(frozen=True, slots=True)
class RequestQuery:
    """What entries are asked for; empty and None mean everything. All conditions must hold.

    Names of one kind are alternatives; `excluded_*` are left out. `apis` finds the calls that were tried
    on one of them, whoever served in the end; `excluded_apis` leaves out those. `text` are parts that the error must
    contain, compared without case. `start` and `end` are epoch seconds, the end excluded.
    """

    apis: tuple[str, ...] = ()
    excluded_apis: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    excluded_routes: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    excluded_outcomes: tuple[str, ...] = ()
    error_classes: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    status: tuple[Comparison, ...] = ()
    latency: tuple[Comparison, ...] = ()
    attempts: tuple[Comparison, ...] = ()
    text: tuple[str, ...] = ()
    call_id: str = ""
    fingerprint: str = ""
    instance: str = ""
    start: float | None = None
    end: float | None = None


def answers(entry: RequestEntry, query: RequestQuery) -> bool:
    """Whether an entry is among what was asked for."""
    chosen = (
        (query.routes, entry.route), (query.outcomes, entry.outcome), (query.error_classes, entry.error_class),
        (query.endpoints, entry.endpoint), (query.call_id and (query.call_id,), entry.call_id),
        (query.fingerprint and (query.fingerprint,), entry.fingerprint),
        (query.instance and (query.instance,), entry.instance),
    )  # fmt: skip
    tried = set(entry.tried)
    return (
        all(not wanted or value in wanted for wanted, value in chosen)
        and (not query.apis or bool(tried.intersection(query.apis)))
        and not tried.intersection(query.excluded_apis)
        and entry.route not in query.excluded_routes
        and entry.outcome not in query.excluded_outcomes
        and _compares(entry.status, query.status)
        and _compares(round(entry.latency * 1e6), [Comparison(op, round(value * 1e6)) for op, value in query.latency])
        and _compares(entry.attempts, query.attempts)
        and all(part.lower() in entry.error.lower() for part in query.text)
        and (query.start is None or entry.at >= query.start)
        and (query.end is None or entry.at < query.end)
    )


def _compares(value: float | None, comparisons: Iterable[Comparison]) -> bool:
    """Whether a number stands every comparison; what is unknown stands none."""
    return all(value is not None and _COMPARE[each.operator](value, each.value) for each in comparisons)
