"""What every command writes with: colours and shapes of states, tables, plain text where nobody looks.

Texts of upstreams are shown as text: no markup, no control characters.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import IO, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from understudy.core.text import Texts

#: Shape, colour and word together: a state is never told by colour alone.
SHAPES = {"healthy": "●", "degraded": "▲", "down": "■", "unknown": "○", "paused": "‖"}
_THEME = Theme(
    {
        "healthy": "cyan",
        "degraded": "yellow",
        "down": "bold red",
        "unknown": "dim",
        "paused": "magenta",
        "good": "bold cyan",
        "bad": "bold red",
        "quiet": "dim",
        "name": "bold",
    }
)


class _Console(Console):
    """Rich ends the program when nobody reads its output; whether that is right, the command knows."""

    def on_broken_pipe(self) -> None:
        """The reader of standard output has gone."""
        raise BrokenPipeError


class Screen:
    """Standard output for results, standard error for what went wrong, in one language."""

    def __init__(
        self, text: Texts, *, plain: bool = False, out: IO[str] | None = None, width: int | None = None
    ) -> None:
        self.text = text
        self.console = _Console(
            file=out, theme=_THEME, highlight=False, markup=False, emoji=False, width=width,
            no_color=plain or None, force_terminal=False if plain else None,
        )  # fmt: skip  # one line of switches reads better than ten
        self.plain = plain or not self.console.is_terminal

    def line(self, text: str | Text = "", style: str = "") -> None:
        """One line."""
        self.console.print(text, style=style or None, soft_wrap=True)

    def table(
        self, *columns: str, numbers: tuple[int, ...] = (), title: str = "", whole: tuple[int, ...] = ()
    ) -> Table:
        """An empty table; `numbers` are the columns that are set to the right, `whole` those that never fold: ids."""
        table = Table(box=SIMPLE_HEAD, title=title or None, title_justify="left", title_style="name", pad_edge=False)
        for place, column in enumerate(columns):
            justify: JustifyMethod = "right" if place in numbers else "left"
            table.add_column(column, justify=justify, overflow="fold", no_wrap=place in whole)
        return table

    def fitting(
        self, columns: Sequence[str], rows: Sequence[Sequence[str | Text]], numbers: tuple[int, ...] = (), keep: int = 2
    ) -> Table:
        """A table with as many of the columns, from the left, as the terminal has room for; `keep` of them at least."""
        boundless = self.console.options.update(max_width=10_000)
        for count in range(len(columns), 0, -1):
            table = self.table(*columns[:count], numbers=numbers)
            for row in rows:
                table.add_row(*row[:count])
            if count <= keep or Measurement.get(self.console, boundless, table).maximum <= self.console.width:
                return table
        return self.table()

    def fits(self, table: Table) -> bool:
        """Whether the terminal is wide enough for a table in which no word is folded."""
        boundless = self.console.options.update(max_width=10_000)
        return Measurement.get(self.console, boundless, table).minimum <= self.console.width

    def state(self, state: str) -> Text:
        """A state as shape and word."""
        return Text(f"{SHAPES.get(state, '?')} {self.word(state)}", style=state if state in SHAPES else "")

    def word(self, state: str) -> str:
        """A state in the reader's language."""
        _ = self.text
        words = {
            "healthy": _("healthy"),
            "degraded": _("degraded"),
            "down": _("down"),
            "unknown": _("unknown"),
            "paused": _("paused"),
        }
        return words.get(state, safe(state))

    def number(self, value: float, digits: int = 0) -> str:
        """A number as the language writes it."""
        return self.text.number(value, digits)

    def seconds(self, value: float | None) -> str:
        """A duration; a dash when it is not known."""
        if value is None:
            return "–"
        return f"{self.number(value * 1000)} ms" if value < 1 else f"{self.number(value, 1 if value < 100 else 0)} s"

    def moment(self, at: float | None) -> str:
        """A time in UTC, to the second; a dash when it is not known."""
        if at is None:
            return "–"
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"

    def lasting(self, seconds: float | None) -> str:
        """A long duration in its two largest units; a dash when it is not known."""
        if seconds is None:
            return "–"
        if seconds < 60:
            return self.seconds(round(seconds, 1)) if seconds >= 1 else self.seconds(seconds)
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
        while not parts[0][0]:
            parts.pop(0)
        return " ".join(f"{self.number(amount)} {unit}" for amount, unit in parts[:2] if amount)

    def percent(self, value: float | None) -> str:
        """A percentage; a dash when nothing was measured."""
        return "–" if value is None else f"{self.number(value, 1)} %"


def complain(message: str) -> None:
    """One line on standard error."""
    try:
        sys.stderr.write(f"understudy: {safe(message, 2000)}\n")
    except (AttributeError, OSError, ValueError):
        pass  # it is closed: the exit code tells


def safe(text: Any, longest: int = 200) -> str:
    """Foreign text fit for a terminal: one line, nothing that moves a cursor, not endless."""
    shown = "".join(sign if sign.isprintable() else "·" for sign in str(text)[:longest])
    return shown.encode("utf-8", "replace").decode()
