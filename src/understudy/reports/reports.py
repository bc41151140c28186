"""The front door: gathers what a report needs, and puts its sections together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from understudy.core.clock import Clock
from understudy.core.errors import UnknownName

from .cost import cost
from .failures import failures
from .incident import incident
from .model import Report, Section
from .months import months
from .ports import ApiFacts, Failures, Histories, Past, Point, Registered
from .savings import savings
from .service_level import service_level

#: What can be asked for, and what it is about.
KINDS: Mapping[str, str] = {
    "summary": "everything below in one",
    "service-level": "success, latency and error budget of each API and hub, month by month",
    "savings": "calls that a standby served after the lead could not",
    "cost": "what calls and good answers cost, and how long quotas last",
    "failures": "the most common failures and the slowest calls",
    "incident": "one API's failures, to be handed to its vendor",
}
#: The promise that is held against the numbers when nobody says another, percent.
TARGET = 99.9
_POINTS, _KEPT = 300, 50
#: Longest span of a report, s: five years.
LONGEST = 5 * 366 * 86400


class Reports:
    """Makes reports from what is kept. Spans are epoch seconds."""

    def __init__(self, histories: Histories, failures: Failures, registered: Registered, clock: Clock) -> None:
        self._histories = histories
        self._failures = failures
        self._registered = registered
        self._clock = clock

    async def make(self, kind: str, start: float, end: float, *, api: str = "", target: float = TARGET) -> Report:
        """One report; `api` limits it to one, and is needed for an incident. `target` is the promise, percent.

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
        apis = self._chosen(api)
        if kind == "incident":
            sections = [await self._incident(api, start, end)]
        else:
            sections = await self._sections(kind, apis, start, end, target, single=bool(api))
        title = f"{kind.replace('-', ' ').capitalize()}{f' of {api}' if api else ''}"
        return Report(kind, title, start, end, self._clock.time(), tuple(sections), _notes(kind))

    def _chosen(self, api: str) -> Sequence[ApiFacts]:
        apis = self._registered.apis()
        if not api:
            return apis
        found = [each for each in apis if each.name == api]
        if not found:
            raise UnknownName("API", api)
        return found

    async def _sections(
        self, kind: str, apis: Sequence[ApiFacts], start: float, end: float, target: float, *, single: bool
    ) -> list[Section]:
        pasts = await self._pasts(apis, start, end)
        sections = []
        if kind in ("summary", "service-level"):
            sections.append(service_level(await self._monthly(apis, pasts, start, end), pasts, target))
        if kind in ("summary", "savings") and not (single and kind == "summary"):
            routes = [
                route
                for route in self._registered.routes()
                if not single or any(each.name in route.apis for each in apis)
            ]
            calls = {route.name: await self._histories.route(route.name, start, end, _POINTS) for route in routes}
            sections.append(savings(routes, calls, pasts))
        if kind in ("summary", "cost"):
            sections.append(cost(apis, pasts, end - start))
        if kind in ("summary", "failures"):
            only = apis[0].name if single else ""
            groups = await self._failures.groups(start, end, only, _KEPT)
            slowest = await self._failures.slowest(start, end, _KEPT)
            chosen = [entry for entry in slowest if not only or entry.api == only]
            sections.append(failures(groups, chosen, pasts))
        return sections

    async def _pasts(self, apis: Sequence[ApiFacts], start: float, end: float) -> dict[str, Past]:
        # A few at a time: a thousand APIs must not stand in line before everybody else's questions.
        gate = asyncio.Semaphore(4)

        async def one(name: str) -> Past:
            async with gate:
                return await self._histories.api(name, start, end, _POINTS)

        found = await asyncio.gather(*(one(each.name) for each in apis))
        return {each.name: past for each, past in zip(apis, found, strict=True)}

    async def _monthly(
        self, apis: Sequence[ApiFacts], pasts: Mapping[str, Past], start: float, end: float
    ) -> list[tuple[str, ApiFacts, Point]]:
        spans = months(start, end)
        if len(spans) == 1:
            return [(spans[0][0], each, pasts[each.name].whole) for each in apis]
        return [
            (month, each, (await self._histories.api(each.name, first, last, 1)).whole)
            for month, first, last in spans
            for each in apis
        ]

    async def _incident(self, api: str, start: float, end: float) -> Section:
        if not api:
            raise ValueError("an incident report is about one API: say which")
        past = await self._histories.api(api, start, end, _POINTS)
        groups = await self._failures.groups(start, end, api, _KEPT)
        entries = await self._failures.failed(api, start, end, _KEPT)
        return incident(api, past, groups, entries)


def _notes(kind: str) -> tuple[str, ...]:
    notes = ["Percentiles are read from stored histograms: each within 3.2 % of the exact value. Counts are exact."]
    if kind in ("summary", "failures", "incident"):
        notes.append("Of many equal failures the first of each minute are kept as samples; all are counted.")
    return tuple(notes)
