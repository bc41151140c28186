"""The front door: gathers what a report needs, and puts its sections together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from understudy.core.clock import Clock
from understudy.core.errors import UnknownName
from understudy.core.text import Texts, texts

from . import cost, savings, scorecard, service_level
from .failures import failures
from .incident import incident
from .incidents import incidents, weightiest
from .model import Report, Section
from .months import months
from .ports import ApiFacts, Episodes, Failures, Histories, Past, Point, Registered, RouteFacts

#: What can be asked for, and what it is about.
KINDS: Mapping[str, str] = {
    "summary": "everything below in one",
    "service-level": "success, latency and error budget of each API and hub, month by month",
    "comparison": "the APIs of each route side by side: which is clearly better in what",
    "savings": "calls that a standby served after the lead could not",
    "cost": "what calls and good answers cost, and how long quotas last",
    "incidents": "what fired, for how long, and how many requests failed meanwhile",
    "failures": "the most common failures and the slowest calls",
    "incident": "one API's failures, to be handed to its vendor",
}
#: The promise that is held against the numbers when nobody says another, percent.
TARGET = 99.9
_POINTS, _KEPT = 300, 50
#: Incidents that are looked at, and those whose failed requests are counted.
_EPISODES, _WEIGHED = 2000, 30
#: Longest span of a report, s: five years.
LONGEST = 5 * 366 * 86400


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one report is about."""

    kind: str
    start: float
    end: float
    target: float
    apis: Sequence[ApiFacts]
    #: The only API, when one was named.
    only: str

    def holds(self, *kinds: str) -> bool:
        return self.kind in kinds


class Reports:
    """Makes reports from what is kept. Spans are epoch seconds."""

    def __init__(
        self, histories: Histories, failures: Failures, episodes: Episodes, registered: Registered, clock: Clock
    ) -> None:
        self._histories = histories
        self._episodes = episodes
        self._failures = failures
        self._registered = registered
        self._clock = clock

    async def make(
        self, kind: str, start: float, end: float, *, api: str = "", target: float = TARGET, language: str = "en"
    ) -> Report:
        """One report; `api` limits it to one, and is needed for an incident. `target` is the promise, percent.

        `language` is a tag such as en or pt-BR. Names and error messages are as they are in all of them.

        Raises:
            ValueError: an unknown kind, an empty or endless span, a target that is none.
            UnknownName: no such API.
            StoreUnavailable: the history cannot be read now.
        """
        if kind not in KINDS:
            raise ValueError(f"report: expected one of {', '.join(KINDS)}, found {kind!r:.40}")
        end = min(end, self._clock.time())
        if not start < end or end - start > LONGEST:
            raise ValueError("the span of a report begins before its end and before now, and lasts at most five years")
        if not 0.0 < target <= 100.0:
            raise ValueError(f"target: expected a percentage above 0, at most 100, found {target:g}")
        if kind == "incident" and not api:
            raise ValueError("an incident report is about one API: say which")
        _ = texts(language)
        asked = _Asked(kind, start, end, target, self._chosen(api), api)
        sections = [await self._incident(_, asked)] if kind == "incident" else await self._sections(_, asked)
        title = _("{report} of {api}", report=title_of(_, kind), api=api) if api else title_of(_, kind)
        return Report(kind, title, start, end, self._clock.time(), tuple(sections), _notes(_, kind), _.language)

    def _chosen(self, api: str) -> Sequence[ApiFacts]:
        apis = self._registered.apis()
        if not api:
            return apis
        found = [each for each in apis if each.name == api]
        if not found:
            raise UnknownName("API", api)
        return found

    async def _sections(self, _: Texts, asked: _Asked) -> list[Section]:
        pasts = await self._histories.wholes("api", [api.name for api in asked.apis], asked.start, asked.end)
        sections = []
        if asked.holds("summary", "service-level"):
            monthly = await self._monthly(pasts, asked)
            lines = await self._lines(self._histories.api, service_level.drawn(pasts), asked)
            sections.append(service_level.service_level(_, monthly, lines, asked.target))
        if asked.holds("summary", "comparison"):
            lines = await self._lines(self._histories.api, scorecard.drawn(pasts), asked)
            sections.append(await self._scorecard(_, pasts, lines, asked))
        if asked.holds("savings") or (asked.holds("summary") and not asked.only):
            sections.append(await self._savings(_, pasts, asked))
        if asked.holds("summary", "cost"):
            lines = await self._lines(self._histories.api, cost.drawn(pasts), asked)
            sections.append(cost.cost(_, asked.apis, pasts, lines))
        if asked.holds("summary", "incidents"):
            sections.append(await self._incidents(_, asked))
        if asked.holds("summary", "failures"):
            groups = await self._failures.groups(asked.start, asked.end, asked.only, _KEPT)
            slowest = await self._failures.slowest(asked.start, asked.end, _KEPT)
            chosen = [entry for entry in slowest if not asked.only or entry.api == asked.only]
            sections.append(failures(_, groups, chosen, pasts))
        return sections

    async def _savings(self, _: Texts, pasts: Mapping[str, Past], asked: _Asked) -> Section:
        routes: list[RouteFacts] = [
            route for route in self._registered.routes() if not asked.only or asked.only in route.apis
        ]
        calls = await self._histories.wholes("route", [route.name for route in routes], asked.start, asked.end)
        lines = await self._lines(self._histories.route, savings.drawn(calls), asked)
        return savings.savings(_, routes, calls, pasts, lines)

    async def _scorecard(
        self, _: Texts, pasts: Mapping[str, Past], lines: Mapping[str, Past], asked: _Asked
    ) -> Section:
        """With one API asked for, those of its routes stand beside it."""
        routes, apis = self._registered.routes(), asked.apis
        if asked.only:
            routes = [route for route in routes if asked.only in route.apis]
            beside = {name for route in routes for name in route.apis} | {asked.only}
            apis = [each for each in self._registered.apis() if each.name in beside]
            pasts = await self._histories.wholes("api", [each.name for each in apis], asked.start, asked.end)
        return scorecard.scorecard(_, routes, apis, pasts, lines)

    async def _incidents(self, _: Texts, asked: _Asked) -> Section:
        found = await self._episodes.between(asked.start, asked.end, asked.only, _EPISODES + 1)
        known = {each.name for each in self._registered.apis()}
        failed: dict[str, int] = {}
        for each in weightiest(found[:_EPISODES], asked.start, asked.end, _WEIGHED):
            start, end = max(asked.start, each.started_at), min(asked.end, each.resolved_at or asked.end)
            name = each.labels.get("api", "")
            # A minute more: what made it fire is part of it.
            past = await self._histories.wholes("api", [name], start - 60.0, end) if name in known else {}
            failed[each.episode] = past[name].whole.err if name in past else 0
        return incidents(_, found[:_EPISODES], failed, asked.start, asked.end, len(found) > _EPISODES)

    async def _incident(self, _: Texts, asked: _Asked) -> Section:
        past = await self._histories.api(asked.only, asked.start, asked.end, _POINTS)
        groups = await self._failures.groups(asked.start, asked.end, asked.only, _KEPT)
        entries = await self._failures.failed(asked.only, asked.start, asked.end, _KEPT)
        return incident(_, asked.only, past, groups, entries)

    async def _lines(self, read: _Read, names: Sequence[str], asked: _Asked) -> dict[str, Past]:
        """Points of the few series that are drawn; of the others tables show one number each."""
        return {name: await read(name, asked.start, asked.end, _POINTS) for name in names}

    async def _monthly(self, pasts: Mapping[str, Past], asked: _Asked) -> list[tuple[str, ApiFacts, Point]]:
        spans = months(asked.start, asked.end)
        if len(spans) == 1:
            return [(spans[0][0], api, pasts[api.name].whole) for api in asked.apis]
        rows = []
        for month, first, last in spans:
            read = await self._histories.wholes("api", [api.name for api in asked.apis], first, last)
            rows += [(month, api, read[api.name].whole) for api in asked.apis]
        return rows


_Read = Callable[[str, float, float, int], Awaitable[Past]]


def title_of(_: Texts, kind: str) -> str:
    """What a kind of report is called."""
    return {
        "summary": _("Summary"),
        "service-level": _("Service level"),
        "comparison": _("Comparison of APIs"),
        "savings": _("Saved by standbys"),
        "cost": _("Quota and cost"),
        "incidents": _("Top incidents"),
        "failures": _("Failures and slow calls"),
        "incident": _("Incident report"),
    }[kind]


def _notes(_: Texts, kind: str) -> tuple[str, ...]:
    notes = [_("Percentiles are read from stored histograms: each within 3.2 % of the exact value. Counts are exact.")]
    if kind in ("summary", "failures", "incident"):
        notes.append(_("Of many equal failures the first of each minute are kept as samples; all are counted."))
    return tuple(notes)
