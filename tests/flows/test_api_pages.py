"""The pages and endpoints of APIs without a browser: hostile names, acts with their reasons, who may do what."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from html import unescape
from urllib.parse import quote, unquote, urlencode

import pytest

from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.errors import OptionError
from understudy.resilience.api import ApiOptions
from understudy.storage import StorageOptions
from understudy.testing import FakeClock
from understudy.web.asgi import Service
from understudy.web.middleware import Limit

NAMES = [
    "lead", "compare", "act", "a/b", "a b", "per%cent&q=?#x", "🎉 fiesta", "שלום", "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>', "{{7*7}}", "n" * 200, "'; DROP TABLE api; --",
]  # fmt: skip  # one name after the other


async def served():
    return 1


async def failing():
    raise RuntimeError("no <b>luck</b> for id 12345")


@pytest.fixture
async def app(tmp_path):
    storage = StorageOptions(url=f"sqlite:///{tmp_path}/u.db")
    async with Understudy.build(dataclasses.replace(Settings(), storage=storage), seed=1, keep=True) as app:
        for name in NAMES:
            app.fallback.register_api(name, route="odds", operation=served)
            await app.fallback.execute_with_fallback(name, served)
        for _ in range(3):
            await app.fallback.execute_with_fallback("lead", failing)  # a standby serves
        await app.monitor.drain_in_turns()
        yield app


async def ask(app, path, method="GET", body=b"", kind=b"application/x-www-form-urlencoded", **query):
    sent = []
    scope = {
        "type": "http", "method": method, "path": unquote(path), "raw_path": path.encode(),
        "query_string": urlencode(query, doseq=True).encode(), "client": ("127.0.0.1", 50000),
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", kind), (b"sec-fetch-site", b"same-origin")],
    }  # fmt: skip  # a scope reads as a table

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    await Service(app, limit=Limit(FakeClock(), burst=10_000))(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(each.get("body", b"") for each in sent[1:]).decode()


def of(name, *more):
    return "/".join(("/apis", quote(name, safe=""), *more))


@pytest.mark.parametrize("name", NAMES)
async def test_every_page_of_an_api_works_whatever_its_name_holds(app, name):
    for path, query in [
        (of(name), {}), (of(name), {"tab": "checks"}), (of(name), {"tab": "config"}), (of(name), {"tab": "alerts"}),
        (of(name, "act", "drain"), {}), (of(name, "report"), {}), ("/apis", {"q": name}),
        ("/apis/compare", {"api": [name, "lead" if name != "lead" else "a b"]}),
    ]:  # fmt: skip  # one request after the other
        status, headers, page = await ask(app, path, **query)
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8"), (path, page[:300])
        assert "<script>alert" not in page
        assert "<img" not in page
        assert name in unescape(page)
    for path in ("", "/history", "/past", "/quota", "/report"):
        status, _, body = await ask(app, f"/api/apis/{quote(name, safe='')}{path}")
        assert status == 200, (path, body[:300])
        json.loads(body)


async def test_the_links_of_the_list_lead_to_the_apis(app):
    _, _, page = await ask(app, "/apis")
    for name in NAMES:
        assert f'href="{of(name)}"' in page.replace("&#39;", "'")


async def test_an_unknown_api_is_told_as_such(app):
    for path in (of("nobody"), of("nobody", "report"), of("nobody", "act", "drain"), "/api/apis/nobody"):
        assert (await ask(app, path))[0] == 404
    status, _, page = await ask(app, "/apis/compare", api=["nobody", "lead"])
    assert (status, "nobody" in page) == (200, True)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/apis", {"sort": "money"}), ("/apis", {"page": "x"}), ("/apis", {"state": "sick"}), ("/apis", {"what": "1"}),
        ("/apis", {"q": "x" * 201}), (of("lead"), {"tab": "x"}), (of("lead"), {"last": "x"}),
        ("/apis/compare", {"api": list("abcdefg")}), ("/api/compare", {"api": ["lead"]}), ("/api/apis", {"sort": "x"}),
    ],
)  # fmt: skip  # one request after the other
async def test_what_cannot_be_asked_is_refused(app, path, query):
    assert (await ask(app, path, **query))[0] == 400


async def test_a_drain_needs_a_reason_and_is_entered_with_it(app):
    path = of("a/b", "act", "drain")
    status, _, page = await ask(app, path, "POST", urlencode({"reason": " ", "for": "1h"}).encode())
    assert status == 422
    assert "aria-invalid" in page
    assert app.fallback.roster.api("a/b").drain is None
    status, headers, _ = await ask(app, path, "POST", urlencode({"reason": "too slow", "for": "1h"}).encode())
    assert (status, headers["location"]) == (303, of("a/b") + "?done=drain")
    assert app.fallback.roster.api("a/b").drain.reason == "too slow"
    _, _, page = await ask(app, of("a/b"), done="drain")
    assert "too slow" in page
    assert of("a/b", "act", "undrain") in page
    assert of("a/b", "act", "drain") + '"' not in page
    entries = [each.entry for each in await app.keeping.audit.read(5)]
    assert any(each.object == "a/b" and each.actor == "http 127.0.0.1" for each in entries)
    status, headers, _ = await ask(app, of("a/b", "act", "undrain"), "POST", b"reason=")
    assert headers["location"].endswith("?done=undrain")
    status, headers, _ = await ask(app, of("a/b", "act", "undrain"), "POST", b"reason=")
    assert headers["location"].endswith("?done=over")


async def test_every_act_does_what_its_page_says(app):
    async def do(act, **fields):
        status, headers, page = await ask(app, of("lead", "act", act), "POST", urlencode(fields).encode())
        assert status == 303, page[:400]
        return headers["location"].rpartition("=")[2]

    def state():
        return app.fallback.roster.api("lead").bindings["odds"].breaker.state.value

    assert await do("forced_open", reason="test", **{"for": ""}) == "forced_open"
    assert state() == "forced_open"
    assert "test" in (await ask(app, of("lead")))[2]
    assert await do("unforce", reason="") == "unforce"
    assert await do("forced_closed", reason="test", **{"for": "30m"}) == "forced_closed"
    assert state() == "forced_closed"
    assert await do("reset") == "reset"
    assert state() == "closed"
    assert await do("silence", reason="known", **{"for": "1h"}) == "silence"
    assert any(str(matcher) == 'api="lead"' for each in app.alerts.silences() for matcher in each.matchers)
    assert await do("clear") == "clear"
    assert app.monitor.get_performance_summary()["apis"]["lead"]["total_requests"] == 0
    assert await do("check") == "over"  # it wraps an operation, and has no probe
    assert (await ask(app, of("lead", "act", "explode"), "POST"))[0] == 404


async def test_several_apis_are_silenced_at_once(app):
    fields = {"pick.a/b": "1", "pick.lead": "1", "action": "silence", "for": "1h", "reason": "works on the line"}
    status, headers, _ = await ask(app, "/apis", "POST", urlencode(fields).encode())
    assert (status, headers["location"]) == (303, "/apis?done=silence")
    told = {str(matcher) for each in app.alerts.silences() for matcher in each.matchers}
    assert {'api="a/b"', 'api="lead"'} <= told
    _, headers, _ = await ask(app, "/apis", "POST", urlencode({"action": "silence"}).encode())
    assert headers["location"] == "/apis?done=none"
    _, headers, _ = await ask(app, "/apis", "POST", urlencode({**fields, "reason": ""}).encode())
    assert headers["location"] == "/apis?done=reason"


async def test_groups_that_are_well_stand_closed_and_open_at_a_link(app):
    _, _, page = await ask(app, "/apis", group="hub")
    assert "open=" in page
    assert f'href="{of("a b")}"' not in page
    _, _, page = await ask(app, "/apis", group="hub", open="a b")
    assert f'href="{of("a b")}"' in page


async def test_tags_find_group_and_sort_apis(app):
    for name, tags in (("eu-1", ("eu", "Pay/ments")), ("eu-2", ("eu",)), ("us-1", ("us",))):
        app.fallback.register_api(name, tags=tags, operation=served)
    for asked, found in (
        ("tag:eu", {"eu-1", "eu-2"}), ("tag:EU tag:pay/ments", {"eu-1"}), ("tag:eu 2", {"eu-2"}), ("pay/m", {"eu-1"}),
        ("tag:nobody", set()),
    ):  # fmt: skip  # one question after the other
        _, _, body = await ask(app, "/api/apis", q=asked)
        assert {each["name"] for each in json.loads(body)["apis"]} == found, asked
    _, _, body = await ask(app, "/api/apis", sort="tags")
    assert [each["name"] for each in json.loads(body)["apis"]][:3] == ["eu-2", "eu-1", "us-1"]
    _, _, page = await ask(app, "/apis", group="tag", q="1")
    assert page.count('data-api="eu-1"') == 2 and page.count('data-api="us-1"') == 1
    assert 'href="/apis?q=tag:Pay/ments"' in page and "Only this tag" in page
    assert 'href="/apis?q=tag:eu"' in (await ask(app, of("eu-1")))[2]
    fields = [("action", "silence"), ("reason", "x"), ("pick.eu-1", "1"), ("pick.eu-1", "1")]
    _, headers, _ = await ask(app, "/apis", "POST", urlencode(fields).encode())
    assert headers["location"] == "/apis?done=silence"
    assert len(app.alerts.silences()) == 1


@pytest.mark.parametrize(
    "tags", [("a b",), ("",), ("a,b",), ("x" * 41,), ("a\n",), ("<b>",), tuple("abcdefghijklmnopqrstu")]
)
def test_what_could_not_be_read_again_is_no_tag(tags):
    with pytest.raises(OptionError, match=r"ApiOptions\.tags"):
        ApiOptions(tags=tags)
    assert ApiOptions(tags=("eu", "eu", "é:1")).tags == ("eu", "é:1")


async def test_the_list_is_sorted_with_what_is_unknown_last(app):
    app.fallback.register_api("idle", operation=served)
    for sort, last in (("p95", "idle"), ("-p95", "idle"), ("name", "🎉 fiesta")):
        _, _, body = await ask(app, "/api/apis", sort=sort)
        assert json.loads(body)["apis"][-1]["name"] == last
    _, _, body = await ask(app, "/api/apis", state="unknown")
    assert [each["name"] for each in json.loads(body)["apis"]] == ["idle"]


async def test_without_a_store_the_pages_say_that_there_is_no_past(tmp_path):
    async with Understudy.build(seed=1) as app:
        app.fallback.register_api("lead", operation=served)
        for path in ("/apis", of("lead"), of("lead") + "", "/apis/compare"):
            assert (await ask(app, path))[0] == 200
        assert (await ask(app, of("lead"), tab="alerts"))[0] == 200
        assert (await ask(app, of("lead", "report")))[0] == 404


async def test_secrets_of_an_api_are_not_shown(app):
    from understudy.core.secrets import Secret
    from understudy.resilience.keys import AuthOptions, KeyOptions

    auth = AuthOptions(kind="bearer", keys=(KeyOptions(Secret("canary-9f8e7d6c5b4a")),))
    app.fallback.register_api(
        "paid", base_url="https://api.example/v1", auth=auth, headers={"X-Api-Key": "canary-header-1234"}
    )
    for path, query in ((of("paid"), {}), (of("paid"), {"tab": "config"}), ("/api/apis/paid", {})):
        _, _, page = await ask(app, path, **query)
        assert "canary" not in page, path


async def test_the_list_is_a_file_too_in_which_no_name_is_a_formula(app):
    app.fallback.register_api('=HYPERLINK("http://evil")', operation=served)
    _, headers, page = await ask(app, "/apis", q="evil", sort="name")
    assert 'href="/api/apis?q=evil&amp;sort=name&amp;format=csv"' in page
    status, headers, body = await ask(app, "/api/apis", q="evil", format="csv")
    assert (status, headers["content-type"]) == (200, "text/csv; charset=utf-8")
    head, line = list(csv.reader(io.StringIO(body)))
    assert dict(zip(head, line, strict=True))["name"] == '\'=HYPERLINK("http://evil")'
