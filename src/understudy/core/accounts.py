"""Who may sign in: accounts, their sessions, and the tokens of programs; and what keeps them.

No secret stands in any of these: a password as its argon2 text, a session as the SHA-256 of its id, a token as an
HMAC. Whoever steals the store cannot sign in with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

#: What an account may be for; each may do what the one before may, and more.
ROLES: Final = ("viewer", "operator", "admin")
#: A session ends this long after its last request, and this long after it began, s.
IDLE, LONGEST = 12 * 3600.0, 7 * 86400.0
#: A set-up token may be used for this long, s.
SETUP_VALID = 1800.0


@dataclass(frozen=True, slots=True)
class Account:
    """A person. `name` is unique without regard to case; times are epoch seconds, 0 for never."""

    id: str
    name: str
    role: str
    password: str = field(repr=False)
    created_at: float
    #: When the password was set.
    password_at: float
    signed_in_at: float = 0.0
    #: Why the account may not be used; empty: it may.
    disabled: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that has signed in. `proved_at` is when it last gave the password."""

    digest: str = field(repr=False)
    account: str
    created_at: float
    seen_at: float
    proved_at: float
    ip: str
    agent: str

    @property
    def name(self) -> str:
        """Tells sessions apart in lists and in the audit log; nobody can sign in with it."""
        return self.digest[:16]

    def ended(self, now: float) -> bool:
        """Whether it was idle for too long, or has lasted too long."""
        return not (self.seen_at + IDLE > now and self.created_at + LONGEST > now)


@dataclass(frozen=True, slots=True)
class Token:
    """What a program signs in with. Empty `apis` and `ips` mean all of them; `expires_at` 0 means never."""

    id: str
    name: str
    #: Who made it; it may never do more than its maker may now.
    account: str
    digest: str = field(repr=False)
    scopes: tuple[str, ...]
    apis: tuple[str, ...]
    #: Addresses and networks that may use it.
    ips: tuple[str, ...]
    created_at: float
    expires_at: float = 0.0
    used_at: float = 0.0
    used_ip: str = ""

    def ended(self, now: float) -> bool:
        """Whether its time is over."""
        return bool(self.expires_at) and now >= self.expires_at


class AccountStore(Protocol):
    """Keeps accounts, sessions and tokens. Every write returns when it is safe on disk.

    All methods that wait may raise `StoreUnavailable`.
    """

    async def accounts(self) -> list[Account]:
        """All of them, by name."""

    async def add(self, account: Account) -> bool:
        """Keep a new account; False, and nothing is kept, when its name is taken."""

    async def change(self, account: Account) -> bool:
        """Replace the account of that id; False when there is none, or its new name is taken.

        The last administrator who may sign in stays one: False for a change that would leave none.
        """

    async def remove(self, account: str) -> bool:
        """Forget an account with its sessions and tokens; False when there is none, or it is the last administrator."""

    async def offer_setup(self, digest: str, until: float) -> None:
        """Keep a set-up token in the place of all before."""

    async def add_first(self, account: Account, digest: str, now: float) -> bool:
        """Burn the set-up token and keep the first account, both or neither; True for one caller only, ever.

        False when the token is not known or over, or any account is there.
        """

    async def session(self, digest: str) -> Session | None:
        """One session; None when there is none."""

    async def sessions(self, account: str = "") -> list[Session]:
        """All sessions, or those of one account; the last one seen first."""

    async def begin(self, session: Session, ends: str = "") -> None:
        """Keep a new session in the place of the one that it rotates; `ends` is that one's digest."""

    async def prove(self, digest: str, at: float) -> None:
        """The password was given again."""

    async def end(self, digests: Sequence[str]) -> None:
        """End sessions."""

    async def end_all(self, account: str, but: str = "") -> int:
        """End every session of an account, but one; how many there were."""

    async def forget_ended(self, now: float) -> None:
        """Remove sessions that are over, and set-up tokens that are."""

    def seen(self, digest: str, at: float) -> None:
        """Note that a session is used; whenever that is possible, without anybody who waits for it."""

    def signed_in(self, account: str, at: float) -> None:
        """Note that an account signed in; likewise."""

    async def tokens(self) -> list[Token]:
        """All tokens, by name."""

    async def add_token(self, token: Token) -> None:
        """Keep a new token."""

    async def remove_token(self, token: str) -> bool:
        """Forget a token; False when there is none."""

    def used(self, token: str, at: float, ip: str) -> None:
        """Note that a token is used, and from where; whenever that is possible."""
