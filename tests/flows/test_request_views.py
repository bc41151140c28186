"""One call and the spread of a search over HTTP; commands without secrets; faults of a search in both languages."""

from __future__ import annotations

import ast
import dataclasses
import json
import shlex
import subprocess
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

import understudy.monitor.search
from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.secrets import Secret
from understudy.core.text import texts
from understudy.monitor.search import SearchError, parse, term
from understudy.resilience.keys import AuthOptions, KeyOptions
from understudy.storage import StorageOptions
from understudy.testing import FakeClock
from understudy.web.asgi import Service
from understudy.web.middleware import Limit
from understudy.web.pages.request_words import error, fault
from understudy.web.views.curl import curl, variable_of
from understudy.web.views.requests import steps_of

SECRET = "sk-canary-5f1d0c2b9a"


async def bad():
    raise RuntimeError("no")


@pytest.fixture
async def app():
    settings = dataclasses.replace(Settings(), storage=StorageOptions(url="memory:"))
    async with Understudy.build(settings, clock=FakeClock(), seed=1, keep=True) as app:
        app.fallback.register_api("alone", route="lonely", operation=bad)
        for _ in range(3):
            with pytest.raises(RuntimeError):
                await app.fallback.call("lonely")
        yield app


async def ask(app, path, **query):
    sent = []
    scope = {
        "type": "http", "method": "GET", "path": path, "query_string": urlencode(query).encode(),
        "headers": [(b"host", b"127.0.0.1")], "client": ("127.0.0.1", 50000),
    }  # fmt: skip

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await Service(app, limit=Limit(FakeClock(), burst=10_000))(scope, receive, send)
    return sent[0]["status"], b"".join(each.get("body", b"") for each in sent[1:])


async def test_a_call_is_told_before_it_is_kept_and_after(app):
    (record, *_) = app.fallback.decisions(1)
    status, body = await ask(app, f"/api/requests/{record.call_id}")
    found = json.loads(body)
    assert status == 200 and found["kept"] is False and found["outcome"] == "failed"
    assert [each["kind"] for each in found["steps"]].count("attempt") == found["attempts"]
    await app.keeping.request_log.stop()
    kept = json.loads((await ask(app, f"/api/requests/{record.call_id}"))[1])
    assert kept["kept"] is True and kept["steps"] == found["steps"] and kept["fingerprint"]
    assert (await ask(app, "/api/requests/unknown"))[0] == 404
    assert (await ask(app, "/requests/unknown"))[0] == 404


async def test_facets_follow_the_terms_and_the_span_of_the_search(app):
    await app.keeping.request_log.stop()
    status, body = await ask(app, "/api/requests/facets", q="route:lonely")
    found = json.loads(body)
    assert status == 200 and found["counted"] == 3 and found["outcomes"] == [["failed", 3]]
    assert found["errors"][0]["count"] >= 1
    other = json.loads((await ask(app, "/api/requests/facets", q="route:other"))[1])
    assert other["counted"] == 0
    status, body = await ask(app, "/api/requests/facets", q="rout:lonely")
    assert status == 400 and json.loads(body)["position"] == 0


@pytest.mark.parametrize(
    ("auth", "wanted"),
    [
        ({"kind": "none"}, []),
        ({"kind": "bearer"}, ["-H", "Authorization: Bearer K"]),
        ({"kind": "header", "name": "X-Key", "prefix": "Token $x `id` "}, ["-H", "X-Key: Token $x `id` K"]),
        ({"kind": "basic", "username": "us'er\"$(id)"}, ["-u", "us'er\"$(id):K"]),
        ({"kind": "rapidapi"}, ["-H", "X-RapidAPI-Key: K", "-H", "X-RapidAPI-Host: odds.test"]),
    ],
    ids=lambda each: each.get("kind", "") if isinstance(each, dict) else "",
)
async def test_a_command_holds_a_variable_in_the_place_of_the_key_and_means_what_it_says(app, auth, wanted):
    keys = () if auth["kind"] == "none" else (KeyOptions(Secret(SECRET)),)
    api = app.fallback.register_api(
        "odds prime", base_url="https://odds.test/v1", auth=AuthOptions(**auth, keys=keys),
        headers={"X-Plain": "it's", "X-Session-Token": SECRET},
    )  # fmt: skip
    line = curl(api, "GET /matches;touch%20x")
    assert SECRET not in line
    # A shell reads the line as it is meant: nothing of it is run or replaced but the variable.
    program = "curl() { printf '%s\\n' \"$@\"; }; " + f"{variable_of('odds prime')}=K; {line}"
    said = subprocess.run(["sh", "-c", program], capture_output=True, text=True, check=True).stdout.splitlines()
    assert said == [
        "-H",
        "X-Plain: it's",
        "-H",
        "X-Session-Token: K",
        *wanted,
        "https://odds.test/v1/matches;touch%20x",
    ]
    assert shlex.split(line)[0] == "curl"
    assert curl(api, "") == "" and curl(api, "TRACE /x") == ""


def test_waits_between_attempts_are_steps_of_their_own():
    def attempt(begin, length, api="a"):
        return {"api": api, "started_at": begin, "duration": length, "outcome": "timeout", "attribution": "provider"}

    found = steps_of({"attempts": [attempt(0.0, 0.5), attempt(0.8, 0.1), attempt(0.9, 0.1, "b")]})
    assert [(each.kind, round(each.begin, 3), round(each.end, 3)) for each in found] == [
        ("attempt", 0.0, 0.5), ("wait", 0.5, 0.8), ("attempt", 0.8, 0.9), ("attempt", 0.9, 1.0)
    ]  # fmt: skip
    assert steps_of({}) == ()


def test_every_fault_of_a_search_is_told_in_both_languages():
    source = Path(understudy.monitor.search.__file__).read_text("utf-8")
    messages = {
        node.args[0].value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "SearchError"
        and isinstance(node.args[0], ast.Constant)
    }
    assert len(messages) > 10
    portuguese = texts("pt_BR")
    values = dict.fromkeys(("name", "most", "operator", "words", "found", "nearest", "known"), "x")
    for message in messages:
        assert fault(portuguese, SearchError(message, 0, **values)) != message.format(**values), message


@pytest.mark.parametrize(
    "query", ["apii:x", "lat:soon", 'err:"open', "status:>>1", "-status:500", "id:a id:b", "last:x"]
)
def test_what_a_search_is_told_names_no_raw_places(query):
    with pytest.raises(SearchError) as caught:
        parse(query, 0.0)
    assert "{" not in fault(texts("en"), caught.value)
    if caught.value.instead:
        parse(caught.value.instead, 0.0)


@pytest.mark.parametrize("value", ["a", "a b", 'a"b', "\\", ">x", " ", "-x", "a:b", "<script>", "é🙂", "x" * 200])
def test_a_term_finds_the_very_value_that_it_was_made_of(value):
    assert parse(term("api", value), 0.0).apis == (value,)
    assert quote(term("api", value))


def test_codes_of_gates_become_words_in_kept_errors():
    assert error(texts("en"), "breaker_open open for another 3 s") == "its breaker is open: open for another 3 s"
    assert error(texts("en"), "RuntimeError: no") == "RuntimeError: no"
