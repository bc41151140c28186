"""Reports as HTML (one file, no script, nothing loaded from elsewhere), CSV and JSON."""

from __future__ import annotations

import io
import json
import zipfile
from functools import cache
from importlib.resources import files
from math import isfinite
from typing import Any

from understudy.core.csvtext import csv_lines
from understudy.core.errors import NotInstalled
from understudy.core.text import Texts, texts

from .charts import legend, svg
from .model import Report, Table, Value
from .shown import moment, plain, shown


def to_html(report: Report) -> str:
    """The report as one page that can be mailed or printed, in the language of the report.

    Raises:
        NotInstalled: the template engine is missing; the text names the extra.
    """
    page: str = _template().render(
        report=report, _=texts(report.language), svg=svg, legend=legend, shown=shown, moment=moment, plain=plain,
        left_out=left_out,
    )  # fmt: skip
    return page


@cache
def _template() -> Any:
    try:
        from jinja2 import Environment, StrictUndefined
        from markupsafe import Markup
    except ImportError:
        raise NotInstalled("a report as HTML", "service") from None
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    # What `charts` makes is markup; every text in it is escaped there. It is the only thing trusted here.
    environment.globals["markup"] = Markup
    return environment.from_string(files(__package__).joinpath("templates/report.html").read_text("utf-8"))


def left_out(table: Table, _: Texts) -> str:
    """Which rows a page shows of a table that has more."""
    shown_rows, total = _.number(len(table.readable)), _.number(len(table.rows))
    if not table.heading:
        said = _("The first {shown} of {total} rows; JSON and CSV have all of them.", shown=shown_rows, total=total)
    elif table.most:
        said = _(
            "{shown} of {total} rows, those with the highest “{column}”; JSON and CSV have all of them.",
            shown=shown_rows, total=total, column=table.heading,
        )  # fmt: skip
    else:
        said = _(
            "{shown} of {total} rows, those with the lowest “{column}”; JSON and CSV have all of them.",
            shown=shown_rows, total=total, column=table.heading,
        )  # fmt: skip
    return said


def to_json(report: Report) -> str:
    """The report as JSON: each table as a list of objects, each chart as its points.

    Keys, kinds and names of tables are the same in every language.
    """
    content = {
        "kind": report.kind,
        "language": texts(report.language).tag,
        "title": report.title,
        "start": report.start,
        "end": report.end,
        "made_at": report.made_at,
        "sections": [
            {
                "title": section.title,
                "facts": [
                    {"label": fact.label, "value": _finite(fact.value), "kind": fact.kind} for fact in section.facts
                ],
                "charts": [
                    {
                        "title": chart.title,
                        "lines": [
                            {"label": line.label, "points": [[at, _finite(value)] for at, value in line.points]}
                            for line in chart.lines
                        ],
                    }
                    for chart in section.charts
                ],
                "tables": [
                    {"name": table.name, "title": table.title, "rows": _objects(table)} for table in section.tables
                ],
            }
            for section in report.sections
        ],
        "notes": list(report.notes),
    }
    return _writable(json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1))


def _objects(table: Table) -> list[dict[str, Value]]:
    return [
        {column.key: _finite(value) for column, value in zip(table.columns, row, strict=True)} for row in table.rows
    ]


def _finite(value: Value) -> Value:
    return None if isinstance(value, float) and not isfinite(value) else value


def to_csv(table: Table) -> str:
    """One table as CSV (RFC 4180), with a heading line of keys; times are epoch seconds.

    A text that a spreadsheet would run as a formula is put behind an apostrophe.
    """
    return csv_lines([[column.key for column in table.columns], *table.rows])


def to_csv_files(report: Report) -> bytes:
    """All tables as CSV files in one ZIP archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, table in enumerate(report.tables, 1):
            archive.writestr(zipfile.ZipInfo(f"{number:02d}-{table.name}.csv"), to_csv(table), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _writable(text: str) -> str:
    """The text without halves of characters, which a name made in code may hold, and no file can."""
    return text.encode("utf-8", "replace").decode()
