"""Small facts that survive a restart, in SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select

from .control import Desk
from .dialect import insert
from .tables import state


class SqlState:
    """The `StateStore` of the SQL stores."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def load(self, prefix: str = "") -> dict[str, Any]:
        """As `resilience.ports.StateStore.load`."""
        rows = select(state.c.key, state.c.value)
        if prefix:
            rows = rows.where(state.c.key.startswith(prefix, autoescape=True))

        def work(connection: Connection) -> dict[str, Any]:
            # SQLite's LIKE is blind to case.
            return {key: json.loads(value) for key, value in connection.execute(rows) if key.startswith(prefix)}

        return await self._desk.read(work)

    async def save(self, values: Mapping[str, Any]) -> None:
        """As `resilience.ports.StateStore.save`."""
        kept = [
            {"key": key, "value": json.dumps(value, ensure_ascii=False), "version": 1}
            for key, value in values.items()
            if value is not None
        ]
        gone = [{"gone": key} for key, value in values.items() if value is None]

        def work(connection: Connection) -> None:
            if kept:
                made = insert(connection, state)
                others = {"value": made.excluded.value, "version": state.c.version + 1}
                connection.execute(made.on_conflict_do_update(index_elements=["key"], set_=others), kept)
            if gone:
                connection.execute(delete(state).where(state.c.key == bindparam("gone")), gone)

        if kept or gone:
            await self._desk.write(work)
