"""Settings that are edited while the service runs, accounts and tokens, routes, and the service itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .asking import Asking, Several, part
from .values import Json


class Settings(Asking):
    """The part of the client about entries of the configuration; `kind` is apis, routes or channels."""

    async def entries(self, kind: str) -> Sequence[Json]:
        """Every entry of a kind, with where it comes from; secrets are never among its values."""
        answer: Sequence[Json] = (await self._get(f"/api/settings/{part(kind)}"))["entries"]
        return answer

    async def entry(self, kind: str, name: str) -> Json:
        """One entry with its values and version."""
        answer: Json = await self._get(_place(kind, name))
        return answer

    async def put_entry(
        self, kind: str, name: str, values: Mapping[str, Any], *, comment: str = "", expected: int | None = None
    ) -> Json:
        """Make or replace an entry, in force at once; with `expected` only if that is its newest version.

        Raises:
            ApiError: 409 or 412 where somebody was quicker, 422 with `faults`.
        """
        body = {"values": dict(values), "comment": comment, "expected": expected}
        answer: Json = await self.ask("PUT", _place(kind, name), body=body)
        return answer

    async def delete_entry(self, kind: str, name: str, *, comment: str = "", expected: int | None = None) -> Json:
        """Forget what was edited: the entry of the file counts again, or none."""
        answer: Json = await self.ask("DELETE", _place(kind, name), body={"comment": comment, "expected": expected})
        return answer

    async def entry_versions(self, kind: str, name: str) -> Sequence[Json]:
        """Every version that was kept, newest first."""
        answer: Sequence[Json] = (await self._get(f"{_place(kind, name)}/versions"))["versions"]
        return answer

    async def revert_entry(self, kind: str, name: str, version: int, *, comment: str = "") -> Json:
        """Put an earlier version in force again."""
        answer: Json = await self._post(f"{_place(kind, name)}/revert", version=version, comment=comment)
        return answer

    async def check_entry(self, kind: str, name: str, values: Mapping[str, Any]) -> Sequence[Json]:
        """What is wrong with an entry before it is put (`kind` is api, route or channel); empty when nothing is."""
        answer = await self._post("/api/settings/check", kind=kind, name=name, values=dict(values))
        faults: Sequence[Json] = answer["faults"]
        return faults

    async def test_entry(self, name: str, values: Mapping[str, Any] | None = None) -> Json:
        """Ask an API once, as it is or as it would be with these values."""
        body = {} if values is None else {"values": dict(values)}
        answer: Json = await self._post(f"/api/settings/apis/{part(name)}/test", **body)
        return answer


class Administration(Asking):
    """The part of the client about who may do what, and the service as such."""

    async def me(self) -> Json:
        """Who asks, and what they may do."""
        answer: Json = await self._get("/api/me")
        return answer

    async def tokens(self, everybody: bool = False) -> Sequence[Json]:
        """One's own API tokens, or those of all accounts; never their secrets."""
        place = "/api/admin/tokens" if everybody else "/api/me/tokens"
        answer: Sequence[Json] = (await self._get(place))["tokens"]
        return answer

    async def revoke_token(self, token: str, everybody: bool = False) -> None:
        """End a token by its id."""
        await self.ask("DELETE", f"/api/{'admin' if everybody else 'me'}/tokens/{part(token)}")

    async def accounts(self) -> Sequence[Json]:
        """Every account."""
        answer: Sequence[Json] = (await self._get("/api/admin/accounts"))["accounts"]
        return answer

    async def change_account(self, account: str, *, role: str | None = None, disabled: str | None = None) -> Json:
        """Give an account another role, or shut it out with a reason; an empty one lets it in again."""
        body = {"role": role, "disabled": disabled}
        answer: Json = await self.ask("PATCH", f"/api/admin/accounts/{part(account)}", body=body)
        return answer

    async def remove_account(self, account: str) -> None:
        """Remove an account with its sessions and tokens."""
        await self.ask("DELETE", f"/api/admin/accounts/{part(account)}")

    async def config(self) -> Json:
        """The configuration, secrets masked, each value with its source."""
        answer: Json = await self._get("/admin/config")
        return answer

    async def routes(self) -> Json:
        """Every route with its lead, its candidates and what fallback has saved."""
        answer: Json = await self._get("/api/routes")
        return answer

    async def route(self, name: str) -> Json:
        """One route: its candidates with the score explained, and its last switches."""
        answer: Json = await self._get(f"/api/routes/{part(name)}")
        return answer

    async def compare_apis(self, *names: str, **span: Any) -> Json:
        """Two to six APIs side by side, with the winner of each measure."""
        answer: Json = await self.ask("GET", "/api/compare", query={"api": Several(names), **span})
        return answer

    async def status_page(self) -> Json:
        """The public status page as values; `ApiError` 404 where there is none."""
        answer: Json = await self._get("/api/status-page")
        return answer


def _place(kind: str, name: str) -> str:
    return f"/api/settings/{part(kind)}/{part(name)}"
