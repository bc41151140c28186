"""The 23 flaws of other dashboards that this one must be immune to: each is tried here against the running service.

Where a record is a rule about the source, it is `tests/house/test_security_rules.py` that keeps it (5, 16, 18, 23).
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

import pytest
from signed import PAGE, PASSWORD, Asker, Signed, signed

from browser.hostile_names import hostile_names
from understudy.app import Understudy
from understudy.channels.email import EmailOptions
from understudy.config import load
from understudy.config.settings import Settings, StatusPageOptions
from understudy.core.accounts import Account
from understudy.core.errors import ConfigError, ConnectFailed, UnderstudyError
from understudy.core.http import HttpRequest
from understudy.core.secrets import Secret
from understudy.resilience.keys import AuthOptions, KeyOptions
from understudy.testing import FakeClock, MemoryChannel, ScriptedHttp
from understudy.testing.scripted_http import Answer
from understudy.web.asgi import Service
from understudy.web.auth.permissions import Identity, Permission
from understudy.web.endpoint import Endpoint
from understudy.web.live.hub import hub_of
from understudy.web.live.viewer import Viewer
from understudy.web.pages.statuspage_feeds import badge
from understudy.web.table import ROUTES

HERE = Path(__file__)
OTHER = "several words that were chosen"


@pytest.fixture
async def it():
    async with signed() as made:
        yield made


@pytest.fixture
async def admin(it: Signed) -> Asker:
    return await it.signed_in("admin")


async def served() -> int:
    return 1


class Stream:
    """A browser that listens."""

    def __init__(self, it: Signed, cookies: dict[str, str]) -> None:
        self.sent: list[bytes] = []
        self.left = asyncio.Event()
        cookie = "; ".join(f"{name}={value}" for name, value in cookies.items()).encode()
        scope = {
            "type": "http", "method": "GET", "path": "/live", "query_string": b"topics=%5B%22overview%22%5D",
            "client": ("127.0.0.1", 5), "headers": [(b"host", b"127.0.0.1"), (b"cookie", cookie)],
        }  # fmt: skip
        self.task = asyncio.ensure_future(it.service(scope, self._receive, self._send))

    async def _receive(self):
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message) -> None:
        self.sent.append(message.get("body", b""))


async def turns(count: int = 60) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


# 1: GHSA-mj22-23ff-2hrr, a socket took any origin
@pytest.mark.parametrize("accounts", [True, False])
async def test_record_1_no_stream_for_a_page_of_another_site_not_even_on_loopback(accounts):
    async with signed(accounts=accounts) as it:
        browser = await it.signed_in("admin") if accounts else it.browser()
        for path in ("/live?topics=[]", "/live/snapshot?topics=[]"):
            for told in ({"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}):
                reply = await browser.get(path, sec_fetch_mode="cors", sec_fetch_dest="empty", **told)
                assert reply.status == 403, (path, told)
        for origin in ("http://evil.example", "null", "http://127.0.0.1.evil.example"):
            reply = await browser.get("/live?topics=[]", sec_fetch_site="", origin=origin)
            assert reply.status == 403, origin


# 2: GHSA-88j4-pcx8-q4q3, GHSA-g9v2-wqcj-j99g, sessions outlived the password, or lived for ever
async def test_record_2_a_new_password_ends_every_session_and_the_streams_that_it_opened(it):
    here, elsewhere = await it.signed_in("viewer"), await it.signed_in("viewer")
    stream = Stream(it, elsewhere.cookies)
    await turns()
    assert b"hello" in b"".join(stream.sent)
    assert (await here.send("POST", "/api/me/password", {"old": PASSWORD, "new": OTHER})).status == 204
    await it.clock.advance(2.0)
    await turns()
    assert stream.task.done()
    assert (await elsewhere.get("/api/me")).status == 401
    it.clock.tick(8 * 86400)
    assert (await here.get("/api/me")).status == 401


# 3: CVE-2026-32230, one badge forgot whether it was public
async def test_record_3_nothing_public_is_there_before_it_is_switched_on(it):
    for path in (
        "/status",
        "/status/atom.xml",
        "/status/badges/all.svg",
        "/status/badges/lead.svg",
        "/api/status-page",
    ):
        assert (await it.program().get(path)).status == 404, path


# 4: CVE-2024-56331, file:// in the address of a check
async def test_record_4_only_http_is_ever_asked():
    for url in ["file:///etc/passwd", "FILE:///etc/passwd", "gopher://x/", "ftp://x/", "//etc/passwd"]:
        async with Understudy.build(seed=1) as app:
            with pytest.raises((ValueError, UnderstudyError)):
                app.fallback.register_api("a", base_url=url)
            app.fallback.register_api("b", base_url="http://127.0.0.1:9/v1")
            with pytest.raises((ValueError, UnderstudyError)) as refused:
                await app.route("b").get(url)
            assert "root:" not in str(refused.value)
            with pytest.raises(ConnectFailed, match="not an absolute http"):
                await app.http.send(HttpRequest("GET", url, {}))


async def test_record_4_nor_may_an_address_of_another_kind_be_entered(tmp_path):
    for url in ["file:///etc/passwd", "gopher://x.example/", "//x.example", "javascript:alert(1)"]:
        with pytest.raises(ConfigError) as refused:
            load(cwd=tmp_path, env={}, secret_dirs=(), overrides=[f"apis.a.base_url={url}"])
        assert "base_url" in str(refused.value)


# 6: CVE-2021-43798, out of the folder of static files
_OF_6 = [
        "/static/../../../../etc/passwd", "/static/..%2f..%2f..%2fetc%2fpasswd", "/static/%2e%2e/%2e%2e/etc/passwd",
        "/static/....//....//etc/passwd", "/static/..\\..\\etc\\passwd", "/static//etc/passwd", "/static/app.js%00.css",
        "/static/", "/static/style.css", "/static/vendor/uPlot.js", "/public/plugins/x/../../../etc/passwd",
    ]  # fmt: skip


async def test_record_6_static_files_are_a_table(admin):
    for path in _OF_6:
        reply = await admin.get(path)
        assert (reply.status, b"root:" in reply.body) == (404, False)


# 7: CVE-2021-39226, the literal `:key` meant the oldest one
async def test_record_7_a_place_in_a_path_is_never_a_pattern(it, admin):
    await it.token(admin, "read")
    it.app.fallback.register_api("only", operation=served)
    for name in [":key", ":id", "{token}", "*", "%25", "null", "undefined", "0", "", "..", "' OR 1=1"]:
        quoted = name.replace(" ", "%20")
        for method, path in (
            ("DELETE", f"/api/me/tokens/{quoted}"), ("DELETE", f"/api/me/sessions/{quoted}"),
            ("DELETE", f"/api/admin/accounts/{quoted}"), ("GET", f"/api/apis/{quoted}"),
            ("GET", f"/api/requests/{quoted}"),
        ):  # fmt: skip
            assert (await admin.send(method, path)).status in (404, 405, 422, 400, 301), path
        assert len((await admin.get("/api/me/tokens")).json["tokens"]) == 1
        assert len(await it.app.keeping.accounts.accounts()) == 3


# 8: CVE-2024-1313, CVE-2026-28380, deleted without owning it
async def test_record_8_nobody_ends_what_is_somebody_elses(it, admin):
    viewer = await it.signed_in("viewer")
    token = await it.token(admin, "read")
    [session] = (await admin.get("/api/me/sessions")).json["sessions"]
    number = token.split("_")[1]
    for method, path in (("DELETE", f"/api/me/sessions/{session['name']}"), ("DELETE", f"/api/me/tokens/{number}")):
        assert (await viewer.send(method, path)).status == 404, path
    for path in (f"/settings/sessions/{session['name']}/end", f"/settings/tokens/{number}/revoke"):
        assert (await viewer.form(path)).status in (303, 404), path
    assert (await it.program(token).get("/api/status")).status == 200
    assert (await admin.get("/api/me")).status == 200


# 9: CVE-2025-4123, CVE-2025-6197, a path that leads to another site
_OF_9 = [
        "//evil.example", "/\\evil.example", "/%5cevil.example", "/%2fevil.example", "/%2F%2Fevil.example",
        "https://evil.example",
        "/\t/evil.example", "/\n//evil.example", "javascript:alert(1)", "\\\\evil.example",
        "/x/..%2f..%2f/evil.example",
        "/%09/evil.example", "///evil.example", "evil.example", "/\u2044evil", "http:evil.example", " //evil.example",
    ]  # fmt: skip


async def test_record_9_a_sign_in_leads_to_our_own_pages_only(it):
    for wanted in _OF_9:
        looks = await it.browser().form("/appearance", theme="dark", next=wanted)
        assert looks.headers.get("location", "/") == "/", wanted
    for wanted in _OF_9[:5]:
        reply = await it.browser().form("/login", name="ada", password=PASSWORD, next=wanted)
        assert (reply.status, reply.headers["location"]) == (303, "/"), wanted


# 10: CVE-2025-41117, a trace was drawn as HTML
async def test_record_10_errors_of_others_are_text(it, admin):
    async def failing() -> None:
        raise RuntimeError("<img src=x onerror=alert(1)><script>alert(2)</script>")

    it.app.fallback.register_api("broken", operation=failing)
    for _ in range(3):
        with pytest.raises((UnderstudyError, RuntimeError)):
            await it.app.fallback.execute_with_fallback("broken", failing)
    await it.app.monitor.performance_summary()
    for path in ("/apis/broken", "/apis", "/"):
        reply = await admin.page(path)
        assert reply.status == 200
        assert b"<img src=x" not in reply.body and b"<script>alert" not in reply.body
        policy = reply.headers["content-security-policy"]
        assert "require-trusted-types-for 'script'" in policy and "trusted-types 'none'" in policy
        assert "unsafe" not in policy


# 11: CVE-2026-21720, pages for anybody made the server ask elsewhere
async def test_record_11_what_anybody_may_see_makes_no_request():
    clock = FakeClock()
    asked: list[str] = []
    http = ScriptedHttp(lambda request: asked.append(request.url) or Answer(200), clock=clock)
    open_to_all = replace(Settings(), status_page=StatusPageOptions(enabled=True))
    async with Understudy.build(open_to_all, clock=clock, http=http, seed=1, keep=False) as app:
        app.fallback.register_api("lead", base_url="http://lead.test")
        stranger = Asker(Service(app), client="192.0.2.1")
        named = {"/status/{file}": "atom.xml", "/status/badges/{badge}": "all.svg"}
        shown = []
        for method, path in ROUTES:
            if ROUTES[method, path].needs is Permission.PUBLIC:
                reply = await stranger.ask(method, re.sub(r"\{\w+\}", named.get(path, "x"), path))
                shown += [path] if reply.status == 200 else []
                if path.startswith("/status/"):
                    assert reply.headers["content-security-policy"].endswith("sandbox"), path  # record 19
        await clock.advance(1.0)
    assert asked == [] and {"/status", *named, "/setup", "/health"} <= {*shown}, shown


# 12: CVE-2026-22639, a viewer reached what sends alerts
async def test_record_12_a_viewer_sees_no_channel_and_sends_nothing(it):
    channel = MemoryChannel()
    it.app.add_channel("secretly", channel)
    to = ("b@target.example",)
    it.app.add_channel("mail", EmailOptions(host="mail.target.example", from_email="a@target.example", to_emails=to))
    viewer = await it.signed_in("viewer")
    for method, path, body in (
        ("POST", "/api/notifications/send", {"title": "x"}),
        ("POST", "/api/notifications/test", {"channel": "secretly"}),
        ("GET", "/api/notifications/log", None), ("GET", "/api/settings/channels", None),
        ("GET", "/notifications", None), ("PUT", "/api/settings/channels/x", {"values": {}}),
        ("GET", "/api/notifications/channels/secretly/preview", None),
    ):  # fmt: skip
        assert (await viewer.send(method, path, body)).status == 403, path
    for path in ("/api/notifications", "/api/status", "/palette", "/live/snapshot?topics=[%22channels%22]"):
        assert "target.example" not in (await viewer.get(path)).text, path
    assert channel.delivered == []


# 13: CVE-2022-30034, a pattern where an exact match belongs; the API stood open
async def test_record_13_a_name_is_matched_exactly_and_the_api_is_closed(it):
    for name in ["", "*", ".*", "a%", "ad_", "ada@evil.example", "ada\0", "ada\n", "vera|ada", "(ada)"]:
        it.clock.tick(3600)  # else guessing gets slow
        assert (await it.browser().sign_in(name)).status in (400, 401, 422), name
        for path in ("/api/fallback/reset", "/api/apis/x/drain", "/api/performance/clear", "/admin/restart"):
            assert (await it.program().send("POST", path, {})).status == 401


# 14: CVE-2022-51020, no defence on what controls
async def test_record_14_no_page_of_another_site_resets_or_restarts(it, admin):
    [cookie] = (await it.browser().sign_in("ada")).cookies
    assert "SameSite=Lax" in cookie and "HttpOnly" in cookie
    for path in ("/admin/restart", "/api/fallback/reset", "/api/performance/clear", "/settings/upkeep/restart"):
        for kind in (
            "application/x-www-form-urlencoded",
            "text/plain",
            "multipart/form-data; boundary=x",
            "application/json",
            "",
        ):
            admin.site = "cross-site"
            assert (await admin.ask("POST", path, b"{}", content_type=kind)).status == 403, (path, kind)
            admin.site = ""
            assert (await admin.ask("POST", path, b"", content_type=kind)).status in (403, 415), (path, kind)
            if kind.startswith(("text", "multipart")):  # what forms of other sites may send is taken from nobody
                admin.site = "same-origin"
                assert (await admin.ask("POST", path, b"{}", content_type=kind)).status == 415, (path, kind)
    assert {act[1] for act in await it.audit()} <= {"service.started", "login"}


class Tags(HTMLParser):
    """What a page is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.grown: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs) -> None:
        handlers = [name for name, _ in attrs if name.startswith("on") or "pwned" in name]
        scripted = tag == "script" and not {"src", "type"} & dict(attrs).keys()
        if tag in ("img", "iframe", "object", "embed", "base", "style", "math") or handlers or scripted:
            self.grown.append(self.get_starttag_text() or tag)


# 15: CVE-2019-16926, CVE-2020-7734, names that are markup (all pages in a browser: tests/browser/test_hostile_names.py)
async def test_record_15_five_hundred_names_are_text(it, admin):
    named = [each for each in hostile_names() if each.isprintable() and each == each.strip()]
    for name in named:
        it.app.fallback.register_api(name, operation=served, hub=name)
    for number in range(1, 12):
        assert Tags((await admin.page(f"/apis?page={number}")).text).grown == []
    known = {each["name"] for each in (await admin.get("/api/apis")).json["apis"]}
    assert known == set(named) and len(named) > 400


# 16: CVE-2024-32651, CVE-2026-47752, templates of users ran
async def test_record_16_a_message_is_no_template(it, admin):
    channel = MemoryChannel()
    it.app.add_channel("ops", channel)
    for text in ["{{7*7}}", "${7*7}", "{0.__class__}", "%(title)s", "{% raw %}", "{title}"]:
        body = {"title": text, "content": text, "channels": ["ops"]}
        sending = asyncio.ensure_future(admin.send("POST", "/api/notifications/send", body))
        for _ in range(200):
            await it.clock.advance(0.05)
            await turns(5)
            if sending.done():
                break
        assert (await sending).status == 200
        assert (channel.delivered[-1].notice.title, channel.delivered[-1].notice.content) == (text, text)


# 17: CVE-2024-6587, the caller said where the key goes
async def test_record_17_a_key_goes_to_its_own_origin_only():
    wanted = [
        "http://evil.test/x",
        "//evil.test/x",
        "\\\\evil.test\\x",
        "@evil.test/x",
        ":1@evil.test/",
        "/../x",
        ".evil.test",
    ]
    for path, base in product(wanted, ("https://api.test/v1", "https://api.test")):
        clock = FakeClock()
        asked: list[str] = []
        http = ScriptedHttp(lambda request, asked=asked: asked.append(request.url) or Answer(200), clock=clock)
        async with Understudy.build(clock=clock, http=http, seed=1) as app:
            auth = AuthOptions(kind="bearer", keys=(KeyOptions(Secret("the-key-of-it")),))
            app.fallback.register_api("a", base_url=base, auth=auth)
            try:
                await app.route("a").get(path)
            except (ValueError, UnderstudyError):
                assert asked == []
        assert all(each.startswith(f"{base}/") for each in asked), asked


# 18: CVE-2026-42208, SQL made of the header that signs in
_OF_18 = [
        "' OR '1'='1", "Bearer ' OR 1=1 --", "Bearer us_' UNION SELECT * FROM token --_x", "Bearer \x00",
        "Bearer " + "a" * 7000,
        "Bearer us_" + "0" * 12 + "_" + "'" * 72, "Basic Jw==", "Bearer", "", "\xff\xfe",
        "Bearer us_%_%", "Bearer {}", "Negotiate x",
    ]  # fmt: skip


async def test_record_18_a_header_is_never_part_of_a_statement(tmp_path):
    async with signed(url=f"sqlite:///{tmp_path}/u.db") as it:
        for said in _OF_18:
            assert (await it.program().get("/api/status", authorization=said)).status == 401, said
            assert (await it.program().get("/api/status", cookie=f"us={said[:200]}")).status == 401, said
        assert len(await it.app.keeping.accounts.accounts()) == 3


# 19: CVE-2021-32670, CVE-2025-71385, debug parameters and badges that said what they were told
async def test_record_19_no_parameter_shows_more_and_a_badge_says_nothing_of_others(it, admin, monkeypatch):
    for path in (
        "/?_trace=1",
        "/api/status?_trace=1",
        "/apis?debug=1",
        "/login?_trace=<script>",
        "/api/errors?trace=1",
    ):
        reply = await admin.page(path)
        assert b"Traceback" not in reply.body and b"<script>" not in reply.body
        assert reply.status in (200, 303, 400), path

    async def breaks(*_):
        raise RuntimeError("inside of the service")

    monkeypatch.setattr(it.app.monitor, "performance_summary", breaks)
    monkeypatch.setattr(it.app.fallback, "roster", None)
    for path in ("/api/status", "/apis"):
        reply = await admin.page(path)
        assert reply.status == 500 and not re.search(rb"Traceback|inside of|NoneType|\.py", reply.body), reply.body
    monkeypatch.undo()
    drawn = badge("<script>alert(1)</script>", "\"'&]]>\u202e", "up")
    assert "<script" not in drawn and "]]>" not in drawn.replace("]]&gt;", "")


# 20: GHSA-7ch3-7pp7-7cpq, the explorer of an API told names
async def test_record_20_the_documents_show_nobody_what_they_may_not_use(it, admin):
    assert (await it.program().get("/api/openapi.json")).status == 401
    viewer = await it.signed_in("viewer")
    theirs, mine = [(await each.get("/api/openapi.json")).json["paths"] for each in (viewer, admin)]
    assert not [path for path in theirs if path.startswith(("/api/admin", "/admin"))]
    assert "/api/admin/accounts" in mine
    assert "/api/admin/accounts" not in (await viewer.get("/api")).text + (await viewer.page("/api/docs")).text


# 21: CVE-2026-112292, no rule meant public
async def test_record_21_what_nobody_allowed_is_refused(it):
    with pytest.raises(TypeError):
        Endpoint(served)  # type: ignore[call-arg]  # the very point: what it needs is left out
    assert not Identity("x", frozenset(), "session").may(Permission.PUBLIC)
    [ada] = [each for each in await it.app.keeping.accounts.accounts() if each.name == "ada"]
    await it.app.keeping.accounts.add(Account("id-nora", "nora", "", ada.password, 0.0, 0.0))
    browser = it.browser()
    await browser.sign_in("nora")
    assert (await browser.get("/api/status")).status == 401
    token = await it.token(await it.signed_in("admin"), "read")
    assert (await it.program(token).get("/api/admin/accounts")).status == 403


# 22: CVE-2026-21874, each tab left something behind (ten thousand: test_live.py)
async def test_record_22_who_leaves_leaves_nothing_behind(it, admin):
    before = len(asyncio.all_tasks())
    for _ in range(10):
        streams = [Stream(it, admin.cookies) for _ in range(5)]
        await turns(20)
        assert len(hub_of(it.app).viewers) == 5
        for each in streams:
            each.left.set()
        await asyncio.gather(*(each.task for each in streams))
    assert hub_of(it.app).viewers == {}
    await turns()
    gc.collect()
    assert not [each for each in gc.get_objects() if isinstance(each, Viewer)]
    assert len(asyncio.all_tasks()) <= before + 1  # the hub's own, which goes on for a minute


# What came of attacks by hand -----------------------------------------------------------------------------


async def test_guesses_that_come_all_at_once_wait_like_those_that_come_one_by_one(it, admin):
    """Each was looked at before the first was known to be a mistake."""
    tries = [it.browser(client="192.0.2.9").sign_in("ada", f"some other words {number}") for number in range(40)]
    replies = [each.status for each in await asyncio.gather(*tries)]
    assert (replies.count(401), replies.count(429)) == (6, 34)
    assert (await it.browser(client="192.0.2.9").sign_in("ada")).status == 429


async def test_a_crowd_that_signs_in_from_everywhere_keeps_nobody_out_who_is_known_where_they_are(it, admin):
    crowd = [it.browser(client=f"192.0.2.{n}").sign_in(f"nobody{n}", "some other words") for n in range(200)]
    waiting = [asyncio.ensure_future(each) for each in crowd]
    await turns(30)
    assert (await it.browser().sign_in("ada")).status == 303
    replies = [each.status for each in await asyncio.gather(*waiting)]
    assert set(replies) == {401, 429} and replies.count(429) > 100
    assert (await it.browser(client="198.51.100.7").sign_in("ada")).status == 303


async def test_who_says_what_of_themselves_is_believed_only_where_a_proxy_of_ours_says_it(it, admin):
    """Forwarded headers, other names for methods and paths, and hosts of other sites change nothing."""
    told = {
        "x_forwarded_for": "203.0.113.9", "forwarded": "for=203.0.113.9;proto=https;host=evil.example",
        "x_real_ip": "203.0.113.9", "x_forwarded_proto": "https", "x_forwarded_host": "evil.example",
        "x_original_url": "/api/admin/accounts", "x_rewrite_url": "/admin/restart", "x_http_method_override": "DELETE",
    }  # fmt: skip
    reply = await it.browser().ask(
        "POST", "/login", b"name=ada&password=wrong+words+of+somebody", accept=PAGE,
        content_type="application/x-www-form-urlencoded", **told,
    )  # fmt: skip
    assert "Secure" not in str(reply.cookies) and "evil.example" not in str(reply)
    entries = await it.app.keeping.audit.read(5)
    assert {each.entry.ip for each in entries if each.entry.action == "login.failed"} == {"127.0.0.1"}
    assert (await admin.get("/api/me", **told)).json["name"] == "ada"
    for host in (
        "127.0.0.1.evil.example",
        "localhost.",
        "evil@127.0.0.1",
        "2130706433",
        "127.0.0.1, evil.example",
        "0",
    ):
        for path in ("/login", "/health", "/metrics", "/static/app.js", "/live", "/status"):
            assert (await Asker(it.service, host=host).get(path, **told)).status == 421, (host, path)


async def test_a_session_is_never_the_one_that_was_there_before(it):
    """Neither one that somebody else put into the browser (fixation) nor one beside it (tossing) is taken over."""
    chosen, other = "A" * 43, await it.signed_in("viewer")
    for planted in (chosen, other.cookies["us"]):
        browser = it.browser(cookies={"us": planted})
        assert (await browser.sign_in("ada")).status == 303
        assert browser.cookies["us"] != planted
        assert (await it.browser(cookies={"us": planted}).get("/api/me")).status == 401
    names = {}
    for cookie in (f"us={browser.cookies['us']}; us={chosen}", f"us={chosen}; us={browser.cookies['us']}"):
        names[cookie] = (await it.browser().get("/api/me", cookie=cookie)).status
    assert 200 not in names.values(), names


def test_every_record_has_its_test():
    here = HERE.read_text() + (HERE.parents[1] / "house" / "test_security_rules.py").read_text()
    assert {int(number) for number in re.findall(r"def test_record_(\d+)_", here)} == set(range(1, 24))
    assert json.dumps(sorted(ROUTES)) and not [path for _, path in ROUTES if "debug" in path or "trace" in path]
