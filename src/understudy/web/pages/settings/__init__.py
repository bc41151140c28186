"""The settings: oneself, accounts, tokens, sessions, the audit log, the configuration, security, system, upkeep."""

from __future__ import annotations

from understudy.web.endpoint import Endpoint

from . import about, audit, people, profile, tokens, upkeep

ROUTES: dict[tuple[str, str], Endpoint] = {
    **profile.ROUTES,
    **people.ROUTES,
    **tokens.ROUTES,
    **audit.ROUTES,
    **about.ROUTES,
    **upkeep.ROUTES,
}
