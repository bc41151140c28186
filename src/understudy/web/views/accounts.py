"""Accounts, sessions and tokens as people and programs see them: nothing that signs anybody in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Self

from understudy.core.accounts import Account, Session, Token
from understudy.web.auth.permissions import Identity


@dataclass(frozen=True, slots=True)
class MeView:
    """Who asks, and what they may do."""

    name: str
    via: str
    role: str
    permissions: tuple[str, ...]
    apis: tuple[str, ...]
    #: Until when the password counts as just given, epoch seconds; 0 where there is none.
    proved_until: float

    @classmethod
    def of(cls, who: Identity) -> Self:
        """Whoever that is."""
        held = tuple(sorted(str(each) for each in who.permissions))
        return cls(who.name, who.via, str(who.role or ""), held, who.apis, who.proved_until)

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class AccountView:
    """One account, and how many sessions and tokens it has."""

    id: str
    name: str
    role: str
    created_at: float
    password_at: float
    #: 0: never.
    signed_in_at: float
    #: Why it is shut out; empty: it may sign in.
    disabled: str
    sessions: int
    tokens: int

    @classmethod
    def of(cls, account: Account, sessions: Iterable[Session] = (), tokens: Iterable[Token] = ()) -> Self:
        """An account beside the sessions and tokens of all."""
        return cls(
            account.id, account.name, account.role, account.created_at, account.password_at, account.signed_in_at,
            account.disabled, sum(each.account == account.id for each in sessions),
            sum(each.account == account.id for each in tokens),
        )  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SessionView:
    """A browser that is signed in. `name` tells it from others; nobody can sign in with it."""

    name: str
    account: str
    created_at: float
    seen_at: float
    ip: str
    agent: str
    #: It is the one that asks.
    own: bool

    @classmethod
    def of(cls, session: Session, names: dict[str, str], who: Identity) -> Self:
        """A session; `names` are those of the accounts by id."""
        return cls(
            session.name, names.get(session.account, ""), session.created_at, session.seen_at, session.ip,
            session.agent, session.name == who.key,
        )  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class TokenView:
    """What a program signs in with, without its secret."""

    id: str
    name: str
    account: str
    scopes: tuple[str, ...]
    apis: tuple[str, ...]
    ips: tuple[str, ...]
    created_at: float
    #: 0: never.
    expires_at: float
    expired: bool
    #: 0: never.
    used_at: float
    used_ip: str

    @classmethod
    def of(cls, token: Token, names: dict[str, str], now: float) -> Self:
        """A token; `names` are those of the accounts by id."""
        return cls(
            token.id, token.name, names.get(token.account, ""), token.scopes, token.apis, token.ips, token.created_at,
            token.expires_at, token.ended(now), token.used_at, token.used_ip,
        )  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        return asdict(self)
