"""Everything that is served: the tables of all modules, put together once."""

from __future__ import annotations

from typing import Final

from .api import (
    accounts,
    administration,
    alerts,
    apis,
    backtests,
    controls,
    documents,
    imagined,
    incident_details,
    instances,
    noise,
    notifications,
    past,
    requests,
    routes,
    rules,
    settings,
    silences,
    state,
    status_page,
    telling,
)
from .api import (
    overview as overview_api,
)
from .assets import ROUTES as ASSETS
from .endpoint import Endpoint, Table
from .live.stream import ROUTES as LIVE
from .pages import (
    act,
    api_acts,
    api_detail,
    appearance,
    compare,
    first_channel,
    first_run,
    incidents,
    login,
    overview,
    palette,
    route_acts,
)
from .pages import alerts as alert_pages
from .pages import apis as api_pages
from .pages import notifications as notification_pages
from .pages import reports as report_pages
from .pages import requests as request_pages
from .pages import routes as route_pages
from .pages import rules as rule_pages
from .pages import silences as silence_pages
from .pages import statuspage as public_page
from .pages.settings import ROUTES as SETTINGS

_TABLES: Final[tuple[Table, ...]] = (
    ASSETS,
    documents.ROUTES,
    state.ROUTES,
    overview_api.ROUTES,
    apis.ROUTES,
    routes.ROUTES,
    controls.ROUTES,
    past.ROUTES,
    requests.ROUTES,
    alerts.ROUTES,
    incident_details.ROUTES,
    rules.ROUTES,
    backtests.ROUTES,
    noise.ROUTES,
    silences.ROUTES,
    notifications.ROUTES,
    imagined.ROUTES,
    telling.ROUTES,
    instances.ROUTES,
    accounts.ROUTES,
    administration.ROUTES,
    settings.ROUTES,
    status_page.ROUTES,
    LIVE,
    public_page.ROUTES,
    first_run.ROUTES,
    first_channel.ROUTES,
    act.ROUTES,
    api_pages.ROUTES,
    compare.ROUTES,
    api_detail.ROUTES,
    api_acts.ROUTES,
    alert_pages.ROUTES,
    route_pages.ROUTES,
    route_acts.ROUTES,
    rule_pages.ROUTES,
    silence_pages.ROUTES,
    notification_pages.ROUTES,
    report_pages.ROUTES,
    incidents.ROUTES,
    request_pages.ROUTES,
    appearance.ROUTES,
    login.ROUTES,
    SETTINGS,
    overview.ROUTES,
    palette.ROUTES,
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
