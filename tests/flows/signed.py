"""A service with accounts, and browsers and programs that ask it: over ASGI, without a socket."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.accounts import Account
from understudy.storage import StorageOptions
from understudy.testing import FakeClock
from understudy.web.asgi import Service
from understudy.web.auth.exposure import Exposure
from understudy.web.auth.process import Process
from understudy.web.middleware import Limit

PASSWORD = "violet ladder seventeen foxes"
NAMES = {"viewer": "vera", "operator": "oto", "admin": "ada"}
PAGE = "text/html,application/xhtml+xml"


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    cookies: list[str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclasses.dataclass
class Asker:
    """A browser, or a program; cookies are kept."""

    service: Service
    client: str = "127.0.0.1"
    scheme: str = "http"
    host: str = "127.0.0.1"
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    cookies: dict[str, str] = dataclasses.field(default_factory=dict)
    #: What browsers say of where a request comes from; empty: a program, or an old browser.
    site: str = "same-origin"

    async def ask(self, method: str, path: str, body: bytes = b"", **more: str) -> Reply:
        path, _, query = path.partition("?")
        headers = {"host": self.host, **self.headers}
        if self.site:
            headers["sec-fetch-site"] = self.site
            headers["sec-fetch-mode"], headers["sec-fetch-dest"] = "navigate", "document"
        if self.cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": quote(path, safe="/%").encode(),
            "query_string": query.encode(), "scheme": self.scheme, "client": (self.client, 50000),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items() if value],
        }  # fmt: skip
        sent: list[Any] = []
        given = False

        async def receive() -> Any:
            nonlocal given
            if given:
                if path != "/live":
                    await asyncio.Event().wait()  # whoever asked stays until it is answered; a stream never is
                return {"type": "http.disconnect"}
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.service(scope, receive, send)
        pairs = [(name.decode(), value.decode("latin-1")) for name, value in sent[0]["headers"]]
        set_cookies = [value for name, value in pairs if name == "set-cookie"]
        for each in set_cookies:
            name, _, value = each.partition(";")[0].partition("=")
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return Reply(
            sent[0]["status"], dict(pairs), set_cookies, b"".join(each.get("body", b"") for each in sent[1:])
        )  # fmt: skip

    async def get(self, path: str, **more: str) -> Reply:
        return await self.ask("GET", path, **more)

    async def page(self, path: str) -> Reply:
        return await self.ask("GET", path, accept=PAGE)

    async def form(self, path: str, /, **fields: str) -> Reply:
        kind = "application/x-www-form-urlencoded"
        return await self.ask("POST", path, urlencode(fields).encode(), content_type=kind, accept=PAGE)

    async def send(self, method: str, path: str, content: Any = None, **more: str) -> Reply:
        body = b"" if content is None else json.dumps(content).encode()
        return await self.ask(method, path, body, **({"content_type": "application/json"} if body else {}), **more)

    async def sign_in(self, name: str, password: str = PASSWORD) -> Reply:
        return await self.form("/login", name=name, password=password)


@dataclasses.dataclass
class Signed:
    """The application, its service, and whoever asks it."""

    app: Understudy
    service: Service
    clock: FakeClock

    def browser(self, **more: Any) -> Asker:
        return Asker(self.service, **more)

    def program(self, token: str = "", **more: Any) -> Asker:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return Asker(self.service, headers=headers, site="", **more)

    async def signed_in(self, role: str, **more: Any) -> Asker:
        browser = self.browser(**more)
        assert (await browser.sign_in(NAMES[role])).status == 303
        return browser

    async def token(self, by: Asker, *scopes: str, **more: Any) -> str:
        made = await by.send("POST", "/api/me/tokens", {"name": "ci", "scopes": list(scopes), **more})
        assert made.status == 201, made.body
        text: str = made.json["token"]
        return text

    async def audit(self) -> list[tuple[str, str, str]]:
        """The newest acts first: who, what, to what."""
        assert self.app.keeping is not None
        found = await self.app.keeping.audit.read(500)
        return [(each.entry.actor, each.entry.action, each.entry.object) for each in found]


@cache
def hasher() -> Any:
    """Hashes weakly, so that tests are quick."""
    import argon2

    return argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@cache
def hashed() -> str:
    """The password as it is kept."""
    kept: str = hasher().hash(PASSWORD)
    return kept


async def add_accounts(app: Understudy, now: float) -> None:
    assert app.keeping is not None
    for role, name in NAMES.items():
        assert await app.keeping.accounts.add(Account(f"id-{role}", name, role, hashed(), now, now))


@asynccontextmanager
async def signed(
    *, accounts: bool = True, exposure: Exposure | None = None, url: str = "memory:", **service: Any
) -> AsyncIterator[Signed]:
    """The service, with an account for each role."""
    clock = FakeClock(epoch=1_800_000_000)
    storage = StorageOptions(url=url)
    made = dataclasses.replace(Settings().service, **service) if service else Settings().service
    settings = dataclasses.replace(Settings(), storage=storage, service=made)
    async with Understudy.build(settings, clock=clock, seed=1, keep=True) as app:
        if accounts:
            await add_accounts(app, clock.time())
        service = Service(app, limit=Limit(clock, burst=100_000), process=Process(exposure or Exposure()))
        service.gate.passwords._made = hasher()  # else each sign-in takes the 64 MiB and the time that it shall take
        yield Signed(app, service, clock)
