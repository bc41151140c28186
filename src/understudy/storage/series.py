"""The numbers by which the tables know a series, and back. A number is never given twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import Connection, select

from understudy.core.clock import Clock
from understudy.monitor.rollup import SeriesName

from .dialect import insert
from .tables import series

#: Stands for no API at all: a call that was tried on none.
NOBODY = 0


class SeriesIds:
    """The numbers as the writer's thread knows them; a name it meets for the first time gets one."""

    def __init__(self, clock: Clock, generation: Callable[[], int]) -> None:
        self._clock = clock
        self._generation = generation
        self._known_of = -1
        self._known: dict[SeriesName, int] = {}

    def forget(self) -> None:
        """A transaction was not committed: numbers that it gave may be given anew."""
        self._known.clear()

    def of(self, connection: Connection, names: Iterable[SeriesName]) -> dict[SeriesName, int]:
        """The number of each name; the empty name has `NOBODY`."""
        if self._known_of != self._generation():
            self._known_of = self._generation()
            self._known.clear()
        known = self._known
        wanted = set(names)
        missing = [name for name in wanted if name not in known and name.name]
        if missing:
            self._find(connection, missing)
            new = [name for name in missing if name not in known]
            if new:
                now = round(self._clock.time() * 1000)
                rows = [{"kind": name.kind, "name": name.name, "created_ms": now} for name in sorted(new)]
                connection.execute(insert(connection, series).on_conflict_do_nothing(), rows)
                self._find(connection, new)
        return {name: known[name] if name.name else NOBODY for name in wanted}

    def _find(self, connection: Connection, names: list[SeriesName]) -> None:
        columns = select(series.c.kind, series.c.name, series.c.id)
        if len(names) <= 100:
            columns = columns.where(series.c.name.in_([name.name for name in names]))
        for kind, name, number in connection.execute(columns):
            self._known[SeriesName(kind, name)] = number


class SeriesNames:
    """The names of numbers. Numbers never change, so what a transaction read stays true once it was committed."""

    def __init__(self, generation: Callable[[], int]) -> None:
        self.generation = generation
        self._known: tuple[int, dict[int, SeriesName], dict[SeriesName, int]] = (-1, {}, {})

    def forget(self) -> None:
        """A transaction that was read in was not committed."""
        self._known = (-1, {}, {})

    def all(self, connection: Connection) -> dict[int, SeriesName]:
        """Every number with its name."""
        return self._look(connection)[1]

    def ids(self, connection: Connection, names: Iterable[SeriesName]) -> list[int]:
        """The numbers of those names that have one, ascending."""
        known = self._look(connection)[2]
        return sorted({known[name] for name in names if name in known})

    def _look(self, connection: Connection) -> tuple[int, dict[int, SeriesName], dict[SeriesName, int]]:
        now, known = self.generation(), self._known
        if known[0] != now or connection.execute(_HIGHEST).scalar() not in known[1]:
            found = {number: SeriesName(kind, name) for number, kind, name in connection.execute(_ALL)}
            known = self._known = (now, found, {name: number for number, name in found.items()})
        return known


_ALL = select(series.c.id, series.c.kind, series.c.name)
_HIGHEST = select(series.c.id).order_by(series.c.id.desc()).limit(1)
