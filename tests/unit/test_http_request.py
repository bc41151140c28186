"""What a caller may ask to be sent: everything else is refused before it can reach the wire or blame an API."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from understudy.core.errors import InvalidRequest
from understudy.resilience.http_body import plain_body
from understudy.resilience.http_request import (
    checked_headers,
    checked_method,
    encode_params,
    lay_over,
    signed_headers,
    wire_path,
)
from understudy.resilience.keys import AuthOptions

NONE = AuthOptions()


@pytest.mark.parametrize(
    ("path", "wire"),
    [
        ("/matches", "/matches"),
        ("/matches?day=2026-01-01&x=a,b", "/matches?day=2026-01-01&x=a,b"),
        ("matches", "/matches"),
        ("", "/"),
        ("?day=1", "/?day=1"),
        ("/a b", "/a%20b"),
        ("/já/ü?q=ß", "/j%C3%A1/%C3%BC?q=%C3%9F"),
        ("/a%2Fb?c=%2C", "/a%2Fb?c=%2C"),
        ("/100%", "/100%25"),
        ("/100%zz", "/100%25zz"),
        ('/a"<>{}|^`', "/a%22%3C%3E%7B%7D%7C%5E%60"),
        ("/.well-known/x", "/.well-known/x"),
        ("/a..b/...", "/a..b/..."),
        ("/x?next=http://other.example/../y", "/x?next=http://other.example/../y"),
        ("/users/a:b", "/users/a:b"),
        ("@other.example/", "/@other.example/"),
        ("/a//b", "/a//b"),
    ],
)
def test_a_path_is_what_goes_on_the_wire(path: str, wire: str) -> None:
    assert wire_path(path) == wire


@pytest.mark.parametrize(
    "path",
    [
        "//other.example", "///other.example", "http://other.example", "https:other", "\\other", "/a\\..\\b",
        " //other.example", "/a\r\nX: y", "/a\n", "/a\x00", "/\u2028", "//[",
        "/..", "/../admin", "/a/../b", "/a/./b", "..", "./x", "/%2e%2e/admin", "/%2E./x", "/a/..%2fadmin",
        "/a%2f..%2fb", "/..;/admin", "/..%5cx", "/x/..?a=1", "/tags/c#", "/x#y?a=1", "/\ud800",
    ],
)  # fmt: skip
def test_a_path_that_leaves_the_api_or_its_line_is_refused(path: str) -> None:
    with pytest.raises(InvalidRequest):
        wire_path(path)


@pytest.mark.parametrize(
    ("params", "query"),
    [
        (None, ""),
        ({}, ""),
        ({"a": [1, None, 2], "b": None, "c": True, "d": False, "e": 1.5}, "a=1&a=2&c=true&d=false&e=1.5"),
        ([("a", 1), ("a", "é &=#+")], "a=1&a=%C3%A9+%26%3D%23%2B"),
        ({"x\r\ny": "z\r\nw"}, "x%0D%0Ay=z%0D%0Aw"),
        ({"a": b"\xff"}, "a=%FF"),
        ({"a": ()}, ""),
    ],
)
def test_params_become_a_query(params: Any, query: str) -> None:
    assert encode_params(params) == query


@pytest.mark.parametrize("params", ["a=b", b"a=b", {"a": {"b": 1}}, [1, 2], [("a",)], {"a": "\ud800"}, {"a": [{}]}])
def test_params_that_no_query_can_hold_are_refused(params: Any) -> None:
    with pytest.raises(InvalidRequest):
        encode_params(params)


@pytest.mark.parametrize(
    "headers",
    [
        {"X": "a\r\nEvil: 1"}, {"X": "a\nb"}, {"X": "\x00"}, {"X\r\nEvil": "1"}, {"X Y": "1"}, {"": "1"}, {"X:": "1"},
        {"X": None}, {"X": 5}, {"X": b"b"}, {5: "x"}, {"X": "\ud800"}, {"ü": "1"}, [("X", "1")],
    ],
)  # fmt: skip
def test_headers_that_would_break_their_line_are_refused(headers: Any) -> None:
    with pytest.raises(InvalidRequest):
        checked_headers(headers, {})


def test_a_refusal_does_not_quote_a_value_as_it_may_be_a_key() -> None:
    with pytest.raises(InvalidRequest) as caught:
        checked_headers({"X-Key": "canary\n"}, {})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("name", ["Host", "host", "CONTENT-LENGTH", "Transfer-Encoding", "Connection", "Expect", "TE"])
def test_framing_and_host_are_not_the_callers(name: str) -> None:
    with pytest.raises(InvalidRequest, match="leave it out"):
        checked_headers({name: "x"}, {})


def test_an_encoding_that_would_not_be_decoded_is_not_asked_for() -> None:
    assert checked_headers({"accept-encoding": "br, zstd"}, {}) == {}
    assert checked_headers({"Accept-Encoding": "identity"}, {}) == {"Accept-Encoding": "identity"}


def test_what_the_caller_says_of_the_body_goes_before_what_we_would_say() -> None:
    ours = {"Content-Type": "application/json"}
    assert checked_headers({"content-type": "application/vnd.api+json"}, ours) == {
        "content-type": "application/vnd.api+json"
    }
    assert checked_headers({"X": "1"}, ours) == {"X": "1", "Content-Type": "application/json"}


def test_the_callers_headers_replace_the_configured_ones_whatever_their_case() -> None:
    headers = {"Accept": "text/csv", "X-Kept": "1"}
    lay_over(headers, {"accept": "application/json"}, NONE, foreign=False)
    assert headers == {"accept": "application/json", "X-Kept": "1"}


@pytest.mark.parametrize(
    ("auth", "name"),
    [
        ({"kind": "bearer"}, "authorization"),
        ({"kind": "basic", "username": "u"}, "AUTHORIZATION"),
        ({"kind": "header", "name": "X-Api-Key"}, "x-api-key"),
        ({"kind": "rapidapi"}, "x-rapidapi-host"),
        ({"kind": "oauth2_client_credentials"}, "Authorization"),
        ({"kind": "token_request", "name": "X-Token"}, "x-token"),
    ],
)
def test_the_header_that_carries_the_apis_key_is_the_apis_alone(auth: dict[str, Any], name: str) -> None:
    options = AuthOptions(**auth)
    headers: dict[str, str] = {}
    lay_over(headers, {name: "the caller's"}, options, foreign=False)
    assert headers == {}
    assert name.lower() in signed_headers(options)


@pytest.mark.parametrize(
    "name",
    ["Authorization", "Cookie", "X-Api-Key", "apikey", "X-RapidAPI-Key", "X-RapidAPI-Host", "X-Auth-Token", "X-Secret"],
)
def test_a_foreign_api_gets_no_credentials_of_the_caller(name: str) -> None:
    headers: dict[str, str] = {}
    lay_over(headers, {name: "secret", "Idempotency-Key": "7", "Accept": "*/*"}, NONE, foreign=True)
    assert headers == {"Idempotency-Key": "7", "Accept": "*/*"}


@pytest.mark.parametrize("method", ["", "GET / HTTP/1.1\r\nX: y", "G T", "G\nT", "é", "CONNECT", "connect"])
def test_a_method_that_is_none_is_refused(method: str) -> None:
    with pytest.raises(InvalidRequest):
        checked_method(method)


def test_a_method_is_sent_in_capitals() -> None:
    assert [checked_method(method) for method in ("get", "PROPFIND", "m-search")] == ["GET", "PROPFIND", "M-SEARCH"]


# -- bodies -------------------------------------------------------------------------------------------


async def whole(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return b"".join([piece async for piece in (body() if callable(body) else body)])


@pytest.mark.parametrize(
    ("data", "sent", "kind"),
    [
        (b"raw", b"raw", None),
        (bytearray(b"raw"), b"raw", None),
        (memoryview(b"raw"), b"raw", None),
        ("tëxt", "tëxt".encode(), "text/plain; charset=utf-8"),
        ({"a": "é", "b": [1, 2], "c": None}, b"a=%C3%A9&b=1&b=2", "application/x-www-form-urlencoded"),
        ([("a", 1), ("a", 2)], b"a=1&a=2", "application/x-www-form-urlencoded"),
        ([b"a", b"b"], b"ab", None),
        (io.BytesIO(b"of a file"), b"of a file", None),
        (iter([b"a", b"b"]), b"ab", None),
        ((text for text in ["ä", "b"]), "äb".encode(), None),
    ],
)
async def test_what_can_be_sent_as_a_body(data: Any, sent: bytes, kind: str | None) -> None:
    body, extra = plain_body(None, data)
    assert await whole(body) == sent
    assert extra.get("Content-Type") == kind


@pytest.mark.parametrize("json", [float("nan"), object(), {1, 2}, {"a": b"x"}])
def test_what_is_no_json_is_refused(json: Any) -> None:
    with pytest.raises(InvalidRequest):
        plain_body(json, None)


@pytest.mark.parametrize("data", [5, object(), [1, 2], {"a": {"b": 1}}, "\ud800"])
def test_what_is_no_body_is_refused(data: Any) -> None:
    with pytest.raises(InvalidRequest):
        plain_body(None, data)


def test_json_and_data_exclude_one_another() -> None:
    with pytest.raises(InvalidRequest, match="not both"):
        plain_body({}, b"")


async def test_a_file_is_sent_from_where_it_stands_with_its_length_and_can_be_sent_again(tmp_path: Path) -> None:
    path = tmp_path / "upload.csv"
    path.write_bytes(b"header\n" + b"x" * 300_000)
    with path.open("rb") as file:
        file.seek(7)
        body, extra = plain_body(None, file)
        assert extra == {"Content-Length": "300000"}
        assert await whole(body) == b"x" * 300_000
        assert await whole(body) == b"x" * 300_000


async def test_a_slow_iterator_does_not_stop_the_loop() -> None:
    turned = asyncio.Event()
    loop = asyncio.get_running_loop()

    def waits_for_the_loop() -> Iterator[bytes]:
        waiting = asyncio.run_coroutine_threadsafe(turned.wait(), loop)
        yield b"turned" if waiting.result(timeout=5) else b""

    loop.call_soon(turned.set)
    body, _ = plain_body(None, waits_for_the_loop())
    assert await whole(body) == b"turned"
