"""Who may do what: signing in, accounts, sessions and API tokens."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.core.secrets import Secret

from .asking import Asking, part
from .values import AccountShown, Me, NewToken, SessionShown, TokenShown, all_built, built


class People(Asking):
    """The part of the client about accounts. What only a person may do needs `sign_in`: a token is refused there.

    Such are tokens and sessions of one's own, the password, changes of accounts, a backup, and the restart; the last
    four need a password that was given in the last ten minutes, by `sign_in` or `confirm`.
    """

    async def sign_in(self, name: str, password: str | Secret) -> Me:
        """Begin a session, which stands in the place of a token until `sign_out`.

        Raises:
            ApiError: 401 where name or password are wrong, 429 after too many attempts.
        """
        given = _plain(password)
        await self._begin("/api/login", {"name": name, "password": given})
        return await self.me()

    async def sign_out(self) -> None:
        """End the session; a token counts again."""
        if self._session is not None:
            await self._post("/api/logout")
            self._session = None

    async def confirm(self, password: str | Secret) -> None:
        """Give the password once more: for ten minutes what hurts most may be done."""
        given = _plain(password)
        await self._post("/api/me/confirm", password=given)

    async def change_password(self, old: str | Secret, new: str | Secret) -> None:
        """Change one's own password; every other session of the account ends."""
        await self._begin("/api/me/password", {"old": _plain(old), "new": _plain(new)})

    async def me(self) -> Me:
        """Who asks, and what they may do."""
        return built(Me, await self._get("/api/me"))

    async def tokens(self, everybody: bool = False) -> tuple[TokenShown, ...]:
        """One's own API tokens, or those of all accounts; never their secrets."""
        place = "/api/admin/tokens" if everybody else "/api/me/tokens"
        return all_built(TokenShown, (await self._get(place))["tokens"])

    async def add_token(
        self, name: str, scopes: Sequence[str], *, apis: Sequence[str] = (), ips: Sequence[str] = (),
        expires_in: str | float | None = None,
    ) -> NewToken:  # fmt: skip
        """A new token of one's own; `token` of the answer is told this once.

        Scopes are read, alerts:write, routes:write, notify:send, admin and gateway. It may be held to some APIs and
        addresses, and to a time.
        """
        more = {"apis": list(apis), "ips": list(ips), "expires_in": expires_in}
        answer = await self._post("/api/me/tokens", name=name, scopes=list(scopes), **more)
        return built(NewToken, {**answer, "token": Secret(answer["token"])})

    async def revoke_token(self, token: str, everybody: bool = False) -> None:
        """End a token by its id."""
        place = f"/api/admin/tokens/{part(token)}" if everybody else f"/api/me/tokens/{part(token)}"
        await self.ask("DELETE", place)

    async def sessions(self, everybody: bool = False) -> tuple[SessionShown, ...]:
        """Browsers and programs that are signed in, as oneself or all of them."""
        place = "/api/admin/sessions" if everybody else "/api/me/sessions"
        return all_built(SessionShown, (await self._get(place))["sessions"])

    async def end_session(self, session: str, everybody: bool = False) -> None:
        """End a session by its name."""
        place = f"/api/admin/sessions/{part(session)}" if everybody else f"/api/me/sessions/{part(session)}"
        await self.ask("DELETE", place)

    async def accounts(self) -> tuple[AccountShown, ...]:
        """Every account."""
        return all_built(AccountShown, (await self._get("/api/admin/accounts"))["accounts"])

    async def add_account(self, name: str, role: str, password: str | Secret) -> AccountShown:
        """A new account; its role is viewer, operator or admin, its password has at least 12 characters."""
        given = _plain(password)
        return built(AccountShown, await self._post("/api/admin/accounts", name=name, role=role, new=given))

    async def change_account(
        self, account: str, *, role: str | None = None, password: str | Secret | None = None,
        disabled: str | None = None,
    ) -> AccountShown:  # fmt: skip
        """Another role or password for an account, or shut it out with a reason; an empty one lets it in again."""
        given = None if password is None else _plain(password)
        body = {"role": role, "new": given, "disabled": disabled}
        return built(AccountShown, await self.ask("PATCH", f"/api/admin/accounts/{part(account)}", body=body))

    async def remove_account(self, account: str) -> None:
        """Remove an account with its sessions and tokens."""
        await self.ask("DELETE", f"/api/admin/accounts/{part(account)}")


def _plain(secret: str | Secret) -> str:
    return secret.reveal() if isinstance(secret, Secret) else secret
