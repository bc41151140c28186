"""Paths with places in them: what is found, whatever was sent."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from understudy.web.routing import Routes

TABLE = Routes(
    {
        ("GET", "/a"): "list",
        ("GET", "/a/rules"): "rules",
        ("POST", "/a/rules"): "new",
        ("GET", "/a/{one}"): "one",
        ("DELETE", "/a/{one}"): "gone",
        ("GET", "/a/rules/{rule}/versions"): "versions",
        ("POST", "/a/{one}/ack"): "ack",
    }
)


def find(method: str, raw: str):
    return TABLE.find(method, unquote(raw), raw.encode("ascii"))


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("GET", "/a", ("list", {})),
        ("GET", "/a/rules", ("rules", {})),
        ("GET", "/a/x", ("one", {"one": "x"})),
        ("GET", "/a/x%2Fy%20%C3%A9", ("one", {"one": "x/y é"})),
        ("GET", "/a/%7Bone%7D", ("one", {"one": "{one}"})),
        ("GET", "/a/rules/..%2F..%2Fetc/versions", ("versions", {"rule": "../../etc"})),
        ("POST", "/a/x/ack", ("ack", {"one": "x"})),
        ("POST", "/a/x", None),
        ("DELETE", "/a/rules", None),
        ("GET", "/a/", None),
        ("GET", "/a//ack", None),
        ("GET", "/a/x/", None),
        ("GET", "/a/%FF", None),
        ("GET", "/a/x/y/z", None),
        ("get", "/a", None),
    ],
)
def test_a_place_stands_for_one_part_that_is_not_empty(method, path, found):
    assert find(method, path) == found


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/a", ["GET"]), ("/a/rules", ["GET", "POST"]), ("/a/x", ["DELETE", "GET"]), ("/a/x/ack", ["POST"]), ("/b", [])],
)
def test_the_methods_of_a_path_are_known(path, methods):
    assert TABLE.allowed(path, path.encode()) == methods
