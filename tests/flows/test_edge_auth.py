"""Signing in, within whole calls (rule R18): tokens, hooks, presets, and whose fault a failure is."""

from __future__ import annotations

import asyncio
import json

import pytest
from served import breaker, keys, outcomes, served

from understudy.connectivity import check_api
from understudy.core.errors import BadResponse, ConnectFailed, UnderstudyError
from understudy.core.secrets import Secret
from understudy.resilience.keys import AuthOptions, KeyOptions
from understudy.resilience.quota import QuotaOptions
from understudy.testing.scripted_http import Answer

TOKENS = AuthOptions(
    kind="oauth2_client_credentials",
    username="client",
    token_url="http://login/token",
    keys=(KeyOptions(Secret("client-secret-1")),),
)


class Login:
    """A token server and an API that accepts its newest token only."""

    def __init__(self, delay: float = 0.0) -> None:
        self.issued = 0
        self.delay = delay
        self.broken = False
        self.accepts = "token-1"

    def __call__(self, request):
        if request.url.startswith("http://login"):
            if self.broken:
                return Answer(500, delay=self.delay)
            self.issued += 1
            body = json.dumps({"access_token": f"token-{self.issued}", "expires_in": 3600})
            return Answer(200, body.encode(), delay=self.delay)
        if request.url.startswith("http://b"):
            return 200
        return 200 if request.headers.get("Authorization") == f"Bearer {self.accepts}" else 401


async def test_a_refused_token_is_renewed_once_within_the_attempt_and_nobody_is_blamed():
    login = Login()
    async with served(login, {"a": {"auth": TOKENS}, "b": {}}) as (app, _http, _):
        route = app.route("r")
        assert (await route.get("/")).api == "a"
        login.accepts = "token-2"
        answer = await route.get("/")
        assert answer.api == "a" and outcomes(answer.explain()) == [("a", "success")]
        assert login.issued == 2


async def test_many_callers_whose_token_is_refused_at_once_cause_one_refresh_and_all_succeed():
    login = Login(delay=0.2)
    async with served(login, {"a": {"auth": TOKENS}}) as (app, _, clock):
        route = app.route("r")
        await route.get("/")
        login.accepts = "token-2"
        callers = [asyncio.ensure_future(route.get("/")) for _ in range(20)]
        await clock.advance(3.0)
        assert [answer.status for answer in await asyncio.gather(*callers)] == [200] * 20
        assert login.issued == 2
        assert app.fallback.describe()["apis"]["a"]["keys"][0]["state"] == "usable"


async def test_a_token_that_is_refused_although_it_is_fresh_is_the_keys_fault():
    login = Login()
    login.accepts = "none at all"
    async with served(login, {"a": {"auth": TOKENS}, "b": {}}) as (app, _http, _):
        answer = await app.route("r").get("/")
        assert outcomes(answer.explain()) == [("a", "key"), ("b", "success")]
        assert login.issued == 2  # one to begin with, one forced by the 401, and no third
        assert (await app.route("r").get("/")).api == "b"
        assert breaker(app, "a").view().failures == 0


async def test_a_token_that_cannot_be_had_is_the_keys_fault_and_the_next_api_serves_even_a_post():
    login = Login()
    login.broken = True
    async with served(login, {"a": {"auth": TOKENS}, "b": {}}) as (app, _http, _):
        answer = await app.route("r").post("/", json={})
        assert outcomes(answer.explain()) == [("a", "key"), ("b", "success")]
        assert breaker(app, "a").view().failures == 0
        assert app.fallback.roster.api("a").in_flight == 0


async def test_failing_to_sign_in_gives_the_reserved_unit_of_quota_back():
    login = Login()
    login.broken = True
    lead = {"auth": TOKENS, "quota": QuotaOptions(limit=100, reserve=0.0)}
    async with served(login, {"a": lead, "b": {}}) as (app, _, clock):
        for _ in range(3):
            await app.route("r").get("/")
            clock.tick(7200)
        [shown] = app.fallback.describe()["apis"]["a"]["keys"]
        assert (shown["in_flight"], shown["remaining"]) == (0, 100)


@pytest.mark.parametrize("wait", [False, True], ids=["plain", "async"])
async def test_a_signing_hook_that_fails_is_not_the_apis_fault_and_shows_no_key(wait):
    def sign(request):
        raise ValueError("bad key key-one-1")

    async def sign_later(request):
        raise ConnectFailed("the vault is away", stage="refused", host="vault")

    hook = sign_later if wait else sign
    async with served({"a": 200, "b": 200}, {"a": {"auth": keys("key-one-1"), "sign": hook}, "b": {}}) as (
        app,
        http,
        _,
    ):
        answer = await app.route("r").get("/")
        first = answer.explain().attempts[0]
        assert (answer.api, first.attribution.value, http.hosts()) == ("b", "key", ["b"])
        assert "key-one-1" not in first.reason and "signing hook failed" in first.reason
        assert breaker(app, "a").view().failures == 0


async def test_a_hook_that_is_given_later_is_used_from_then_on():
    async with served({"a": 200}, {"a": {"auth": keys("key-one-1")}}) as (app, http, _):
        await app.route("r").get("/")

        def sign(request):
            request.headers["X-Signed"] = "yes"

        app.fallback.register_api("a", sign=sign)
        await app.route("r").get("/")
        assert [request.headers.get("X-Signed") for request in http.requests] == [None, "yes"]


async def test_tokens_survive_a_change_of_other_settings():
    login = Login()
    async with served(login, {"a": {"auth": TOKENS}}) as (app, _, _):
        await app.route("r").get("/")
        app.fallback.register_api("a", price=2.0)
        await app.route("r").get("/")
        assert login.issued == 1
        app.fallback.register_api("a", base_url="http://a2")
        with pytest.raises(UnderstudyError):
            await app.route("r").get("/")  # the login accepts the old token only
        assert login.issued >= 2


async def test_a_preset_says_how_its_api_is_signed_in_to():
    auth = AuthOptions(keys=(KeyOptions(Secret("key-one-1")),))
    async with served({"a": 200}, {"a": {"preset": "api-football", "auth": auth}}) as (app, http, _):
        await app.route("r").get("/", headers={"X-ApiSports-Key": "the caller's own"})
        sent = {name.lower(): value for name, value in http.requests[0].headers.items()}
        assert sent["x-apisports-key"] == "key-one-1"


async def test_a_check_asks_a_known_api_for_what_costs_nothing():
    auth = AuthOptions(keys=(KeyOptions(Secret("key-one-1")),))
    lead = {"preset": "api-football", "auth": auth, "quota": QuotaOptions(limit=100, window="day")}
    async with served({"a": 200}, {"a": lead}) as (app, http, clock):
        api = app.fallback.roster.api("a")
        found = await check_api(api, http, app.authenticator(api), clock)
        assert found.ok and http.requests[0].url == "http://a/status"
        assert api.keys.remaining(next(iter(api.keys))) in (None, 100)


async def test_a_key_never_leaves_for_another_origin():
    moved = Answer(302, headers={"Location": "http://evil/"})
    async with served({"a": moved}, {"a": {"auth": keys("key-one-1")}}) as (app, http, _):
        answer = await app.route("r").get("/")
        assert answer.status == 302 and http.hosts() == ["a"]


async def test_a_401_of_a_stream_is_renewed_too_and_leaves_nothing_open():
    login = Login()
    async with served(login, {"a": {"auth": TOKENS}}) as (app, http, _):
        await app.route("r").get("/")
        login.accepts = "token-2"
        answer = await app.route("r").get("/", stream=True)
        assert answer.status == 200
        await answer.close()
        assert http.open == 0


async def test_a_failed_renewal_ends_in_the_refusal():
    login = Login()
    async with served(login, {"a": {"auth": TOKENS}}) as (app, _, _):
        await app.route("r").get("/")
        login.accepts, login.broken = "token-2", True
        with pytest.raises(BadResponse) as caught:
            await app.route("r").get("/")
        assert caught.value.status == 401
