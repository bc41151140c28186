"""The request log: a search with what it found and how that spreads, and one call from begin to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from understudy.core.errors import StoreUnavailable, UnknownName
from understudy.core.text import Texts
from understudy.monitor.facets import Facets
from understudy.monitor.requests import RequestQuery
from understudy.monitor.search import SearchError, parse, term
from understudy.resilience.words import endings, faults, gates, outcomes, terms
from understudy.web.api.fields import answering
from understudy.web.api.span import SPAN, span
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.http import Answer, Problem, Request
from understudy.web.views.requests import CallView, Step, cursor, place, within

from .rendering import language_of, page
from .request_words import MARKS, error, fault, language

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.keeping import Keeping

#: Entries on one page, and the span when nobody says one, s.
ROWS: Final = 100
_HOUR: Final = 3600.0
_HANDS_ON: Final = ("q", "tail", *SPAN)


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a facet: a link that adds its term to the search, or takes it out again."""

    text: str
    count: int
    href: str
    chosen: bool
    mark: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One step of a call as it is drawn: where it begins and how wide it is, percent of the whole."""

    step: Step
    x: float
    width: float


class Links:
    """Addresses of the same page with another search, place or span."""

    def __init__(self, query: dict[str, str]) -> None:
        self._kept = {name: query[name] for name in _HANDS_ON if query.get(name)}
        self.q = query.get("q", "").strip()

    def to(self, **changes: str) -> str:
        """The page with these changes; an empty value takes one out."""
        values = {**self._kept, **changes}
        return "/requests?" + urlencode({name: value for name, value in values.items() if value})

    def api(self, path: str, **more: str) -> str:
        """The same search as a program asks it."""
        values = {name: value for name, value in {**self._kept, **more}.items() if value and name != "tail"}
        return f"{path}?{urlencode(values)}"

    def toggled(self, words: str) -> tuple[str, bool]:
        """The page with a term added, or taken out where it stands already; and whether it stands."""
        bare = f" {self.q} "
        if f" {words} " in bare:
            return self.to(q=bare.replace(f" {words} ", " ", 1).strip()), True
        return self.to(q=f"{self.q} {words}".strip()), False


async def found(app: Understudy, request: Request) -> Answer:
    """The search, its entries and its facets."""
    query = request.query("q", "before", "tail", "done", *SPAN)
    _ = language_of(request)
    links = Links(query)
    values: dict[str, Any] = {
        "q": query.get("q", ""), "links": links, "language_of_search": language(_), "outcomes": outcomes(_),
        "marks": MARKS, "gates": gates(_),
        "error": partial(error, _), "tail": query.get("tail") == "yes", "before": query.get("before", ""),
        "fault": None, "entries": (), "next": "", "facets": None, "problem": "", "kept": app.keeping is not None,
        "span": [(name, query[name]) for name in SPAN if name in query],
    }  # fmt: skip
    status = 200
    try:
        wanted = _wanted(query, app.clock.time())
        if app.keeping is not None:
            values |= await _searched(_, app.keeping, wanted, links, query.get("before", ""))
    except SearchError as wrong:
        status = 400
        values["fault"] = _pointed(_, wrong, query.get("q", ""), links)
    except StoreUnavailable as problem:
        status = 503
        values["problem"] = str(problem)
    return page(app, request, "requests.html", at="requests", status=status, **values)


async def _searched(_: Texts, keeping: Keeping, wanted: RequestQuery, links: Links, before: str) -> dict[str, Any]:
    try:
        entries = await keeping.requests.search(wanted, ROWS, cursor(before))
    except ValueError as wrong:
        raise Problem(400, str(wrong)) from None
    facets = await keeping.requests.facets(wanted)
    return {
        "entries": entries, "next": place(entries, ROWS), "facets": facets, "choices": choices(_, facets, links),
        "chart": chart(_, facets, links),
    }  # fmt: skip


def _wanted(query: dict[str, str], now: float) -> RequestQuery:
    """What the address asks for: the last hour, unless it or the search itself says another span."""
    wanted = parse(query.get("q", ""), now)
    said = any(name in query for name in SPAN)
    if not said and (wanted.start is not None or wanted.end is not None or wanted.call_id):
        return wanted
    return within(wanted, *span(query, now, _HOUR))


def _pointed(_: Texts, wrong: SearchError, text: str, links: Links) -> dict[str, str]:
    """A fault of the search at its place, and the search as it was perhaps meant."""
    begin = max(0, wrong.position - 60)
    shown = text[begin : wrong.position + 60].replace("\n", " ")
    caret = " " * (wrong.position - begin) + "^"
    instead = links.to(q=wrong.instead) if wrong.instead else ""
    return {
        "text": fault(_, wrong), "shown": shown, "caret": caret, "instead": wrong.instead, "href": instead,
    }  # fmt: skip


def choices(_: Texts, facets: Facets, links: Links) -> list[tuple[str, list[Choice]]]:
    """The facets as lists of links; one that has a single value and is not chosen says nothing new."""
    words: dict[str, dict[str, str]] = {"outcome": outcomes(_)}

    def some(name: str, pairs: Sequence[tuple[str, int]]) -> list[Choice]:
        made = []
        for value, count in pairs:
            href, chosen = links.toggled(term(name, value))
            text = words[name].get(value, value) if name in words else value
            made.append(Choice(text, count, href, chosen, MARKS.get(value, "") if name in words else ""))
        return made

    errors = []
    for each in facets.errors:
        href, chosen = links.toggled(term("group", each.fingerprint))
        errors.append(Choice(error(_, each.message) or each.fingerprint, each.count, href, chosen, note=each.api))
    return [
        (_("Outcome"), some("outcome", facets.outcomes)),
        ("API", some("api", facets.apis)),
        (_("Route"), some("route", facets.routes)),
        (_("Status"), some("status", facets.statuses)),
        (_("Kinds of errors"), errors),
    ]


def chart(_: Texts, facets: Facets, links: Links) -> dict[str, Any] | None:
    """What was found over time; None where a single moment is no chart."""
    if len(facets.over_time) < 2:
        return None
    brush = "/requests?" + urlencode({"q": links.q}) + "&from={from}&to={to}"
    bad, good = [each.bad for each in facets.over_time], [each.good for each in facets.over_time]
    return {
        "title": _("Requests that were kept, over time"), "unit": "", "stack": True, "live": None, "brush": brush,
        "at": [each.at for each in facets.over_time],
        "series": [
            {"label": _("not served"), "values": bad, "kind": "bar", "tone": "down"},
            {"label": _("served"), "values": good, "kind": "bar", "tone": "ok"},
        ],
        "bands": [], "marks": [],
    }  # fmt: skip


@answering
async def call(app: Understudy, request: Request) -> Answer:
    """One call: who could have served it, what was tried, what came of it."""
    request.query()
    _ = language_of(request)
    try:
        view = await CallView.of(app, request.parts["call"])
    except UnknownName:
        return page(app, request, "request_gone.html", at="requests", status=404, call=request.parts["call"])
    length = max(view.length, 1e-6)
    bars = [_bar(each, length) for each in view.steps]
    entry = view.entry
    return page(
        app, request, "request.html", at="requests", view=view, entry=entry, bars=bars, length=length, marks=MARKS,
        outcomes=outcomes(_), endings=endings(_), faults=faults(_), gates=gates(_), terms=terms(_),
        error=partial(error, _), around=_around(entry.at, entry.latency), term=term, quote=quote,
    )  # fmt: skip


def _bar(step: Step, length: float) -> Bar:
    """A step as it is drawn; a very short one is seen all the same."""
    return Bar(step, 100 * step.begin / length, max(0.4, 100 * (step.end - step.begin) / length))


def _around(at: float, latency: float) -> str:
    """Five minutes on both sides of a call, as an address says it."""
    return urlencode({"from": int(at - 300), "to": int(at + latency + 300)})


ROUTES: Table = {
    ("GET", "/requests"): Endpoint(found, Permission.READ),
    ("GET", "/requests/{call}"): Endpoint(call, Permission.READ),
}
