"""Two to six APIs side by side: each measure with its winner in words, and their charts over each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.core.text import Texts
from understudy.web.api.fields import answering
from understudy.web.api.span import SPAN, span
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import path_of
from understudy.web.http import Answer, Problem, Request
from understudy.web.views.compared import LEAST, MOST, ComparedView, Row

from . import api_words as words
from .api_charts import compared
from .api_detail import detail_of
from .rendering import language_of, page
from .shown import Shown

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Names that are offered to choose from; more are found by typing.
_OFFERED = 500


@answering
async def compare(app: Understudy, request: Request) -> Answer:
    """The comparison; while fewer than two are chosen, a form that lets them be chosen."""
    if not any(name == "api" for name, _value in request.pairs) and "compare" in app.fallback.roster.apis:
        return await detail_of(app, request, "compare")  # an API may have this name, and its page this path
    query = request.lists("api", *SPAN)
    names = list(dict.fromkeys(each for each in query.get("api", []) if each))
    start, end = span({name: values[0] for name, values in query.items() if name != "api"}, app.clock.time())
    if len(names) > MOST:
        raise Problem(400, f"at most {MOST} APIs can be compared; leave some out")
    _ = language_of(request)
    unknown = [name for name in names if name not in app.fallback.roster.apis]
    names = [name for name in names if name not in unknown]
    view = await ComparedView.of(app, names, start, end) if len(names) >= LEAST else None
    measures = words.measures(_)
    return page(
        app, request, "compare.html", at="apis", names=names, unknown=unknown, view=view, most=MOST,
        range_of_fields=range(min(MOST, max(3, len(names) + 1))),
        offered=sorted(app.fallback.roster.apis)[:_OFFERED], hrefs=[path_of("apis", name) for name in names],
        rows=[_row(_, names, row, *measures[row.measure]) for row in view.rows] if view else [],
        charts=compared(_, names, view.anatomies) if view else [], said=_said(_, app, names, view),
    )  # fmt: skip


def _row(_: Texts, names: list[str], row: Row, title: str, unit: str) -> dict[str, object]:
    """One measure for the template: its values as texts, and who wins in words."""
    shown = Shown(_)

    def text(value: float | None) -> str:
        return (
            shown.number(value, 4 if value is not None and value < 0.1 else 2)
            if unit == "money"
            else shown.measure(value, unit)
        )

    if row.winner is None:
        known = sum(value is not None for value in row.values)
        said = _("no clear difference") if known >= LEAST else _("not enough to compare")
    elif row.measure == "success_rate":
        said = _(
            "{name}: {share} fewer failures than the next",
            name=names[row.winner],
            share=shown.percent(100 * row.lead, 0),
        )
    elif row.measure == "quota_left":
        said = _("{name} has most left", name=names[row.winner])
    else:
        said = _("{name}: {share} less than the next", name=names[row.winner], share=shown.percent(100 * row.lead, 0))
    return {"title": title, "values": [text(value) for value in row.values], "winner": row.winner, "said": said}


def _said(_: Texts, app: Understudy, names: list[str], view: ComparedView | None) -> str:
    """The comparison in one sentence."""
    if view is None:
        return ""
    if view.best:
        return _("{name} is better than each of the others, by more than chance explains (last hour).", name=view.best)
    quiet = [each.name for each in view.columns if not each.requests]
    if quiet:
        return _("Nothing was asked of {names} in this span, so no judgement is possible.", names=", ".join(quiet))
    return _("None is better than all others by more than chance explains (last hour).")


ROUTES: Table = {("GET", "/apis/compare"): Endpoint(compare, Permission.READ)}
