"""Keeps the public status page for ten seconds, so that visitors cost one look at the application however many come."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from understudy.config.status_page import StatusPageOptions
from understudy.web.http import Nowhere

from .status_page import Past, StatusPageView, status_page

if TYPE_CHECKING:
    from understudy.app import Understudy

#: The page is made anew after this long, s; so long may others keep it.
FRESH: Final = 10.0


@dataclass(slots=True)
class _Kept:
    """What one application's page was last, and the past that it is made from."""

    past: Past = field(default_factory=Past)
    view: StatusPageView | None = None
    until: float = 0.0
    pages: dict[str, bytes] = field(default_factory=dict)
    #: Who waits for the page waits for one that is made already; bound to the loop that serves.
    making: asyncio.Task[StatusPageView] | None = None


_KEPT: WeakKeyDictionary[Understudy, _Kept] = WeakKeyDictionary()


def options_of(app: Understudy) -> StatusPageOptions:
    """The options of a page that is switched on.

    Raises:
        Nowhere: it is not.
    """
    found = app.settings.status_page if app.settings is not None else None
    if found is None or not found.enabled:
        raise Nowhere
    return found


async def view_of(app: Understudy) -> StatusPageView:
    """The page's view, at most ten seconds old; however many ask, it is made once."""
    options = options_of(app)
    kept = _KEPT.setdefault(app, _Kept())
    if kept.view is not None and app.clock.monotonic() < kept.until:
        return kept.view
    if kept.making is None or kept.making.done():
        kept.making = asyncio.ensure_future(_made(app, options, kept))
    # Shielded: a visitor who goes away must not take the page from those who wait with him.
    return await asyncio.shield(kept.making)


async def _made(app: Understudy, options: StatusPageOptions, kept: _Kept) -> StatusPageView:
    view = await status_page(app, options, kept.past)
    kept.view, kept.until = view, app.clock.monotonic() + FRESH
    kept.pages.clear()
    return view


def kept_pages(app: Understudy) -> dict[str, bytes]:
    """The pages that were written from the view that is kept, by language."""
    return _KEPT[app].pages
