"""The public status page: off unless wanted, no name from inside, nothing hostile runs, one look for all visitors."""

from __future__ import annotations

import gzip
import json
import threading
import xml.etree.ElementTree as ET
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from urllib.parse import urlencode

import pytest
import uvicorn

from understudy.app import Understudy
from understudy.cli.commands import run
from understudy.config import load
from understudy.config.status_page import StatusPageOptions
from understudy.core.errors import AllApisFailed, ConfigError
from understudy.core.text import texts
from understudy.storage.memory import MemoryStore
from understudy.testing import FakeClock, ScriptedHttp
from understudy.web.asgi import Service
from understudy.web.middleware import Limit
from understudy.web.pages.statuspage_feeds import badge
from understudy.web.pages.statuspage_strips import strip
from understudy.web.views.public import view_of
from understudy.web.views.status_page import PublicComponent, PublicDay

NOON = 1_795_953_600.0  # 2026-11-29T12:00Z
HOSTILE = "<script>alert(1)</script>\"'&\u202e]]>"
PATHS = ["/status", "/status/atom.xml", "/status/rss.xml", "/status/badges/all.svg", "/api/status-page"]

QUOTED = json.dumps(HOSTILE, ensure_ascii=False)
CONFIG = f"""
[apis.secret_provider]
base_url = "http://secret.example"
[apis.secret_standby]
base_url = "http://standby.example"
[apis.billing_vendor]
base_url = "http://billing.example"
[routes.secret_route]
apis = ["secret_provider", "secret_standby"]

[status_page]
enabled = true
title = {QUOTED}
components.orders = {{ title = "Orders", routes = ["secret_route"], group = "Shop" }}
components.hostile = {{ title = {QUOTED}, apis = ["billing_vendor"], description = {QUOTED} }}
notices.news = {{ title = {QUOTED}, text = {QUOTED}, starts = "2026-11-29T10:00", components = ["orders"] }}
"""
PLANNED = """
[alerts.silences.weekly]
match = ["api=billing_vendor"]
kind = "maintenance"
starts = "2026-11-29T11:00"
ends = "2026-11-29T13:00"
reason = "billing_vendor moves its database, call Bob"
"""
INSIDE = ("secret_", "billing_vendor", "Bob", "weekly")


def settings(tmp_path, text=CONFIG, *overrides):
    (tmp_path / "understudy.toml").write_text(text)
    return load(cwd=tmp_path, env={}, secret_dirs=(), overrides=overrides).settings


@asynccontextmanager
async def running(tmp_path, text=CONFIG):
    """The application with its clock; nobody outside may be asked."""
    clock = FakeClock(epoch=NOON)
    http = ScriptedHttp(lambda request: pytest.fail(f"asked {request.url}"), clock=clock)
    app = Understudy.build(settings(tmp_path, text), clock=clock, http=http, seed=1, keep=True)
    store = MemoryStore(clock)
    app._open_store = lambda: store
    async with app:
        yield app, clock


@pytest.fixture
async def made(tmp_path):
    async with running(tmp_path, CONFIG + PLANNED) as found:
        yield found


async def ask(app, path, host="127.0.0.1", language="en", **query):
    sent = []
    scope = {
        "type": "http", "method": "GET", "path": path, "query_string": urlencode(query).encode(),
        "headers": [(b"host", host.encode()), (b"accept-language", language.encode()), (b"accept-encoding", b"gzip")],
        "client": ("203.0.113.9", 50000),
    }  # fmt: skip  # a scope reads as a table

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await Service(app, hosts={"127.0.0.1"}, limit=Limit(FakeClock(), burst=10_000))(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    body = b"".join(each.get("body", b"") for each in sent[1:])
    packed = headers.get("content-encoding") == "gzip"
    return sent[0]["status"], headers, (gzip.decompress(body) if packed else body).decode(), len(body)


@pytest.mark.parametrize("path", PATHS)
async def test_it_is_not_there_unless_it_is_switched_on(tmp_path, path):
    app = Understudy.build(settings(tmp_path, "[status_page]\ntitle = 'x'\n"), clock=FakeClock(epoch=NOON))
    status, _, body, _ = await ask(app, path)
    assert status == 404
    assert "status page" not in body.lower()


@pytest.mark.parametrize("path", [*PATHS, "/status/badges/orders.svg", "/status/badges/hostile.svg"])
async def test_anybody_may_see_it_and_no_name_from_inside_is_in_it(made, path):
    app, _ = made
    status, headers, body, _ = await ask(app, path)
    assert status == 200
    assert headers["cache-control"] == "public, max-age=10"
    assert not any(each in body for each in INSIDE), body
    assert "set-cookie" not in headers
    if not path.startswith("/api/"):
        assert "<script" not in body
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "script-src" not in headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/status/nothing", "/status/badges/secret_route.svg", "/status/badges/orders"])
async def test_what_is_not_shown_is_not_there(made, path):
    assert (await ask(made[0], path))[0] == 404


async def test_the_page_has_no_script_and_is_small_with_fifty_components(tmp_path):
    many = "".join(
        f'[status_page.components.c{number}]\ntitle = "Component {number}"\napis = ["a"]\n' for number in range(50)
    )
    text = f'[apis.a]\nbase_url = "http://a"\n[status_page]\nenabled = true\n{many}'
    app = Understudy.build(settings(tmp_path, text), clock=FakeClock(epoch=NOON))
    _, headers, body, size = await ask(app, "/status")
    assert "<script" not in body
    assert 'style="' not in body
    assert size <= 15 * 1024, size
    assert headers["content-encoding"] == "gzip"
    found = (await ask(app, "/status", q="component 42"))[2]
    assert 'id="c42"' in found
    assert 'id="c41"' not in found
    assert "&lt;x&gt;" in (await ask(app, "/status", q="<x>"))[2]


async def test_both_languages_are_spoken(made):
    app, _ = made
    assert 'lang="pt-BR"' in (await ask(app, "/status", language="pt-BR,pt;q=0.9"))[2]
    assert "manutenção" in (await ask(app, "/status", lang="pt"))[2].lower()
    assert 'lang="en"' in (await ask(app, "/status", language="de"))[2]


async def test_feeds_are_well_formed_and_say_the_same_twice(made):
    app, clock = made
    first = [(await ask(app, path))[2] for path in ("/status/atom.xml", "/status/rss.xml")]
    feed = ET.fromstring(first[0])
    titles = [each.text for each in feed.iter("{http://www.w3.org/2005/Atom}title")]
    assert any(HOSTILE.replace("\u202e", "") in title for title in titles), titles
    assert [each.text for each in ET.fromstring(first[1]).iter("title")] == titles
    clock.tick(1800)
    assert (await ask(app, "/status/atom.xml"))[2] == first[0]


async def test_a_badge_escapes_what_stands_in_it_and_may_stand_elsewhere(made):
    status, headers, body, _ = await ask(made[0], "/status/badges/hostile.svg")
    assert status == 200
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    drawn = ET.fromstring(body)
    assert all(not each.tag.endswith("script") for each in drawn.iter())
    assert ET.fromstring(badge("\x00" + HOSTILE, "a<b", "odd")).get("aria-label").endswith(": a<b")


async def test_maintenance_is_told_without_the_words_of_the_silence(made):
    app, _ = made
    content = json.loads((await ask(app, "/api/status-page"))[2])
    [planned] = [each for each in content["notices"] if each["kind"] == "maintenance"]
    assert planned["components"] == [HOSTILE]
    assert planned["text"] == planned["title"] == ""
    assert {each["key"]: each["state"] for each in content["components"]}["hostile"] == "maintenance"
    assert "Planned work" in (await ask(app, "/status"))[2]


async def test_an_outage_is_an_incident(tmp_path):
    async with running(tmp_path) as (app, clock):
        await outage(app, clock)
        content = json.loads((await ask(app, "/api/status-page"))[2])
        [incident] = [each for each in content["notices"] if each["kind"] == "incident" and not each["title"]]
        assert incident["components"] == [HOSTILE]
        assert incident["ends_at"] is None
        assert {each["key"]: each["state"] for each in content["components"]}["hostile"] == "down"
        page = (await ask(app, "/status"))[2]
        assert "we know, and work on it" in page
        assert not any(each in page for each in INSIDE)


async def outage(app, clock):
    """Twenty good calls, then none."""

    async def broken():
        raise ConnectionError("secret_provider is out of order")

    async def good():
        return 1

    async def calls(operation, count):
        for _ in range(count):
            clock.tick(1)
            with suppress(ConnectionError, AllApisFailed):  # as it is meant to, where the operation is the broken one
                await app.fallback.execute_with_fallback("billing_vendor", operation)

    await calls(good, 20)
    await calls(broken, 120)
    for _ in range(5):
        await clock.advance(30)


async def test_a_thousand_visitors_cost_one_look(made):
    app, clock = made
    first = await view_of(app)
    assert all([await view_of(app) is first for _ in range(1000)])
    clock.tick(9)
    assert await view_of(app) is first
    clock.tick(2)
    assert await view_of(app) is not first


async def test_under_its_own_host_there_is_nothing_else(tmp_path):
    chosen = settings(tmp_path, CONFIG, "status_page.host=status.example.com")
    app = Understudy.build(chosen, clock=FakeClock(epoch=NOON))
    assert 'id="orders"' in (await ask(app, "/", host="status.example.com"))[2]
    assert (await ask(app, "/status/rss.xml", host="status.example.com"))[0] == 200
    for path in ("/api/status", "/apis", "/login", "/metrics", "/health"):
        assert (await ask(app, path, host="status.example.com"))[0] == 404
    assert (await ask(app, "/", host="other.example.com"))[0] == 421


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[status_page.components.x]\ntitle = "X"\napis = ["nothing"]\n', "no API of that name"),
        ('[status_page.components.x]\ntitle = "X"\nroutes = ["nothing"]\n', "no route of that name"),
        ('[status_page.components."a b"]\ntitle = "X"\n', "keys of small letters"),
        ('[status_page.notices.x]\ntitle = "X"\ncomponents = ["y"]\n', "no component of that key"),
        ('[status_page.notices.x]\ntitle = "X"\nstarts = "soon"\n', "a time such as"),
        ("[status_page]\ngood = 90\nbad = 95\n", "at most what is good"),
        ('[status_page]\nhome = "javascript:alert(1)"\n', "an address such as"),
        ('[status_page]\nhost = "a b"\n', "a host's name"),
    ],
)
def test_what_is_wrong_in_the_configuration_is_said(tmp_path, text, said):
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, text)
    assert said in str(caught.value)


def test_a_strip_tells_each_state_by_height_and_by_words():
    states = ["unknown"] * 30 + ["ok"] * 58 + ["degraded", "down"]
    days = tuple(PublicDay(number * 86400, state, 97.0) for number, state in enumerate(states))
    found = strip(PublicComponent("k", "T", "", "", "ok", 97.0, days), texts("en"))
    assert found.said == "58 good days, 1 with trouble, 1 bad, 30 without data"
    assert [state for state, _ in found.paths] == ["unknown", "ok", "degraded", "down"]
    assert len({path.split("zM")[0].split("h", 1)[1] for _, path in found.paths}) == 4
    assert [day.state for day in found.troubled] == ["down", "degraded"]


def test_the_export_is_a_page_that_needs_no_service(tmp_path, capsys):
    app = Understudy.build(settings(tmp_path))
    server = uvicorn.Server(uvicorn.Config(Service(app), port=0, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        out = tmp_path / "out"
        assert run(["status-page", "export", str(out), "--url", f"http://127.0.0.1:{port}"]) == 0
        app.settings = replace(app.settings, status_page=StatusPageOptions())
        assert run(["status-page", "export", str(out), "--url", f"http://127.0.0.1:{port}"]) == 1
        assert "enabled = true under [status_page]" in capsys.readouterr().err
    finally:
        server.should_exit = True
        thread.join()
    page = (out / "index.html").read_text()
    assert "/static/" not in page
    assert "/status" not in page
    assert "<form" not in page
    for name in (
        "status-page.css",
        "mark.svg",
        "atom.xml",
        "rss.xml",
        "status.json",
        "badges/all.svg",
        "badges/orders.svg",
    ):
        assert (out / name).is_file(), name
    assert json.loads((out / "status.json").read_text())["title"] == HOSTILE
