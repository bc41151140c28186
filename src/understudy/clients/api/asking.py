"""One request to the REST API and its answer: the token, waiting where the service says so, problems as errors."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlencode, urlsplit

from understudy.core.clock import SYSTEM_CLOCK, Clock
from understudy.core.errors import TransportError, UnderstudyError
from understudy.core.http import HttpClient, HttpRequest, HttpResponse
from understudy.core.secrets import Secret

#: Longest wait for an answer, s; largest answer, bytes; longest detail of a problem that is repeated, characters.
TIMEOUT, MAX_ANSWER, MAX_DETAIL = 10.0, 64 * 1024 * 1024, 2000
#: How often a request is sent in all, and the longest wait in between, s: nobody waits for ever.
TRIES, LONGEST_WAIT = 3, 30.0
#: Statuses after which the same request may do well; the service has done nothing yet.
_LATER: Final = (429, 503)
_REPEATABLE: Final = ("GET", "HEAD", "PUT", "DELETE")


class ApiError(UnderstudyError):
    """The service answered with a problem. `problem` is all of it, as RFC 9457 has it."""

    def __init__(self, status: int, detail: str, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{detail} (status {status})")
        self.status, self.detail, self.problem = status, detail, dict(problem or {})

    @property
    def request_id(self) -> str:
        """Under which the log of the service may say more."""
        return str(self.problem.get("request_id", ""))


class NotReached(UnderstudyError):
    """No complete answer came from the service (`reason` says why), or one that is not of Understudy."""

    def __init__(self, detail: str, reason: str = "", refused: bool = False) -> None:
        super().__init__(detail)
        self.detail, self.reason, self.refused = detail, reason, refused


class Several(tuple[str, ...]):
    """Values of a parameter that is given several times."""

    __slots__ = ()


class Asking:
    """What all parts of the client share: asking, and waiting as the service says.

    `url` is where the service is, `token` an API token of it; nothing is read from the environment. A client that
    is given as `http` stays its owner's. The authorities in the file `ca_file` are trusted in place of the system's.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | Secret | None = None,
        http: HttpClient | None = None,
        clock: Clock = SYSTEM_CLOCK,
        timeout: float = TIMEOUT,
        tries: int = TRIES,
        ca_file: str = "",
    ) -> None:
        """Raises ValueError for what is no address of a service."""
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        if not parts.hostname or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
            raise ValueError(f"{url!r} is no URL of a service; it looks like http://127.0.0.1:8080")
        _ = parts.port  # a ValueError where it is none
        self._token = Secret(token) if isinstance(token, str) else token
        self._clock, self._timeout, self._tries = clock, timeout, max(1, tries)
        self._ca_file, self._own = ca_file, http is None
        self._http = http
        #: The session of somebody who signed in, as a cookie.
        self._session: Secret | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.url}>"

    async def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        if self._own and self._http is not None:
            await self._http.close()
            self._http = None

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The JSON answer of any endpoint; parameters and keys that are None are left out.

        Raises:
            ApiError: the service answered with a problem.
            NotReached: it did not answer, or with something else than JSON.
        """
        answered = await self._answered(method, path, query, body, headers)
        return None if answered.status == 204 else self._parsed(answered.body)

    async def fetch(self, path: str, **query: Any) -> bytes:
        """The body of a GET as it came: a report, a CSV file. Raises as `ask`."""
        return (await self._answered("GET", path, query, None, None)).body

    async def _get(self, path: str, **query: Any) -> Any:
        return await self.ask("GET", path, query=query)

    async def _post(self, path: str, **body: Any) -> Any:
        return await self.ask("POST", path, body=body)

    async def _answered(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
    ) -> HttpResponse:
        said = {name: _said(value) for name, value in (query or {}).items() if value is not None}
        wanted = urlencode(said, doseq=True, errors="replace")
        url = f"{self.url}{path}{'?' if wanted else ''}{wanted}"
        sent = {"Accept": "application/json", **(headers or {})}
        content = None
        if body is not None:
            content = json.dumps({name: value for name, value in body.items() if value is not None}).encode()
        if method not in ("GET", "HEAD"):
            sent["Content-Type"] = "application/json"  # also of nothing: HTTP libraries call that something else
        sent |= self._credentials()
        for left in range(self._tries - 1, -1, -1):
            answered = await self._sent(HttpRequest(method, url, sent, content, TIMEOUT, self._timeout, MAX_ANSWER))
            if answered.status < 400:
                return answered
            wait = _wait(answered)
            again = answered.status == 429 or (answered.status in _LATER and method in _REPEATABLE)
            if not left or not again or wait is None or wait > LONGEST_WAIT:
                raise self._problem(answered)
            await self._clock.sleep(wait)
        raise AssertionError("a request is tried at least once")

    def _credentials(self) -> dict[str, str]:
        """A session goes before the token: both together are refused. It counts only with where it is used from."""
        if self._session is not None:
            parts = urlsplit(self.url)
            return {"Cookie": self._session.reveal(), "Origin": f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"}
        return {"Authorization": f"Bearer {self._token.reveal()}"} if self._token is not None else {}

    async def _begin(self, path: str, body: Mapping[str, Any]) -> None:
        """Ask for something that answers with a new session, and go on with that."""
        answered = await self._answered("POST", path, None, body, None)
        cookies = [value for name, value in answered.raw_headers if name.lower() == b"set-cookie"]
        if not cookies:
            raise NotReached(f"{self.url} is not an Understudy service")
        self._session = Secret(cookies[-1].partition(b";")[0].decode("latin-1"))

    async def _download(self, method: str, path: str, file: Path) -> int:
        """Write the body of an answer into a new file of its owner's only; nothing is left of one that was cut off."""
        opened = await asyncio.to_thread(os.open, file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(opened, "wb") as target:
                headers = {"Accept": "*/*", "Content-Type": "application/json", **self._credentials()}
                url = f"{self.url}{path}"
                request = HttpRequest(method, url, headers, None, TIMEOUT, self._timeout, MAX_ANSWER, buffered=False)
                answered = await self._sent(request)
                try:
                    if answered.status >= 400:
                        raise self._problem(answered, b"".join([each async for each in answered.chunks()]))
                    async for piece in answered.chunks():
                        await asyncio.to_thread(target.write, piece)
                except TransportError as error:
                    raise NotReached(f"{self.url} broke off: {error}", str(error)) from None
                finally:
                    await answered.close()
                return target.tell()
        except BaseException:
            await asyncio.to_thread(file.unlink)
            raise

    async def _sent(self, request: HttpRequest) -> HttpResponse:
        try:
            return await self._transport().send(request)
        except TransportError as error:
            refused = getattr(error, "stage", "") == "refused"
            raise NotReached(f"{self.url} does not answer: {error}", str(error), refused) from None

    def _transport(self) -> HttpClient:
        """The client that was given, or one of our own, made at the first request."""
        if self._http is None:
            from understudy.clients.aiohttp import AiohttpClient
            from understudy.core.trust import trust

            self._http = AiohttpClient(self._clock, ssl=trust(self._ca_file) if self._ca_file else None)
        return self._http

    def _problem(self, answered: HttpResponse, body: bytes | None = None) -> ApiError:
        try:
            told = json.loads(answered.body if body is None else body)
        except ValueError:
            told = {}
        problem = told if isinstance(told, dict) else {}
        detail = str(problem.get("detail", "") or f"the service refused with status {answered.status}")
        return ApiError(answered.status, detail[:MAX_DETAIL], problem)

    def _parsed(self, body: bytes) -> Any:
        try:
            return json.loads(body)
        except ValueError:
            raise NotReached(f"{self.url} is not an Understudy service") from None


def part(name: str) -> str:
    """A name as one part of a path, whatever is in it."""
    return quote(name, safe="", errors="replace").replace(".", "%2E")


def _said(value: Any) -> Any:
    """A value as a query writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(str, value)) if isinstance(value, list | tuple) and not isinstance(value, Several) else value


def _wait(answered: HttpResponse) -> float | None:
    """How long the service wants to be left alone, s; None where it does not say so in seconds."""
    said = answered.headers.get("Retry-After", "")
    return float(said) if said.isascii() and said.isdigit() and len(said) < 6 else None
