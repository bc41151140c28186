"""What users see of the package: the list of names, what each says about itself, and what importing costs."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
import tomllib
from enum import Enum

import pytest

import understudy
import understudy.testing
from house import PACKAGE, ROOT, dotted, name_of, python_files, report, tree

REQUIRED = {"aiohttp", "annotated_types", "jmespath", "pydantic"}
#: What each extra brings, by the name it is imported under.
OPTIONAL = {
    "aiosmtplib", "alembic", "apprise", "argon2", "cryptography", "httpx", "httpx2", "jinja2", "psutil",
    "prompt_toolkit", "psycopg", "questionary", "requests", "rich", "sqlalchemy", "typer", "uvicorn",
}  # fmt: skip
#: Packages that are imported under another name than they are installed under.
IMPORTED_AS = {"argon2_cffi": "argon2"}
#: Arrives with another declared package, of whose promise it is a part.
CARRIED = {"click", "markupsafe", "pydantic_core", "urllib3", "uvloop", "yarl", "multidict"}
#: Packages whose names users may import.
HOUSES = (understudy, understudy.testing)
HEAVY = {
    "aiohttp", "alembic", "httpx", "jinja2", "psycopg", "pydantic", "requests", "rich", "sqlalchemy", "sqlite3",
    "starlette", "typer", "uvicorn", "yarl",
}  # fmt: skip


@pytest.mark.parametrize(("house", "file"), [(understudy, "api.txt"), (understudy.testing, "api_testing.txt")])
def test_the_list_of_names_is_the_one_written_down(house, file):
    """Whoever changes what users may import changes the file in the same step."""
    written = (ROOT / "tests" / "house" / file).read_text("utf-8").split()
    assert list(house.__all__) == written


@pytest.mark.parametrize("house", HOUSES, ids=lambda house: house.__name__)
def test_every_name_of_the_list_can_be_had_and_dir_shows_it(house):
    assert set(house.__all__) <= set(dir(house))
    for name in house.__all__:
        assert getattr(house, name) is not None


@pytest.mark.parametrize(
    ("house", "name"), [pytest.param(house, name, id=name) for house in HOUSES for name in house.__all__]
)
def test_what_is_exported_says_what_it_means(house, name):
    thing = getattr(house, name)
    if issubclass(thing if inspect.isclass(thing) else type(thing), Enum):
        return  # a constant; what it stands for is written where it is defined
    findings = [] if inspect.getdoc(thing) else [f"{name} has no docstring"]
    for member, value in vars(thing).items() if inspect.isclass(thing) else ():
        function = inspect.unwrap(value.fget if isinstance(value, property) else getattr(value, "__func__", value))
        shown = inspect.isfunction(function) and not member.startswith(("_", "test_"))
        if shown and not (function.__doc__ or "").strip():
            findings.append(f"{name}.{member} has no docstring")
    assert not findings, report(findings)


@pytest.mark.parametrize(
    "statement",
    [
        "import understudy",
        "from understudy import Understudy",
        "from understudy import get_fallback_manager",
        "from understudy.testing import FakeClock, FlakyApi, MemoryHealth",
    ],
)
def test_importing_loads_no_web_database_http_or_validation_library(statement):
    program = (
        f"import sys; {statement}; import json; print(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT / "src", capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(json.loads(run.stdout)) - set(sys.stdlib_module_names)
    assert not loaded & HEAVY
    assert "pytest" not in loaded
    assert not loaded & OPTIONAL


def test_every_library_that_is_imported_is_declared():
    known = set(sys.stdlib_module_names) | {"understudy"} | REQUIRED | OPTIONAL | CARRIED
    findings = sorted(
        f"{name_of(path)}:{line}: {name}"
        for path in python_files("src")
        for line, name in imports(path)
        if name not in known
        if name != "pytest" or not path.is_relative_to(PACKAGE / "testing")  # contract suites run under pytest
    )
    assert not findings, report(findings)


def test_every_declared_library_is_imported_somewhere():
    used = {name for path in python_files("src") for _, name in imports(path)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *(r for rs in project["optional-dependencies"].values() for r in rs)]
    names = {re.split(r"[^\w-]", wish)[0].replace("-", "_") for wish in wanted} - {"understudy"}
    names = {IMPORTED_AS.get(name, name) for name in names}
    assert names == REQUIRED | OPTIONAL
    # A library that is one of several is imported by a name from a tuple (httpx, httpx2).
    used |= {
        node.value
        for path in python_files("src/understudy/clients")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and node.value in names
    }
    assert names <= used, f"declared, never imported: {sorted(names - used)}"


def imports(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.lineno, (node.module or "").split(".")[0]
        elif isinstance(node, ast.Call) and dotted(node.func).split(".")[-1] == "import_module":
            what = node.args[0].value if isinstance(node.args[0], ast.Constant) else "."
            if str(what)[0] != ".":
                yield node.lineno, str(what).split(".")[0]


def test_rooms_and_core_know_no_http_database_or_web_library():
    outside = HEAVY | {"httpx2"}
    findings = [
        f"{name_of(path)}:{line}: {name}"
        for room in ("core", "resilience", "monitor")
        for path in python_files(f"src/understudy/{room}")
        for line, name in imports(path)
        if name in outside
    ]
    assert not findings, report(findings)


def test_every_module_can_be_imported_by_itself():
    """A fresh interpreter each would be slow; one that imports them all still finds a missing name."""
    for path in python_files("src/understudy"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if parts[-1] != "__main__":
            importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))


def test_the_package_is_marked_as_typed():
    assert (PACKAGE / "py.typed").is_file()
