"""What is told of accounts, sessions and tokens: to the settings pages and the REST API alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .auth.acts import keeping_of
from .auth.permissions import Identity
from .views.accounts import AccountView, SessionView, TokenView

if TYPE_CHECKING:
    from understudy.app import Understudy


async def accounts(app: Understudy) -> list[AccountView]:
    """All accounts, by name."""
    kept = keeping_of(app).accounts
    now = app.clock.time()
    sessions = [each for each in await kept.sessions() if not each.ended(now)]
    tokens = await kept.tokens()
    return [AccountView.of(each, sessions, tokens) for each in await kept.accounts()]


async def sessions(app: Understudy, who: Identity, account: str = "") -> list[SessionView]:
    """The sessions of all, or of one account, that still last; the last one seen first."""
    kept, now = keeping_of(app).accounts, app.clock.time()
    names = {each.id: each.name for each in await kept.accounts()}
    return [SessionView.of(each, names, who) for each in await kept.sessions(account) if not each.ended(now)]


async def tokens(app: Understudy, account: str = "") -> list[TokenView]:
    """The tokens of all, or of one account, by name."""
    kept, now = keeping_of(app).accounts, app.clock.time()
    names = {each.id: each.name for each in await kept.accounts()}
    return [TokenView.of(each, names, now) for each in await kept.tokens() if account in ("", each.account)]
