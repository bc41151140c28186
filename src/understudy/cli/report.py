"""`understudy report`: has the running service write down what happened, and puts it into a file."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from understudy.reports import KINDS
from understudy.reports.folder import put

from .client import ServiceClient
from .exits import FAILED, OK, USAGE, Stop
from .screen import Screen, safe

FORMATS = ("html", "json", "csv")


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """The command line of `report`; None means the service's default."""

    kind: str
    api: str | None = None
    last: str | None = None
    month: str | None = None
    start: str | None = None
    end: str | None = None
    target: float | None = None
    style: str = "html"
    output: Path | None = None


def write_report(screen: Screen, url: str, options: ReportOptions) -> int:
    """Ask for the report and write it; the exit code."""
    _ = screen.text
    if options.kind not in KINDS:
        raise Stop(
            USAGE, _("unknown report {kind}; there are {known}", kind=safe(options.kind), known=", ".join(KINDS))
        )
    if options.style not in FORMATS:
        raise Stop(
            USAGE, _("unknown format {style}; there are {known}", style=safe(options.style), known="html, json, csv")
        )
    if options.kind == "incident" and not options.api:
        raise Stop(USAGE, _("an incident report is about one API: say which with --api"))
    if options.output is None and options.style == "csv" and sys.stdout.isatty():
        raise Stop(USAGE, _("csv is a ZIP of files: say where it goes with --output"))
    span = {"last": options.last, "month": options.month, "from": options.start, "to": options.end}
    content = ServiceClient(url, _).fetch(
        "/api/reports",
        kind=options.kind, api=options.api, target=options.target, format=options.style, lang=_.tag, **span,
    )  # fmt: skip
    if options.output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return OK
    try:
        put(options.output, content)
    except OSError as error:
        raise Stop(FAILED, f"{options.output}: {error.strerror}") from None
    screen.line(_("written to {path}", path=safe(options.output)))
    return OK
