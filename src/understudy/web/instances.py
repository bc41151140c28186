"""Where library processes report their numbers: `POST /api/instances/report`."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from understudy.core.errors import StoreUnavailable
from understudy.monitor.delta import rows_from_wire
from understudy.monitor.text import one_line

from .http import Answer, Problem, Request, dumped

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Reports in one request, and the longest name of a process or of one of its starts.
MOST_REPORTS, MOST_NAME = 50, 100


async def report(app: Understudy, request: Request) -> Answer:
    """Take reports, each once: the answer tells the last number that is safe."""
    request.query()
    _may_report(app, request)
    if app.keeping is None:
        raise Problem(404, "nothing is kept here: this process was started without a store")
    content = await request.json_object("instance", "boot", "version", "reports")
    instance, boot, version = (_name(content, each) for each in ("instance", "boot", "version"))
    reports = content.get("reports")
    if not isinstance(reports, list) or not 1 <= len(reports) <= MOST_REPORTS:
        raise Problem(422, f"reports is a list of 1 to {MOST_REPORTS}")
    parsed = [_parsed(each, app.clock.time()) for each in reports]
    taken = 0
    try:
        for seq, rows in parsed:
            if await app.keeping.deltas.apply(instance, boot, seq, rows):
                taken += sum(row.n for row in rows if row.series.kind == "api")
    except StoreUnavailable as error:
        raise Problem(503, str(error), {"Retry-After": "5"}) from None
    last = parsed[-1][0]
    app.keeping.instances.heard(instance, boot, version, request.client, last, taken)
    return Answer(dumped({"taken": last}))


def _may_report(app: Understudy, request: Request) -> None:
    """With a token configured only whoever has it; without one, whoever reaches the loopback port."""
    token = getattr(getattr(app.settings, "service", None), "report_token", None)
    if token is None:
        return
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    known = kind.lower() == "bearer" and hmac.compare_digest(
        given.strip().encode("utf-8", "replace"), token.reveal().encode("utf-8", "replace")
    )
    if not known:
        raise Problem(401, "reports need the service's report_token as a bearer token", {"WWW-Authenticate": "Bearer"})


def _name(content: Mapping[str, Any], key: str) -> str:
    value = content.get(key, "")
    if not isinstance(value, str) or not value or one_line(value, MOST_NAME) != value:
        raise Problem(422, f"{key} is a text of 1 to {MOST_NAME} printable characters")
    return value


def _parsed(report: Any, now: float) -> tuple[int, list[Any]]:
    if not isinstance(report, dict) or report.keys() != {"seq", "rows"}:
        raise Problem(422, "a report is an object of seq and rows")
    seq = report["seq"]
    if not isinstance(seq, int) or isinstance(seq, bool) or not 1 <= seq <= 2**53:
        raise Problem(422, "seq is a whole number from 1 on")
    try:
        return seq, rows_from_wire(report["rows"], now)
    except ValueError as error:
        raise Problem(422, f"report {seq}: {error}") from None
