"""Where library processes report their numbers: `POST /api/instances/report`."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from understudy.core.errors import StoreUnavailable
from understudy.core.turn import Slices
from understudy.monitor.delta import MAX_ROWS, in_time, row_from_wire, shift
from understudy.monitor.instances import Instance
from understudy.monitor.rollup import Row
from understudy.monitor.text import one_line
from understudy.web.auth.exposure import is_loopback
from understudy.web.auth.permissions import Permission
from understudy.web.declared import Field, Gives
from understudy.web.endpoint import Table, endpoint
from understudy.web.http import Answer, Problem, Request, dumped
from understudy.web.kinds import END_OF_TIME, Document, Listed, Number, Text
from understudy.web.middleware import REPORTS
from understudy.web.schemas import WHOLE, obj

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Reports in one request, and the longest name of a process or of one of its starts.
MOST_REPORTS, MOST_NAME = 50, 100
#: How to sign in, for whoever reports without a token.
_BEARER = {"WWW-Authenticate": "Bearer"}


async def report(app: Understudy, request: Request) -> Answer:
    """Take reports, each once: the answer tells the last number that is safe, and how many rows were left out."""
    _may_report(app, request)
    if app.keeping is None:
        raise Problem(404, "nothing is kept here: this process was started without a store")
    content = await request.json_object()
    instance, boot, version = (_name(content, each) for each in _NAMES)
    reports = _REPORTS.of(content)
    now = app.clock.time()
    correction = shift(_NOW.of(content) or now, now)
    slices = Slices(app.clock.monotonic)
    parsed = [await _parsed(each, correction, slices) for each in reports]
    last = attempts = left_out = 0
    try:
        for last, rows in parsed:
            timely = [row for row in rows if in_time(row.ts, now)]
            if await app.keeping.deltas.apply(instance, boot, last, timely):
                attempts += sum(row.n for row in timely if row.series.kind == "api")
                left_out += len(rows) - len(timely)
                app.keeping.heard(timely)
    except StoreUnavailable as error:
        raise Problem(503, str(error), {"Retry-After": "5"}) from None
    app.keeping.instances.heard(
        Instance(instance, boot, version, request.client, last, attempts, clock_off=correction, left_out=left_out)
    )
    return Answer(dumped({"taken": last, "left_out": left_out}))


def _may_report(app: Understudy, request: Request) -> None:
    """With a token configured only whoever has it; without one, whoever reaches the loopback port."""
    token = getattr(getattr(app.settings, "service", None), "report_token", None)
    if token is None:
        if not is_loopback(request.client):
            raise Problem(401, "set service.report_token: without it only this machine may report", _BEARER)
        return
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    known = kind.lower() == "bearer" and hmac.compare_digest(
        given.strip().encode("latin-1"), token.reveal().encode("utf-8", "replace")
    )
    if not known:
        raise Problem(401, "reports need the service's report_token as a bearer token", _BEARER)


def _name(content: Mapping[str, Any], field: Field) -> str:
    value: str = field.of(content)
    if one_line(value, MOST_NAME) != value:
        raise Problem(422, f"{field.name} is a text of 1 to {MOST_NAME} printable characters")
    return value


async def _parsed(report: Any, correction: int, slices: Slices) -> tuple[int, list[Row]]:
    """The number of a report and its rows, as our clock would have stamped them."""
    if not isinstance(report, dict) or report.keys() != {"seq", "rows"}:
        raise Problem(422, "a report is an object of seq and rows")
    seq, values = report["seq"], report["rows"]
    if not isinstance(seq, int) or isinstance(seq, bool) or not 1 <= seq <= 2**53:
        raise Problem(422, "seq is a whole number from 1 on")
    if not isinstance(values, list) or len(values) > MAX_ROWS:
        raise Problem(422, f"report {seq}: rows is a list of at most {MAX_ROWS}")
    rows = []
    for each in values:
        try:
            row = row_from_wire(each)
        except ValueError as error:
            raise Problem(422, f"report {seq}: {error}") from None
        rows.append(row._replace(ts=row.ts + correction) if correction else row)
        await slices.breath()
    if len({(row.ts, row.series) for row in rows}) != len(rows):
        raise Problem(422, f"report {seq}: a series stands twice in the same ten seconds")
    return seq, rows


_NAMES = tuple(
    Field(name, Text(MOST_NAME, least=1), about, required=True)
    for name, about in (("instance", "Which process."), ("boot", "Which start of it."), ("version", "Of this library."))
)
_NOW = Field("now", Number(0, END_OF_TIME), "What the reporter's clock shows, epoch seconds.")
_REPORTS = Field(
    "reports", Listed(Document(), MOST_REPORTS, called="reports"), "Reports in order: `seq` and `rows`.", required=True
)

ROUTES: Table = {
    ("POST", REPORTS): endpoint(
        report, Permission.PUBLIC, body=(*_NAMES, _NOW, _REPORTS), gives=Gives(obj(taken=WHOLE, left_out=WHOLE)),
        problems=(404, 503), tag="Instances",
    ),
}  # fmt: skip
