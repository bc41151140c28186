"""Modules and functions stay small enough to be read at one sitting."""

from __future__ import annotations

import ast

from house import name_of, python_files, report, tree

LONGEST_MODULE = 500
LONGEST_FUNCTION = 60


def test_no_module_is_longer_than_a_sitting():
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in python_files("src", "tools", "benchmarks")}
    findings = [f"{name_of(path)}: {length} lines" for path, length in lengths.items() if length > LONGEST_MODULE]
    assert not findings, report(findings)


def test_no_function_is_longer_than_a_page():
    findings = []
    for path in python_files("src", "tools", "benchmarks"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    findings.append(f"{name_of(path)}:{node.lineno}: {node.name} has {length} lines")
    assert not findings, report(findings)


def test_the_public_list_fits_on_one_screen():
    [door] = python_files("src/understudy/__init__.py")
    statements = [n for n in tree(door).body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    assert {n.name for n in statements} <= {"__getattr__", "__dir__"}, "understudy/__init__ holds the public list only"
