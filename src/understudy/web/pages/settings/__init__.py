"""The settings: oneself, accounts, tokens, sessions, entries that people edit, the audit log, what else there is."""

from __future__ import annotations

from understudy.web.endpoint import Endpoint

from . import about, audit, edited, edited_versions, people, profile, tokens, upkeep

ROUTES: dict[tuple[str, str], Endpoint] = {
    **profile.ROUTES,
    **people.ROUTES,
    **tokens.ROUTES,
    **edited.ROUTES,
    **edited_versions.ROUTES,
    **audit.ROUTES,
    **about.ROUTES,
    **upkeep.ROUTES,
}
