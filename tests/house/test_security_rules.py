"""What no line of the program may do, for the sake of safety: read from its syntax, not from its words."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from house import PACKAGE, python_files, tree

_SQL = re.compile(r"(?:SELECT|INSERT|UPDATE|DELETE|DROP|ALTER|CREATE|REPLACE|TRUNCATE|PRAGMA|VACUUM|ATTACH|COPY|SET)\s")
#: Modules whose statements are put together of names of our own tables and columns, and of numbers, which no
#: parameter can be; what comes from outside is bound in them, too.
_OUR_OWN_NAMES = {
    "dialect.py", "outbox.py", "partitions.py", "postgres.py", "postgres_rollups.py", "postgres_upgrade.py",
    "salvage.py", "space.py", "sqlite.py",
}  # fmt: skip
_SECRET = "(?:token|secret|digest|password|signature|seal|hmac|checksum|nonce|form_key)"
_HIDDEN = re.compile(rf"(?:^|_){_SECRET}$")
#: Comparisons that tell nobody else anything: what somebody types twice; another spelling of a link that is signed.
_HARMLESS = {
    ("cli", "admin.py"),
    ("cli", "setup_admin.py"),
    ("notifications", "links.py"),
    ("notifications", "queue.py"),
}
#: What may run or load something, wherever it stands.
_RUNS = (
    r"(?<![\w.])(?:eval|exec|compile|__import__)\(|entry_points|exec_module|spec_from_file|load_module|import_module|"
    r"pickle|marshal|shelve|shell=|\bsystem\(|popen|subprocess|\bexecvp?\(|spawnv"
)
#: Modules that load parts of the program, or a client of the user's, by a table of ours.
_TABLES = {"__init__.py", "config/__init__.py", "testing/__init__.py", "clients/httpx.py"}
#: What starts another program.
_STARTS = ("Popen", "create_subprocess_exec", "create_subprocess_shell", "execv", "execvp", "spawnv", "posix_spawn")
#: Where secrets of people and programs are compared.
_DOORS = ("web", "cli", "core", "notifications", "gateway", "channels")


def _ours(*words: str) -> list[tuple[Path, ast.AST]]:
    """What is looked at in modules that hold one of these words, with the module that it stands in.

    To parse them all takes longer than anything else here.
    """
    kinds = (ast.JoinedStr, ast.Call, ast.Compare, ast.Import, ast.ImportFrom)
    wanted = re.compile("|".join(words))
    found: list[tuple[Path, ast.AST]] = []
    for path in python_files("src/understudy"):
        if wanted.search(_text(path)):
            inside = path.relative_to(PACKAGE)
            found += [(inside, node) for node in ast.walk(tree(path)) if isinstance(node, kinds)]
    return found


@cache
def _text(path: Path) -> str:
    return path.read_text("utf-8")


def _name(node: ast.AST) -> str:
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case ast.Call(func=inner) | ast.Subscript(value=inner):
            return _name(inner)
    return ""


def test_record_18_no_statement_is_made_of_what_somebody_sent():
    made = set()
    for path, node in _ours(rf"[\"']{_SQL.pattern}", r"exec_driver_sql|executescript|\btext\(|\.execute\(f?[\"']"):
        begins = node.values[:1] if isinstance(node, ast.JoinedStr) and len(node.values) > 1 else []
        if any(isinstance(each, ast.Constant) and _SQL.match(str(each.value)) for each in begins):
            made.add(path.as_posix())
        if isinstance(node, ast.Call) and _name(node) in ("execute", "exec_driver_sql", "executescript", "text"):
            first = node.args[0] if node.args else None
            formatted = isinstance(first, ast.Call) and _name(first) == "format"
            if path.parts[0] == "storage" and (formatted or isinstance(first, ast.BinOp | ast.JoinedStr)):
                made.add(path.as_posix())
    assert made <= {f"storage/{name}" for name in _OUR_OWN_NAMES}


def test_record_23_what_is_secret_is_compared_in_constant_time():
    wrong = []
    for path, node in _ours(rf"(?:\b|_){_SECRET}\b[^\n]*[!=]=|[!=]=[^\n]*(?:\b|_){_SECRET}\b"):
        if not isinstance(node, ast.Compare) or path.parts[0] not in _DOORS or path.parts[:2] in _HARMLESS:
            continue
        sides = (node.left, *node.comparators)
        equal = isinstance(node.ops[0], ast.Eq | ast.NotEq)
        if (
            equal
            and not any(isinstance(each, ast.Constant) for each in sides)
            and any(_HIDDEN.search(_name(each)) for each in sides)
        ):
            wrong.append(f"{path}:{node.lineno}: {ast.unparse(node)}")
    # An id that stands in the open beside the secret of a token, and the name of the field of a form.
    assert [each for each in wrong if "each.id == token" not in each and "FORM_TOKEN" not in each] == []


def test_record_5_nothing_is_run_or_loaded_that_did_not_come_with_the_program():
    wrong = []
    for path, node in _ours(_RUNS):
        if isinstance(node, ast.Call):
            plain = isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec", "compile", "__import__")
            loaded = _name(node) in ("entry_points", "exec_module", "spec_from_file_location", "load_module")
            unpacked = isinstance(node.func, ast.Attribute) and _name(node.func.value) in (
                "pickle",
                "marshal",
                "shelve",
            )
            # By a name that is written here, or that a table of ours holds; a program of the system's, from two places.
            named = _name(node) == "import_module" and not isinstance(node.args[0], ast.Constant)
            loaded = loaded or (named and path.as_posix() not in _TABLES)
            started = "subprocess" in ast.unparse(node.func) or _name(node) in _STARTS
            loaded = loaded or (started and path.as_posix() not in ("storage/postgres_admin.py", "cli/service.py"))
            shell = any(each.arg == "shell" for each in node.keywords) or _name(node) in ("system", "popen")
            if plain or loaded or unpacked or (shell and path.parts[0] != "simulator"):
                wrong.append(f"{path}:{node.lineno}: {ast.unparse(node)[:80]}")
    assert wrong == []


def test_record_16_templates_are_known_to_pages_and_reports_alone():
    users = {
        path.as_posix()
        for path, node in _ours("jinja2")
        if (isinstance(node, ast.Import) and any(each.name.startswith("jinja2") for each in node.names))
        or (isinstance(node, ast.ImportFrom) and str(node.module).startswith("jinja2"))
    }
    assert users == {"web/pages/rendering.py", "reports/render.py"}
    safe = [
        path.name
        for path in (PACKAGE / "web" / "templates").glob("*.html")
        if re.search(r"\|\s*safe\b", path.read_text())
    ]
    assert safe == []
