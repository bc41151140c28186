"""Accounts, sessions and tokens in plain dictionaries: the reference for the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from understudy.core.accounts import Account, Session, Token


class MemoryAccounts:
    """An `AccountStore` in memory."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._sessions: dict[str, Session] = {}
        self._tokens: dict[str, Token] = {}
        self._setup: tuple[str, float] = ("", 0.0)

    async def accounts(self) -> list[Account]:
        """As `core.accounts.AccountStore.accounts`."""
        return sorted(self._accounts.values(), key=lambda each: each.name.casefold())

    async def add(self, account: Account) -> bool:
        """As `core.accounts.AccountStore.add`."""
        if self._taken(account):
            return False
        self._accounts[account.id] = account
        return True

    async def change(self, account: Account) -> bool:
        """As `core.accounts.AccountStore.change`."""
        leaves_none = not _is_admin(account) and self._last_admin(account.id)
        if account.id not in self._accounts or self._taken(account) or leaves_none:
            return False
        self._accounts[account.id] = account
        return True

    async def remove(self, account: str) -> bool:
        """As `core.accounts.AccountStore.remove`."""
        if account not in self._accounts or self._last_admin(account):
            return False
        del self._accounts[account]
        await self.end_all(account)
        self._tokens = {key: each for key, each in self._tokens.items() if each.account != account}
        return True

    async def offer_setup(self, digest: str, until: float) -> None:
        """As `core.accounts.AccountStore.offer_setup`."""
        self._setup = (digest, until)

    async def add_first(self, account: Account, digest: str, now: float) -> bool:
        """As `core.accounts.AccountStore.add_first`."""
        known, until = self._setup
        if self._accounts or not known or digest != known or now >= until:
            return False
        self._setup = ("", 0.0)
        return await self.add(account)

    async def session(self, digest: str) -> Session | None:
        """As `core.accounts.AccountStore.session`."""
        return self._sessions.get(digest)

    async def sessions(self, account: str = "") -> list[Session]:
        """As `core.accounts.AccountStore.sessions`."""
        found = [each for each in self._sessions.values() if account in ("", each.account)]
        return sorted(found, key=lambda each: (-each.seen_at, each.digest))

    async def begin(self, session: Session, ends: str = "") -> None:
        """As `core.accounts.AccountStore.begin`."""
        self._sessions.pop(ends, None)
        self._sessions[session.digest] = session

    async def prove(self, digest: str, at: float) -> None:
        """As `core.accounts.AccountStore.prove`."""
        if digest in self._sessions:
            self._sessions[digest] = replace(self._sessions[digest], proved_at=at)

    async def end(self, digests: Sequence[str]) -> None:
        """As `core.accounts.AccountStore.end`."""
        for each in digests:
            self._sessions.pop(each, None)

    async def end_all(self, account: str, but: str = "") -> int:
        """As `core.accounts.AccountStore.end_all`."""
        gone = [key for key, each in self._sessions.items() if each.account == account and key != but]
        await self.end(gone)
        return len(gone)

    async def forget_ended(self, now: float) -> None:
        """As `core.accounts.AccountStore.forget_ended`."""
        self._sessions = {key: each for key, each in self._sessions.items() if not each.ended(now)}
        if now >= self._setup[1]:
            self._setup = ("", 0.0)

    def seen(self, digest: str, at: float) -> None:
        """As `core.accounts.AccountStore.seen`."""
        known = self._sessions.get(digest)
        if known is not None and at > known.seen_at:
            self._sessions[digest] = replace(known, seen_at=at)

    def signed_in(self, account: str, at: float) -> None:
        """As `core.accounts.AccountStore.signed_in`."""
        if account in self._accounts:
            self._accounts[account] = replace(self._accounts[account], signed_in_at=at)

    async def tokens(self) -> list[Token]:
        """As `core.accounts.AccountStore.tokens`."""
        return sorted(self._tokens.values(), key=lambda each: (each.name.casefold(), each.id))

    async def add_token(self, token: Token) -> None:
        """As `core.accounts.AccountStore.add_token`."""
        self._tokens[token.id] = token

    async def remove_token(self, token: str) -> bool:
        """As `core.accounts.AccountStore.remove_token`."""
        return self._tokens.pop(token, None) is not None

    def used(self, token: str, at: float, ip: str) -> None:
        """As `core.accounts.AccountStore.used`."""
        if token in self._tokens:
            self._tokens[token] = replace(self._tokens[token], used_at=at, used_ip=ip)

    def _taken(self, account: Account) -> bool:
        folded = account.name.casefold()
        return any(each.name.casefold() == folded and each.id != account.id for each in self._accounts.values())

    def _last_admin(self, account: str) -> bool:
        return [each.id for each in self._accounts.values() if _is_admin(each)] == [account]


def _is_admin(account: Account) -> bool:
    return account.role == "admin" and not account.disabled
