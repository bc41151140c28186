"""The documentation says what the source says, names everything a user can set, and its links lead somewhere."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import unicodedata

import pytest

from house import ROOT, committed, name_of, python_files, report, tree

DOCS = ROOT / "docs"
PAGES = sorted(path for path in committed() if path.suffix == ".md")
#: The prose pages that exist in both languages; architecture, decisions and reference are English only.
BOTH = [
    "index", "getting-started", "configuration", "resilience", "storage", "testing", "metrics", "troubleshooting",
    "alerts", "notifications", "operations", "history", "dashboard", "apis", "requests", "setup", "status-page", "api",
]  # fmt: skip  # names in one line


def anchor(heading: str) -> str:
    """The name under which the documentation's builder files a heading."""
    text = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", text)).strip("-")


def outside_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def anchors_of(path) -> set[str]:
    headings = re.findall(r"^#{1,6}\s+(.*)$", outside_code(path.read_text("utf-8")), re.MULTILINE)
    return {anchor(heading) for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_inside_the_repository_leads_somewhere(page):
    findings = []
    for target in re.findall(r"\]\(([^)\s]+)\)", outside_code(page.read_text("utf-8"))):
        if "://" in target or target.startswith("mailto:"):
            continue
        file, _, fragment = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        if not path.exists():
            findings.append(f"{target}: no such file")
        elif fragment and path.suffix == ".md" and fragment not in anchors_of(path):
            findings.append(f"{target}: no such heading")
    assert not findings, report(findings)


def test_the_reference_is_what_the_source_says():
    run = subprocess.run(
        [sys.executable, "tools/write_reference.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, f"run tools/write_reference.py:\n{run.stdout}{run.stderr}"


@pytest.mark.parametrize("name", BOTH)
def test_every_page_for_users_exists_in_both_languages(name):
    assert (DOCS / f"{name}.md").is_file()
    assert (DOCS / "pt-BR" / f"{name}.md").is_file()


def test_every_page_is_in_the_navigation():
    shown = (ROOT / "mkdocs.yml").read_text("utf-8")
    missing = [name_of(p) for p in PAGES if p.is_relative_to(DOCS) and p.relative_to(DOCS).as_posix() not in shown]
    assert not missing, report(missing)


def environment_variables() -> set[str]:
    """Names of environment variables that the configuration reads: whole string constants in capitals."""

    found = set()
    for path in python_files("src/understudy/config"):
        for node in ast.walk(tree(path)):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and re.fullmatch(r"[A-Z]+(?:_[A-Z]+)+|ENVIRONMENT", text):
                found.add(text)
    return found


@pytest.mark.parametrize("page", ["configuration.md", "pt-BR/configuration.md"])
def test_every_environment_variable_is_documented(page):
    text = (DOCS / page).read_text("utf-8")
    missing = sorted(name for name in environment_variables() if name not in text)
    assert not missing, report(missing)


def test_every_http_endpoint_is_documented():
    pages = ("metrics.md", "getting-started.md", "reference/endpoints.md")
    text = "".join((DOCS / page).read_text("utf-8") for page in pages)
    paths = {
        node.value
        for path in python_files("src/understudy/web")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if re.fullmatch(r"/(?:health|metrics|api/)[\w/.{}-]*", node.value)
    }
    missing = sorted(path for path in paths if path.rstrip("/") not in text)
    assert not missing, report(missing)
