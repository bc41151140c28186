"""The first run without a browser: whose drafts they are, what is refused, and where no key ever stands."""

from __future__ import annotations

import json
import re
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import pytest

from understudy.app import Understudy
from understudy.config import load
from understudy.config.managed import ManagedTree
from understudy.config.reload import Reloader
from understudy.managing import Managing
from understudy.storage.memory import MemoryStore
from understudy.testing import FakeClock, ScriptedHttp
from understudy.testing.scripted_http import Answer
from understudy.web.asgi import Service
from understudy.web.auth.permissions import Identity, Role
from understudy.web.auth.process import Process
from understudy.web.middleware import Limit
from understudy.web.pages.first_drafts import drafts_of

KEY = "canary-key-4711-0815"
CURL = f"curl 'https://odds.example.com/v1/status' -H 'X-Api-Key: {KEY}'"
PLAIN = "curl https://plain.example.com/v1/status"
FORM = {"name": "odds", "base_url": "https://odds.example.com/v1", "path": "/status"}


class Site:
    """The application, asked as one account or another."""

    def __init__(self, app, clock, role="admin"):
        self.app, self.clock, self.role, self.name = app, clock, role, "ana"
        self.service = Service(app, limit=Limit(FakeClock(), burst=10_000), process=Process())
        self.shown = ""

        async def identify(request):
            return Identity(self.name, Role(self.role).permissions, "loopback", Role(self.role))

        self.service.gate.identify = identify

    async def ask(self, path, method="GET", /, **fields):
        sent = []
        path, _, query = path.partition("?")
        scope = {
            "type": "http", "method": method, "path": path, "query_string": query.encode(), "client": ("127.0.0.1", 5),
            "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/x-www-form-urlencoded"),
                        (b"accept", b"text/html")],
        }  # fmt: skip  # a scope reads as a table

        async def receive():
            return {"type": "http.request", "body": urlencode(fields).encode(), "more_body": False}

        async def send(message):
            sent.append(message)

        await self.service(scope, receive, send)
        headers = dict(sent[0]["headers"])
        body = b"".join(each.get("body", b"") for each in sent[1:]).decode()
        self.shown += body
        return sent[0]["status"], headers.get(b"location", b"").decode(), body

    async def post(self, path, /, **fields):
        return await self.ask(path, "POST", **fields)


@asynccontextmanager
async def site(tmp_path):
    (tmp_path / "understudy.toml").write_text('[service]\nsecret_key = "a key of this service, long enough"\n')
    clock = FakeClock()

    def read(tree):
        return load(cwd=tmp_path, env={}, secret_dirs=(), managed=tree)

    loaded = read(ManagedTree())
    app = Understudy.build(loaded.settings, clock=clock, seed=1, keep=True)
    store = MemoryStore(clock)
    app._open_store = lambda: store
    http = ScriptedHttp(Answer(200, json.dumps({"said": "hello", "key": KEY}).encode()), clock=clock)

    def another(settings, clock):
        return Understudy.build(settings, clock=clock, http=http, seed=1)

    async with app:
        reloader = Reloader(loaded, lambda: read(app.managing.tree), lambda new: app.reload(new.settings), print)
        app.managing = Managing(app, store.documents, lambda: reloader.current, read, reloader.change, another)
        yield Site(app, clock)


async def test_from_paste_to_route_and_no_page_ever_shows_the_key(tmp_path):
    async with site(tmp_path) as here:
        status, draft, _ = await here.post("/setup/start", pasted=CURL)
        assert (status, re.fullmatch(r"/setup/start/[\w-]{20,}", draft) is not None) == (303, True)
        assert (await here.ask(draft))[0] == 200
        assert (await here.post(draft, **FORM, do="try"))[:2] == (303, draft)
        assert "hello" in (await here.ask(draft))[2]
        assert (await here.post(draft, **FORM, do="keep"))[:2] == (303, "/setup/route?api=odds")
        assert here.app.settings.apis["odds"].auth.keys[0].value.reveal() == KEY
        assert (await here.ask(draft))[0] == 404  # the draft has gone, and its key with it
        assert (await here.ask("/setup/route?api=odds"))[0] == 200
        status, to, _ = await here.post("/setup/route", api="odds", name="prices", **{"place:odds": "1"})
        assert (status, to) == (303, "/setup/channel?api=odds&route=prices")
        assert here.app.settings.routes["prices"].apis == ("odds",)
        assert "env:ODDS_KEY" in (await here.ask("/setup/done?api=odds&route=prices"))[2]
        assert KEY not in here.shown


async def test_what_was_pasted_before_there_was_an_account_is_kept_by_the_administrator_who_is_then_made(tmp_path):
    async with site(tmp_path) as here:
        here.role, here.name = "operator", "http 127.0.0.1"
        _, draft, _ = await here.post("/setup/start", pasted=CURL)
        shown = (await here.ask(draft))[2]
        assert urlencode({"next": draft}) in shown
        status, _, refused = await here.post(draft, **FORM, do="keep")
        assert (status, "Only an administrator may enter keys" in refused) == (422, True)
        here.role, here.name = "admin", "ana"
        assert (await here.post(draft, **FORM, do="keep"))[:2] == (303, "/setup/route?api=odds")
        assert here.app.settings.apis["odds"].auth.keys[0].value.reveal() == KEY


async def test_a_draft_belongs_to_who_began_it_and_ends_by_itself(tmp_path):
    async with site(tmp_path) as here:
        _, draft, _ = await here.post("/setup/start", pasted=CURL)
        here.name = "bob"
        assert (await here.ask(draft))[0] == 404
        here.name = "ana"
        here.clock.tick(1700)
        assert (await here.ask(draft))[0] == 200
        here.clock.tick(1900)
        assert (await here.ask(draft))[0] == 404
        for _ in range(150):
            await here.post("/setup/start", pasted=PLAIN)
        assert len(drafts_of(here.app)._drafts) == 100


async def test_operators_add_apis_and_enter_no_keys_viewers_add_nothing(tmp_path):
    async with site(tmp_path) as here:
        here.role = "operator"
        _, draft, _ = await here.post("/setup/start", pasted=CURL)
        status, _, body = await here.post(draft, **FORM, do="keep")
        assert (status, "Only an administrator may enter keys." in body) == (422, True)
        _, draft, _ = await here.post("/setup/start", pasted=PLAIN)
        plain = {"name": "plain", "base_url": "https://plain.example.com/v1", "path": "/status", "do": "keep"}
        assert (await here.post(draft, **plain))[1] == "/setup/route?api=plain"
        assert (await here.post("/setup/channel", kind="slack", url="https://hooks.slack.com/x"))[0] == 403
        here.role = "viewer"
        assert (await here.ask("/setup/start"))[0] == 200
        assert (await here.post("/setup/start", pasted=PLAIN))[0] == 403
        assert KEY not in here.shown


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": ""}, "The name is printable"),
        ({"name": "x" * 101}, "The name is printable"),
        ({"path": "status"}, "The path begins with /."),
        ({"base_url": "http://169.254.169.254/latest"}, "private network"),
        ({"base_url": "http://localhost:8080"}, "private network"),
        ({"base_url": "ftp://odds.example.com"}, "base_url"),
        ({"base_url": "https://odds.example.com/?x=1"}, "base_url"),
    ],
)
@pytest.mark.parametrize("do", ["try", "keep"])
async def test_what_cannot_be_used_is_said_and_asks_nobody(tmp_path, changed, said, do):
    async with site(tmp_path) as here:
        _, draft, _ = await here.post("/setup/start", pasted=CURL)
        status, _, body = await here.post(draft, **{**FORM, **changed, "do": do})
        assert (status, said in body) == (422, True), body
        assert here.app.settings.apis == {}


async def test_what_is_not_understood_is_named_and_not_sent_back(tmp_path):
    async with site(tmp_path) as here:
        status, _, body = await here.post("/setup/start", pasted=CURL + " --nonsense")
        assert (status, "--nonsense is not understood" in body) == (422, True)
        assert KEY not in body


async def test_a_name_is_taken_once(tmp_path):
    async with site(tmp_path) as here:
        for expected in (303, 422):
            _, draft, _ = await here.post("/setup/start", pasted=CURL)
            assert (await here.post(draft, **FORM, do="keep"))[0] == expected


async def test_a_service_without_demo_data_says_so(tmp_path):
    async with site(tmp_path) as here:
        assert (await here.post("/setup/demo", do="start"))[0] == 409
