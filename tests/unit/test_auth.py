"""Signing requests in: every kind, one refresh at a time, keys bound to their origin (rule R18)."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from understudy.app import Understudy
from understudy.core.errors import ConnectFailed, OptionError
from understudy.core.http import HttpRequest
from understudy.core.secrets import Secret
from understudy.resilience.api import ApiOptions
from understudy.resilience.auth import Authenticator, ForeignOrigin, SignHook, check_base_url, with_preset
from understudy.resilience.keys import AuthOptions, Key, KeyOptions, KeyPool
from understudy.resilience.outcome import Classifier, CredentialsFailed
from understudy.testing.clock import FakeClock

KEY = "k3y-of-the-user/+"


class Answer:
    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.headers: Mapping[str, str] = {}
        self.body = body

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.body

    async def close(self) -> None:
        return


class TokenServer:
    """Gives out token-1, token-2, …; waits at `gate` when it is closed."""

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []
        self.status = 200
        self.expires: Any = 3600
        self.gate = asyncio.Event()
        self.gate.set()
        self.down = False

    async def send(self, request: HttpRequest) -> Answer:
        self.requests.append(request)
        number = len(self.requests)
        await self.gate.wait()
        if self.down:
            raise ConnectFailed(f"no route for {KEY}", stage="refused")
        if self.status != 200:
            return Answer(self.status, json.dumps({"error_description": f"bad secret {KEY}"}).encode())
        return Answer(200, json.dumps({"access_token": f"token-{number}", "expires_in": self.expires}).encode())

    async def close(self) -> None:
        return


def signer(
    server: TokenServer | None = None, sign: SignHook | None = None, clock: FakeClock | None = None, **auth: Any
) -> tuple[Authenticator, Key, KeyPool]:
    clock = clock or FakeClock()
    options = AuthOptions(keys=(KeyOptions(Secret(KEY)),), **auth)
    base = "https://odds.p.rapidapi.com"
    pool = KeyPool("odds", ApiOptions(base_url=base, auth=options), clock, lambda kind, detail: None)
    authenticator = Authenticator(options, base, server or TokenServer(), clock, random.Random(1), sign)
    return authenticator, pool.pick(), pool


def request(url: str = "https://odds.p.rapidapi.com/v1?a=1") -> HttpRequest:
    return HttpRequest("GET", url, {})


OAUTH: dict[str, Any] = {
    "kind": "oauth2_client_credentials", "username": "client", "token_url": "https://id.test/token", "scope": "read",
}  # fmt: skip


@pytest.mark.parametrize(
    ("auth", "headers"),
    [
        ({"kind": "rapidapi"}, {"X-RapidAPI-Key": KEY, "X-RapidAPI-Host": "odds.p.rapidapi.com"}),
        ({"kind": "header", "name": "X-Auth-Token"}, {"X-Auth-Token": KEY}),
        ({"kind": "header", "name": "Authorization", "prefix": "Bot "}, {"Authorization": f"Bot {KEY}"}),
        ({"kind": "bearer"}, {"Authorization": f"Bearer {KEY}"}),
        (
            {"kind": "basic", "username": "me"},
            {"Authorization": "Basic " + base64.b64encode(f"me:{KEY}".encode()).decode()},
        ),
        ({"kind": "none"}, {}),
    ],
)
def test_static_kinds_sign_at_once(auth: dict[str, Any], headers: dict[str, str]) -> None:
    authenticator, key, _ = signer(**auth)
    sent = request()
    assert authenticator.apply_now(sent, key)
    assert sent.headers == headers


def test_a_query_key_is_quoted_and_put_before_the_fragment() -> None:
    authenticator, key, _ = signer(kind="query", name="apiKey")
    sent = request("https://odds.p.rapidapi.com/v1?a=1#top")
    assert authenticator.apply_now(sent, key)
    assert sent.url == "https://odds.p.rapidapi.com/v1?a=1&apiKey=k3y-of-the-user%2F%2B#top"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/v1",
        "http://odds.p.rapidapi.com/v1",
        "https://odds.p.rapidapi.com:444/v1",
        "https://odds.p.rapidapi.com.evil.test/",
        "https://odds.p.rapidapi.com@evil.test/",
        "https://user@odds.p.rapidapi.com/",
        "//odds.p.rapidapi.com/",
        "/v1",
    ],
)
async def test_another_origin_gets_no_key(url: str) -> None:
    kinds: tuple[dict[str, Any], ...] = ({"kind": "bearer"}, {"kind": "query", "name": "k"}, {"kind": "rapidapi"})
    for auth in kinds:
        authenticator, key, _ = signer(**auth)
        sent = request(url)
        with pytest.raises(ForeignOrigin) as caught:
            authenticator.apply_now(sent, key)
        assert KEY not in f"{caught.value} {sent}"
    authenticator, key, _ = signer(**OAUTH)
    with pytest.raises(ForeignOrigin):
        await authenticator.apply(request(url), key)


def test_the_same_origin_in_other_letters_is_the_same() -> None:
    authenticator, key, _ = signer(kind="bearer")
    assert authenticator.apply_now(request("HTTPS://ODDS.p.rapidapi.com:443/x"), key)


@pytest.mark.parametrize("value", ["line\nbreak", "\r\n", "", "ключ"])
def test_a_key_that_cannot_be_sent_is_refused_without_showing_it(value: str) -> None:
    options = AuthOptions(kind="bearer", keys=(KeyOptions(Secret(value)),))
    with pytest.raises(OptionError) as caught:
        Authenticator(options, "https://a.test", TokenServer(), FakeClock(), random.Random(1))
    assert not value or value not in str(caught.value)


@pytest.mark.parametrize("auth", [{"kind": "header"}, {"kind": "query"}, {"kind": "token_request"}])
def test_a_kind_without_its_place_is_refused(auth: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        signer(**auth)


def test_a_preset_completes_what_is_configured() -> None:
    keys = (KeyOptions(Secret(KEY)),)
    auth = with_preset(ApiOptions(preset="football-data", auth=AuthOptions(keys=keys)))
    assert (auth.kind, auth.name) == ("header", "X-Auth-Token")
    own = AuthOptions(kind="query", name="k", keys=keys)
    assert with_preset(ApiOptions(preset="football-data", auth=own)) is own


async def test_a_sign_hook_completes_the_request_sync_or_async() -> None:
    async def later(sent: HttpRequest) -> None:
        sent.headers["X-Sig"] = "async"

    def now(sent: HttpRequest) -> None:
        sent.headers["X-Sig"] = "sync"

    for hook, told in ((later, "async"), (now, "sync")):
        authenticator, key, _ = signer(kind="bearer", sign=hook)
        sent = request()
        assert not authenticator.apply_now(sent, key)
        await authenticator.apply(sent, key)
        assert sent.headers == {"Authorization": f"Bearer {KEY}", "X-Sig": told}


# -- tokens -----------------------------------------------------------------------------------------


async def test_fifty_callers_cause_one_fetch() -> None:
    server = TokenServer()
    server.gate.clear()
    authenticator, key, _ = signer(server, **OAUTH)
    sent = [request() for _ in range(50)]
    tasks = [asyncio.create_task(authenticator.apply(one, key)) for one in sent]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.sleep(0)
    server.gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(server.requests) == 1
    assert {one.headers.get("Authorization") for one in sent[1:]} == {"Bearer token-1"}
    assert authenticator.apply_now(request(), key)


async def test_client_credentials_are_sent_as_the_standard_says() -> None:
    server = TokenServer()
    authenticator, key, _ = signer(server, **OAUTH)
    await authenticator.apply(request(), key)
    sent = server.requests[0]
    assert (sent.method, sent.url, sent.body) == (
        "POST", "https://id.test/token", b"grant_type=client_credentials&scope=read"
    )  # fmt: skip
    assert base64.b64decode(sent.headers["Authorization"].split()[1]) == b"client:k3y-of-the-user%2F%2B"


async def test_a_token_request_writes_the_key_where_it_is_told() -> None:
    server = TokenServer()
    authenticator, key, _ = signer(
        server, kind="token_request", token_url="https://id.test/t", token_body='{"secret": "{key}"}', name="X-Token"
    )
    sent = request()
    await authenticator.apply(sent, key)
    body = server.requests[0].body
    assert isinstance(body, bytes)
    assert json.loads(body) == {"secret": KEY}
    assert sent.headers == {"X-Token": "token-1"}


async def test_a_token_is_renewed_ahead_of_its_end_while_the_old_one_serves() -> None:
    server, clock = TokenServer(), FakeClock()
    authenticator, key, _ = signer(server, clock=clock, **OAUTH)
    await authenticator.apply(request(), key)
    clock.tick(3600 - 310)
    assert authenticator.apply_now(request(), key)
    assert len(server.requests) == 1
    clock.tick(200)
    sent = request()
    assert authenticator.apply_now(sent, key)
    assert sent.headers["Authorization"] == "Bearer token-1"
    for _ in range(5):
        await asyncio.sleep(0)
    sent = request()
    assert authenticator.apply_now(sent, key)
    assert sent.headers["Authorization"] == "Bearer token-2"


async def test_an_expired_token_is_not_sent() -> None:
    server, clock = TokenServer(), FakeClock()
    authenticator, key, _ = signer(server, clock=clock, **OAUTH)
    await authenticator.apply(request(), key)
    clock.tick(3601)
    assert not authenticator.apply_now(request(), key)


async def test_a_401_forces_one_refresh_and_not_a_second() -> None:
    server = TokenServer()
    authenticator, key, _ = signer(server, **OAUTH)
    first = request()
    await authenticator.apply(first, key)
    assert await authenticator.renew(first, key)
    second = request()
    await authenticator.apply(second, key)
    assert second.headers["Authorization"] == "Bearer token-2"
    assert await authenticator.renew(first, key)
    assert not await authenticator.renew(second, key)
    assert len(server.requests) == 2
    static, static_key, _ = signer(kind="bearer")
    assert not await static.renew(first, static_key)


async def test_a_failed_fetch_is_the_key_s_fault_and_shows_no_secret() -> None:
    for fault in ("down", "status"):
        server = TokenServer()
        server.down, server.status = fault == "down", 401
        authenticator, key, pool = signer(server, **OAUTH)
        with pytest.raises(CredentialsFailed) as caught:
            await authenticator.apply(request(), key)
        assert KEY not in str(caught.value)
        assert caught.value.__cause__ is None
        assert Classifier(ApiOptions()).error(caught.value, elapsed=0).kind == "key"
        assert pool.usable(1000.0) == "misconfigured"


async def test_a_token_server_that_never_answers_is_given_up() -> None:
    server, clock = TokenServer(), FakeClock()
    server.gate.clear()
    authenticator, key, _ = signer(server, clock=clock, **OAUTH)
    task = asyncio.create_task(authenticator.apply(request(), key))
    await clock.advance(11)
    with pytest.raises(CredentialsFailed, match="within 10 s"):
        await task


async def test_closing_ends_a_fetch() -> None:
    server = TokenServer()
    server.gate.clear()
    authenticator, key, _ = signer(server, **OAUTH)
    task = asyncio.create_task(authenticator.apply(request(), key))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await authenticator.close()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_sign_hook_that_leads_elsewhere_is_stopped() -> None:
    def leading(request: HttpRequest) -> None:
        request.url = "https://evil.test/"

    authenticator, key, _ = signer(kind="bearer", sign=leading)
    with pytest.raises(ForeignOrigin):
        await authenticator.apply(request(), key)


@pytest.mark.parametrize("query", ["apiKey=mine", "apiKey=mine&apiKey=mine", "apiKey"])
def test_a_query_key_takes_the_place_of_what_the_caller_sends_under_its_name(query: str) -> None:
    authenticator, key, _ = signer(kind="query", name="apiKey")
    sent = request(f"https://odds.p.rapidapi.com/v1?{query}&a=apiKey")
    assert authenticator.apply_now(sent, key)
    assert sent.url == "https://odds.p.rapidapi.com/v1?a=apiKey&apiKey=k3y-of-the-user%2F%2B"


@pytest.mark.parametrize(
    "url",
    ["api.test", "ftp://api.test", "https://", "https://api.test/v1?key=canary", "https://api.test/#canary",
     "https://me:canary@api.test", "https://api.test/a b", "https://api.test\n"],
)  # fmt: skip
def test_a_base_url_to_which_no_path_can_be_appended_is_refused_without_showing_a_key(url: str) -> None:
    with pytest.raises(OptionError, match="base_url") as caught:
        check_base_url(url)
    assert "canary" not in str(caught.value)


def test_a_base_url_is_checked_at_registration() -> None:
    manager = Understudy.build().fallback
    with pytest.raises(OptionError):
        manager.register_api("a", base_url="https://api.test?x=1")
    assert "a" not in manager.roster.apis
