"""Whoever asks for whatever is served: allowed exactly when they hold what it needs, and told so otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from signed import PAGE, Asker, Reply, signed

from understudy.web.auth.acts import SCOPES
from understudy.web.auth.permissions import NOBODY, Permission, Role
from understudy.web.endpoint import Endpoint
from understudy.web.table import ROUTES

#: What everybody may post: it signs in or out, or is known by a secret of its own.
_POSTED_BY_ANYBODY = {
    "/login", "/logout", "/api/login", "/api/logout", "/setup", "/appearance", "/act/{token}",
    "/api/instances/report",  # known by `report_token`
}  # fmt: skip
#: What readers may send: it changes what is their own, or nothing at all.
_SENT_BY_READERS = {
    "/api/routes/{route}/what-if", "/api/alerts/rules/preview", "/api/alerts/rules/check",
    "/api/alerts/rules/backtest", "/api/alerts/silences/preview", "/api/notifications/simulate",
    "/alerts/rule-preview", "/live/{stream}/topics", "/overview/pin",
    "/api/me/password", "/api/me/confirm", "/api/me/sessions/{session}", "/api/me/tokens", "/api/me/tokens/{token}",
    "/settings/profile/password", "/settings/confirm", "/settings/tokens", "/settings/tokens/{token}/revoke",
    "/settings/sessions/{session}/end", "/settings/sessions",
}  # fmt: skip
_SAFE = ("GET", "HEAD", "OPTIONS")


def served() -> Iterator[tuple[str, str, Permission]]:
    """Every method, path and need of the table; what ends the session of whoever asks comes last."""
    for (method, path), each in sorted(ROUTES.items(), key=lambda item: (item[0][1].endswith("/logout"), item[0])):
        yield method, re.sub(r"\{\w+\}", "x", path), each.needs


def refused(reply: Reply) -> bool:
    """Whether the gate answered, and not what stands behind it."""
    if reply.status == 401:
        return "sign in first" in reply.text
    return reply.status == 403 and "this needs the permission" in reply.text


async def walk(asker: Asker, held: frozenset[Permission], expected: int) -> list[str]:
    """Ask for everything; what was answered otherwise than it should be."""
    wrong = []
    for method, path, needs in served():
        body = b"" if method in _SAFE else b"{}"
        reply = await asker.ask(method, path, body, content_type="application/json" if body else "")
        right = refused(reply) is (needs not in held) and reply.status < 500
        if not right or (needs not in held and reply.status != expected):
            wrong.append(f"{method} {path} needs {needs}: {reply.status} {reply.text[:120]}")
    return wrong


async def test_nobody_gets_in_without_a_word_of_who_they_are():
    async with signed() as it:
        assert await walk(it.program(), NOBODY.permissions, 401) == []


@pytest.mark.parametrize("role", Role)
async def test_each_role_may_what_it_holds_and_nothing_else(role: Role):
    async with signed() as it:
        assert await walk(await it.signed_in(role), role.permissions, 403) == []


async def test_a_token_of_each_scope_opens_what_the_scope_says():
    async with signed() as it:
        admin = await it.signed_in("admin")
        for scope in SCOPES:
            program = it.program(await it.token(admin, scope))
            assert await walk(program, frozenset({Permission.PUBLIC, Permission(scope)}), 403) == [], scope


async def test_browsers_are_led_to_the_sign_in_from_every_page_and_from_nothing_else():
    async with signed() as it:
        stranger = it.browser()
        for method, path, needs in served():
            if needs is Permission.PUBLIC:
                continue
            reply = await stranger.ask(method, path, accept=PAGE)
            if method == "GET" and not path.startswith("/api/"):
                assert (reply.status, reply.headers["location"].partition("?")[0]) == (303, "/login"), path
            else:
                assert reply.status == 401, path


async def test_roles_contain_each_other_and_a_token_loses_what_its_owner_loses():
    assert Role.VIEWER.permissions < Role.OPERATOR.permissions < Role.ADMIN.permissions
    assert Role.ADMIN.permissions == frozenset(Permission)
    async with signed() as it:
        admin, operator = await it.signed_in("admin"), await it.signed_in("operator")
        more = await operator.send("POST", "/api/me/tokens", {"name": "more", "scopes": ["admin"]})
        assert more.status == 403
        program = it.program(await it.token(operator, "read", "routes:write"))
        assert (await program.send("POST", "/api/performance/clear", {})).status == 200
        assert (await admin.send("PATCH", "/api/admin/accounts/id-operator", {"role": "viewer"})).status == 200
        assert (await program.send("POST", "/api/performance/clear", {})).status == 403
        assert (await program.get("/api/status")).status == 200


async def test_nothing_that_changes_something_is_open_to_everybody_or_to_readers_by_mistake():
    unsafe = {(path, each.needs) for (method, path), each in ROUTES.items() if method not in _SAFE}
    assert {path for path, needs in unsafe if needs is Permission.PUBLIC} == _POSTED_BY_ANYBODY
    assert {path for path, needs in unsafe if needs is Permission.READ} <= _SENT_BY_READERS
    for (method, path), each in ROUTES.items():
        if path.startswith(("/api/admin/", "/admin/", "/settings/users", "/settings/upkeep")):
            assert each.needs in (Permission.ADMIN, Permission.INSPECT), (method, path)


async def test_what_names_no_permission_cannot_be_served():
    async def handler(app: object, request: object) -> None:
        """Never called."""

    with pytest.raises(TypeError, match="needs"):
        Endpoint(handler)  # type: ignore[call-arg, arg-type]


async def test_what_is_not_in_the_table_is_not_there_whoever_asks():
    async with signed() as it:
        admin = await it.signed_in("admin")
        for path in ("/nothing", "/api/nothing", "/admin", "/api/admin", "/debug", "/static/", "/.env", "/docs"):
            assert (await admin.get(path)).status == 404, path
            assert (await it.program().get(path)).status == 404, path
