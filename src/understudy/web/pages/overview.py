"""The first page: one sentence of truth, its numbers, what needs somebody, and where to look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, urlencode

from understudy.core.errors import StoreUnavailable
from understudy.core.text import Texts
from understudy.web.api.fields import answering
from understudy.web.api.span import SPAN, span
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import back_to, form, path_of
from understudy.web.http import Answer, Request, dumped
from understudy.web.views.kept_watch import SPANS, Reach
from understudy.web.views.now import NowView
from understudy.web.views.overview import CHARTS, Figure, Multiple, OverviewView
from understudy.web.views.watch import LIVE

from . import api_words
from .alert_words import Words
from .alerts import row
from .range import PRESETS, range_of
from .rendering import language_of, page
from .shown import Shown, spark

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.core.events import Event

#: Which charts come first, kept by the browser: names between commas.
PINS: Final = "us-pins"
#: Most characters of that cookie: browsers keep four thousand.
_MOST: Final = 3500
_YEAR: Final = 365 * 86400


@answering
async def overview(app: Understudy, request: Request) -> Answer:
    """Everything at one glance."""
    query = request.query(*SPAN, "done")
    now = app.clock.time()
    reach, trouble = _reach(query, now), ""
    _ = language_of(request)
    pins = _pins(request)
    try:
        view = await OverviewView.of(app, reach, pins)
    except StoreUnavailable as error:
        reach, trouble = "1h", str(error)
        view = await OverviewView.of(app, reach, pins)
    if not view.now.total:
        return page(app, request, "overview_empty.html", at="overview")
    live = reach if reach in LIVE else ""
    said = [pair for pair in request.pairs if pair[0] in SPAN] if not trouble else []
    return page(
        app, request, "overview.html", at="overview", window=live, now_texts=now_texts(app, _, view.now),
        figures=[_figure(_, each, live=bool(live)) for each in view.figures], more=view.now.more, unread=trouble,
        said=urlencode(said), moves=not isinstance(reach, tuple), step=view.step,
        heat=urlencode(
            {"window": reach} if isinstance(reach, str) else {"from": int(reach[0]), "to": int(reach[1])}
        ),
        multiples=[_multiple(_, each, view.step) for each in view.multiples],
        range=range_of(_, said, now, offered=LIVE if app.keeping is None else PRESETS),
        topics=",".join(quote(each.api, safe="") for each in view.multiples),
    )  # fmt: skip  # one line of values


def _reach(query: Mapping[str, str], now: float) -> Reach:
    """The span of an address: a window or a span that is known by name, or any begin and end."""
    said = {name: value for name, value in query.items() if name in SPAN} or {"last": "1h"}
    if list(said) == ["last"] and said["last"] in (*LIVE, *SPANS):
        return said["last"]
    start, end = span(said, now)
    return float(int(start)), float(int(end))


@answering
async def drawn(app: Understudy, request: Request) -> Answer:
    """The numbers and charts of a longer span as they are now, in the reader's words; for the page's script."""
    view = await OverviewView.of(app, _reach(request.query(*SPAN), app.clock.time()), _pins(request))
    _ = language_of(request)
    figures = [
        {"key": each["key"], "value": each["value"], "change": each["change"], "path": spark(each["past"])}
        for each in (_figure(_, each, live=False) for each in view.figures)
    ]
    charts = [{"api": each.api, "chart": _multiple(_, each, view.step)["chart"]} for each in view.multiples]
    return Answer(dumped({"figures": figures, "charts": charts}))


@answering
async def now(app: Understudy, request: Request) -> Answer:
    """The sentence, the problems and the events in the reader's words: the page asks when something happened."""
    request.query()
    return Answer(dumped(now_texts(app, language_of(request), await NowView.of(app))))


async def pin(app: Understudy, request: Request) -> Answer:
    """Show the chart of an API first, or no longer; kept by this browser."""
    request.query()
    content = await form(request, "api", "pinned", "next")
    name, names = content.get("api", ""), [each for each in _pins(request) if each != content.get("api")]
    if content.get("pinned") == "yes" and name:
        names.insert(0, name)
    value = ",".join(quote(each, safe="") for each in names[:CHARTS])
    while len(value) > _MOST:
        value = value.rpartition(",")[0]
    cookie = f"{PINS}={value}; Path=/; Max-Age={_YEAR}; SameSite=Lax"
    return back_to(content.get("next", "/"), cookies=[cookie])


def _pins(request: Request) -> list[str]:
    found = (unquote(each) for each in request.cookies.get(PINS, "").split(","))
    return list(dict.fromkeys(each for each in found if each))[:CHARTS]


def now_texts(app: Understudy, _: Texts, view: NowView) -> dict[str, Any]:
    """What is true now as texts only, so that the page and its script write the same."""
    alerts = [row(app, _, each) for each in view.alerts]
    words = Words(_)
    problems = [
        {
            "href": each["href"] or "/alerts", "state": each["state"], "word": each["word"], "title": each["rule"],
            "about": each["about"], "touched": each["touched"], "age": each["age"],
        }
        for each in alerts
    ] + [
        {
            "href": path_of("apis", each.api), "state": each.state, "word": api_state(_, each.state),
            "title": each.api, "about": each.error, "touched": words.touched(each.touched), "age": "",
        }
        for each in view.troubles
    ]  # fmt: skip  # one line for each kind
    more = _.plural("{count} more problem", "{count} more problems", view.more) if view.more else ""
    return {"truth": truth(_, view), "problems": problems, "more": more, "events": [_event(_, e) for e in view.events]}


def truth(_: Texts, view: NowView) -> str:
    """One sentence: who is not well, what stands in for them, and what was lost."""
    bad, total = view.counts["down"] + view.counts["degraded"], view.total
    if bad:
        first = _("{bad} of {total} APIs degraded or down", bad=_.number(bad), total=_.number(total))
    elif view.counts["healthy"]:
        first = _("No API is degraded or down")
    elif view.counts["paused"] and not view.counts["unknown"]:
        first = _.plural("The only API is paused", "All {count} APIs are paused", total)
    else:
        first = _.plural("Nothing is known of {count} API yet", "Nothing is known of {count} APIs yet", total)
    parts = [first]
    if view.fallback_share is not None:
        share = Shown(_).percent(view.fallback_share)
        parts.append(
            _("fallback served {share} of the last hour's calls", share=share)
            if view.fallback_share >= 0.05
            else _("no fallback was needed in the last hour")
        )
    if view.lost is not None:
        parts.append(_.plural("{count} call lost", "{count} calls lost", view.lost) if view.lost else _("nothing lost"))
    return "; ".join(parts) + "."


def api_state(_: Texts, state: str) -> str:
    """The state of an API as a word."""
    return {
        "healthy": _("Healthy"), "degraded": _("Degraded"), "down": _("Down"), "unknown": _("Unknown"),
        "paused": _("Paused"),
    }.get(state, state)  # fmt: skip


def _event(_: Texts, event: Event) -> dict[str, Any]:
    # Of a switch or a pin the route is what changed; of a hub's breaker only the name is known.
    about = event.route if event.kind.startswith(("selection.", "route.")) else event.api or event.route
    href = "" if not about else path_of("routes" if about != event.api else "apis", about)
    text = api_words.mark(_, event.kind, "", {**event.detail, "api": event.api})
    name = about or str(event.detail.get("breaker") or "")
    return {"at": event.at, "kind": event.kind, "name": name, "href": href, "text": text}


def _figure(_: Texts, figure: Figure, *, live: bool) -> dict[str, Any]:
    shown = Shown(_)
    label, unit, href, about = {
        "healthy": (_("Healthy"), "", "/apis?state=healthy", _("APIs without failures, by slice of the span")),
        "degraded": (_("Degraded"), "", "/apis?state=degraded", _("APIs with some failures, by slice of the span")),
        "down": (_("Down"), "", "/apis?state=down", _("APIs that failed mostly, by slice of the span")),
        "rate": (_("Calls per second"), "", "/requests", _("Calls per second over the span")),
        "success": (
            _("Success, 1 min") if live else _("Success"),
            "%",
            "/apis?sort=success_rate",
            _("Success rate over the span"),
        ),
        "p95": (_("p95, 1 min") if live else "p95", "s", "/apis?sort=-p95", _("p95 over the span")),
        "quota": (_("Quotas at risk"), "", "/apis?sort=quota_left", ""),
        "cost": (_("Cost, 24 h") if live else _("Cost"), "", "/reports?kind=cost", ""),
    }[figure.key]
    money = figure.key == "cost" and figure.value is not None
    spent = figure.value or 0.0
    value = _.number(spent, 2 if spent < 1000 else 0) if money else shown.measure(figure.value, unit)
    return {
        "key": figure.key, "label": label, "value": value, "href": href, "about": about, "past": figure.past,
        "change": _change(_, figure), "unit": unit,
    }  # fmt: skip


def _change(_: Texts, figure: Figure) -> str:
    """How much more or less than a week ago; empty where that is not known."""
    if figure.change is None:
        return ""
    points = figure.key == "success"
    amount = abs(figure.change) if points else abs(figure.change) * 100
    if round(amount, 1) == 0:
        return _("as a week ago")
    said = _("{n} points", n=_.number(amount, 1)) if points else f"{_.number(amount, 0 if amount >= 10 else 1)} %"
    sign = "+" if figure.change > 0 else "−"
    return _("{change} against a week ago", change=sign + said)


def _multiple(_: Texts, each: Multiple, step: int) -> dict[str, Any]:
    why = {
        "errors": _("more failures than usual"), "latency": _("slower than usual"),
        "traffic": _("other traffic than usual"),
    }.get(each.score.why, "")  # fmt: skip
    failed = {"down": _("Half of the calls failed, or more"), "degraded": _("Some calls failed")}
    chart = {
        "title": _("Latency of {api}", api=each.api),
        "unit": "s",
        "at": each.at,
        "series": [
            {"label": "p95", "field": "p95", "values": each.p95, "kind": "line"},
            {"label": "p50", "field": "p50", "values": each.p50, "kind": "line", "dash": True},
        ],
        "bands": [{"from": a, "to": b, "label": failed[state], "state": state} for a, b, state in each.faults],
        "step": step, "faults": failed,
    }  # fmt: skip
    last = next((value for value in reversed(each.p95) if value is not None), None)
    summary = _("Latency of {api}, latest p95 {p95}", api=each.api, p95=Shown(_).latency(last))
    return {
        "api": each.api, "href": path_of("apis", each.api), "state": each.state, "why": why, "pinned": each.pinned,
        "chart": chart, "p95": each.p95, "summary": summary,
    }  # fmt: skip


ROUTES: Table = {
    ("GET", "/"): Endpoint(overview, Permission.READ),
    ("GET", "/overview/now"): Endpoint(now, Permission.READ),
    ("GET", "/overview/charts"): Endpoint(drawn, Permission.READ),
    ("POST", "/overview/pin"): Endpoint(pin, Permission.READ),
}
