"""No page gives its template a value under a name of the frame: the frame's scripts and menus would read it instead."""

from __future__ import annotations

import ast

from house import name_of, python_files, report, tree

#: What a page may say better than the frame: the place in the rail, its own span, the environment it read already.
MEANT = {"at", "range", "environment"}


def _named(path, called):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == called:
            yield node


def test_no_value_of_a_page_hides_one_of_the_frame():
    [rendering] = python_files("src/understudy/web/pages/rendering.py")
    [frame] = (each for each in tree(rendering).body if getattr(each, "name", "") == "page")
    names = {key.value for node in ast.walk(frame) if isinstance(node, ast.Dict) for key in node.keys if key}  # type: ignore[attr-defined]
    assert {"words", "who", "places"} <= names
    findings = [
        f"{name_of(path)}:{call.lineno}: {each.arg} is a name of the frame"
        for path in python_files("src/understudy/web")
        for call in _named(path, "page")
        for each in call.keywords
        if each.arg in names - MEANT
    ]
    assert not findings, report(findings)
