"""The endpoints about the past, asked what nobody should ask: every fault of a question is told in one line."""

from __future__ import annotations

import dataclasses
import json
from urllib.parse import urlencode

import pytest

from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.storage import StorageOptions
from understudy.testing import FakeClock
from understudy.web.asgi import Service
from understudy.web.middleware import Limit


async def served():
    return 1


@pytest.fixture
async def app(tmp_path):
    storage = StorageOptions(url=f"sqlite:///{tmp_path}/u.db")
    async with Understudy.build(dataclasses.replace(Settings(), storage=storage), seed=1, keep=True) as app:
        app.fallback.register_api("lead", route="odds", operation=served)
        await app.fallback.execute_with_fallback("lead", served)
        yield app


async def ask(app, path, method="GET", body=b"", **query):
    sent = []
    scope = {
        "type": "http", "method": method, "path": path, "query_string": urlencode(query).encode(),
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")], "client": ("127.0.0.1", 50000),
    }  # fmt: skip  # a scope reads as a table

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    await Service(app, limit=Limit(FakeClock(), burst=10_000))(scope, receive, send)
    return sent[0]["status"], b"".join(each.get("body", b"") for each in sent[1:])


HISTORIES = [
    ("/api/history", {"name": "lead"}),
    ("/api/history/compare", {"names": "lead,odds"}),
    ("/api/history/week", {"name": "lead"}),
    ("/api/history/overview", {}),
]
SPANS = [
    {"month": "2099-01"},
    {"month": "9999-12"},
    {"month": "0001-01"},
    {"from": "2099-01-01", "to": "2100-01-01"},
    {"from": "2026-02-01", "to": "2026-01-01"},
    {"last": "0.000000001s"},
    {"last": "999999999999.999999999w"},
    {"last": "0"},
]


@pytest.mark.parametrize("span", SPANS, ids=repr)
@pytest.mark.parametrize("path,query", [*HISTORIES, ("/api/errors", {}), ("/api/reports", {"kind": "summary"})])
async def test_a_span_that_is_empty_or_beyond_all_time_is_refused_in_one_line(app, path, query, span):
    status, body = await ask(app, path, **query, **span)
    assert status == 400
    assert "\n" not in json.loads(body)["detail"]


@pytest.mark.parametrize("path,query", HISTORIES)
@pytest.mark.parametrize("start", ["0001-01-01T00:00:00+14:00", "1970-01-01"])
async def test_a_span_may_reach_from_long_ago_into_the_future(app, path, query, start):
    status, _ = await ask(app, path, **query, **{"from": start, "to": "2100-01-01"})
    assert status == 200


@pytest.mark.parametrize(
    "path,query",
    [
        ("/api/history", {"name": "lead", "points": "000000001" + "9" * 3000}),
        ("/api/requests", {"limit": "000000001" + "9" * 3000}),
        ("/api/requests", {"before": "9" * 20 + "-1"}),
        ("/api/requests", {"before": "1-" + "9" * 20}),
        ("/api/requests", {"q": "lat:>999999999999w"}),
        ("/api/errors", {"limit": "000000001" + "9" * 3000}),
        ("/api/audit", {"before": "9" * 19}),
        ("/api/audit", {"before": "000000001" + "9" * 3000}),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_number_that_no_database_holds_is_refused(app, path, query):
    assert (await ask(app, path, **query))[0] == 400


@pytest.mark.parametrize("text", ["' OR 1=1 --", '"; DROP TABLE sample; --', "%", "_", "\\", "\u202e", "é漢🎉"])
async def test_hostile_texts_find_nothing_and_harm_nothing(app, text):
    quoted = json.dumps(text, ensure_ascii=False)
    for query in (f"err:{quoted}", f"api:{quoted}", f"id:{quoted}", f"path:{quoted}"):
        status, body = await ask(app, "/api/requests", q=query)
        assert (status, json.loads(body)["requests"]) == (200, [])
    for path, query in (("/api/history", {"name": text}), ("/api/errors", {"api": text})):
        assert (await ask(app, path, **query))[0] == 200


@pytest.mark.parametrize("path,name", [("/api/history", "name"), ("/api/errors", "api"), ("/api/requests", "q")])
async def test_the_character_that_postgresql_does_not_know_is_no_fault_of_the_service(app, path, name):
    status, body = await ask(app, path, **{name: "a\x00b"})
    assert status == (400 if name == "q" else 200), body
