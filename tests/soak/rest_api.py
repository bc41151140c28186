"""Thousands of requests made up from the OpenAPI document, sent to a real service: what they must never bring about.

Half of them are as the document says, half are not: wrong types, wrong ranges, keys that nobody knows. Places of
paths often name something that there is. Every answer must be documented, as its schema says, and no error of ours.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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

from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.clock import SYSTEM_CLOCK
from understudy.storage import StorageOptions
from understudy.web.asgi import Service
from understudy.web.auth.permissions import Permission
from understudy.web.middleware import Limit
from understudy.web.openapi import document
from understudy.web.table import ROUTES

from .experiment import Report, Tell, quiet

TITLE = "Requests made up from the OpenAPI document, to a real service"
#: How many are planned, and how many there must be at least: nothing wrong can be made up for some endpoints.
CASES, SAMPLED, LEAST = 11_000, 500, 10_000
#: Checks of an answer. That wrong requests are refused is looked at where a schema can say what is wrong.
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
#: They end the service, or never end themselves.
LEFT_OUT = frozenset({"/admin/restart", "/api/admin/restart"})
#: Refusals that the library does not count as such.
TOO_LARGE = (413, 414)
#: What there is, for the places of paths.
NAMES = {"api": ("odds", "spare"), "route": ("odds", "r"), "rule": ("success_rate_low", "mine"), "alert": ("none",)}


@dataclasses.dataclass(slots=True)
class Tried:
    """What a run has seen."""

    cases: int = 0
    statuses: Counter[int] = dataclasses.field(default_factory=Counter)
    faults: dict[str, str] = dataclasses.field(default_factory=dict)


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


class _Life:
    """A service on a port of its own, in a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: uvicorn.Server
        self.up = threading.Event()
        self.url = ""

    async def _serve(self) -> None:
        storage = StorageOptions(url=f"sqlite:///{self._folder}/u.db")
        async with Understudy.build(dataclasses.replace(Settings(), storage=storage), seed=1, keep=True) as app:
            await _prepared(app)
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
def serving() -> Iterator[str]:
    """The address of a service that has something to tell."""
    with tempfile.TemporaryDirectory() as folder:
        life = _Life(Path(folder))
        thread = threading.Thread(target=life.run, daemon=True)
        thread.start()
        assert life.up.wait(60), "the service did not start"
        try:
            yield life.url
        finally:
            life.end()
            thread.join(30)


def asked(url: str, cases: int, chance: int, tell: Tell = quiet) -> Tried:
    """So many requests, shared out evenly among the operations."""
    told = document(ROUTES, _allowed, "0")
    told["paths"] = {path: each for path, each in told["paths"].items() if path not in LEFT_OUT}
    schema = schemathesis.openapi.from_dict(told)
    operations = [each.ok() for each in schema.get_all_operations()]
    tried = Tried()
    session = requests.Session()
    each = -(-cases // (2 * len(operations)))
    for number, operation in enumerate(operations):
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            _run(operation, mode, each, chance + number, url, session, tried)
        tell((number + 1) / len(operations))
    return tried


def _allowed(needs: Permission) -> bool:
    """What whoever reaches a service without accounts may do; the rest would be refused."""
    return needs is not Permission.ADMIN


def _run(
    operation: Any, mode: GenerationMode, cases: int, chance: int, url: str, session: requests.Session, tried: Tried
) -> None:
    strategy = operation.as_strategy(generation_mode=mode)
    names = random.Random(chance)

    @seed(chance)
    @settings(
        max_examples=cases, deadline=None, database=None, phases=[Phase.generate], verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck), derandomize=False,
    )  # fmt: skip
    @given(case=strategy, known=st.booleans())
    def one(case: Any, known: bool) -> None:
        for name, values in NAMES.items():
            if known and case.path_parameters and name in case.path_parameters:
                case.path_parameters[name] = names.choice(values)
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


def _note(tried: Tried, operation: Any, case: Any, response: Any, fault: BaseException) -> None:
    """The first fault of each kind on each endpoint, with what brought it about."""
    key = f"{operation.label} {response.status_code} {type(fault).__name__}"
    said = f"{key}: {str(fault)[:600]} | {case.as_curl_command()[:800]} | {response.text[:300]}"
    tried.faults.setdefault(key, said)


async def _report(cases: int, least: int, chance: int, tell: Tell) -> Report:
    report = Report("rest_api", TITLE)
    with serving() as url:
        tried = await asyncio.to_thread(asked, url, cases, chance, tell)
    report.at_least("requests", tried.cases, least)
    report.none_of("answers of 500 and more that are no planned 503", _errors(tried))
    report.none_of("answers that the document does not describe", sorted(tried.faults.values()))
    report.figures["statuses"] = dict(sorted(tried.statuses.items()))
    return report


def _errors(tried: Tried) -> list[str]:
    return [
        f"{count} × {status}" for status, count in tried.statuses.items() if status >= 500 and status not in (501, 503)
    ]


async def full(chance: int, tell: Tell) -> Report:
    """Ten thousand of them."""
    return await _report(CASES, LEAST, chance, tell)


async def sample(chance: int, tell: Tell) -> Report:
    """Some hundreds."""
    return await _report(SAMPLED, SAMPLED // 2, chance, tell)
