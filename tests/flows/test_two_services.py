"""Two services on one PostgreSQL: what is done in one is in force in the other, and survives the death of either."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from processes import service
from signed import NAMES, PASSWORD, hashed

import servers
from understudy.core.accounts import Account
from understudy.storage.postgres_store import PostgresStore
from understudy.testing import FakeClock

#: What is done in one service holds in the other after this long, s: it looks every two, and every five where it is
#: about alerts; the rest is for a busy machine.
FOLLOWS = 12.0
#: An account or session that another service changed is looked up again after this long, s.
ACCOUNTS = 8.0
#: The second cannot be reached: its health checks fail, and an alert tells of it.
FILE = """
[service]
secret_key = "a key that both services have, long enough"
[storage]
url = "{url}"
password = "{password}"
[apis.first]
base_url = "http://127.0.0.1:9"
[apis.second]
base_url = "http://127.0.0.1:9"
priority = 2
health_check = {{ path = "/", cost = "free", interval = 0.5, unhealthy_after = 2 }}
[routes.odds]
apis = ["first", "second"]
"""


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Any, httpx.AsyncClient]]:
    with service(folder) as (process, url):
        browser = httpx.AsyncClient(base_url=url, headers={"sec-fetch-site": "same-origin"}, timeout=20)
        async with browser:
            yield process, browser


async def said(browser: httpx.AsyncClient, method: str, path: str, status: int = 200, **content: Any) -> Any:
    answer = await browser.request(method, path, **({"json": content} if content else {}))
    assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
    return answer.json() if answer.content else None


async def becomes(look: Callable[[], Awaitable[Any]], wanted: Any, within: float) -> None:
    """Wait until `look` answers what is wanted."""
    until, found = time.monotonic() + within, None
    while time.monotonic() < until:
        found = await look()
        if found == wanted:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"expected {wanted!r} within {within} s, found {found!r}")


async def standing(browser: httpx.AsyncClient) -> dict[str, Any]:
    """What people have said, as a service has it."""
    status = await said(browser, "GET", "/api/fallback")
    first = status["apis"]["first"]
    pin = status["routes"]["odds"]["pin"]
    return {
        "pin": pin and (pin["api"], pin["actor"]),
        "drain": first["drain"] and first["drain"]["reason"],
        "forced": first["forced"] and first["forced"]["state"],
        "held": [each["reason"] for each in first["breaker"].values() if each["state"] == "forced_open"][:1],
        "apis": sorted(status["apis"]),
        "silences": [each["reason"] for each in (await said(browser, "GET", "/api/alerts/silences"))["silences"]],
    }


async def acknowledged(browser: httpx.AsyncClient) -> str | None:
    """Who works on the alert of the second API; None while there is no such alert."""
    alerts = (await said(browser, "GET", "/api/alerts/open"))["alerts"]
    return next((each["acknowledged_by"] or "" for each in alerts if each["rule"] == "api_down"), None)


async def sign_in(browser: httpx.AsyncClient, role: str) -> None:
    answer = await browser.post("/login", data={"name": NAMES[role], "password": PASSWORD})
    assert answer.status_code == 303, answer.text[:300]


async def test_what_is_done_in_one_holds_in_the_other_and_survives_either(
    postgres: servers.Postgres, tmp_path: Path
) -> None:
    database = postgres.with_tables()
    (tmp_path / "understudy.toml").write_text(FILE.format(url=postgres.url(database), password=servers.PASSWORD))
    (tmp_path / "understudy.toml").chmod(0o600)
    store = PostgresStore(postgres.options(database), FakeClock(epoch=time.time()))
    for role, name in NAMES.items():
        assert await store.accounts.add(Account(f"id-{role}", name, role, hashed(), time.time(), time.time()))
    await store.close(2.0)
    async with contextlib.AsyncExitStack() as stack:
        (one, ada), (_, there) = [await stack.enter_async_context(running(tmp_path)) for _ in range(2)]
        await sign_in(ada, "admin")
        there.cookies = ada.cookies  # the session is known to both at once
        assert (await said(there, "GET", "/api/me"))["name"] == "ada"

        # -- acts, in one and the other
        await said(ada, "POST", "/api/routes/odds/pin", api="second", reason="a move", expires_in="1h")
        await said(ada, "POST", "/api/apis/first/drain", reason="an end")
        await said(there, "POST", "/api/apis/first/force", state="forced_open", reason="a look", expires_in="1h")
        await said(there, "POST", "/api/alerts/silences", 201, matchers=['api="x"'], reason="night", **{"for": "1h"})
        entry = {"base_url": "https://api.example.com", "auth": {"kind": "bearer", "keys": "a-key-of-ours-4711"}}
        await said(ada, "PUT", "/api/settings/apis/third", values=entry, expected=0)
        wanted = {
            "pin": ("second", "ada"), "drain": "an end", "forced": "forced_open", "held": ["a look"],
            "apis": ["first", "second", "third"], "silences": ["night"],
        }  # fmt: skip
        for browser in (ada, there):
            await becomes(partial(standing, browser), wanted, FOLLOWS)

        # -- two who change the same: the second is told, also before it could follow
        stale = await said(there, "PUT", "/api/settings/apis/third", 409, values=entry, expected=0)
        assert "version 1" in stale["detail"]
        await said(ada, "PUT", "/api/settings/apis/third", values={**entry, "timeout": 2}, expected=1)
        stale = await said(there, "PUT", "/api/settings/apis/third", 409, values=entry, expected=1)
        assert "version 2" in stale["detail"]
        rule = {"metric": "success_rate", "operator": "<", "threshold": 90, "window": 300, "severity": "warning"}
        await said(ada, "PUT", "/api/alerts/rules/mine", rule=rule, expected=0)
        await said(there, "PUT", "/api/alerts/rules/mine", 409, rule=rule, expected=0)
        await becomes(partial(status_of, there, "/api/alerts/rules/mine"), 200, FOLLOWS)

        # -- the alert is one, whoever looks; and a token of one is known to the other
        for browser in (ada, there):
            await becomes(partial(acknowledged, browser), "", FOLLOWS)
        alerts = (await said(there, "GET", "/api/alerts/open"))["alerts"]
        down = next(each["fingerprint"] for each in alerts if each["rule"] == "api_down")
        await said(there, "POST", f"/api/alerts/{down}/acknowledge", comment="on it")
        assert await acknowledged(there) == "ada", "at once, where it was done"
        await becomes(partial(acknowledged, ada), "ada", FOLLOWS)
        token = (await said(ada, "POST", "/api/me/tokens", 201, name="ci", scopes=["read"]))["token"]
        program = await stack.enter_async_context(
            httpx.AsyncClient(base_url=there.base_url, headers={"authorization": f"Bearer {token}"}, timeout=20)
        )
        assert (await program.get("/api/me")).status_code == 200

        # -- the death of one
        one.kill()
        one.wait()
        assert await standing(there) == wanted
        assert await acknowledged(there) == "ada"
        await said(there, "POST", "/api/routes/odds/unpin", reason="the one that pinned it is dead")
        await said(there, "POST", "/api/apis/first/unforce", reason="looked")
        _, again = await stack.enter_async_context(running(tmp_path))
        again.cookies = ada.cookies
        wanted |= {"pin": None, "forced": None, "held": []}
        await becomes(partial(standing, again), wanted, FOLLOWS)
        settings = await said(again, "GET", "/api/settings/apis/third")
        assert (settings["version"], settings["values"]["timeout"]) == (2, 2)

        # -- the end of a session in one is its end in the other
        stream = Stream(there)
        await asyncio.wait_for(stream.told.wait(), FOLLOWS)
        form = {"content-type": "application/x-www-form-urlencoded"}
        assert (await there.post("/logout", content=b"", headers=form)).status_code == 303
        await asyncio.wait_for(stream.over, 3.0)
        assert (await there.get("/live")).status_code == 401, "and none is opened any more"
        await becomes(partial(status_of, again, "/api/me/sessions"), 401, ACCOUNTS)

        # -- each act was entered once, with who did it
        await sign_in(again, "admin")
        entries = (await said(again, "GET", "/api/audit?limit=100"))["entries"]
        acts = [(each["action"], each["actor"]) for each in entries]
        for action in ("route.pinned", "api.drained", "api.forced", "route.unpinned", "api.unforced", "logout"):
            assert acts.count((action, "ada")) == 1, action
        assert acts.count(("settings.api.put", "ada")) == 2


class Stream:
    """A live stream that is read until the service closes it."""

    def __init__(self, browser: httpx.AsyncClient) -> None:
        self.told = asyncio.Event()
        self.over = asyncio.ensure_future(self._read(browser))

    async def _read(self, browser: httpx.AsyncClient) -> None:
        async with browser.stream("GET", "/live", params={"topics": '["overview"]'}) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            async for line in answer.aiter_lines():
                if line.startswith("data:"):
                    self.told.set()


async def status_of(browser: httpx.AsyncClient, path: str) -> int:
    return (await browser.get(path)).status_code
