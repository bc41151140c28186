"""People sign in and out; sessions live and end as they must; nobody learns which names exist."""

from __future__ import annotations

import asyncio
import re
import time

import pytest
from signed import NAMES, PAGE, PASSWORD, hashed, signed

from understudy.core.accounts import IDLE, LONGEST, SETUP_VALID
from understudy.core.errors import StoreUnavailable
from understudy.web.auth.exposure import Exposure, networks
from understudy.web.auth.first import offer_first
from understudy.web.auth.gate import AWAY, FRESH
from understudy.web.auth.passwords import Passwords

OTHER = "several words that were chosen"


async def test_without_accounts_whoever_uses_this_machine_reads_and_operates_and_administers_nothing():
    async with signed(accounts=False) as it:
        browser = it.browser()
        assert (await browser.get("/api/status")).status == 200
        assert (await browser.send("POST", "/api/fallback/reset", {})).status == 200
        assert (await browser.get("/api/admin/accounts")).status == 403
        assert (await browser.page("/login")).headers["location"] == "/"
        me = (await browser.get("/api/me")).json
        assert me["via"] == "loopback"
        assert "admin" not in me["permissions"]


async def test_with_an_account_everybody_signs_in_also_on_this_machine():
    async with signed() as it:
        stranger = it.browser()
        asked = await stranger.page("/alerts?state=firing")
        assert (asked.status, asked.headers["location"]) == (303, "/login?next=/alerts%3Fstate%3Dfiring")
        assert (await stranger.page("/")).headers["location"] == "/login"
        refused = await it.program().get("/api/status")
        assert refused.status == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")
        assert refused.headers["content-type"] == "application/problem+json"
        assert (await stranger.get("/health")).json.keys() == {"status", "live", "ready"}
        assert (await stranger.get("/metrics")).status == 200
        assert (await it.program(client="192.0.2.1").get("/metrics")).status == 401
        assert (await it.program().get("/metrics", x_forwarded_for="192.0.2.1")).status == 401
        signed_in = await stranger.form("/login", name="ADA", password=PASSWORD, next="/alerts?state=firing")
        assert (signed_in.status, signed_in.headers["location"]) == (303, "/alerts?state=firing")
        assert (await stranger.get("/api/status")).status == 200
        assert "version" in (await stranger.get("/health")).json


async def test_the_cookie_is_for_browsers_alone_and_over_tls_for_this_host_alone():
    async with signed(exposure=Exposure("0.0.0.0", names=("u.example",), tls=True)) as it:
        browser = it.browser(scheme="https", host="u.example", client="192.0.2.1")
        [cookie] = (await browser.sign_in("ada")).cookies
        name, _, rest = cookie.partition("=")
        assert name == "__Host-us"
        assert set(rest.split("; ")[1:]) == {"Path=/", f"Max-Age={int(LONGEST)}", "HttpOnly", "SameSite=Lax", "Secure"}
        assert (await browser.get("/api/me")).headers["strict-transport-security"] == "max-age=31536000"
    async with signed() as it:
        [cookie] = (await it.browser().sign_in("ada")).cookies
        assert cookie.startswith("us=")
        assert "Secure" not in cookie
        assert "HttpOnly" in cookie
        session = cookie.partition("=")[2].partition(";")[0]
        assert len(session) == 43
        [kept] = await it.app.keeping.accounts.sessions()
        assert session not in repr(kept)
        assert kept.digest != session


async def test_a_wrong_name_and_a_wrong_password_look_and_last_the_same():
    async with signed() as it:
        it.service.gate.passwords = Passwords()
        answers, took = [], {}
        await it.browser().sign_in("ada")  # everything is loaded
        for name in ("ada", "nobody", "ada", "nobody"):
            begin = time.perf_counter()
            answers.append(await it.browser(client=f"127.0.0.{len(answers) + 2}").sign_in(name, "wrong words here"))
            took.setdefault(name, []).append(time.perf_counter() - begin)
        assert {each.status for each in answers} == {401}
        told = {re.sub(r'value="(ada|nobody)"', "", each.text) for each in answers}
        assert len(told) == 1
        assert min(took["nobody"]) > 0.3 * min(took["ada"])
        acts = await it.audit()
        assert acts.count(("nobody", "login.failed", "ada")) == 2
        assert acts.count(("nobody", "login.failed", "unknown name")) == 2


async def test_guessing_gets_slower_and_cannot_lock_the_owner_out():
    async with signed() as it:
        at_home = it.browser(client="192.0.2.10")
        await at_home.sign_in("ada")
        guesser = it.browser(client="192.0.2.66")
        seen = [(await guesser.sign_in("ada", f"guess number {number} of many")).status for number in range(8)]
        assert seen[:6] == [401] * 6
        assert 429 in seen[6:]
        slow = await guesser.sign_in("ada")
        assert slow.status == 429
        assert int(slow.headers["retry-after"]) >= 1
        # From where the owner has signed in nothing is slowed down, whatever others do.
        assert (await it.browser(client="192.0.2.10").sign_in("ada")).status == 303
        # Other accounts are not slowed down from elsewhere.
        assert (await it.browser(client="192.0.2.11").sign_in("oto")).status == 303
        it.clock.tick(3600)
        assert (await guesser.sign_in("ada")).status == 303


async def test_a_session_ends_when_idle_too_long_after_its_longest_time_and_by_signing_out():
    async with signed() as it:
        browser = await it.signed_in("viewer")
        it.clock.tick(IDLE - 60)
        assert (await browser.get("/api/status")).status == 200
        it.clock.tick(IDLE - 60)
        assert (await browser.get("/api/status")).status == 200
        it.clock.tick(IDLE + 1)
        assert (await browser.get("/api/status")).status == 401
        busy = await it.signed_in("viewer")
        for _ in range(int(LONGEST / (IDLE / 2)) - 1):
            it.clock.tick(IDLE / 2)
            assert (await busy.get("/api/status")).status == 200
        it.clock.tick(IDLE / 2 + 1)
        assert (await busy.get("/api/status")).status == 401
        again = await it.signed_in("viewer")
        stolen = dict(again.cookies)
        gone = await again.form("/logout")
        assert gone.headers["location"] == "/login?done=signed-out"
        assert not again.cookies
        assert (await it.browser(cookies=stolen).get("/api/status")).status == 401
        assert ("vera", "logout", "vera") in await it.audit()


async def test_a_session_is_another_one_after_each_sign_in():
    async with signed() as it:
        browser = it.browser(cookies={"us": "A" * 43})
        await browser.sign_in("ada")
        first = dict(browser.cookies)
        assert first["us"] != "A" * 43
        await browser.sign_in("ada")
        assert browser.cookies != first
        assert (await it.browser(cookies=first).get("/api/me")).status == 401


async def test_every_session_ends_when_the_password_changes():
    async with signed() as it:
        here, elsewhere = await it.signed_in("viewer"), await it.signed_in("viewer")
        old = dict(here.cookies)
        wrong = await here.send("POST", "/api/me/password", {"old": "not it at all", "new": OTHER})
        assert (wrong.status, wrong.json["code"]) == (403, "wrong_password")
        weak = await here.send("POST", "/api/me/password", {"old": PASSWORD, "new": "password1234"})
        assert (weak.status, weak.json["code"]) == (422, "password_common")
        assert (await here.send("POST", "/api/me/password", {"old": PASSWORD, "new": OTHER})).status == 204
        assert (await here.get("/api/me")).status == 200
        assert (await elsewhere.get("/api/me")).status == 401
        assert (await it.browser(cookies=old).get("/api/me")).status == 401
        assert (await it.browser().sign_in("vera")).status == 401
        assert (await it.browser().sign_in("vera", OTHER)).status == 303


async def test_a_session_ends_when_the_role_changes_or_the_account_is_shut_out():
    async with signed() as it:
        admin = await it.signed_in("admin")
        told = []
        it.app.events.subscribe(lambda event: told.append(event) if event.kind == "accounts.changed" else None)
        for change, after in (({"role": "operator"}, 303), ({"disabled": "has left"}, 401)):
            viewer = await it.signed_in("viewer")
            assert (await admin.send("PATCH", "/api/admin/accounts/id-viewer", change)).status == 200
            assert (await viewer.get("/api/me")).status == 401
            assert (await it.browser(client="127.0.0.9").sign_in("vera")).status == after
        assert {event.detail["account"] for event in told} == {"id-viewer"}


async def test_sessions_are_listed_and_ended_one_by_one_or_all_but_this():
    async with signed() as it:
        here, there, far = [await it.signed_in("viewer") for _ in range(3)]
        other = await it.signed_in("operator")
        mine = (await here.get("/api/me/sessions")).json["sessions"]
        assert len(mine) == 3
        [own] = [each for each in mine if each["own"]]
        [foreign] = (await other.get("/api/me/sessions")).json["sessions"]
        # Object-level checks: nobody ends what is another's.
        assert (await here.send("DELETE", f"/api/me/sessions/{foreign['name']}")).status == 404
        victim = next(each for each in mine if not each["own"])
        assert (await here.send("DELETE", f"/api/me/sessions/{victim['name']}")).status == 204
        assert [(await each.get("/api/me")).status for each in (there, far)].count(401) == 1
        assert (await here.get("/api/me")).status == 200
        admin = await it.signed_in("admin")
        assert (await admin.send("DELETE", f"/api/admin/sessions/{own['name']}")).status == 204
        assert (await here.get("/api/me")).status == 401


async def test_a_password_kept_in_an_old_way_is_hashed_anew():
    async with signed() as it:
        it.service.gate.passwords = Passwords()
        await it.signed_in("admin")
        [ada] = [each for each in await it.app.keeping.accounts.accounts() if each.name == "ada"]
        assert ada.password != hashed()
        assert ada.password.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
        assert "argon2" not in repr(ada)


async def test_the_set_up_token_makes_one_administrator_and_its_page_vanishes():
    async with signed(accounts=False) as it:
        token = await offer_first(it.app)
        browser = it.browser()
        assert (await browser.page("/setup")).status == 200
        short = await browser.form("/setup", token=token, name="ana", password="short", again="short")
        assert short.status == 422
        wrong = await browser.form("/setup", token="setup-nonsense", name="ana", password=PASSWORD, again=PASSWORD)
        assert wrong.status == 422
        fields = {"token": token, "password": PASSWORD, "again": PASSWORD}
        racing = await asyncio.gather(*(it.browser().form("/setup", name=f"n{n}", **fields) for n in range(4)))
        assert [each.status for each in racing].count(303) == 1
        assert len(await it.app.keeping.accounts.accounts()) == 1
        assert (await browser.page("/setup")).status == 404
        assert (await browser.form("/setup", name="eve", **fields)).status == 404
        assert await offer_first(it.app) == ""


async def test_a_set_up_token_is_over_after_half_an_hour():
    async with signed(accounts=False) as it:
        token = await offer_first(it.app)
        it.clock.tick(SETUP_VALID)
        late = await it.browser().form("/setup", token=token, name="ana", password=PASSWORD, again=PASSWORD)
        assert late.status == 422
        assert await it.app.keeping.accounts.accounts() == []


async def test_where_others_reach_it_nothing_is_open_without_accounts():
    async with signed(accounts=False, exposure=Exposure("192.0.2.1", plain_allowed=True)) as it:
        for client in ("192.0.2.7", "127.0.0.1"):
            stranger = it.browser(client=client, host="192.0.2.1")
            assert (await stranger.get("/api/status")).status == 401
            assert (await stranger.page("/")).headers["location"] == "/setup"


async def test_without_sign_in_works_on_loopback_only_and_opens_nothing_that_hurts():
    async with signed(exposure=Exposure(open=True)) as it:
        assert (await it.browser().get("/api/status")).status == 200
        assert (await it.browser().get("/api/admin/accounts")).status == 403
    async with signed(exposure=Exposure("192.0.2.1", open=True)) as it:
        assert (await it.browser(host="192.0.2.1").get("/api/status")).status == 401


class Away:
    """The accounts of a store that cannot be reached."""

    def __init__(self, kept):
        self.kept = kept

    def __getattr__(self, name):
        if name in ("seen", "used"):
            return getattr(self.kept, name)

        async def refuse(*_):
            raise StoreUnavailable("away")

        return refuse


async def test_whoever_was_signed_in_looks_and_acts_on_while_the_store_is_away():
    async with signed() as it:
        browser, quiet = await it.signed_in("operator"), await it.signed_in("viewer")
        program = it.program(await it.token(await it.signed_in("admin"), "read"))
        leaving = await it.signed_in("viewer")
        for each in (browser, program, leaving):
            assert (await each.get("/api/me")).status == 200
        there = it.app.keeping.store.accounts
        it.app.keeping.store.accounts = Away(there)
        for _ in range(3):
            it.clock.tick(FRESH + 1)
            assert (await browser.page("/routes")).status == 200
            assert (await browser.send("POST", "/api/fallback/reset", {})).status == 200
            assert (await program.get("/api/status")).status == 200
        assert (await browser.get("/api/admin/accounts")).status == 403, "no more than before"
        assert (await browser.page("/settings/sessions")).status == 503, "which is nothing wrong with the service"
        assert (await it.browser(cookies={"us": "x" * 43}).get("/api/status")).status == 503
        assert (await it.program("us_x_y").get("/api/status")).status == 401
        # Who signs out is told that the store still has the session, which opens nothing here any more.
        assert (await leaving.send("POST", "/api/logout", {})).status == 503
        assert (await leaving.get("/api/status")).status == 503
        # Its word counts again as soon as it is back; and nobody is let in by what it said long ago.
        it.app.keeping.store.accounts = there
        await there.end_all("id-viewer")
        it.clock.tick(FRESH + 1)
        assert (await quiet.get("/api/me")).status == 401
        assert (await browser.get("/api/me")).status == 200
        it.app.keeping.store.accounts = Away(there)
        it.clock.tick(AWAY + FRESH)
        for each in (browser, program):
            assert (await each.get("/api/status")).status == 503


async def test_a_proxy_is_believed_when_it_is_ours_and_nobody_else():
    exposure = Exposure("127.0.0.1", names=("u.example",), proxies=networks(["127.0.0.1", "10.0.0.0/8"]))
    async with signed(exposure=exposure) as it:
        proxy = it.browser(host="u.example")
        said = {"x_forwarded_for": "6.6.6.6, 192.0.2.9, 10.0.0.3", "x_forwarded_proto": "https"}
        kind = "application/x-www-form-urlencoded"
        body = b"name=ada&password=violet+ladder+seventeen+foxes"
        done = await proxy.ask("POST", "/login", body, content_type=kind, accept=PAGE, **said)
        assert done.cookies[0].startswith("__Host-us=")
        [session] = await it.app.keeping.accounts.sessions()
        assert session.ip == "192.0.2.9"
        stranger = it.browser(host="u.example", client="192.0.2.5")
        done = await stranger.ask("POST", "/login", body, content_type=kind, accept=PAGE, **said)
        assert done.cookies[0].startswith("us=")
        assert "192.0.2.5" in {each.ip for each in await it.app.keeping.accounts.sessions()}


@pytest.mark.parametrize("wrong", ["0.0.0.0/0", "::/0", "*", "nonsense", ""])
def test_no_proxy_means_everybody(wrong):
    with pytest.raises(ValueError, match=r".*"):
        networks([wrong])


@pytest.mark.parametrize("role", NAMES)
async def test_who_asks_is_told_what_they_may_do(role):
    async with signed() as it:
        me = (await (await it.signed_in(role)).get("/api/me")).json
        assert (me["name"], me["role"], me["via"]) == (NAMES[role], role, "session")
        assert ("admin" in me["permissions"]) is (role == "admin")
        assert ("alerts:write" in me["permissions"]) is (role != "viewer")
