"""Clocks, chance, the environment and `global` each have one place. Lint bans the rest in src; here are the
parts that lint cannot see, and the tests, which may yield to the loop but never wait."""

from __future__ import annotations

import ast
from pathlib import Path

from house import PACKAGE, dotted, name_of, python_files, report, tree

CLOCK_READS = {
    "time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.perf_counter_ns",
    "datetime.now", "datetime.utcnow", "datetime.datetime.now", "datetime.datetime.utcnow",
}  # fmt: skip  # one line a family reads better than one line a name


def calls(path: Path) -> list[tuple[int, str, ast.Call]]:
    return [(n.lineno, dotted(n.func), n) for n in ast.walk(tree(path)) if isinstance(n, ast.Call)]


def test_the_configuration_reads_no_clock():
    findings = [
        f"{name_of(path)}:{line}: {name}"
        for path in python_files("src/understudy/config")
        for line, name, _ in calls(path)
        if name in CLOCK_READS or name in {"time.sleep", "asyncio.sleep"}
    ]
    assert not findings, report(findings)


def test_only_the_clock_imports_the_time_module():
    findings = []
    for path in python_files("src"):
        for node in ast.walk(tree(path)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""] if not node.level else []
            if "time" in names and path != PACKAGE / "core" / "clock.py":
                findings.append(f"{name_of(path)}:{node.lineno}: import time")
    assert not findings, report(findings)


def test_the_loops_own_clock_is_read_by_the_clock_only():
    """`loop.time()` is a clock read in disguise."""
    findings = [
        f"{name_of(path)}:{line}: {name or 'get_running_loop().time'}()"
        for path in python_files("src")
        for line, name, call in calls(path)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "time" and not call.args and "clock" not in name
        if path != PACKAGE / "core" / "clock.py"
    ]
    assert not findings, report(findings)


def test_unit_and_property_tests_never_wait():
    findings = []
    for path in python_files("tests/unit", "tests/property", "tests/docs"):
        for line, name, call in calls(path):
            yields = call.args and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0
            if name == "time.sleep" or (name == "asyncio.sleep" and not yields):
                findings.append(f"{name_of(path)}:{line}: {name}")
    assert not findings, report(findings)


def test_nothing_is_mocked():
    findings = [
        f"{name_of(path)}:{node.lineno}"
        for path in python_files("src", "tests", "benchmarks", "examples", "tools")
        for node in ast.walk(tree(path))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("unittest"))
        or (isinstance(node, ast.Import) and any(alias.name.startswith("unittest") for alias in node.names))
    ]
    assert not findings, report(findings)


def test_global_stands_in_one_file():
    findings = [
        f"{name_of(path)}:{node.lineno}"
        for path in python_files("src", "tools", "benchmarks")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Global) and path != PACKAGE / "_default.py"
    ]
    assert not findings, report(findings)
