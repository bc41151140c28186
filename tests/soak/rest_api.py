"""Thousands of requests made up from the OpenAPI document, sent to a real service: what they must never bring about.

Half of them are as the document says, half are not: wrong types, wrong ranges, keys that nobody knows. Places of
paths often name something that there is. Every answer must be documented, as its schema says, and no error of ours;
an answer with a key that its schema does not name counts as undocumented. All of it is asked twice: by whoever
reaches a service without accounts, and by an administrator who is signed in to a service with accounts.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import argon2
import requests
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import (
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.generation import GenerationMode

from understudy.alerts.ports import Signal
from understudy.app import Understudy
from understudy.config import Loaded, load
from understudy.config.managed import ManagedTree
from understudy.config.reload import Reloader
from understudy.core.accounts import Account
from understudy.core.clock import SYSTEM_CLOCK
from understudy.managing import Managing
from understudy.notifications.message import NotificationMessage, Rejected
from understudy.testing import MemoryChannel
from understudy.web.asgi import Service
from understudy.web.auth.permissions import Permission
from understudy.web.middleware import Limit
from understudy.web.openapi import document
from understudy.web.table import ROUTES

from .experiment import Report, Tell, quiet

TITLE = "Requests made up from the OpenAPI document, to a real service"
#: How many are planned for each of the two, and how many there must be at least: nothing wrong can be made up for
#: some endpoints.
CASES, LEAST = 15_000, 10_000
#: Checks of an answer. That wrong requests are refused is looked at where a schema can say what is wrong.
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
#: They end the service, or the session of whoever asks.
LEFT_OUT = frozenset({"/admin/restart", "/api/admin/restart", "/api/logout"})
#: Refusals that the library does not count as such.
TOO_LARGE = (413, 414)
#: What there is in every service, for the places of paths.
NAMES = {
    "api": ("odds", "spare"), "route": ("r", "odds"), "rule": ("success_rate", "mine"), "channel": ("room",),
    "name": ("mine", "odds", "room"),
}  # fmt: skip
#: Where to read what else there is: the place of a path, the list, its key, and what names an entry.
LISTS = (
    ("alert", "/api/alerts?state=all", "episodes", "episode"), ("silence", "/api/alerts/silences", "silences", "id"),
    ("call", "/api/requests", "requests", "call_id"), ("row", "/api/notifications/dead", "rows", "id"),
    ("event", "/api/notifications/log", "attempts", "row"), ("account", "/api/admin/accounts", "accounts", "id"),
    ("token", "/api/admin/tokens", "tokens", "id"),
)  # fmt: skip
#: What a plain question says besides what it must.
PLAIN = {
    "/api/performance": {"api": "odds", "compare": "odds,spare"}, "/api/history/compare": {"names": "odds,spare"},
    "/api/history": {"name": "odds"}, "/api/history/week": {"name": "odds"}, "/api/compare": {"api": ["odds", "spare"]},
}  # fmt: skip
#: Entries that can be edited.
FILE = """
[storage]
url = "sqlite:///{folder}/u.db"
[apis.mine]
base_url = "{there}/v1"
[routes.mine]
apis = ["mine"]
[channels.mine]
kind = "discord"
url = "{there}/api/webhooks/1/x"
"""
ADMIN, PASSWORD = "ada", "violet ladder seventeen foxes"


@dataclasses.dataclass(slots=True)
class Tried:
    """What a run has seen."""

    cases: int = 0
    statuses: Counter[int] = dataclasses.field(default_factory=Counter)
    faults: dict[str, str] = dataclasses.field(default_factory=dict)
    #: Endpoints that read, and what they said to a plain question instead of answering.
    unanswered: dict[str, str] = dataclasses.field(default_factory=dict)


async def _broken() -> str:
    raise RuntimeError("<script>alert(1)</script> ' OR 1=1 --")


async def _served() -> str:
    return "odds"


async def _prepared(app: Understudy) -> None:
    """Something to ask about: two APIs of one route, calls that failed and calls that did not."""
    app.fallback.register_api("odds", route="r", operation=_broken)
    app.fallback.register_api("spare", route="r", operation=_served)
    for _ in range(8):
        await app.fallback.execute_with_fallback("odds", _broken)
    await app.monitor.performance_summary()  # settles what was recorded
    if app.keeping is not None:
        await app.keeping.request_log.stop()  # what is gathered is kept now


async def _peopled(app: Understudy) -> None:
    """An administrator, and others to be changed and removed."""
    assert app.keeping is not None
    made, now = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD), app.clock.time()
    for role, name in (("admin", ADMIN), ("admin", "adi"), ("operator", "oto"), ("viewer", "vera"), ("viewer", "vic")):
        assert await app.keeping.accounts.add(Account(f"id-{name}", name, role, made, now, now))


async def _alarmed(app: Understudy) -> None:
    """An alert that fires, one message that was given up, a silence: what is asked about is there."""
    app.add_channel("room", MemoryChannel(script=[Rejected("no such room")]))
    while not await app.alerts.ready():
        await SYSTEM_CLOCK.sleep(0.01)
    await app.notifications.send_notification(NotificationMessage("title", "content", channels=("room",)))
    await app.alerts.signal(Signal("api_down", {"api": "odds"}, True, app.clock.time()))


class _There(BaseHTTPRequestHandler):
    """Whoever is told something, and the API that can be edited."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "11")
        self.end_headers()
        self.wfile.write(b'{"id": "1"}')

    do_POST = do_GET  # noqa: N815 - as above

    def log_message(self, *_: object) -> None:
        """Nothing of it is worth a line."""


class _Life:
    """A service on a port of its own, in a thread of its own."""

    def __init__(self, folder: Path, there: str, people: bool) -> None:
        self._folder, self._there, self._people = folder, there, people
        self._server: uvicorn.Server
        self.up = threading.Event()
        self.url = ""

    def _read(self, tree: ManagedTree) -> Loaded:
        return load(cwd=self._folder, env={}, managed=tree)

    def _manage(self, app: Understudy, loaded: Loaded) -> Managing:
        """Settings can be edited, as in the service that `understudy run` starts."""
        assert app.keeping is not None
        reloader = Reloader(
            loaded, lambda: self._read(managing.tree), lambda new: app.reload(new.settings) and None, lambda error: None
        )
        managing = Managing(
            app, app.keeping.store.documents, lambda: reloader.current, self._read, reloader.change, Understudy.build
        )
        return managing

    async def _serve(self) -> None:
        (self._folder / "understudy.toml").write_text(FILE.format(folder=self._folder, there=self._there))
        loaded = self._read(ManagedTree())
        async with Understudy.build(loaded.settings, seed=1, keep=True) as app:
            app.managing = self._manage(app, loaded)
            if self._people:
                await _peopled(app)
            await _prepared(app)
            await _alarmed(app)
            service = Service(app, limit=Limit(SYSTEM_CLOCK, rate=1e6, burst=1_000_000))
            self._server = uvicorn.Server(uvicorn.Config(service, port=0, log_config=None, lifespan="off"))
            self._server.install_signal_handlers = lambda: None
            serving = asyncio.create_task(self._server.serve())
            while not self._server.started and not serving.done():
                await asyncio.sleep(0)
            self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
            self.up.set()
            await serving

    def run(self) -> None:
        """The life of the thread."""
        asyncio.run(self._serve())

    def end(self) -> None:
        """Ask it to end."""
        self._server.should_exit = True


@contextmanager
def serving(people: bool = False) -> Iterator[str]:
    """The address of a service that has something to tell; with `people` it has accounts."""
    with tempfile.TemporaryDirectory() as folder, ThreadingHTTPServer(("127.0.0.1", 0), _There) as there:
        threading.Thread(target=there.serve_forever, daemon=True).start()
        life = _Life(Path(folder), f"http://127.0.0.1:{there.server_port}", people)
        thread = threading.Thread(target=life.run, daemon=True)
        thread.start()
        assert life.up.wait(60), "the service did not start"
        try:
            yield life.url
        finally:
            life.end()
            thread.join(30)
            there.shutdown()


def asked(url: str, cases: int, chance: int, tell: Tell = quiet, *, people: bool = False) -> Tried:
    """So many requests, shared out evenly among the operations."""
    told = closed(document(ROUTES, (lambda needs: True) if people else _allowed, "0"))
    told["paths"] = {path: each for path, each in told["paths"].items() if path not in LEFT_OUT}
    del told["security"], told["components"]["securitySchemes"]  # nobody makes up a token beside the session's cookie
    schema = schemathesis.openapi.from_dict(told)
    operations = [each.ok() for each in schema.get_all_operations()]
    tried = Tried()
    session = _session(url, people=people)
    names = _known(url, session)
    each = -(-cases // (2 * len(operations)))
    for operation in operations:
        _plainly(operation, url, session, names, tried)
    for number, operation in enumerate(operations if cases else ()):
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            _run(operation, mode, each, chance + number, url, session, names, tried)
        tell((number + 1) / len(operations))
    return tried


def _allowed(needs: Permission) -> bool:
    """What whoever reaches a service without accounts may do; the rest would be refused."""
    return needs is not Permission.ADMIN


def _session(url: str, *, people: bool) -> requests.Session:
    """Somebody who asks; with `people` the administrator, in a browser that has just signed in."""
    session = requests.Session()
    if people:
        session.headers["Sec-Fetch-Site"] = "same-origin"
        session.post(f"{url}/login", {"name": ADMIN, "password": PASSWORD}, allow_redirects=False, timeout=60)
        me = session.get(f"{url}/api/me", timeout=60).json()
        assert me["name"] == ADMIN, me
        assert session.post(f"{url}/api/me/tokens", json={"name": "ci", "scopes": ["read"]}, timeout=60).ok
    return session


def _known(url: str, session: requests.Session) -> dict[str, Sequence[str]]:
    """What there is, for the places of paths; whoever asks is not to remove itself."""
    names: dict[str, Sequence[str]] = dict(NAMES)
    for place, path, key, name in LISTS:
        found = session.get(f"{url}{path}", timeout=60).json().get(key, ())
        if known := [each[name] for each in found if each.get("name") != ADMIN]:
            names[place] = known
    return names


def closed(told: dict[str, Any]) -> dict[str, Any]:
    """The document with every object that names its keys allowed no others: what is answered must be declared."""

    def shut(schema: Any) -> Any:
        if isinstance(schema, list):
            return [shut(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        found = {name: shut(value) for name, value in schema.items()}
        return {**found, "additionalProperties": False} if isinstance(found.get("properties"), dict) else found

    named = told["components"]["schemas"]
    told["components"]["schemas"] = {
        name: value if name == "Problem" else shut(value) for name, value in named.items()  # a problem may say more
    }  # fmt: skip
    for operation in (each for path in told["paths"].values() for each in path.values()):
        for answer in operation["responses"].values():
            for content in answer.get("content", {}).values():
                content["schema"] = shut(content["schema"])
    return told


def _run(
    operation: Any, mode: GenerationMode, cases: int, chance: int, url: str, session: requests.Session,
    names: Mapping[str, Sequence[str]], tried: Tried,
) -> None:  # fmt: skip
    strategy = operation.as_strategy(generation_mode=mode)
    drawn = random.Random(chance)

    @seed(chance)
    @settings(
        max_examples=cases, deadline=None, database=None, phases=[Phase.generate], verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck), derandomize=False,
    )  # fmt: skip
    @given(case=strategy, known=st.booleans())
    def one(case: Any, known: bool) -> None:
        for name, values in names.items():
            if known and case.path_parameters and name in case.path_parameters:
                case.path_parameters[name] = drawn.choice(values)
        _sent(operation, case, mode, url, session, tried)

    try:
        one()
    except (
        schemathesis.errors.SchemathesisError
    ) as error:  # nothing wrong can be made up for an endpoint that takes all
        if mode is GenerationMode.POSITIVE:
            raise AssertionError(f"{operation.label}: {error}") from error
    except Exception as error:
        if type(error).__name__ not in ("Unsatisfiable", "SkipTest"):
            raise


def _plainly(
    operation: Any, url: str, session: requests.Session, names: Mapping[str, Sequence[str]], tried: Tried
) -> None:
    """The endpoint as the document's own examples ask for it, about things that there are."""
    said = operation.definition.raw
    places = {each["name"]: names.get(each["name"], ("none",))[0] for each in said.get("parameters", ())
              if each["in"] == "path"}  # fmt: skip
    query = {each["name"]: each.get("example", each["schema"].get("default", "x"))
             for each in said.get("parameters", ()) if each["in"] == "query" and each["required"]}  # fmt: skip
    given = said.get("requestBody", {}).get("content", {}).get("application/json")
    body = {} if given is None else {"body": given.get("example", {}), "media_type": "application/json"}
    case = operation.Case(path_parameters=places, query={**query, **PLAIN.get(operation.path, {})}, **body)
    response = _sent(operation, case, GenerationMode.POSITIVE, url, session, tried)
    if operation.method == "get" and response.status_code != 200:
        tried.unanswered[operation.label] = f"{response.status_code} {response.text[:200]}"


def _sent(
    operation: Any, case: Any, mode: GenerationMode, url: str, session: requests.Session, tried: Tried
) -> requests.Response:
    """One request, and what is wrong with its answer noted."""
    response = case.call(base_url=url, session=session, timeout=60)
    tried.cases += 1
    tried.statuses[response.status_code] += 1
    wrong = mode is GenerationMode.NEGATIVE and response.status_code not in TOO_LARGE
    checks = [*CHECKS, negative_data_rejection] if wrong else CHECKS
    try:
        case.validate_response(response, checks=checks)
    except FailureGroup as group:
        for fault in group.exceptions:
            _note(tried, operation, case, response, fault)
    except Failure as fault:
        _note(tried, operation, case, response, fault)
    return response


def _note(tried: Tried, operation: Any, case: Any, response: Any, fault: BaseException) -> None:
    """The first fault of each kind on each endpoint, with what brought it about."""
    key = f"{operation.label} {response.status_code} {type(fault).__name__}"
    said = f"{key}: {str(fault)[:600]} | {case.as_curl_command()[:800]} | {response.text[:300]}"
    tried.faults.setdefault(key, said)


async def _report(shares: Sequence[tuple[int, int]], chance: int, tell: Tell) -> Report:
    """Cases planned, and how many there must be: without accounts, and as administrator."""
    report = Report("rest_api", TITLE)
    kinds = ((False, "without accounts"), (True, "as administrator"))
    for (people, called), (cases, least) in zip(kinds, shares, strict=True):
        with serving(people) as url:
            tried = await asyncio.to_thread(asked, url, cases, chance, tell, people=people)
        report.at_least(f"requests {called}", tried.cases, least)
        report.none_of(f"answers of 500 and more that are no planned 503, {called}", _errors(tried))
        report.none_of(f"answers that the document does not describe, {called}", sorted(tried.faults.values()))
        report.none_of(f"plain questions without an answer, {called}", _unanswered(tried, people=people))
        report.figures[f"statuses {called}"] = dict(sorted(tried.statuses.items()))
    return report


def _unanswered(tried: Tried, *, people: bool) -> list[str]:
    """A public page is not switched on here, and whoever has no account has no sessions and tokens either."""
    left = {"GET /api/status-page", *(() if people else ("GET /api/me/sessions", "GET /api/me/tokens"))}
    return [f"{name}: {said}" for name, said in sorted(tried.unanswered.items()) if name not in left]


def _errors(tried: Tried) -> list[str]:
    return [
        f"{count} × {status}" for status, count in tried.statuses.items() if status >= 500 and status not in (501, 503)
    ]


async def full(chance: int, tell: Tell) -> Report:
    """Ten thousand of each."""
    return await _report([(CASES, LEAST)] * 2, chance, tell)


async def sample(chance: int, tell: Tell) -> Report:
    """Plain questions without accounts, and as administrator two made-up ones of each endpoint beside them."""
    return await _report([(0, 90), (250, 250)], chance, tell)
