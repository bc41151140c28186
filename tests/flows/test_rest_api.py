"""The REST API as a whole: what it says of itself is so, whatever is sent to it; every answer has the same manners."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import json
import random
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlencode

import jsonschema_rs
import pytest

from soak import rest_api
from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.csvtext import csv_lines
from understudy.storage import StorageOptions
from understudy.testing import FakeClock
from understudy.web.api import alerts, notifications, past, requests
from understudy.web.asgi import Service
from understudy.web.auth.permissions import Permission, Role
from understudy.web.middleware import Limit
from understudy.web.openapi import body_example, document, operations
from understudy.web.schemas import array, view
from understudy.web.table import ROUTES

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = '=HYPERLINK("http://evil")'


def everything(needs):
    return True


async def served():
    return 1


async def failing():
    raise RuntimeError(HOSTILE)


@pytest.fixture
async def app(tmp_path):
    storage = StorageOptions(url=f"sqlite:///{tmp_path}/u.db")
    async with Understudy.build(dataclasses.replace(Settings(), storage=storage), seed=1, keep=True) as app:
        app.fallback.register_api("lead", route="odds", operation=failing)
        app.fallback.register_api("spare", route="odds", operation=served)
        for _ in range(7):
            await app.fallback.execute_with_fallback("lead", failing)
        await app.monitor.performance_summary()  # settles what was recorded
        await app.keeping.request_log.stop()  # what is gathered is kept now
        yield app


async def ask(app, path, method="GET", body=b"", headers=(), **query):
    sent = []
    scope = {
        "type": "http", "method": method, "path": path, "query_string": urlencode(query).encode(),
        "headers": [(b"host", b"127.0.0.1"), *((b"content-type", b"application/json"),) * bool(body), *headers],
        "client": ("127.0.0.1", 50000),
    }  # fmt: skip  # a scope reads as a table

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    await Service(app, limit=Limit(FakeClock(), burst=10_000))(scope, receive, send)
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], told, b"".join(each.get("body", b"") for each in sent[1:])


# -- what the API says of itself ---------------------------------------------------------------------


async def test_some_hundred_made_up_requests_are_answered_as_documented():
    report = await rest_api.sample(7, rest_api.quiet)
    assert not report.broken


def test_the_document_in_the_documentation_is_this_one():
    run = subprocess.run(
        [sys.executable, "tools/write_openapi.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("each", list(operations(ROUTES, everything)), ids=lambda each: f"{each.method} {each.path}")
def test_every_endpoint_declares_what_it_takes_and_gives(each):
    assert each.summary, "its handler has a docstring"
    assert each.declared.tag
    assert each.declared.gives
    assert each.declared.query is not None
    good = {200, 201, 202, 204, 303, 503}
    assert {gives.status for gives in each.declared.gives} <= good


#: Answers whose keys are not ours to name: the document itself, and a report, whose form is that of its kind.
FREE = {"get_openapi_json", "get_reports", "get_apis_api_report"}


def test_programs_that_are_made_from_the_document_find_every_answer_named():
    told = document(ROUTES, everything, "0")
    all_of_them = [each for path in told["paths"].values() for each in path.values()]
    assert len({each["operationId"] for each in all_of_them}) == len(all_of_them)
    unnamed = [
        each["operationId"]
        for each in all_of_them
        for answer in each["responses"].values()
        for schema in [answer.get("content", {}).get("application/json", {}).get("schema")]
        if schema is not None and not schema.keys() & {"properties", "$ref"}
    ]
    assert set(unnamed) == FREE


def test_columns_of_files_are_keys_of_the_answers():
    """A column that no entry has would be empty for ever."""
    told = document(ROUTES, everything, "0")
    schemas = told["components"]["schemas"]

    def keys(path, name):
        items = told["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        entry = items["properties"][name]["items"]
        return (schemas[entry["$ref"].rpartition("/")[2]] if "$ref" in entry else entry)["properties"].keys()

    assert set(notifications._LOG) <= keys("/api/notifications/log", "attempts")
    assert set(notifications._ROW) <= keys("/api/notifications/dead", "rows")
    assert set(alerts._EPISODE_COLUMNS) <= keys("/api/alerts", "episodes")
    assert set(requests._COLUMNS) <= keys("/api/requests", "requests")
    assert set(past._AUDIT_COLUMNS) <= keys("/api/audit", "entries")


def test_two_things_of_one_name_are_not_mixed_up_in_the_document():
    @dataclasses.dataclass
    class Event:
        other: int

    with pytest.raises(ValueError, match="called Event"):
        array(view(Event))({"Event": {"properties": {"kind": {}}}})


def test_every_example_is_taken_by_its_own_schema():
    told = document(ROUTES, everything, "0")
    assert jsonschema_rs.meta.is_valid({"$defs": told["components"]["schemas"]})
    for each in operations(ROUTES, everything):
        for param in each.declared.query or ():
            if param.example is not None:
                assert jsonschema_rs.is_valid(param.schema(), param.example), (each.path, param.name)
                param.of({param.name: param.example[0] if param.many else str(param.example)})
        if each.declared.body is None:
            continue
        example = body_example(each.declared)
        schema = told["paths"][each.path][each.method.lower()]["requestBody"]["content"]["application/json"]["schema"]
        assert jsonschema_rs.is_valid(schema, example), each.path
        each.declared.check_body(example)


async def test_the_example_of_a_rule_is_a_rule(app):
    example = body_example(ROUTES["POST", "/api/alerts/rules/check"].declared)
    assert (await ask(app, "/api/alerts/rules/check", "POST", json.dumps(example).encode()))[0] == 200


@pytest.mark.parametrize("role", list(Role))
def test_the_document_shows_nobody_what_they_may_not_use(role):
    told = document(ROUTES, role.permissions.__contains__, "0")
    shown = {(method.upper(), path) for path, methods in told["paths"].items() for method in methods}
    assert all(ROUTES[each].needs in role.permissions for each in shown)
    assert ("GET", "/api/status") in shown
    assert (("POST", "/api/fallback/reset") in shown) == (role is not Role.VIEWER)


async def test_the_index_names_the_documents_and_they_are_there(app):
    status, _, body = await ask(app, "/api")
    index = json.loads(body)
    assert status == 200
    assert "/api/alerts" in index["paths"]
    assert (await ask(app, index["openapi"]))[0] == 200
    status, headers, page = await ask(app, index["docs"])
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"curl -sS" in page


# -- manners of answers -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/status", "/api/performance", "/api/alerts", "/api/alerts/rules", "/api/apis"])
async def test_what_is_still_so_is_not_sent_again(app, path):
    _, headers, body = await ask(app, path)
    status, again, rest = await ask(app, path, headers=[(b"if-none-match", headers["etag"].encode())])
    assert (status, rest) == (304, b"")
    assert again["etag"] == headers["etag"]
    assert body
    assert (await ask(app, path, headers=[(b"if-none-match", b'W/"other", "more"')]))[0] == 200


async def test_a_span_that_is_over_has_a_tag_that_stays(app):
    query = {"name": "lead", "from": "2026-01-01", "to": "2026-01-02"}
    _, headers, _ = await ask(app, "/api/history", **query)
    known = [(b"if-none-match", headers["etag"].encode())]
    assert (await ask(app, "/api/history", headers=known, **query))[0] == 304


async def test_a_tag_changes_when_something_happens(app):
    _, before, _ = await ask(app, "/api/fallback")
    app.fallback.force("lead", "forced_open", reason="test", actor="test")
    assert (await ask(app, "/api/fallback"))[1]["etag"] != before["etag"]


async def test_long_answers_are_packed_for_those_who_take_it(app):
    _, plain, body = await ask(app, "/api/fallback")
    _, packed, small = await ask(app, "/api/fallback", headers=[(b"accept-encoding", b"br, gzip")])
    assert "content-encoding" not in plain
    assert packed["content-encoding"] == "gzip"
    assert "Accept-Encoding" in packed["vary"]
    assert json.loads(gzip.decompress(small)).keys() == json.loads(body).keys()
    assert len(small) < len(body) / 2
    _, short, _ = await ask(app, "/api/alerts/silences", headers=[(b"accept-encoding", b"gzip")])
    assert "content-encoding" not in short


async def test_head_is_get_without_the_body_and_options_says_what_there_is(app):
    status, headers, body = await ask(app, "/api/alerts/rules", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0
    status, headers, _ = await ask(app, "/api/alerts/rules/mine", "OPTIONS")
    assert (status, headers["allow"]) == (204, "DELETE, GET, PUT, HEAD, OPTIONS")
    assert "access-control-allow-origin" not in headers
    status, headers, _ = await ask(app, "/api/status", "DELETE")
    assert (status, headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert (await ask(app, "/nothing", "OPTIONS"))[0] == 404


async def test_every_answer_has_an_id_and_problems_repeat_it(app):
    seen = set()
    for path in ("/api/status", "/api/nothing", "/health", "/"):
        _, headers, _ = await ask(app, path)
        seen.add(headers["x-request-id"])
    assert len(seen) == 4
    status, headers, body = await ask(app, "/api/history")
    problem = json.loads(body)
    assert status == problem["status"] == 400
    assert headers["content-type"] == "application/problem+json"
    assert problem["request_id"] == headers["x-request-id"]
    assert problem["field"] == "name"


async def test_a_browser_gets_a_page_about_a_problem_and_a_program_gets_json(app):
    browser = [(b"accept", b"text/html,application/xhtml+xml"), (b"accept-language", b"pt-BR")]
    status, headers, page = await ask(app, "/nowhere", headers=browser)
    assert (status, headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert headers["x-request-id"].encode() in page
    assert "Não há nada aqui".encode() in page
    status, headers, _ = await ask(app, "/api/nowhere", headers=browser)
    assert (status, headers["content-type"]) == (404, "application/problem+json")
    _, headers, _ = await ask(app, "/nowhere")
    assert headers["content-type"] == "application/problem+json"


async def test_limits_are_told_in_the_words_of_both_drafts(app):
    _, headers, _ = await ask(app, "/api/status")
    assert headers["ratelimit-limit"] == "10000"
    assert headers["ratelimit-policy"] == '"default";q=10000;w=500'
    assert headers["ratelimit"].startswith('"default";r=9999;t=')


# -- lists ---------------------------------------------------------------------------------------------


async def test_pages_of_a_list_lead_on_to_its_end_by_next_and_by_link(app):
    seen, path, query = [], "/api/requests", {"limit": 3}
    while True:
        _, headers, body = await ask(app, path, **query)
        page = json.loads(body)
        seen += [each["call_id"] for each in page["requests"]]
        if page["next"] is None:
            assert "link" not in headers
            break
        assert headers["link"] == f'</api/requests?limit=3&before={quote(page["next"])}>; rel="next"'
        query["before"] = page["next"]
    _, _, body = await ask(app, path, limit=500)
    assert seen == [each["call_id"] for each in json.loads(body)["requests"]]
    assert len(set(seen)) > 3


async def test_a_file_has_everything_and_nothing_that_a_spreadsheet_would_run(app):
    status, headers, body = await ask(app, "/api/requests", format="csv", limit=2)
    assert (status, headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert headers["content-disposition"] == 'attachment; filename="understudy-requests.csv"'
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    assert len(rows) > 4
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values() if cell)
    _, _, body = await ask(app, "/api/requests", format="csv", rows=4)
    assert len(list(csv.DictReader(io.StringIO(body.decode())))) == 4


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_no_text_is_a_formula(start):
    [[cell, number, nothing, gap, labels]] = csv.reader(
        io.StringIO(csv_lines([[f"{start}1+1", -1.5, None, float("nan"), {"a": 1}]]))
    )
    assert cell == f"'{start}1+1"
    assert (number, nothing, gap, labels) == ("-1.5", "", "", '{"a": 1}')


@pytest.mark.parametrize("path", ["/api/alerts", "/api/notifications/log", "/api/notifications/dead", "/api/audit"])
async def test_every_list_is_a_file_as_well(app, path):
    status, headers, body = await ask(app, path, format="csv", **({"state": "all"} if path == "/api/alerts" else {}))
    assert (status, headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert len(body.decode().splitlines()[0].split(",")) > 5
    assert (await ask(app, path, format="xml"))[0] == 400


# -- what nobody should send -----------------------------------------------------------------------------


def _headers():
    """Headers of sign-in that no program of ours sends."""
    chance = random.Random(5)
    signs = [chr(code) for code in range(1, 256) if chr(code) not in "\r\n"]
    fixed = ["", "Bearer", "Bearer ", "bearer us_", "Basic dTpw", "Bearer us_1_2", "us_1_2", "Bearer ' OR 1=1 --",
             "Bearer us_' OR '1'='1_x", "Bearer " + "a" * 8000, "Bearer us_%00_x", "Bearer us_\x00_\x00", "Digest x=1",
             "Bearer us_..%2f.._x", "Bearer us_1_2, Bearer us_3_4", "Bearer \xff\xfe"]  # fmt: skip
    return fixed + ["".join(chance.choices(signs, k=chance.randrange(1, 80))) for _ in range(200)]


async def test_no_authorization_header_is_an_error_of_ours(app):
    seen = set()
    for value in _headers():
        for path in ("/api/status", "/metrics", "/"):
            status, _, body = await ask(app, path, headers=[(b"authorization", value.encode("latin-1"))])
            seen.add(status)
            assert status < 500, (value, body)
    assert seen <= {200, 400, 401, 403}


async def test_every_permission_is_some_endpoints(app):
    assert {each.needs for each in ROUTES.values()} >= {Permission.PUBLIC, Permission.READ, Permission.INSPECT}


#: What pages do, and the endpoints by which a program does the same; `…` stands for the kinds of acts and entries.
DONE_BY_BOTH = {
    "/act/{token}": ["POST /api/alerts/{alert}/acknowledge", "POST /api/alerts/silences"],
    "/alerts/act": ["POST /api/alerts/{alert}/acknowledge", "POST /api/alerts/silences"],
    "/alerts/{alert}": [
        f"POST /api/alerts/{{alert}}/{act}" for act in ("acknowledge", "unacknowledge", "snooze", "resolve", "notes")
    ],
    "/alerts/new-rule": ["PUT /api/alerts/rules/{rule}"],
    "/alerts/rule-preview": ["POST /api/alerts/rules/preview"],
    "/alerts/rules/{rule}": ["PUT /api/alerts/rules/{rule}"],
    "/alerts/rules/{rule}/delete": ["DELETE /api/alerts/rules/{rule}"],
    "/alerts/rules/{rule}/switch": ["PUT /api/alerts/rules/{rule}"],
    "/alerts/rules/{rule}/versions": ["PUT /api/alerts/rules/{rule}"],
    "/alerts/silences": ["POST /api/alerts/silences"],
    "/alerts/silences/{silence}/expire": ["DELETE /api/alerts/silences/{silence}"],
    "/apis": ["POST /api/apis/{api}/pause-checks", "POST /api/apis/{api}/resume-checks", "POST /api/alerts/silences"],
    "/apis/{api}/act/{act}": [
        f"POST /api/apis/{{api}}/{act}"
        for act in ("drain", "undrain", "force", "unforce", "reset", "pause-checks", "resume-checks", "check", "clear")
    ],
    "/routes/{route}/act/{act}": [f"POST /api/routes/{{route}}/{act}" for act in ("pin", "unpin", "reset")],
    "/notifications/channels/{channel}/test": ["POST /api/notifications/test"],
    "/notifications/dead": [
        "POST /api/notifications/dead", "POST /api/notifications/dead/{row}/replay",
        "POST /api/notifications/dead/{row}/discard",
    ],
    "/login": ["POST /api/login"], "/logout": ["POST /api/logout"], "/settings/confirm": ["POST /api/me/confirm"],
    "/settings/profile/password": ["POST /api/me/password"], "/settings/tokens": ["POST /api/me/tokens"],
    "/settings/tokens/{token}/revoke": ["DELETE /api/me/tokens/{token}", "DELETE /api/admin/tokens/{token}"],
    "/settings/sessions": ["DELETE /api/me/sessions/{session}"],
    "/settings/sessions/{session}/end": ["DELETE /api/me/sessions/{session}", "DELETE /api/admin/sessions/{session}"],
    "/settings/users": ["POST /api/admin/accounts"],
    "/settings/users/{account}": ["PATCH /api/admin/accounts/{account}"],
    "/settings/users/{account}/remove": ["DELETE /api/admin/accounts/{account}"],
    "/settings/upkeep/backup": ["POST /api/admin/backup"], "/settings/upkeep/restart": ["POST /api/admin/restart"],
    "/setup/start": ["POST /api/settings/check"],
    "/setup/start/{draft}": ["PUT /api/settings/apis/{name}", "POST /api/settings/apis/{name}/test"],
    "/setup/route": ["PUT /api/settings/routes/{name}"], "/setup/channel": ["PUT /api/settings/channels/{name}"],
    **{
        f"/settings/{kind}/{page}": [f"{verb} /api/settings/{kind}/{{name}}{rest}"]
        for kind in ("apis", "routes", "channels")
        for page, verb, rest in (
            ("new", "PUT", ""), ("entry", "PUT", ""), ("delete", "DELETE", ""), ("versions", "POST", "/revert"),
        )
    },
}  # fmt: skip
#: What only a browser has: its cookies, its stream, the one-time page of a new service, made-up data to look at.
OF_BROWSERS = {"/appearance", "/overview/pin", "/live/{stream}/topics", "/setup", "/setup/demo"}
#: What programs do and no page does: many at once, a message of one's own, trying without doing, other processes.
OF_PROGRAMS = {
    "POST /api/performance/clear", "POST /api/fallback/reset", "POST /api/notifications/send", "POST /admin/restart",
    "POST /api/instances/report",
}  # fmt: skip


def test_pages_and_programs_can_do_the_same():
    acts = {path for (method, path), each in ROUTES.items() if method != "GET" and not each.declared.tag}
    assert acts == DONE_BY_BOTH.keys() | OF_BROWSERS
    named = {f"{method} {path}": each for (method, path), each in ROUTES.items()}
    for page, endpoints in DONE_BY_BOTH.items():
        for each in endpoints:
            assert each in named, f"{page}: {each}"
    # Of those that are left, each tries something, or reads what is too long for an address.
    changing = {name for name, each in named.items() if name[:3] != "GET" and each.declared.tag}
    left = changing - {each for several in DONE_BY_BOTH.values() for each in several} - OF_PROGRAMS
    assert {named[each].needs for each in left} == {Permission.READ}, left
