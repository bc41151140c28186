"""Forty secrets are planted wherever the service meets some; nothing that it ever says holds one of them.

The service runs with real APIs and receivers behind it, which quote in their answers all that they were sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gzip
import html
import io
import json
import logging
import pickle
import re
import traceback
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
import uvicorn
from planted import SECRETS, Search
from signed import PAGE, Asker, Signed, add_accounts

from certificates import Authority
from understudy.app import Understudy
from understudy.cli.commands import run
from understudy.config import Loaded, load
from understudy.config.managed import ManagedTree
from understudy.config.reload import Reloader
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.errors import UnderstudyError
from understudy.core.redaction import REDACTOR
from understudy.export.logs import LIBRARIES, JsonFormatter, TextFormatter
from understudy.managing import Managing
from understudy.testing import FakeClock
from understudy.testing.receivers.base import Received, Receiver, Reply
from understudy.testing.receivers.smtp import SmtpReceiver, says
from understudy.testing.receivers.webhook import WebhookReceiver
from understudy.web.asgi import Service
from understudy.web.auth.process import Process
from understudy.web.middleware import Limit
from understudy.web.table import ROUTES

S = SECRETS
#: What is written in TOML as it stands.
Q = {name: json.dumps(value) for name, value in S.items()}


class Careless(Receiver):
    """An API, a chat and a token server in one: refuses everything, and quotes what it was asked with."""

    def answer(self, request: Received) -> Reply:
        if request.path == "/token" and "client" in request.query:
            text = json.dumps({"access_token": S["access token"], "refresh_token": S["refresh token"]})
            return Reply(200, text.encode(), {"Content-Type": "application/json"})
        status = {"/v1/limited": 429, "/v1/broken": 500, "/v1/moved": 302, "/v1/ok": 200}.get(request.path, 401)
        basic = request.headers.get("authorization", "")
        seen = {
            "error": f"Invalid API key: {basic or dict(request.query)} for {request.target}",
            "headers": dict(request.headers), "query": dict(request.query), "body": request.body.decode(),
            "yours": S["somebody's token in an answer"], "raw": repr(request.headers),
        }  # fmt: skip
        told = {"X-Debug-Auth": basic, "X-Debug-Url": request.target} | {
            "Set-Cookie": f"sid={S['cookie of an answer']}; Path=/",
            "Location": f"/v1/next?access_token={S['target of a redirect']}",
        }
        return Reply(status, json.dumps(seen).encode(), {name: value for name, value in told.items() if value})


def written(folder: Path, careless: Careless, hook: WebhookReceiver, mail: SmtpReceiver, ca_file: str) -> None:
    """The configuration, with a secret wherever one may stand."""
    base = careless.base
    (folder / "a secret").write_text(S["api key in a secret file"])
    (folder / ".env").write_text(f"DOT_KEY='{S['api key in .env']}'\nDASHBOARD_SECRET_KEY='{S['service key']}'\n")
    apis = {
        "file": f'base_url = "{base}/v1"\nauth = {{ kind = "bearer", keys = [{Q["api key in the file"]}] }}',
        "variable": f'base_url = "{base}/v1"\nauth = {{ kind = "header", name = "X-Own", keys = ["env:OWN_KEY"] }}',
        "dotted": f'base_url = "{base}/v1"\nauth = {{ kind = "query", name = "q", keys = ["env:DOT_KEY"] }}',
        "secretly": f'base_url = "{base}/v1"\nauth = {{ kind = "rapidapi", keys = ["file:{folder}/a secret"] }}',
        "basic": f'base_url = "{base}/v1"\nauth = {{ kind = "basic", username = "me", '
        f"keys = [{Q['password of basic auth']}] }}",
        "oauth": f'base_url = "{base}/v1"\nauth = {{ kind = "oauth2_client_credentials", username = "me", '
        f'token_url = "{base}/token?client=1&api_key={S["query of a token url"]}", keys = [{Q["client secret"]}] }}',
        "asking": f'base_url = "{base}/v1"\nauth = {{ kind = "token_request", token_url = "{base}/token?k={{key}}", '
        f'token_body = \'{{"k": "{{key}}"}}\', keys = [{Q["key of a token request"]}] }}',
        "headed": f'base_url = "{base}/v1"\nheaders = {{ X-Api-Key = {Q["fixed header"]} }}',
        "probed": f'base_url = "{base}/v1"\nauth = {{ kind = "query", name = "code", '
        f'keys = [{Q["key of a probe"]}] }}\nhealth_check = {{ path = "/x", cost = "free", interval = 0.2 }}',
    }
    channels = {
        "chat": f'kind = "slack"\nurl = "{base}/services/T/B/{S["slack"]}"',
        "gamers": f'kind = "discord"\nurl = "{base}/api/webhooks/1234/{S["discord"]}"',
        "birds": f'kind = "telegram"\nbot_token = "123456789:{S["telegram"]}"\nchat_id = "42"\napi_base = "{base}"',
        "pager": f'kind = "pagerduty"\nrouting_key = {Q["pagerduty"]}\napi_base = "{base}"',
        "genie": f'kind = "opsgenie"\napi_key = {Q["opsgenie"]}\napi_base = "{base}"',
        "hook": f'kind = "webhook"\nurl = "{base}/in/{S["webhook path"]}"\nsecret = {Q["webhook signing"]}\n'
        f"authorization = {Q['webhook authorization']}",
        "mail": f'kind = "email"\nhost = "127.0.0.1"\nport = {mail.port}\nsecurity = "starttls"\n'
        f'ca_file = "{ca_file}"\nusername = "me"\n'
        f'password = {Q["smtp password"]}\nfrom_email = "a@example.com"\nto_emails = ["b@example.com"]',
        "any": f'kind = "apprise"\nurls = ["json://me:{S["apprise"]}@127.0.0.1:{careless.port}/x"]',
        "well": f'kind = "webhook"\nurl = "{hook.url}"',
    }
    tables = [f"[apis.{name}]\nretry = {{ max_attempts_per_api = 1 }}\n{text}" for name, text in apis.items()]
    tables += [f"[channels.{name}]\nallow_private = true\n{text}" for name, text in channels.items()]
    tables.append(
        '[alerts.rules.failing]\nmetric = "success_rate"\noperator = "<"\nthreshold = 99\nwindow = 60\nmin_samples = 1'
    )
    tables.append(f"[routes.all]\napis = {json.dumps(list(apis))}\nmax_attempts = 20\nmax_apis = 20")
    (folder / "understudy.toml").write_text(
        f'[storage]\nurl = "sqlite:///{folder}/u.db"\n[service]\nreport_token = {Q["report token"]}\n'
        'allow_networks = ["127.0.0.0/8"]\n[log]\nlevel = "DEBUG"\n' + "\n".join(tables)
    )


class Site(Signed):
    """A service that people manage, and what was said by it."""

    search: Search
    loaded: Loaded
    folder: Path
    careless: Careless
    hook: WebhookReceiver
    said: list[tuple[str, str]]


@asynccontextmanager
async def site(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """The service of the configuration; the environment holds secrets, too."""
    authority = Authority(folder)
    async with (
        Careless() as careless, WebhookReceiver() as hook,
        SmtpReceiver(users={"me": "another"}, tls=authority.server()) as mail,
    ):  # fmt: skip
        mail.always = says("login", f"535 5.7.8 bad password {S['smtp password']}")
        written(folder, careless, hook, mail, authority.ca_file)
        monkeypatch.setenv("OWN_KEY", S["api key in a variable"])
        monkeypatch.chdir(folder)

        def read(tree: ManagedTree) -> Loaded:
            return load(secret_dirs=(), managed=tree)

        loaded = read(ManagedTree())
        REDACTOR.add(*loaded.secrets())  # as `configure_logging` does
        async with Understudy.build(loaded.settings, seed=1, keep=True) as app:
            await add_accounts(app, SYSTEM_CLOCK.time())
            reloader = Reloader(loaded, lambda: read(managing.tree), lambda new: app.reload(new.settings), pytest.fail)
            assert app.keeping is not None
            managing = app.managing = Managing(
                app, app.keeping.store.documents, lambda: reloader.current, read, reloader.change, Understudy.build
            )
            process = Process(loaded=lambda: reloader.current, restart=lambda: None)
            made = Site(app, Service(app, limit=Limit(SYSTEM_CLOCK, burst=100_000), process=process), FakeClock())
            made.search, made.loaded, made.folder = Search(), loaded, folder
            made.careless, made.hook, made.said = careless, hook, []
            yield made


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything that every logger says, as text and as JSON."""
    root, out = logging.getLogger(), io.StringIO()
    levels = {name: logging.getLogger(name).level for name in ("", *LIBRARIES)}
    handlers = [logging.StreamHandler(out), logging.StreamHandler(out)]
    handlers[0].setFormatter(TextFormatter(REDACTOR))
    handlers[1].setFormatter(JsonFormatter(REDACTOR, version="0", environment="test"))
    for each in handlers:
        root.addHandler(each)
    for name in levels:  # as `log.level = "DEBUG"` sets them
        logging.getLogger(name).setLevel(logging.WARNING if name else logging.DEBUG)
    yield out
    for each in handlers:
        root.removeHandler(each)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


async def until(so) -> None:
    """Wait for what comes from outside."""
    for _ in range(1000):
        if so():
            return
        await SYSTEM_CLOCK.sleep(0.02)
    pytest.fail("it never came")


def told_by(error: BaseException) -> list[str]:
    told = ["".join(traceback.format_exception(error)), repr(error), str(error)]
    if isinstance(error, UnderstudyError) and hasattr(error, "explain"):
        told.append(str(error.explain()))
    return told


def readable(content: bytes) -> str:
    """The text of an answer or a file, of a packed one the texts in it."""
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            content = b"".join(packed.read(each) for each in packed.namelist())
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    return content.decode("utf-8", "replace")


# -- what is done --------------------------------------------------------------------------------------------


async def drive(it: Site) -> None:
    """Calls that fail in every way, and what people do and get wrong."""
    from understudy.core.http import HttpRequest

    app = it.app
    for name in app.fallback.roster.apis:
        app.fallback.register_route(f"only {name}", apis=(name,))
        for path in ("/ok", "/refused", "/limited", "/broken", "/moved"):
            try:
                await app.route(f"only {name}").post(
                    path, params={"api_key": S["query of a call"]}, json={"password": S["body of a call"]},
                    headers={"X-Auth-Token": S["header of a call"]}, deadline=5,
                )  # fmt: skip
            except UnderstudyError as error:
                it.said += [(f"error of {name}{path}", text) for text in told_by(error)]

    async def raising() -> None:
        raise RuntimeError(f"Incorrect API key provided: {S['text of an exception']}. password={S['body of a call']}")

    with contextlib.suppress(UnderstudyError, RuntimeError):
        await app.fallback.execute_with_fallback("raising", raising)
    logging.getLogger("a.library").warning("GET /x Authorization: Bearer %s", S["line of a library"])
    request = HttpRequest("GET", f"https://u:{S['query of a call']}@api.test/x", {}, b"")
    it.said.append(("repr of a request", repr(request)))
    await app.check()


async def entered(it: Site, admin: Asker) -> None:
    """What people type, rightly and wrongly."""
    base = it.careless.base
    typed = {"base_url": f"{base}/v1", "auth": {"kind": "bearer", "keys": [S["typed key"]]}}
    channel = {"kind": "slack", "url": f"https://hooks.slack.com/services/T/B/{S['typed channel']}"}
    wrong = S["key in a wrong place"]
    nested = typed | {"auth": {"kind": "bearer", "keys": {"kees": wrong}}}
    placed = typed | {"base_url": f"ftp://u:{wrong}@x/", "health_check": {"path": f"/x?token={wrong}"}}
    queried = {"api_key": wrong, "base_url": f"https://x/?api_key={wrong}"}
    answered = []
    for method, path, body, status in (
        ("PUT", "/api/settings/apis/typed", {"values": typed}, 201),
        ("POST", "/api/settings/apis/typed/test", {"values": typed}, 200),
        ("PUT", "/api/settings/channels/typed", {"values": channel}, 201),
        ("PUT", "/api/settings/apis/bad", {"values": nested}, 422),
        ("PUT", "/api/settings/apis/bad", {"values": placed}, 422),
        ("PUT", "/api/settings/apis/bad", {"values": queried}, 422),
        ("PUT", "/api/settings/channels/bad", {"values": {"kind": "slack", "url": f"gopher://{wrong}"}}, 422),
        ("PUT", "/api/settings/channels/bad", {"values": {"kind": "telegram", "bot_token": wrong}}, 422),
        ("POST", "/api/apis/file/drain", {"reason": "rotating", "until": wrong}, 422),
        ("POST", "/api/instances/report", {"token": wrong}, 401),
    ):  # fmt: skip
        reply = await admin.send(method, path, body)
        it.said.append((f"{method} {path}", reply.text))
        answered.append((reply.status // 100 == status // 100, path, reply.text[:300]))
    assert all(each[0] for each in answered), answered

    async def tried(name: str) -> None:
        reply = await admin.send("POST", "/api/notifications/test", {"channel": name})
        it.said.append((f"test of {name}", reply.text))

    await asyncio.gather(*(tried(name) for name in (*it.loaded.settings.channels, "typed")))
    body = {"title": "Deploy", "content": "in ten minutes", "severity": "critical", "channels": ["well"]}
    it.said.append(("send", (await admin.send("POST", "/api/notifications/send", body)).text))
    pasted = await admin.form("/setup/start", pasted=f"curl -H 'X-Api-Key: {S['pasted key']}' {base}/v1/ok")
    it.said.append(("first run", pasted.text))
    if "location" in pasted.headers:
        it.said.append(("draft", (await admin.page(pasted.headers["location"])).text))


async def signed_in_and_not(it: Site) -> tuple[Asker, Asker]:
    """An administrator and a viewer; what went wrong on the way is told, too."""
    for name, password in (
        ("ada", S["wrong password"]), (S["password in the place of the name"], "whatever words are"),
    ):  # fmt: skip
        reply = await it.browser(client="127.0.0.9").sign_in(name, password)
        # Whoever typed it is shown what they typed into the field of the name again, and nobody else.
        shown = reply.text.replace(f'value="{html.escape(name)}"', "")
        it.said.append(("wrong sign-in", shown))
    admin, viewer = await it.signed_in("admin"), await it.signed_in("viewer")
    secret = S["password"]
    made = await admin.send("POST", "/api/admin/accounts", {"name": "eve", "role": "viewer", "new": secret})
    it.said.append(("account", made.text))
    assert made.status == 201, made.text
    for asker, who in ((admin, "admin"), (viewer, "viewer")):
        [session] = [value for name, value in asker.cookies.items() if name == "us"]
        it.search.add(f"session of the {who}", session)
    token = await it.token(admin, "read", "admin")
    it.search.add("token", token)
    it.search.add("secret of the token", token.rpartition("_")[2][8:40])
    reply = await it.program(token + "0").get("/api/status")
    it.said.append(("wrong token", reply.text))
    return admin, viewer


async def places(it: Site, admin: Asker) -> dict[str, list[str]]:
    """What stands in the places of paths, so that every page shows something."""

    async def of(path: str, key: str, name: str) -> list[str]:
        return [each[name] for each in (await admin.get(path)).json[key] if each[name]][:3]

    apis = [*it.app.fallback.roster.apis]
    alerts = [each.episode for each in it.app.alerts.active()][:3]
    requests = await of("/api/requests?limit=100", "requests", "call_id")
    return {
        "api": [*apis[:4], "probed"], "route": list(it.app.fallback.roster.routes)[:2], "call": requests,
        "channel": list(it.app.notifications.channels()), "name": [*apis[:1], "typed", "all", "hook", "chat"],
        "rule": ["success_rate"], "account": ["id-viewer"], "file": ["x", "atom.xml"], "badge": ["all.svg"],
        "act": ["drain", "reset"], "draft": ["none"], "alert": alerts, "event": ["none"],
    }  # fmt: skip


def paths(standing: dict[str, list[str]]) -> Iterator[str]:
    """Every path that is served to GET, with what there is in its places; lists also as files."""
    for (method, pattern), each in sorted(ROUTES.items()):
        if method != "GET" or pattern == "/live":
            continue
        spots = re.findall(r"\{(\w+)\}", pattern)
        values = standing.get(spots[0], ["x"]) if spots else [""]
        for value in values:
            path = re.sub(r"\{\w+\}", lambda _, value=value: quote(value, safe=""), pattern, count=1)
            path = re.sub(r"\{\w+\}", "drain", path)
            yield path
            known = {param.name for param in each.declared.query or ()}
            if "format" in known:
                yield f"{path}?format=csv" + ("&rows=100" if "rows" in known else "")
            if pattern == "/apis/{api}":
                yield from (f"{path}?tab={tab}" for tab in ("config", "checks", "alerts"))
    yield from (f"/api/reports?kind=summary&format={kind}" for kind in ("html", "csv", "json"))
    yield from ("/metrics", "/health", "/nothing-here", "/api/nothing", "/api/requests?q=%3A", "/api/audit?verify=1")


async def looked_at(it: Site, asker: Asker, who: str, language: str) -> int:
    """Read everything that is served; how many answers were good."""
    good = 0
    for path in paths(await places(it, asker) if who == "admin" else it.standing):
        for accept in (PAGE, "application/json"):
            if accept == PAGE and path.startswith("/api/") and "report" not in path:
                continue
            reply = await asker.ask("GET", path, accept=accept, accept_language=language)
            assert reply.status < 500 or path == "/health", (path, reply.text[:300])
            good += reply.status == 200
            it.said.append((f"{path} for {who} in {language}", readable(reply.body) + repr(reply.headers)))
    return good


async def listened(it: Site, asker: Asker) -> None:
    """Everything that a live stream tells for a while, while calls fail."""
    from understudy.web.live.topics import KINDS

    rows = ",".join(list(it.app.fallback.roster.apis)[:20])
    arguments = {"rows": rows, "newest": rows, "heat": "1h", "series": "file", "requests": ""}
    topics = [f"{name}:{arguments.get(name, 'x')}" if kind.argument else name for name, kind in KINDS.items()]
    sent: list[bytes] = []
    left = asyncio.Event()

    async def receive() -> dict[str, object]:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message) -> None:
        sent.append(message.get("body", b""))

    cookie = "; ".join(f"{name}={value}" for name, value in asker.cookies.items()).encode()
    query = urlencode({"topics": json.dumps(topics)}).encode()
    scope = {
        "type": "http", "method": "GET", "path": "/live", "query_string": query,
        "client": ("127.0.0.1", 5), "headers": [(b"host", b"127.0.0.1"), (b"cookie", cookie)],
    }  # fmt: skip
    stream = asyncio.ensure_future(it.service(scope, receive, send))
    await until(lambda: b'"events"' in b"".join(sent))
    await drive(it)
    await until(lambda: b'"requests:"' in b"".join(sent) and b"HTTP 401" in b"".join(sent))
    left.set()
    await stream
    it.said.append(("live", b"".join(sent).decode()))


COMMANDS = (
    "status", "status --json", "explain --json", "explain --last", "config check", "config explain",
    "config explain --json", "check --json", "check", "report --format json",
    "report --format html", "report --format csv --output report.zip",
    "api check file", "alerts list --json", "rules list --json", "silence list --json", "notify stats --json",
    "notify log --json", "notify dead --json", "notify test chat --json", "admin list", "db check",
    "notify simulate --json", "config check --set apis.file.auth.keys=7{wrong}",
    "config check --set apis.file.auth.keyy={wrong}",
    "config check --set apis.file.base_url=https://me:{named}@x.example/?api_key={named}",
    "db check --set storage.url=postgresql://u:{database}@127.0.0.1:1/x",
    "db check --set storage.url=mysql://u:{database}@127.0.0.1:1/x", "status --token {token}",
    "config check --set service.secret_key={wrong} --set channels.chat.url=ftp://{wrong}",
    "--token {token} status", "route pin all nobody", "api drain nobody --reason x",
)  # fmt: skip


async def commanded(it: Site, token: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What the command line says, offline and of the running service."""
    config = uvicorn.Config(it.service, port=0, log_config=None, lifespan="off", access_log=False)
    server = uvicorn.Server(config)
    running = asyncio.ensure_future(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    given = {
        "wrong": S["key in a wrong place"], "named": S["password of a base url"], "database": S["database password"],
        "token": S["token on the command line"],
    }  # fmt: skip
    codes = []
    for command in COMMANDS:
        words = [part.format(**given) for part in command.split()]
        own = words[0] in ("config", "db", "admin", "check")
        front = [] if own or "--token" in words else ["--url", f"http://127.0.0.1:{port}", "--token", token]
        front = ["--url", f"http://127.0.0.1:{port}"] if "--token" in words and not own else front
        codes.append(await asyncio.to_thread(run, [*front, *words]))
        out = capsys.readouterr()
        it.said.append((command, out.out + out.err))
    assert codes.count(0) > 12, list(zip(codes, COMMANDS, strict=True))
    server.should_exit = True
    await running


def kept(it: Site) -> None:
    """What lies on the disk, but for the files that people wrote their secrets into."""
    ours = {"understudy.toml", ".env", "a secret"}
    for each in it.folder.rglob("*"):
        if each.is_file() and each.name not in ours:
            it.said.append((each.name, readable(each.read_bytes())))


def shown(it: Site) -> None:
    """What objects say of themselves, and what can be carried away in one piece."""
    app = it.app
    roster = app.fallback.roster
    of_interest = [it.loaded, it.loaded.settings, app.settings, roster, app.notifications, app.fallback, app.managing]
    of_interest += [each for api in roster.apis.values() for each in (api, api.options, api.auth, api.keys)]
    of_interest += list(app.notifications.channels().values())
    for each in of_interest:
        it.said.append((f"repr of {type(each).__name__}", f"{each!r} {each!s}"))
    for secret in it.loaded.secrets():
        for dump in (pickle.dumps, copy.deepcopy, json.dumps):
            with pytest.raises(TypeError):
                dump(secret)
    it.said.append(("vars", repr([vars(each) for each in (app, app.fallback, app.notifications)])))


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
async def test_nothing_that_is_said_holds_a_secret(tmp_path, monkeypatch, capsys, logged):
    async with site(tmp_path, monkeypatch) as it:
        admin, viewer = await signed_in_and_not(it)
        token = await it.token(admin, "read", "routes:write", "notify:send", "channels:read", "inspect")
        await drive(it)
        await entered(it, admin)
        await listened(it, admin)
        await until(lambda: len(it.hook.accepted) > 2)  # the message, the test and an alert
        it.standing = await places(it, admin)
        good = [await looked_at(it, asker, who, language)
                for asker, who, language in ((admin, "admin", "en"), (viewer, "viewer", "pt-BR"))]  # fmt: skip
        await commanded(it, token, capsys)
        backup = await admin.send("POST", "/api/admin/backup")
        assert backup.status in (200, 201), backup.text
        it.said.append(("backup", readable(backup.body)))
        shown(it)
        it.said += [("notified", json.dumps(each)) for each in it.hook.accepted]
        it.said.append(("log", logged.getvalue()))
        await it.app.keeping.request_log.stop()
    kept(it)
    assert good[0] > 150 and good[1] > 100, good
    assert it.hook.accepted
    found = [each for where, said in it.said for each in it.search.found(where, said)]
    assert not found, f"{len(found)} in {len(it.said)} answers:\n" + "\n".join(found[:40])
    assert len(SECRETS) >= 40 and it.search.searched > 1_000_000
