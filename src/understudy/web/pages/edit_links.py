"""Links from the pages of APIs, routes and channels to where they are edited; none for who may not, or cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.config.managed import SECTIONS
from understudy.web.api.settings import EDITS
from understudy.web.forms import path_of
from understudy.web.http import Request

if TYPE_CHECKING:
    from understudy.app import Understudy


def edit_href(app: Understudy, request: Request, kind: str, name: str) -> str:
    """Where an entry is edited; empty for one that a program has registered: it stands in no configuration."""
    entries = getattr(app.settings, SECTIONS[kind], {}) if app.settings is not None else {}
    if not _edits(app, request, kind) or name not in entries:
        return ""
    return path_of("settings", SECTIONS[kind], "entry", name=name)


def new_href(app: Understudy, request: Request, kind: str) -> str:
    """Where one is made."""
    return path_of("settings", SECTIONS[kind], "new") if _edits(app, request, kind) else ""


def _edits(app: Understudy, request: Request, kind: str) -> bool:
    return app.managing is not None and request.who.may(EDITS[kind])
