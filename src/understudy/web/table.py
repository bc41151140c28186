"""Everything that is served: the tables of all modules, put together once."""

from __future__ import annotations

from typing import Final

from .api import (
    alerts,
    apis,
    backtests,
    controls,
    imagined,
    instances,
    noise,
    notifications,
    past,
    rules,
    silences,
    state,
)
from .assets import ROUTES as ASSETS
from .endpoint import Endpoint, Table
from .pages import act, appearance, overview

_TABLES: Final[tuple[Table, ...]] = (
    ASSETS,
    state.ROUTES,
    apis.ROUTES,
    controls.ROUTES,
    past.ROUTES,
    alerts.ROUTES,
    rules.ROUTES,
    backtests.ROUTES,
    noise.ROUTES,
    silences.ROUTES,
    notifications.ROUTES,
    imagined.ROUTES,
    instances.ROUTES,
    act.ROUTES,
    appearance.ROUTES,
    overview.ROUTES,
)


def _joined() -> dict[tuple[str, str], Endpoint]:
    found: dict[tuple[str, str], Endpoint] = {}
    for table in _TABLES:
        twice = found.keys() & table.keys()
        if twice:
            raise ValueError(f"two modules serve {sorted(twice)}")
        found.update(table)
    return found


ROUTES: Final[Table] = _joined()
