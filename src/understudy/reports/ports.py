"""What reports need to know; the history, the request log and the fallback manager satisfy these by shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol


class Point(Protocol):
    """Numbers of one stretch of time; see `monitor.history.HistoryPoint`."""

    @property
    def at(self) -> int:
        """Epoch second at which it begins."""

    @property
    def n(self) -> int:
        """Calls of a route, attempts on an API."""

    @property
    def ok(self) -> int:
        """Of these, successes."""

    @property
    def err(self) -> int:
        """Of these, failures."""

    @property
    def success_rate(self) -> float | None:
        """Percentage of successes among successes and failures."""

    @property
    def mean(self) -> float | None:
        """Mean seconds of the successes."""

    @property
    def p50(self) -> float | None:
        """Median seconds of the successes."""

    @property
    def p95(self) -> float | None:
        """95th percentile of the seconds of the successes."""

    @property
    def p99(self) -> float | None:
        """99th percentile of the seconds of the successes."""

    @property
    def fallback_used(self) -> int:
        """Calls of a route that a standby served; calls that an API served as a standby."""

    @property
    def retries(self) -> int:
        """Attempts that repeated one on the same API."""

    @property
    def cost(self) -> float:
        """What the executed attempts cost, in the currency of the prices."""


class Past(Protocol):
    """One series over a span; see `monitor.history.SeriesHistory`."""

    @property
    def step(self) -> int:
        """Length of a point, seconds."""

    @property
    def points(self) -> Sequence[Point]:
        """In order of time; stretches without traffic are left out."""

    @property
    def whole(self) -> Point:
        """The span as one point."""

    @property
    def errors(self) -> Mapping[str, int]:
        """Failures by outcome class."""


class Histories(Protocol):
    """Reads the past of APIs and routes."""

    async def api(self, name: str, start: float, end: float, points: int) -> Past:
        """Attempts on an API."""

    async def route(self, name: str, start: float, end: float, points: int) -> Past:
        """Calls of a route."""

    async def wholes(
        self, kind: Literal["api", "route"], names: Sequence[str], start: float, end: float
    ) -> Mapping[str, Past]:
        """Many at once, each as one number: `points` has at most one."""


class Group(Protocol):
    """One kind of error; see `monitor.requests.ErrorGroup`."""

    @property
    def api(self) -> str:
        """The API that failed."""

    @property
    def error_class(self) -> str:
        """How the attempt ended."""

    @property
    def message(self) -> str:
        """What it said, on one line, secrets masked."""

    @property
    def first_at(self) -> float:
        """Epoch seconds of the first one."""

    @property
    def last_at(self) -> float:
        """Epoch seconds of the last one."""

    @property
    def count(self) -> int:
        """How many there were."""


class Entry(Protocol):
    """One kept call; see `monitor.requests.RequestEntry`."""

    @property
    def at(self) -> float:
        """Epoch seconds at which it began."""

    @property
    def call_id(self) -> str:
        """Our name for it."""

    @property
    def route(self) -> str:
        """The route that was called."""

    @property
    def api(self) -> str:
        """Who served, or was tried last."""

    @property
    def outcome(self) -> str:
        """What became of it."""

    @property
    def latency(self) -> float:
        """Seconds that the caller waited."""

    @property
    def endpoint(self) -> str:
        """What was asked, without its query."""

    @property
    def error(self) -> str:
        """What the culprit said, on one line, secrets masked."""

    @property
    def record(self) -> Mapping[str, Any]:
        """The decision record as plain values."""


class Failures(Protocol):
    """Reads what failed."""

    async def groups(self, start: float, end: float, api: str, limit: int) -> Sequence[Group]:
        """Kinds of errors, most frequent first; of all APIs when `api` is empty."""

    async def failed(self, api: str, start: float, end: float, limit: int) -> Sequence[Entry]:
        """Kept calls in which an attempt on `api` failed, newest first."""

    async def slowest(self, start: float, end: float, limit: int) -> Sequence[Entry]:
        """Kept calls that took longest."""


class Episode(Protocol):
    """One continuous firing of a rule; see `alerts.ports.EpisodeRow`."""

    @property
    def episode(self) -> str:
        """Its name."""

    @property
    def rule(self) -> str:
        """The rule that fired."""

    @property
    def labels(self) -> Mapping[str, str]:
        """What it is about."""

    @property
    def peak(self) -> str:
        """Its highest severity: critical, warning or info."""

    @property
    def started_at(self) -> float:
        """Epoch seconds."""

    @property
    def resolved_at(self) -> float | None:
        """Epoch seconds; None while it is open."""


class Episodes(Protocol):
    """Reads what fired."""

    async def between(self, start: float, end: float, api: str, limit: int) -> Sequence[Episode]:
        """What was firing at any time of the span, newest first; about everything when `api` is empty."""


@dataclass(frozen=True, slots=True)
class QuotaFacts:
    """One limit of one key: what is left, when it starts anew (seconds from now), and its use per second of late."""

    key: str
    name: str
    limit: float | None
    remaining: float | None
    reset_after: float | None
    per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class ApiFacts:
    """What is registered about an API; `price` is that of 1,000 calls."""

    name: str
    hub: str
    price: float
    quotas: tuple[QuotaFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """A route and its APIs, the preferred one first."""

    name: str
    apis: tuple[str, ...]


class Registered(Protocol):
    """Who there is."""

    def apis(self) -> Sequence[ApiFacts]:
        """Every registered API."""

    def routes(self) -> Sequence[RouteFacts]:
        """Every registered route."""
