"""What a report is, whatever it is about: facts, tables and charts, in sections. Rendering is `render`'s.

Titles, headings and sentences are in the language of the report, and plain text: names of APIs, error
messages and everything else that came from elsewhere is escaped where it is written out, and nowhere before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

#: How a column's values are shown: as they are, as words of ours (between commas) in the reader's language, counted, in
#: percent, in seconds, in money, as a time.
Kind = Literal["text", "word", "count", "percent", "seconds", "money", "time"]
Value = str | int | float | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its key in JSON and CSV, its heading, and how its values are shown."""

    key: str
    title: str
    kind: Kind = "text"

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers and times, which stand below one another by their last digit."""
        return self.kind not in ("text", "word")


#: Most rows of a table that people are asked to read.
READABLE = 60


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of values, one for each column; None is shown as a dash.

    `name` is the same in every language. A page shows at most READABLE rows: those with the highest value
    in the column `most` (the lowest with `least`), the first ones when neither is given. JSON and CSV
    have all of them.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    note: str = ""
    most: str = ""
    least: str = ""

    @property
    def heading(self) -> str:
        """The heading of the column that chooses the rows of a page; empty when it shows the first ones."""
        return next((column.title for column in self.columns if column.key in (self.most, self.least)), "")

    @property
    def readable(self) -> Sequence[tuple[Value, ...]]:
        """The rows of a page, in their order."""
        if len(self.rows) <= READABLE:
            return self.rows
        chosen = list(range(len(self.rows)))
        if self.heading:
            keys = [column.key for column in self.columns]
            place, sign = keys.index(self.most or self.least), -1 if self.most else 1
            numbers = [row[place] for row in self.rows]
            # What is not known comes last, whichever end is wanted.
            weights = [sign * each if isinstance(each, int | float) else float("inf") for each in numbers]
            chosen.sort(key=lambda row: weights[row])
        return [self.rows[row] for row in sorted(chosen[:READABLE])]


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
    """A finished report. Times are epoch seconds; `notes` says what the numbers do not cover.

    `language` is one of `core.text.LANGUAGES`.
    """

    kind: str
    title: str
    start: float
    end: float
    made_at: float
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()
    language: str = "en"

    @property
    def tables(self) -> Sequence[Table]:
        """All tables, in their order."""
        return [table for section in self.sections for table in section.tables]
