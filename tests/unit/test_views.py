"""Each endpoint's view, and the guard before it, asked through bare ASGI."""

from __future__ import annotations

import gzip
import json

import pytest

from understudy.app import Understudy
from understudy.testing import FakeClock
from understudy.web.asgi import Service
from understudy.web.middleware import Limit
from understudy.web.views.status import DecisionsView, StatusView


async def ask(service, method="GET", path="/", headers=(), body=b"", host="127.0.0.1:8080", query=""):
    sent = []
    given = [(name.encode(), value.encode()) for name, value in headers]
    scope = {
        "type": "http", "method": method, "path": path, "query_string": query.encode(),
        "headers": [(b"host", host.encode()), *given], "client": ("127.0.0.1", 50000),
    }  # fmt: skip  # a scope reads as a table

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    await service(scope, receive, send)
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], told, b"".join(each.get("body", b"") for each in sent[1:])


@pytest.fixture
async def app():
    async def works():
        return 1

    async def broken():
        raise ConnectionRefusedError

    async with Understudy.build(clock=FakeClock(), seed=1) as app:
        app.fallback.register_api("lead", priority=1, route="facts", operation=broken)
        app.fallback.register_api("second", priority=2, route="facts", operation=works)
        await app.fallback.execute_with_fallback("facts", None)
        yield app


@pytest.mark.parametrize(
    "path", ["/api", "/health", "/api/status", "/api/performance", "/api/fallback", "/api/decisions"]
)
async def test_every_endpoint_answers_json_without_nan_and_with_security_headers(app, path):
    status, headers, body = await ask(Service(app), path=path)
    assert status == 200
    json.loads(body, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert headers["content-type"] == "application/json"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


async def test_views_survive_the_way_through_json(app):
    view = StatusView.of(app)
    _, _, body = await ask(Service(app), path="/api/decisions", query="outcome=fallback&limit=5")
    [record] = DecisionsView.from_dict(json.loads(body)).decisions
    assert record == app.fallback.decisions()[0]
    assert StatusView.from_dict(json.loads(json.dumps(view.as_dict()))).apis == view.apis


async def test_a_service_that_stops_is_live_but_not_ready(app):
    await app.stop()
    status, _, body = await ask(Service(app), path="/health")
    assert status == 503
    assert json.loads(body)["reasons"]
    assert (await ask(Service(app), path="/health", query="check=live"))[0] == 200


@pytest.mark.parametrize("host", ["evil.test", "127.0.0.1.evil.test", "", "localhost@evil", "[::1"])
async def test_a_foreign_host_name_is_refused(app, host):
    status, headers, body = await ask(Service(app), host=host)
    assert status == 421
    assert headers["content-type"] == "application/problem+json"
    assert b"evil" not in body


@pytest.mark.parametrize(
    "headers",
    [
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
        [("origin", "https://evil.test")],
        [("origin", "null")],
        [("origin", "http://127.0.0.1:9999")],
        [("sec-fetch-site", "same-origin"), ("origin", "http://evil.test")],
    ],
)
@pytest.mark.parametrize("path", ["/api/fallback/reset", "/api/performance/clear"])
async def test_a_page_of_another_site_changes_nothing(app, headers, path):
    before = len(app.events.recent())
    assert (await ask(Service(app), "POST", path, headers))[0] == 403
    assert len(app.events.recent()) == before


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/status", "/health"])
@pytest.mark.parametrize(
    ("mode", "dest", "expected"),
    [("no-cors", "image", 403), ("navigate", "iframe", 403), ("cors", "empty", 403), ("navigate", "document", 200)],
)
async def test_a_page_of_another_site_may_link_here_and_nothing_else(app, path, mode, dest, expected):
    headers = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)]
    assert (await ask(Service(app), path=path, headers=headers))[0] == expected


async def test_a_flood_from_another_site_takes_no_rate_away(app):
    service = Service(app, limit=Limit(app.clock, rate=1, burst=2))
    for _ in range(20):
        assert (await ask(service, path="/metrics", headers=[("sec-fetch-site", "cross-site")]))[0] == 403
    assert (await ask(service, path="/metrics"))[0] == 200


async def test_a_program_and_our_own_page_may_reset(app):
    for headers in ([], [("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:8080")]):
        status, _, body = await ask(Service(app), "POST", "/api/fallback/reset", headers)
        assert status == 200
        assert "lead" in json.loads(body)["reset"]
    assert app.events.recent()[0].kind == "fallback.reset"


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "expected"),
    [
        ("GET", "/nothing", "", b"", 404),
        ("GET", "/api/fallback/reset", "", b"", 405),
        ("DELETE", "/metrics", "", b"", 405),
        ("GET", "/api/decisions", "limit=0", b"", 400),
        ("GET", "/api/decisions", "limit=1&limit=2", b"", 400),
        ("GET", "/api/decisions", "outcome=odd", b"", 400),
        ("GET", "/api/decisions", "call=none", b"", 404),
        ("GET", "/api/status", "debug=1", b"", 400),
        ("GET", "/api/performance", "api=none", b"", 404),
        ("GET", "/api/performance", "window=9y", b"", 400),
        ("POST", "/api/fallback/reset", "", b"{", 400),
        ("POST", "/api/fallback/reset", "", b"[1]", 422),
        ("POST", "/api/fallback/reset", "", b'{"api": 3}', 422),
        ("POST", "/api/fallback/reset", "", b'{"api": "none"}', 404),
        ("POST", "/api/fallback/reset", "", b" " * (1024 * 1024 + 1), 413),
    ],
)
async def test_what_cannot_be_served_is_told_as_a_problem(app, method, path, query, body, expected):
    headers = [("content-type", "application/json")]
    status, told, answer = await ask(Service(app), method, path, headers, body, query=query)
    assert status == expected
    assert told["content-type"] == "application/problem+json"
    assert json.loads(answer)["status"] == expected


async def test_a_form_is_no_json(app):
    headers = [("content-type", "application/x-www-form-urlencoded")]
    assert (await ask(Service(app), "POST", "/api/fallback/reset", headers, b"a=b"))[0] == 415


async def test_each_client_has_its_rate_and_is_told_of_it(app):
    service = Service(app, limit=Limit(app.clock, rate=1.0, burst=2))
    assert (await ask(service))[1]["ratelimit-remaining"] == "1"
    assert (await ask(service))[0] == 200
    status, headers, _ = await ask(service)
    assert (status, headers["retry-after"]) == (429, "1")
    assert (await ask(service, path="/health"))[0] == 200
    await app.clock.advance(1.0)
    assert (await ask(service))[0] == 200


async def test_head_has_no_body(app):
    assert (await ask(Service(app), "HEAD", "/api/status"))[2] == b""


async def test_metrics_come_packed_when_asked_for(app):
    service = Service(app)
    _, plain, page = await ask(service, path="/metrics")
    _, packed, small = await ask(service, path="/metrics", headers=[("accept-encoding", "gzip")])
    assert plain["content-type"].startswith("text/plain; version=0.0.4")
    assert packed["content-encoding"] == "gzip"
    assert b"understudy_fallback_total{" in page
    assert gzip.decompress(small).startswith(b"# HELP understudy_upstream_requests_total")


async def test_programs_of_one_machine_that_report_each_second_are_not_taken_for_a_flood(app):
    service = Service(app)
    statuses = {(await ask(service, "POST", "/api/instances/report"))[0] for _ in range(1000)}
    assert 429 not in statuses
    assert [(await ask(service))[0] for _ in range(200)] == [200] * 200
    assert (await ask(service))[0] == 429
