"""One API: who is to blame, its past in charts, its quota and budget, its errors, and what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from understudy.core.errors import StoreUnavailable
from understudy.reports.render import to_html
from understudy.resilience.api import ApiOptions
from understudy.web.api.fields import answering, choice
from understudy.web.api.span import SPAN, span
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import path_of
from understudy.web.http import Answer, Denied, Problem, Request, dumped
from understudy.web.views.api_detail import ApiDetail
from understudy.web.views.api_past import ApiPast
from understudy.web.views.apis import registered
from understudy.web.views.quotas import QuotaView

from . import api_words as words
from .alert_words import Words
from .api_acts import acts_for, notice
from .api_charts import cells, charts, quota, requests_of
from .edit_links import edit_href
from .origins import origin_words
from .rendering import language_of, page
from .settings.edited_reference import known_keys

if TYPE_CHECKING:
    from understudy.app import Understudy

TABS: Final = ("overview", "checks", "config", "alerts")
#: A report is a document of its own: its styles stand in it, and nothing else may be loaded or run.
_REPORT_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
_DAY: Final = 86400.0
_MONTH: Final = 30 * _DAY


@answering
async def detail(app: Understudy, request: Request) -> Answer:
    """The page of one API, in the place of its name in the path."""
    return await detail_of(app, request, request.parts["api"])


async def detail_of(app: Understudy, request: Request, name: str) -> Answer:
    """The page of one API; raises UnknownName for any other."""
    query = request.query("tab", "done", *SPAN)
    tab = choice(query, "tab", TABS, "overview")
    if tab == "config" and not request.who.may(Permission.INSPECT):
        raise Denied(Permission.INSPECT)
    start, end = span(query, app.clock.time())
    _ = language_of(request)
    view = await ApiDetail.of(app, name)
    more: dict[str, Any] = {
        "tab": tab,
        "view": view,
        "line": view.line,
        "acts": acts_for(request, view),
    }
    if tab == "overview":
        more |= await _overview(app, request, view, start, end)
    elif tab == "config":
        more["rows"] = configured(app, request, name)
    elif tab == "alerts":
        more["episodes"] = await _episodes(app, name, end)
    return page(
        app, request, "api.html", at="apis", w=Words(_), why=words.why(_, view), verdict=words.verdict(_, view.verdict),
        roles=[(words.role(_, each), path_of("routes", each.route)) for each in view.roles],
        sides=[(*words.side(_, each), each) for each in view.verdict.sides],
        causes=[(words.cause(_, name), count) for name, count in _most(view.verdict.causes)],
        keys=[(each, words.key_state(_, each["state"])) for each in view.standing["keys"]],
        href=path_of("apis", name), topic=quote(name, safe=""), hub_href=path_of("apis", hub=view.line.hub),
        act_href=path_of("apis", name, "act"), report=path_of("apis", name, "report"),
        notice=notice(_, query.get("done", "")), failed=requests_of(name, "outcome:error"),
        compare=path_of("apis", "compare", api=name),
        edit=edit_href(app, request, "api", name), **more,
    )  # fmt: skip


def _most(causes: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(causes.items(), key=lambda pair: -pair[1])


async def _overview(app: Understudy, request: Request, view: ApiDetail, start: float, end: float) -> dict[str, Any]:
    _ = language_of(request)
    name, trouble = view.line.name, ""
    try:
        past = await ApiPast.of(app, name, start, end)
    except StoreUnavailable as error:
        past, trouble = ApiPast(start, end, None), str(error)
    left = await QuotaView.of(app, name)
    heat = past.anatomy.heat if past.anatomy is not None else None
    said = {"from": str(int(start)), "to": str(int(end))}
    return {
        "past": past, "unread": trouble, "charts": charts(_, name, past), "heat": heat,
        "cells": cells(heat) if heat is not None else [], "quota": left,
        "burn_down": quota(_, left.burn_down) if left.burn_down is not None else None,
        "groups": [(each, requests_of(name, f"group:{each.fingerprint}", **said)) for each in past.groups],
        "slowest": [(each, path_of("requests", each.call_id)) for each in past.slowest], "kinds": words.kinds(_),
        "in_span": requests_of(name, **said),
        "refresh": _refreshing(request, past),
    }  # fmt: skip


def _refreshing(request: Request, past: ApiPast) -> dict[str, Any] | None:
    """Where scripts find the charts anew, and how often, s; None for a span between two times: it stays what it is."""
    said = [pair for pair in request.pairs if pair[0] in SPAN]
    if past.anatomy is None or any(name in ("from", "month") for name, _value in said):
        return None
    return {
        "src": f"{path_of('apis', past.anatomy.api, 'charts')}?{urlencode(said)}", "every": max(10, past.anatomy.step),
    }  # fmt: skip


@answering
async def drawn(app: Understudy, request: Request) -> Answer:
    """The charts of the page as they are now, with alerts and marks, in the reader's words; for its script."""
    name = registered(app, request.parts["api"]).name
    past = await ApiPast.drawn(app, name, *span(request.query(*SPAN), app.clock.time()))
    heat = None if past.anatomy is None else past.anatomy.heat.as_dict()
    return Answer(dumped({"charts": charts(language_of(request), name, past), "heat": heat}))


async def _episodes(app: Understudy, name: str, end: float) -> Any:
    """The alerts of a month; None where nothing is kept, or cannot be read now."""
    if app.keeping is None:
        return None
    from understudy.alerts.ports import EpisodeQuery

    try:
        return await app.alerts.history(EpisodeQuery(labels={"api": name}, start=end - _MONTH, end=end), 100)
    except StoreUnavailable:
        return None


def configured(app: Understudy, request: Request, name: str) -> list[dict[str, Any]]:
    """Every value of the API's configuration, secrets masked, and where each came from."""
    from understudy.config.explain import origins, values

    at = ("apis", name)
    usual = {row["path"]: row["value"] for row in values(ApiOptions(), at)}
    about = {each.path: each.about for each in known_keys("api", {})}
    loaded = request.gate.process.loaded()
    known = loaded is not None and name in loaded.settings.apis
    found = []
    for row in origins(loaded, at) if loaded is not None and known else values(registered(app, name).options, at):
        # What a program registers has no file or variable: it said whatever is not as usual.
        said = row["origin"] if known else "default" if usual.get(row["path"]) == row["value"] else "program"
        found.append({"key": row["key"], "value": row["value"], "origin": origin_words(language_of(request), said),
                      "usual": said == "default", "about": about.get(row["key"].partition("[")[0], "")})  # fmt: skip
    return found


@answering
async def report(app: Understudy, request: Request) -> Answer:
    """The incident report for the vendor as a page of its own, to be printed or sent."""
    query = request.query(*SPAN)
    name = registered(app, request.parts["api"]).name
    if app.keeping is None:
        raise Problem(404, "nothing is kept here: this process was started without a store")
    start, end = span(query, app.clock.time(), _DAY)
    made = await app.keeping.reports.make("incident", start, end, api=name, language=language_of(request).tag)
    html = to_html(made).encode("utf-8", "replace")
    return Answer(html, 200, "text/html; charset=utf-8", {"Content-Security-Policy": _REPORT_POLICY})


ROUTES: Table = {
    ("GET", "/apis/{api}"): Endpoint(detail, Permission.READ),
    ("GET", "/apis/{api}/charts"): Endpoint(drawn, Permission.READ),
    ("GET", "/apis/{api}/report"): Endpoint(report, Permission.READ),
}
