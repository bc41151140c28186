"""Settings that are edited while the service runs, and the service itself."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .asking import Asking, part
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
    """The part of the client about the service itself; a backup and the restart need somebody who is signed in."""

    async def config(self, under: str = "") -> Json:
        """The configuration, secrets masked, each value with its source; only values whose path holds `under`."""
        answer: Json = await self._get("/api/admin/config", under=under or None)
        return answer

    async def security(self) -> Json:
        """The security self-check: `counts`, and `checks` with what to do about each that is not as it should be."""
        answer: Json = await self._get("/api/admin/security")
        return answer

    async def system(self) -> Json:
        """The process, its store and what they run on."""
        answer: Json = await self._get("/api/admin/system")
        return answer

    async def backup(self, file: str | os.PathLike[str]) -> int:
        """Write a copy of the store into a new file that only its owner can read; how many bytes it has.

        Raises:
            FileExistsError: the file is there already; nothing was asked for.
        """
        return await self._download("POST", "/api/admin/backup", Path(file))

    async def restart(self, reason: str) -> Json:
        """End the service in order, so that its supervisor starts it again."""
        answer: Json = await self._post("/api/admin/restart", reason=reason)
        return answer

    async def status_page(self) -> Json:
        """The public status page as values; `ApiError` 404 where there is none."""
        answer: Json = await self._get("/api/status-page")
        return answer


def _place(kind: str, name: str) -> str:
    return f"/api/settings/{part(kind)}/{part(name)}"
