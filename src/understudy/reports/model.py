"""What a report is, whatever it is about: facts, tables and charts, in sections. Rendering is `render`'s.

Texts in here are plain: names of APIs, error messages and everything else that came from elsewhere is
escaped where it is written out, and nowhere before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

#: How a column's values are shown: as they are, counted, in percent, in seconds, in money, as a time.
Kind = Literal["text", "count", "percent", "seconds", "money", "time"]
Value = str | int | float | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its key in JSON and CSV, its heading, and how its values are shown."""

    key: str
    title: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of values, one for each column; None is shown as a dash."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One number or text with its label, shown large."""

    label: str
    value: Value
    kind: Kind = "text"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: (epoch seconds, value), in order of time; None is a gap."""

    label: str
    points: tuple[tuple[float, float | None], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Values over time. `kind` says how they are shown; the scale begins at zero unless `low` says otherwise."""

    title: str
    kind: Kind
    lines: tuple[Line, ...]
    low: float | None = 0.0


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report under a heading."""

    title: str
    text: str = ""
    facts: tuple[Fact, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A finished report. Times are epoch seconds; `notes` says what the numbers do not cover."""

    kind: str
    title: str
    start: float
    end: float
    made_at: float
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()

    @property
    def tables(self) -> Sequence[Table]:
        """All tables, in their order."""
        return [table for section in self.sections for table in section.tables]
