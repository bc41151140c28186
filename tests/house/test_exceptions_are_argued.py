"""Every exception to a rule carries its reason where it is made."""

from __future__ import annotations

import io
import re
import tokenize
import tomllib

from house import ROOT, name_of, python_files, report

EVERYWHERE = ("src", "tests", "tools", "benchmarks", "examples")
_MARK = re.compile(r"#\s*(?P<mark>noqa\b|type:\s*ignore\b|pragma:)(?P<rest>.*)")
_REASON = re.compile(
    r"^(?::\s*[A-Z]+[0-9]+(?:\s*,\s*[A-Z]+[0-9]+)*|\[[\w-]+(?:\s*,\s*[\w-]+)*\]|[^-#]*?)\s*(?:-|#)\s*\S+"
)


def comments(text: str) -> list[tuple[int, str]]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]


def test_every_silenced_check_says_why():
    findings = []
    for path in python_files(*EVERYWHERE):
        for line, comment in comments(path.read_text("utf-8")):
            found = _MARK.search(comment)
            if found and not _REASON.match(found["rest"]):
                findings.append(f"{name_of(path)}:{line}: {comment} (write the reason behind it: # noqa: X1 - why)")
    assert not findings, report(findings)


def test_every_type_ignore_names_its_code():
    findings = [
        f"{name_of(path)}:{line}: {comment}"
        for path in python_files(*EVERYWHERE)
        for line, comment in comments(path.read_text("utf-8"))
        if re.search(r"type:\s*ignore(?!\[)", comment)
    ]
    assert not findings, report(findings)


def test_every_rule_that_is_switched_off_says_why():
    """Each ignored rule has a comment on its line; each file exemption has one above it."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert tomllib.loads(text)["tool"]["ruff"]["lint"]["ignore"]
    ignored = text.split("\nignore = [\n", 1)[1].split("\n]", 1)[0].splitlines()
    exempt = text.split("[tool.ruff.lint.per-file-ignores]\n", 1)[1].split("\n[", 1)[0].strip().splitlines()
    findings = [line.strip() for line in ignored if "#" not in line]
    findings += [
        line for before, line in zip(["", *exempt], exempt, strict=False) if line[0] == '"' and before[:1] != "#"
    ]
    assert not findings, report(findings)
