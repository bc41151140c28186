"""`/metrics`: everything about every API in Prometheus' formats, cheap to ask for and never in the way.

Each API keeps its blocks of text; at a scrape only those of APIs that changed are formatted anew, and
the event loop gets its turn every few milliseconds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterable
from itertools import accumulate
from typing import Any

from understudy.core.clock import SYSTEM_CLOCK, Clock
from understudy.core.types import OutcomeClass
from understudy.monitor import PerformanceMonitor
from understudy.monitor.histogram import BOUNDS
from understudy.monitor.summary import Cumulative
from understudy.resilience import FallbackManager
from understudy.resilience.breaker import WOULD_OPEN, BreakerState
from understudy.resilience.registry import Api
from understudy.resilience.score import PRIOR_SUCCESS

from .process import readings
from .prometheus_text import (
    Family,
    Format,
    counter_template,
    gauge_template,
    histogram_template,
    samples,
)
from .told import Rows

#: The event loop gets a turn at least this often while a page is made, s.
SLICE = 0.002
#: APIs whose blocks are joined, and refreshed, before the clock is looked at.
TOGETHER, REFRESHED = 100, 10

_P = "understudy_"
REQUESTS = Family(_P + "upstream_requests", "counter", "Attempts on an API, by how they ended.")
DURATION = Family(_P + "upstream_request_duration_seconds", "histogram", "Seconds of successful attempts.")
ATTEMPTS = Family(
    _P + "upstream_attempts", "counter", "Attempts of calls that a first success did not end, by how they ended."
)
IN_FLIGHT = Family(_P + "upstream_in_flight", "gauge", "Attempts that are running now.")
UP = Family(_P + "upstream_up", "gauge", "0 while an API is taken for down, otherwise 1.")
HEALTH = Family(_P + "upstream_health_score", "gauge", "Expected share of successes, 0 to 1, as selection sees it.")
BREAKER = Family(_P + "breaker_state", "gauge", "1 for the state of the API's breaker; its worst, if it has several.")
TRANSITIONS = Family(_P + "breaker_transitions", "counter", "Changes of an API's breakers, by the state reached.")
FALLBACKS = Family(_P + "fallback", "counter", "Calls that another API than the lead served, and why the lead did not.")
EXHAUSTED = Family(_P + "fallback_exhausted", "counter", "Calls that no API of the route served.")
BUDGET = Family(
    _P + "retry_budget_remaining_ratio", "gauge", "Retries allowed now, as a share of the always allowed; at most 1."
)
QUOTA_LIMIT = Family(_P + "quota_limit", "gauge", "Calls that the plans of all keys allow in a window.")
QUOTA_LEFT = Family(_P + "quota_remaining", "gauge", "Calls that the keys have left in a window.")
BUILD = Family(_P + "build_info", "gauge", "Always 1; the versions are in the labels.")
LAG = Family(_P + "event_loop_lag_seconds", "gauge", "Lateness of the event loop: 99th percentile of five minutes.")
RELOAD_OK = Family(_P + "config_last_reload_successful", "gauge", "1 when the last configuration was taken in.")
RELOAD_AT = Family(
    _P + "config_last_reload_timestamp_seconds", "gauge", "When a configuration was last taken in, epoch seconds."
)
DROPPED = Family(
    _P + "dropped_records", "counter", "Records that could not be kept, by kind: lines of the log, rows of the store."
)
LISTENER_ERRORS = Family(_P + "event_listener_errors", "counter", "Event listeners that raised.")
OVERFLOWED = Family(_P + "overflowed_names", "counter", "Events counted under `other`: too many API names.")
SELF_FAILURES = Family(_P + "self_failures", "counter", "Calls that went through although our own code failed.")

#: Every way in which an attempt can end; failures recorded without a class are `unclassified`.
UNCLASSIFIED = "unclassified"
OUTCOMES = (*(each.value for each in OutcomeClass if each is not OutcomeClass.REJECTED), UNCLASSIFIED)
#: Why a lead does not serve: its attempt failed so, or a gate was closed. Rarer reasons appear when they happen.
REASONS = (
    *(each for each in OUTCOMES if each not in ("success", "caller", "local", "cancelled", UNCLASSIFIED)),
    "breaker_open", "hub_open", "hold", "keys", "rate_limited", "bulkhead_full", "deadline", "cost",
)  # fmt: skip  # one line for each kind
#: Fallbacks that are shown before they happen, at most: beyond that the page would be too long.
MOST_FALLBACKS = 1_000
STATES = tuple(state.value for state in BreakerState)
REACHED = (*STATES, WOULD_OPEN)
#: Which breaker of several is shown: the one that keeps most calls away.
_RANK = {
    BreakerState(value): rank
    for rank, value in enumerate(("closed", "forced_closed", "observe", "half_open", "open", "forced_open"))
}
_DOWN = (BreakerState.OPEN, BreakerState.FORCED_OPEN)
#: Names of windows, by their seconds; what an API tells of others is `other`, so that labels stay bounded.
_WINDOWS = {1.0: "second", 60.0: "minute", 3600.0: "hour", 86_400.0: "day", 604_800.0: "week", 2_592_000.0: "month"}

#: Families with a block for each API, in the order of the page.
TRAFFIC = (REQUESTS, DURATION)
STANDING = (IN_FLIGHT, UP, HEALTH, BUDGET, BREAKER, TRANSITIONS, ATTEMPTS, QUOTA_LIMIT, QUOTA_LEFT)

Extra = Callable[[], Iterable[tuple[Family, Rows]]]


class Exposition:
    """Makes the page of one application.

    `extra` adds families with few rows (the service's own). Belongs to the event loop of the application.
    """

    def __init__(
        self,
        fallback: FallbackManager,
        monitor: PerformanceMonitor,
        *,
        version: str,
        started_at: float,
        extra: Extra = lambda: (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._fallback = fallback
        self._monitor = monitor
        self._version = version
        self._started_at = started_at
        self._extra = extra
        self._clock = clock
        self._routes: list[tuple[str, tuple[str, ...]]] = []
        self._zeros: dict[tuple[str, str, str], int] = {}
        self._entries: dict[Format, dict[str, _Entry]] = {"text": {}, "openmetrics": {}}
        self._heads = {
            style: {family: family.head(style) for family in (*TRAFFIC, *STANDING)} for style in self._entries
        }

    async def page(self, style: Format = "text") -> AsyncIterator[bytes]:
        """The page in pieces; gives the event loop its turn every few milliseconds."""
        now = self._clock.monotonic
        turn = now() + SLICE
        for piece in self._pieces(style):
            if piece:
                yield piece
            if now() >= turn:
                await Turn()
                turn = now() + SLICE

    async def text(self, style: Format = "text") -> bytes:
        """The whole page."""
        return b"".join([piece async for piece in self.page(style)])

    def _pieces(self, style: Format) -> Generator[bytes, None, None]:
        """The page, piece by piece; the loop may turn between any two of them."""
        entries = yield from self._refreshed(style)
        heads = self._heads[style]
        for place, family in enumerate(TRAFFIC):
            yield heads[family]
            for begin in range(0, len(entries), TOGETHER):
                yield b"".join([entry.traffic[place] for entry in entries[begin : begin + TOGETHER]])
        served = [entry for entry in entries if entry.standing]
        for place, family in enumerate(STANDING):
            yield heads[family]
            for begin in range(0, len(served), TOGETHER):
                yield b"".join([entry.standing[place] for entry in served[begin : begin + TOGETHER]])
        for family, rows in self._few():
            yield family.head(style) + samples(family, rows, style, self._started_at)
        if style == "openmetrics":
            yield b"# EOF\n"

    def _refreshed(self, style: Format) -> Generator[bytes, None, list[_Entry]]:
        """The entries of all APIs, brought up to date; yields nothing but chances to let the loop turn."""
        known = self._entries[style]
        apis = self._fallback.roster.apis
        names = dict.fromkeys((*apis, *self._monitor.names()))
        for gone in known.keys() - names.keys():
            del known[gone]
        reached = self._transitions()
        tried = self._tried()
        current = []
        now = self._clock.monotonic()
        for place, name in enumerate(names):
            entry = known.get(name)
            if entry is None:
                entry = known[name] = _Entry(name, style, self._started_at)
            version = self._monitor.changed(name)
            calm = version == entry.version
            if not calm:
                entry.follow(self._monitor.cumulative(name), version)
            api = apis.get(name)
            if api is None:
                entry.standing = ()
            else:
                entry.stand(api, now, calm and not api.in_flight, reached, tried.get(name))
            current.append(entry)
            if place % REFRESHED == 0:
                yield b""
        return current

    def _possible(self) -> dict[tuple[str, str, str], int]:
        """Fallbacks that can happen, each counted 0: a rate over a series misses the event that it begins with."""
        routes = [(name, tuple(api.name for api in route.apis)) for name, route in self._fallback.roster.routes.items()]
        if routes != self._routes:
            self._routes = routes
            pairs = {(lead, to): None for _, apis in routes for lead in apis for to in apis if lead != to}
            few = len(pairs) * len(REASONS) <= MOST_FALLBACKS
            self._zeros = {(*pair, reason): 0 for pair in pairs for reason in REASONS} if few else {}
        return self._zeros

    def _transitions(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for (breaker, to), count in self._fallback.counters.transitions.items():
            found.setdefault(breaker, {})[to] = count
        return found

    def _tried(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for (api, outcome), count in self._fallback.counters.attempts.items():
            found.setdefault(api, {})[outcome] = count
        return found

    def _few(self) -> Iterable[tuple[Family, Rows]]:
        counters = self._fallback.counters
        counted = self._possible() | counters.fallbacks
        yield (
            FALLBACKS,
            [
                ((("from", lead), ("to", to), ("reason", reason)), counted[lead, to, reason])
                for lead, to, reason in sorted(counted)
            ],
        )
        routes = dict.fromkeys((*self._fallback.roster.routes, *counters.exhausted))
        yield EXHAUSTED, [((("route", route),), counters.exhausted[route]) for route in routes]
        yield LISTENER_ERRORS, [((), self._fallback.events.listener_errors)]
        yield SELF_FAILURES, [((), self._fallback.self_failures)]
        yield OVERFLOWED, [((), self._monitor.overflowed)]
        yield from self._extra()
        yield from readings(self._started_at)
        yield BUILD, [((("version", self._version), ("python", _python()), ("revision", "")), 1)]


class _Entry:
    """The blocks of one API in one format, and what they were made from."""

    __slots__ = ("_labels", "_quota", "_raw", "_templates", "_traffic_templates", "standing", "traffic", "version")

    def __init__(self, name: str, style: Format, created_at: float) -> None:
        label = (("api", name),)
        self._labels = label
        self.version = -1
        self.traffic: tuple[bytes, ...] = ()
        self.standing: tuple[bytes, ...] = ()
        self._raw: tuple[Any, ...] | None = None
        self._quota: list[Any] | None = None
        self._traffic_templates = (
            counter_template(REQUESTS, [(*label, ("outcome", each)) for each in OUTCOMES], style, created_at),
            histogram_template(DURATION, label, BOUNDS, style, created_at),
        )
        plain = [gauge_template(family, [label]) for family in (IN_FLIGHT, UP, HEALTH, BUDGET)]
        self._templates = (
            *plain,
            gauge_template(BREAKER, [(*label, ("state", each)) for each in STATES]),
            counter_template(TRANSITIONS, [(*label, ("to", each)) for each in REACHED], style, created_at),
            counter_template(ATTEMPTS, [(*label, ("reason", each)) for each in OUTCOMES[:-1]], style, created_at),
        )

    def follow(self, counts: Cumulative, version: int) -> None:
        """Take in new counts."""
        by_class = dict.fromkeys(OUTCOMES, 0)
        classified = 0
        for (outcome, _), times in counts.outcomes.items():
            by_class[outcome.value] = by_class.get(outcome.value, 0) + times
            classified += times
        by_class["success"] = counts.successes
        by_class[UNCLASSIFIED] = max(0, counts.failures + counts.neutral - classified)
        requests, duration = self._traffic_templates
        places = (*accumulate(counts.buckets), counts.seconds, counts.timed)
        self.traffic = (
            (requests % tuple([by_class[each] for each in OUTCOMES])).encode("utf-8", "replace"),
            (duration % places).encode("utf-8", "replace"),
        )
        self.version = version

    def stand(
        self,
        api: Api,
        now: float,
        calm: bool,
        reached: dict[str, dict[str, int]],
        tried: dict[str, int] | None,
    ) -> None:
        """Take in how the API stands now; `calm` says that no attempt has begun or ended since last time."""
        changes = None
        worst = BreakerState.CLOSED
        for binding in api.bindings.values():
            breaker = binding.breaker
            if breaker.state is not worst and _RANK[breaker.state] > _RANK[worst]:
                worst = breaker.state
            if breaker.name in reached:
                changes = [*(changes or ()), reached[breaker.name]]
        keys = api.keys
        told = False
        for key in keys:
            if key.account.buckets:
                told = True
        before = self._raw
        # Without traffic both only drift towards their rest, and stay there.
        rested = before if calm and before is not None else _UNKNOWN
        raw = (
            api.in_flight,
            0 if worst in _DOWN or api.hub.breaker.blocked() or (api.uses_keys and keys.usable(now)) else 1,
            PRIOR_SUCCESS if rested[2] == PRIOR_SUCCESS else round(api.score.reliability(now), 4),
            1.0 if rested[3] == 1.0 else _share_left(api),
            worst,
            tuple([sum([each.get(to, 0) for each in changes]) for to in REACHED]) if changes else None,
            tuple([tried.get(each, 0) for each in OUTCOMES[:-1]]) if tried else None,
        )
        quota = keys.quotas() if told else None
        if raw != before or quota != self._quota:
            self._raw, self._quota = raw, quota
            self._format(raw, quota or ())

    def _format(self, raw: tuple[Any, ...], quota: Iterable[dict[str, Any]]) -> None:
        values = (
            *((each,) for each in raw[:4]),
            tuple([int(state is raw[4]) for state in BreakerState]),
            raw[5] or (0,) * len(REACHED),
            raw[6] or (0,) * len(OUTCOMES[:-1]),
        )
        blocks = [
            (template % places).encode("utf-8", "replace")
            for template, places in zip(self._templates, values, strict=True)
        ]
        self.standing = (*blocks, *self._quota_blocks(quota))

    def _quota_blocks(self, rows: Iterable[dict[str, Any]]) -> tuple[bytes, bytes]:
        """The strictest limit of each account and window, summed over the accounts."""
        strictest: dict[tuple[str, str], tuple[float, float]] = {}
        for row in rows:
            if row["limit"] is None or row["remaining"] is None:
                continue
            place = (_WINDOWS.get(row["window"], "other"), row["key"])
            found = (float(row["remaining"]), float(row["limit"]))
            strictest[place] = min(strictest.get(place, found), found)
        left: dict[str, float] = {}
        limit: dict[str, float] = {}
        for (window, _), (remaining, most) in strictest.items():
            left[window] = left.get(window, 0.0) + remaining
            limit[window] = limit.get(window, 0.0) + most
        return self._windows(QUOTA_LIMIT, limit), self._windows(QUOTA_LEFT, left)

    def _windows(self, family: Family, values: dict[str, float]) -> bytes:
        rows = [((*self._labels, ("window", window)), value) for window, value in sorted(values.items())]
        return samples(family, rows, "text", 0.0)


#: What nothing is known of yet.
_UNKNOWN = (None,) * 7


class Turn:
    """Awaiting it lets everything else on the event loop run once."""

    def __await__(self) -> Generator[None, None, None]:
        yield


def _share_left(api: Api) -> float:
    return round(min(1.0, api.budget.left() / max(1, api.budget.options.floor)), 4)


def _python() -> str:
    import platform

    return platform.python_version()
