"""The typed client of the REST API, against a real service over HTTP, and against one that is busy or hostile."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import inspect
import json
import pickle
from urllib.parse import urlsplit

import pytest

from soak import rest_api
from understudy.alerts.ports import Signal
from understudy.alerts.shown import AlertView
from understudy.app import Understudy
from understudy.clients.api import ApiError, Blocking, Client, NotReached
from understudy.clients.api.asking import part
from understudy.config.settings import Settings
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.errors import ConnectFailed
from understudy.core.secrets import Secret
from understudy.core.status import Status
from understudy.storage import StorageOptions
from understudy.testing import Answer, FakeClock, MemoryChannel, ScriptedHttp
from understudy.web.routing import Routes
from understudy.web.table import ROUTES

HOSTILE = ["a/b", "..", ".", "%2e%2e", "a b", "é", "<script>", "?x=1#y", "👨‍👩‍👧", "x" * 200, "\u202eabc"]
WHERE = "http://127.0.0.1:8080"


def problem(status, detail="no", headers=None, **more):
    body = json.dumps({"type": "about:blank", "title": "", "status": status, "detail": detail, **more}).encode()
    return Answer(status, body=body, headers={"content-type": "application/problem+json", **(headers or {})})


def told(content, status=200):
    return Answer(status, body=json.dumps(content).encode(), headers={"content-type": "application/json"})


# -- against a real service -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service():
    with rest_api.serving() as url:
        yield url


@pytest.fixture
async def client(service):
    async with Client(service) as client:
        yield client


async def test_what_the_service_says_becomes_values(client):
    status = await client.status()
    assert isinstance(status, Status)
    assert {row.name for row in status.apis} == {"mine", "odds", "spare"}
    assert (await client.health())["live"] is True
    assert "odds" in (await client.performance("odds"))["apis"]
    assert [record.route for record in await client.decisions(3)] == ["r", "r", "r"]
    record = (await client.decisions(1))[0]
    assert (await client.decision(record.call_id)).call_id == record.call_id
    assert {each["name"] for each in await client.apis()} == {"mine", "odds", "spare"}
    assert (await client.api("odds"))["name"] == "odds"
    assert (await client.fallback())["routes"]["r"]
    assert await client.overview()


async def test_rules_are_put_under_a_version_and_taken_back(client):
    doc = {"metric": "success_rate", "operator": "<", "threshold": 50, "window": 300, "severity": "warning"}
    made = await client.put_rule("ours", doc, comment="a test", expected=0)
    assert (made.name, made.version) == ("ours", 1)
    with pytest.raises(ApiError) as refused:
        await client.put_rule("ours", doc, expected=0)
    assert refused.value.status == 409
    with pytest.raises(ApiError) as refused:
        await client.delete_rule("ours", expected=7)
    assert refused.value.status == 412
    assert "ours" in {each.name for each in await client.rules()}
    assert (await client.rule("ours")).rule["metric"] == "success_rate"
    assert len(await client.rule_versions("ours")) == 1
    with pytest.raises(ApiError) as refused:
        await client.check_rule({"name": "x", "metric": "no_such"})
    assert refused.value.status == 422
    assert refused.value.problem["faults"]
    assert (await client.delete_rule("ours", expected=1))["deleted"] == "ours"


async def test_silences_are_made_listed_and_ended(client):
    made = await client.silence('api="odds"', reason="a test", lasting="2h")
    assert made.active
    assert made.matchers == ('api="odds"',)
    assert made.id in {each.id for each in await client.silences()}
    assert await client.preview_silence('api="nobody"') == ()
    await client.expire_silence(made.id)
    assert not {each.id for each in await client.silences() if each.active} & {made.id}


async def test_controls_and_the_past_are_reached(client):
    assert await client.drain("spare", reason="a test", expires_in="1h")
    assert await client.undrain("spare")
    assert await client.force("spare", "forced_open", reason="a test", expires_in=60)
    assert await client.unforce("spare")
    assert await client.pin("r", "spare", reason="a test")
    assert await client.unpin("r")
    assert await client.reset("odds", "a test")
    assert (await client.history("odds", last="1h"))["name"] == "odds"
    assert len(await client.compare("odds", "spare", last="1h")) == 2
    page = await client.requests("route:r", limit=2)
    assert len(page.items) <= 2
    assert [each.call_id async for each in client.every_request("route:r")]
    assert isinstance(await client.errors("odds", last="1h"), tuple)
    acts = await client.audit(limit=5)
    assert {each.action for each in acts.items}
    assert acts.next is not None
    assert await client.audit_fault() == ""
    assert b"<html" in await client.report("summary", "html", last="1h")
    assert await client.notifications(last="1h")
    assert await client.compare_apis("odds", "spare", last="1h")
    assert await client.routes()
    assert (await client.route("r"))["name"] == "r"
    assert (await client.me()).via == "loopback"
    assert await client.facets("route:r", last="1h")
    assert (await client.request(page.items[0].call_id))["steps"]
    assert await client.heat("5m")
    assert [each["channel"] for each in (await client.dead_letters())["rows"]] == ["room"]


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_name_reaches_the_service_whatever_is_in_it(client, name):
    with pytest.raises(ApiError) as refused:
        await client.api(name)
    assert refused.value.status == 404
    assert refused.value.request_id


def test_code_that_blocks_has_the_same_methods(service):
    with Blocking(service) as client:
        assert isinstance(client.status(), Status)
        assert [each.call_id for each in client.every_request("route:r")]
        with pytest.raises(ApiError):
            client.api("nobody")
        assert "snooze" in dir(client)
        assert client.snooze.__doc__ == Client.snooze.__doc__
        with pytest.raises(AttributeError):
            client.no_such  # noqa: B018 - looking is the test
    assert isinstance(client.status(), Status)  # closed is not dead
    client.close()


async def test_alerts_are_values_and_taken_in_hand(tmp_path, free_service):
    app, url = free_service
    now = SYSTEM_CLOCK.time()
    await app.alerts.signal(Signal("api_down", {"api": "odds"}, True, now))
    async with Client(url) as client:
        [alert] = await client.alerts(rule="api_down", api="odds")
        assert isinstance(alert, AlertView)
        assert (await client.acknowledge(alert.episode, "on it"))["state"] == "acknowledged"
        assert (await client.snooze(alert.episode, lasting="1h"))["state"] == "snoozed"
        assert (await client.note(alert.episode, "a note"))["text"] == "a note"
        assert (await client.resolve(alert.episode, "done"))["state"] == "resolved"
        with pytest.raises(ApiError) as refused:
            await client.acknowledge(alert.episode)
        assert refused.value.status == 409
        assert [each.episode async for each in client.every_episode(last="1h")] == [alert.episode]
        results = await client.send("hello", channels=["ops"])
        assert list(results) == ["ops"]
        assert (await client.test_channel("ops")).success


@pytest.fixture
async def free_service(tmp_path):
    """An application on this loop, with its service on a socket."""
    import uvicorn

    from understudy.web.asgi import Service

    storage = StorageOptions(url=f"sqlite:///{tmp_path}/u.db")
    async with Understudy.build(dataclasses.replace(Settings(), storage=storage), seed=1, keep=True) as app:
        app.add_channel("ops", MemoryChannel())
        for _ in range(1500):
            if await app.alerts.ready():
                break
            await SYSTEM_CLOCK.sleep(0.02)
        server = uvicorn.Server(uvicorn.Config(Service(app), port=0, log_config=None, lifespan="off"))
        server.install_signal_handlers = lambda: None
        running = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0)
        yield app, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        server.should_exit = True
        await running


async def test_somebody_who_signs_in_may_do_what_a_token_may_not(tmp_path):
    with rest_api.serving(people=True) as url:
        async with Client(url) as client:
            with pytest.raises(ApiError) as refused:
                await client.sign_in(rest_api.ADMIN, "wrong")
            assert refused.value.status == 401
            assert (await client.sign_in(rest_api.ADMIN, Secret(rest_api.PASSWORD))).role == "admin"
            made = await client.add_token("ci", ["read"], apis=["odds"], expires_in="30d")
            assert "us_" not in repr(made)
            async with Client(url, token=made.token) as program:
                assert (await program.me()).apis == ("odds",)
                for act in (program.tokens(), program.restart("no"), program.backup(tmp_path / "no.db")):
                    with pytest.raises(ApiError) as refused:
                        await act
                    assert refused.value.status == 403
            assert [each.name for each in await client.tokens()] == ["ci"]
            await client.revoke_token(made.id)
            assert await client.tokens(everybody=True) == ()

            eve = await client.add_account("eve", "viewer", "violet ladder eighteen foxes")
            assert (await client.change_account(eve.id, role="operator", disabled="gone")).disabled == "gone"
            assert {each.name for each in await client.accounts()} >= {"ada", "eve"}
            await client.remove_account(eve.id)
            assert "eve" not in {each.name for each in await client.accounts()}

            size = await client.backup(tmp_path / "copy.db")
            assert (tmp_path / "copy.db").stat().st_size == size
            assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
            assert (tmp_path / "copy.db").read_bytes()[:15] == b"SQLite format 3"
            with pytest.raises(FileExistsError):
                await client.backup(tmp_path / "copy.db")
            assert not (tmp_path / "no.db").exists()
            with pytest.raises(ApiError, match="part of another program"):
                await client.restart("a test")

            await client.change_password(rest_api.PASSWORD, "violet ladder nineteen foxes")
            await client.confirm("violet ladder nineteen foxes")
            assert [each.own for each in await client.sessions()] == [True]
            assert (await client.security())["counts"]
            assert (await client.system())["versions"]
            await client.sign_out()
            with pytest.raises(ApiError) as refused:
                await client.me()
            assert refused.value.status == 401
        assert "ladder" not in repr(vars(client))


class Noting:
    """Keeps what was asked for; answers nothing of use."""

    def __init__(self):
        self.asked = set()

    async def send(self, request):
        self.asked.add((request.method, urlsplit(request.url).path))
        raise ConnectFailed("nobody is there")

    async def close(self):
        """Nothing to close."""


def arguments(method, kind, everybody, folder):
    """Something for every parameter without a default, and these two where a method has them."""
    made = {"kind": kind, "everybody": everybody, "file": folder / "x", "scopes": ["read"], "order": ["a"]}
    found, names = {}, []
    for name, each in list(inspect.signature(method).parameters.items())[1:]:
        if each.kind is each.VAR_POSITIONAL:
            names = ["x", "y"]
        elif name in ("kind", "everybody") or (each.default is each.empty and each.kind is not each.VAR_KEYWORD):
            annotated = str(each.annotation)
            found[name] = made.get(name, {} if "Mapping" in annotated else 1 if annotated == "int" else "x")
    return names, found


async def test_every_endpoint_has_a_method(tmp_path):
    """All that is declared can be asked for by name, but for what only our own programs and browsers need."""
    noted = Noting()
    client = Client(WHERE, http=noted)
    client._session = Secret("us=x")
    methods = [
        each for name, each in inspect.getmembers(Client, callable) if name[0] != "_" and name not in ("ask", "fetch")
    ]
    for method in methods:
        for kind, everybody in (("apis", False), ("routes", True), ("channels", True)):
            names, given = arguments(method, kind, everybody, tmp_path)
            asked = method(client, *names, **given)
            with contextlib.suppress(NotReached):
                await (anext(asked) if inspect.isasyncgen(asked) else asked)
    served = Routes({key: key for key in ROUTES})
    reached = {served.find(verb, path, path.encode())[0] for verb, path in noted.asked}
    left = {(verb, path) for (verb, path), each in ROUTES.items() if each.declared.tag} - reached
    assert left == {
        ("GET", "/api"), ("GET", "/api/docs"), ("GET", "/api/openapi.json"), ("POST", "/api/instances/report"),
        ("GET", "/admin/config"), ("POST", "/admin/restart"),
    }  # fmt: skip


# -- against one that is busy, away or hostile --------------------------------------------------------


def scripted(*answers, clock=None, **options):
    http = ScriptedHttp(list(answers), clock=clock or FakeClock())
    return Client(WHERE, http=http, clock=clock or FakeClock(), **options), http


async def test_it_waits_as_long_as_a_busy_service_says_and_asks_again():
    clock = FakeClock()
    client, http = scripted(problem(429, headers={"Retry-After": "7"}), told({"rules": []}), clock=clock)
    began = clock.monotonic()
    assert await client.rules() == ()
    assert clock.monotonic() - began == 7.0
    assert len(http.requests) == 2


async def test_what_may_have_been_done_is_not_sent_again_after_503():
    client, http = scripted(problem(503, headers={"Retry-After": "1"}))
    with pytest.raises(ApiError):
        await client.acknowledge("x")
    assert len(http.requests) == 1
    client, http = scripted(*[problem(503, headers={"Retry-After": "1"})] * 3)
    with pytest.raises(ApiError) as refused:
        await client.rules()
    assert (refused.value.status, len(http.requests)) == (503, 3)


@pytest.mark.parametrize("wait", ["3600", "Wed, 21 Oct 2099 07:28:00 GMT", "-1", "1e9", "", "99999999999999"])
async def test_it_waits_for_nothing_that_is_too_long_or_no_number(wait):
    client, http = scripted(problem(429, headers={"Retry-After": wait}))
    with pytest.raises(ApiError):
        await client.rules()
    assert len(http.requests) == 1


async def test_the_token_is_sent_as_a_bearer_and_shown_nowhere():
    client, http = scripted(problem(401, "who are you"), token="us_1_verysecret")
    with pytest.raises(ApiError) as refused:
        await client.status()
    assert http.requests[0].headers["Authorization"] == "Bearer us_1_verysecret"
    for shown in (repr(client), repr(refused.value), str(refused.value), repr(vars(client)), repr(http.requests[0])):
        assert "verysecret" not in shown


@pytest.mark.parametrize(
    "answer",
    [Answer(200, body=b"<html>"), told([1]), told({}), told({"version": 7, "apis": 1}), told(None)],
    ids=repr,
)  # fmt: skip
async def test_whoever_is_no_service_of_ours_is_told_so(answer):
    client, _ = scripted(answer)
    with pytest.raises(NotReached):
        await client.status()


@pytest.mark.parametrize("body", [b"", b"<html>oops", b"[]", b'{"detail": 7}', b'{"detail": "%s"}' % (b"x" * 9000)])
async def test_a_refusal_without_a_problem_is_an_error_with_its_status(body):
    client, _ = scripted(Answer(502, body=body))
    with pytest.raises(ApiError) as refused:
        await client.rules()
    assert refused.value.status == 502
    assert 0 < len(str(refused.value)) < 2100


async def test_a_service_that_is_away_is_told_from_one_that_refuses():
    client, _ = scripted(ConnectFailed("refused", stage="refused"))
    with pytest.raises(NotReached) as away:
        await client.rules()
    assert away.value.refused
    assert pickle.loads(pickle.dumps(away.value)).detail == away.value.detail


@pytest.mark.parametrize("url", ["", "8080", "ftp://x", "http://", "http://x:99999999", "http://x?y=1", "http://[::1"])
def test_what_is_no_address_is_refused_at_once(url):
    with pytest.raises(ValueError):
        Client(url)


def test_a_name_is_one_part_of_a_path():
    assert part("a/b?c#d..") == "a%2Fb%3Fc%23d%2E%2E"
