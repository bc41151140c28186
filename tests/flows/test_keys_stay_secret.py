"""A key planted in every kind of signing in is looked for in all that we say: errors, records, events, logs, reprs."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from understudy import Understudy
from understudy.core.events import Event
from understudy.core.http import HttpRequest
from understudy.core.secrets import Secret
from understudy.resilience.deadline import TimeoutOptions
from understudy.resilience.keys import AuthOptions, KeyOptions
from understudy.testing.raw_server import CLOSE, RESET, STALL, RawServer, Reply, ok

CANARY = "CANARY-9f8e7d6c-of-the-user"
TOKEN = "TOKEN-5b4a3c2d-of-the-server"

KINDS: dict[str, dict[str, Any]] = {
    "rapidapi": {},
    "header": {"name": "X-Own"},
    "query": {"name": "apikey"},
    "bearer": {},
    "basic": {"username": "me"},
    "oauth2_client_credentials": {"username": "me", "token_url": "{}/token"},
    "token_request": {"token_url": "{}/token?k={{key}}", "token_body": '{{"k": "{{key}}"}}'},
}


def echoing(status: int) -> Reply:
    """An answer that quotes the key and the token, as careless APIs do."""
    body = json.dumps({"message": f"bad key {CANARY} and bad token {TOKEN}", "seen": f"apikey={CANARY}"}).encode()
    return Reply(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)


REPLIES = {
    "reset": RESET,
    "close": CLOSE,
    "stall": STALL,
    "no HTTP": Reply(f"{CANARY} {TOKEN}\r\n\r\n".encode()),
    "cut": Reply(f"HTTP/1.1 200 OK\r\nX: {CANARY}\r\nContent-Length: 99\r\n\r\nabc".encode(), "close"),
    "401": echoing(401),
    "403": echoing(403),
    "429": echoing(429),
    "500": echoing(500),
}


class Everything(logging.Handler):
    """Every record of every logger, formatted."""

    def __init__(self) -> None:
        super().__init__(1)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(self.format(record))
        self.said.append(repr(record.args))


@pytest.fixture
def logged() -> Iterator[list[str]]:
    handler, root = Everything(), logging.getLogger()
    before = {name: logging.getLogger(name).level for name in logging.root.manager.loggerDict}
    level = root.level
    root.addHandler(handler)
    for name in (*before, ""):
        logging.getLogger(name).setLevel(1)
    yield handler.said
    root.removeHandler(handler)
    root.setLevel(level)
    for name, was in before.items():
        logging.getLogger(name).setLevel(was)


def told_by(error: BaseException) -> list[str]:
    """All that an error shows: its traceback with every cause and context, and the text of each of them."""
    told = ["".join(traceback.format_exception(error))]
    seen: set[int] = set()
    links = [error]
    while links:
        link = links.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        told += [str(link), repr(link), repr(link.args)]
        links += [near for near in (link.__cause__, link.__context__) if near is not None]
        links += list(getattr(link, "causes", {}).values())
    if hasattr(error, "explain"):
        told.append(str(error.explain()))
    return told


def state_of(app: Understudy) -> list[str]:
    api = app.fallback.roster.api("a")
    signing = app.authenticator(api)
    shown = [app.fallback.describe(), app.fallback.decisions(), app.health_checks(), api.options, api.auth]
    shown += [api.keys.view(), api.keys.export_state(), signing, vars(signing), [repr(key) for key in api.keys]]
    return [*map(str, shown), *map(repr, shown)]


@pytest.mark.parametrize("kind", KINDS)
async def test_no_key_and_no_token_is_told_to_anybody(kind: str, logged: list[str]) -> None:
    # Not in asyncio's debug mode, which logs of a slow callback whatever it waits for, the other side's bytes too.
    token = ok(json.dumps({"access_token": TOKEN, "expires_in": 3600}).encode())
    pairs = [(reply, token) for reply in REPLIES.values()]
    if "token_url" in KINDS[kind]:
        pairs += [(ok(), reply) for reply in (echoing(400), STALL, CLOSE)]
    told = [line for lines in await asyncio.gather(*(between(kind, *pair) for pair in pairs)) for line in lines]
    text = "\n".join([*told, *logged])
    assert [each for each in (*told, *logged) if CANARY in each or TOKEN in each] == []
    assert "HTTP 401" in text, "the test must have looked at something"


async def between(kind: str, reply: Reply, token: Reply) -> list[str]:
    """What is told when an API answers so, and the server of its tokens so."""
    async with RawServer(reply) as server, RawServer(token) as tokens, Understudy.build(seed=1) as app:
        events: list[Event] = []
        app.events.subscribe(events.append)
        waits = STALL in (reply, token) or reply is REPLIES["429"]
        # What ends by itself has the time it needs; where nothing comes, or a wait is asked for, it is cut.
        told = await uses(app, server.url, kind, tokens.url, 0.4 if waits else 5.0)
        return [*told, *(repr(event) for event in events)]


async def uses(app: Understudy, url: str, kind: str, tokens: str, limit: float) -> list[str]:
    options = {name: value.format(tokens) for name, value in KINDS[kind].items()}
    auth = AuthOptions(kind=kind, keys=(KeyOptions(Secret(CANARY)),), **options)  # type: ignore[arg-type]  # one of its kinds
    limits = TimeoutOptions(attempt=limit / 2, idle=limit / 3)
    app.fallback.register_api("a", base_url=url, auth=auth, timeout=limits)
    told: list[str] = []
    for stream in (False, True):
        try:
            response = await app.route("a").get("/p?own=1", stream=stream, deadline=limit)
            told += [repr(response), str(response.explain())]
            async for _ in response.chunks():
                pass
        except Exception as error:
            told += told_by(error)
    # Not the other calls of this test: asyncio shows what one waits for, and that may be the other side's bytes.
    tasks = [task for task in asyncio.all_tasks() if getattr(task.get_coro(), "__name__", "") != between.__name__]
    return [*told, *state_of(app), *map(repr, tasks)]


def test_a_request_in_an_error_or_a_log_shows_its_host_only() -> None:
    request = HttpRequest("GET", f"https://me:{CANARY}@api.test/x?apikey={CANARY}", {"X-Key": CANARY}, CANARY.encode())
    assert f"{request} {request!r}" == "<HttpRequest GET to api.test> <HttpRequest GET to api.test>"
