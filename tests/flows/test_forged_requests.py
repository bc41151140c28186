"""A page of another site cannot act as a reader who is signed in; a token cannot do more than it was made for."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

import pytest
from signed import PASSWORD, Asker, Reply, Signed, signed

from understudy.web.auth.permissions import Permission
from understudy.web.table import ROUTES

FORM = "application/x-www-form-urlencoded"


def unsafe() -> Iterator[tuple[str, str]]:
    for method, path in sorted(ROUTES):
        if method not in ("GET", "HEAD", "OPTIONS"):
            yield method, re.sub(r"\{\w+\}", "x", path)


@pytest.fixture
async def it() -> AsyncIterator[Signed]:
    async with signed() as made:
        yield made


@pytest.fixture
async def admin(it: Signed) -> Asker:
    return await it.signed_in("admin")


@pytest.mark.parametrize(
    ("site", "headers", "body", "status"),
    [
        ("same-origin", {"origin": "http://evil.example"}, b"{}", 403),
        ("", {"origin": "http://evil.example"}, b"{}", 403),
        ("", {"origin": "null"}, b"{}", 403),
        ("", {"origin": "http://127.0.0.1.evil.example"}, b"{}", 403),
        ("", {"origin": "http://127.0.0.1:9999"}, b"{}", 403),
        ("cross-site", {}, b"{}", 403),
        ("same-site", {}, b"{}", 403),
        ("none", {}, b"{}", 403),
        ("", {}, b"{}", 403),
        ("", {"content_type": FORM}, b"name=x", 403),
        ("", {"content_type": FORM}, b"form_token=AAAA", 403),
        ("same-origin", {"content_type": FORM}, b"form_token=AAAA", 403),
        ("same-origin", {"x_form_token": "A" * 86, "content_type": "application/json"}, b"{}", 403),
        ("same-origin", {"content_type": "text/plain"}, b"{}", 415),
        ("same-origin", {"content_type": "multipart/form-data; boundary=x"}, b"--x--", 415),
    ],
)
async def test_no_page_but_ours_changes_anything(it, admin, site, headers, body, status):
    admin.site = site
    for method, path in unsafe():
        headers = {"content_type": "application/json", **headers}
        reply = await admin.ask(method, path, body, **headers)
        assert reply.status == status, (method, path, reply.text)
    assert {act[1] for act in await it.audit()} <= {"service.started", "login"}


async def test_a_form_of_another_session_is_refused_and_one_of_this_passes_without_any_header(it, admin):
    found = re.search(r'name="form_token" value="([^"]+)"', (await admin.page("/settings/profile")).text)
    assert found is not None
    other = await it.signed_in("admin")
    for each, status in ((admin, 303), (other, 403)):
        each.site = ""
        body = f"form_token={found[1]}&theme=dark&next=/".encode()
        assert (await each.ask("POST", "/appearance", body, content_type=FORM)).status == status


async def test_a_session_and_a_token_together_are_refused_everywhere(it, admin):
    token = await it.token(admin, "read", "admin")
    for (method, path), each in sorted(ROUTES.items()):
        if each.needs is Permission.PUBLIC:
            continue
        reply = await admin.ask(method, re.sub(r"\{\w+\}", "x", path), authorization=f"Bearer {token}")
        assert (reply.status, "not both" in reply.text) == (400, True), (method, path)
    # What is public is answered as to a stranger.
    reply = await admin.get("/api/me", authorization=f"Bearer {token}")
    assert reply.status == 401


async def test_a_cookie_of_a_program_is_no_way_round_and_no_answer_invites_other_origins(admin):
    for path in ("/api/status", "/live", "/login", "/static/x", "/status"):
        reply = await admin.ask("OPTIONS", path, origin="http://evil.example", access_control_request_method="POST")
        got = await admin.get(path, origin="http://evil.example")
        for each in (reply, got):
            assert not [name for name in each.headers if name.startswith("access-control-")], path


async def test_foreign_sites_open_no_stream_embed_nothing_and_may_link_to_pages(admin):
    for headers in ({"sec_fetch_site": "cross-site"}, {"origin": "http://evil.example"}):
        assert (await admin.get("/live?topics=overview", **headers)).status == 403
    embedded = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"}
    assert (await admin.get("/apis", **embedded)).status == 403
    assert (await admin.get("/apis", sec_fetch_site="cross-site")).status == 200


# -- tokens -----------------------------------------------------------------------------------------------


def refused(reply: Reply, said: str) -> bool:
    return reply.status == 401 and said in reply.text and reply.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_ends_when_its_time_is_over_and_when_it_is_revoked(it, admin):
    brief = it.program(await it.token(admin, "read", expires_in=86400))
    lasting = it.program(await it.token(admin, "read"))
    it.clock.tick(86400 - 1)
    assert [(await each.get("/api/status")).status for each in (brief, lasting)] == [200, 200]
    it.clock.tick(2)
    assert refused(await brief.get("/api/status"), "has expired")
    name = (await lasting.get("/api/me")).json
    assert name["via"] == "token"
    admin = await it.signed_in("admin")
    tokens = (await admin.get("/api/me/tokens")).json["tokens"]
    for each in tokens:
        assert (await admin.send("DELETE", f"/api/me/tokens/{each['id']}")).status == 204
    assert refused(await lasting.get("/api/status"), "revoked")


async def test_a_token_works_from_its_addresses_only(it, admin):
    token = await it.token(admin, "read", ips=["192.0.2.7", "10.0.0.0/8"])
    for client, status in (("192.0.2.7", 200), ("10.9.8.7", 200), ("::ffff:10.1.1.1", 200), ("192.0.2.8", 401)):
        assert (await it.program(token, client=client).get("/api/status")).status == status, client
    # A header that anybody can send changes nothing.
    assert (await it.program(token, client="192.0.2.8").get("/api/status", x_forwarded_for="10.0.0.1")).status == 401


async def test_a_token_for_one_api_sees_nothing_of_the_others(it, admin):
    for name in ("mine", "theirs"):
        it.app.fallback.register_api(name, route="r", operation=lambda: None)
    program = it.program(await it.token(admin, "read", "routes:write", apis=["mine"]))
    assert (await program.get("/api/apis/mine")).status == 200
    assert (await program.send("POST", "/api/apis/mine/reset", {})).status == 200
    for method, path in (
        ("GET", "/api/apis/theirs"), ("POST", "/api/apis/theirs/reset"), ("GET", "/api/apis"), ("GET", "/api/status"),
        ("GET", "/api/routes/r"), ("POST", "/api/fallback/reset"), ("GET", "/overview/now"), ("GET", "/apis"),
    ):  # fmt: skip
        reply = await program.ask(method, path)
        assert reply.status == 403, path
        assert "theirs" not in reply.text
    theirs = [
        "rows:mine,theirs", "newest:1h:theirs", "series:theirs", "heat:1h", "events", "overview", "routes",
        "rows:a%2Cb",
    ]  # fmt: skip
    asked = json.dumps([*theirs, "rows:mine", "series:mine", "newest:1h:mine"])
    heard = (await program.get(f"/live/snapshot?topics={quote(asked)}")).json
    assert [each["topic"] for each in heard["refused"]] == theirs
    assert {each["t"] for each in heard["messages"]} >= {"rows:mine", "newest:1h:mine"}
    assert "theirs" not in json.dumps(heard["messages"])
    assert (await program.get(f"/live?topics={quote(asked)}")).status == 200
    unknown = await admin.send("POST", "/api/me/tokens", {"name": "n", "scopes": ["read"], "apis": ["nothing"]})
    assert unknown.status == 422


async def test_what_is_not_exactly_a_token_is_none(it, admin):
    token = await it.token(admin, "read")
    assert re.fullmatch(r"us_[0-9a-f]{12}_[0-9a-f]{72}", token)
    secret = token[-20]
    other = "0" if secret != "0" else "1"
    for wrong in (
        token[:-1], token + "0", token[:-20] + other + token[-19:], token.upper(), f"{token} {token}",
        token.replace("us_", "us-"), "us_", "x" * 600, f"us_{'0' * 12}_{'0' * 72}",
    ):  # fmt: skip
        assert (await it.program(wrong).get("/api/status")).status == 401, wrong
    for kind in ("Basic", "Token", "bearer:"):
        assert (await it.program().get("/api/status", authorization=f"{kind} {token}")).status == 401
    for place in (f"/api/status?token={token}", f"/api/status?access_token={token}"):
        assert (await it.program().get(place)).status == 401
    assert (await it.program().get("/api/status", x_api_key=token, cookie=f"us={token}")).status == 401
    # What is kept signs nobody in, and what is shown of it later is not the token.
    [kept] = await it.app.keeping.accounts.tokens()
    assert token[16:] not in repr(kept)
    assert (await it.program(f"us_{kept.id}_{kept.digest}{'0' * 8}").get("/api/status")).status == 401
    assert token[16:] not in (await admin.get("/api/me/tokens")).text


async def test_a_token_of_somebody_who_is_shut_out_or_gone_is_dead_at_once(it, admin):
    operator = await it.signed_in("operator")
    program = it.program(await it.token(operator, "read"))
    assert (await program.get("/api/status")).status == 200
    assert (await admin.send("PATCH", "/api/admin/accounts/id-operator", {"disabled": "has left"})).status == 200
    assert (await program.get("/api/status")).status == 401
    assert (await admin.send("PATCH", "/api/admin/accounts/id-operator", {"disabled": ""})).status == 200
    assert (await program.get("/api/status")).status == 200
    assert (await admin.send("DELETE", "/api/admin/accounts/id-operator")).status == 204
    assert (await program.get("/api/status")).status == 401


async def test_a_session_dies_with_the_password_and_what_hurts_most_asks_for_it_again(it, admin):
    it.clock.tick(601)  # signing in counts as giving it, for ten minutes
    backup = await admin.send("POST", "/api/admin/backup")
    assert (backup.status, backup.json["code"]) == (403, "prove"), backup.text
    new = "seven words nobody has ever guessed"
    stolen = it.browser(cookies=dict(admin.cookies))
    assert (await stolen.get("/api/me")).status == 200
    assert (await admin.send("POST", "/api/me/password", {"old": PASSWORD, "new": new})).status == 204
    assert (await stolen.get("/api/status")).status == 401
