"""The one-time token with which the first administrator is made in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.core.accounts import SETUP_VALID
from understudy.core.errors import StoreUnavailable

from .tickets import new_setup

if TYPE_CHECKING:
    from understudy.app import Understudy


async def offer_first(app: Understudy) -> str:
    """A new set-up token, in the place of every one before; empty where an account is there or none can be kept."""
    if app.keeping is None:
        return ""
    try:
        if await app.keeping.accounts.accounts():
            return ""
        text, digest = new_setup()
        await app.keeping.accounts.offer_setup(digest, app.clock.time() + SETUP_VALID)
    except StoreUnavailable:
        return ""
    return text
