"""How long `import understudy` takes beyond asyncio, and what it loads.

Every run is a fresh interpreter with its bytecode cached, as in a program that has run before; the
statements take turns. Run: `python benchmarks/import_time.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent))

from common import QUICK, Table

ROUNDS = 3 if QUICK else 25
PROBE = """
import asyncio, json, sys, time
before = set(sys.modules)
began = time.perf_counter()
{what}
spent = time.perf_counter() - began
print(json.dumps([spent, sorted(set(sys.modules) - before)]))
"""
NAME, CLASS, BUILT = "import understudy", "from understudy import Understudy", "Understudy.build()"
CASES = {
    NAME: "import understudy",
    CLASS: "from understudy import Understudy",
    BUILT: "from understudy import Understudy; Understudy.build()",
    "import tenacity, for scale": "import tenacity",
    "import httpx, for scale": "import httpx",
    "import aiohttp, for scale": "import aiohttp",
}
#: Libraries (and parts of the standard library) that only those who use them may have to load.
KEPT_OUT = {
    "web": ("fastapi", "starlette", "uvicorn", "jinja2", "http.server", "wsgiref"),
    "database": ("sqlalchemy", "alembic", "psycopg", "sqlite3", "apsw", "redis", "dbm"),
    "HTTP": ("aiohttp", "httpx", "httpx2", "httpcore", "requests", "urllib3", "http.client", "urllib.request", "yarl"),
    "validation": ("pydantic", "pydantic_core"),
    "terminal": ("typer", "rich", "click", "psutil"),
}


def probe(what: str, cache: str) -> tuple[float, set[str]]:
    """Seconds of a statement in a fresh interpreter, and the modules that it loaded."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-X", f"pycache_prefix={cache}", "-c", PROBE.format(what=what)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ)
    seconds, modules = json.loads(done.stdout)
    return seconds, set(modules)


def kept_out(modules: set[str]) -> list[str]:
    """Those of the modules that nobody should have to load."""
    wanted = [name for names in KEPT_OUT.values() for name in names]
    return [name for name in wanted if name in modules]


def main() -> int:
    """Measure, print, write; the exit code says whether the goals are met."""
    seconds: dict[str, list[float]] = {label: [] for label in CASES}
    loaded: dict[str, set[str]] = {}
    with tempfile.TemporaryDirectory() as cache:
        for label, what in CASES.items():
            loaded[label] = probe(what, cache)[1]  # writes the bytecode
        for _ in range(ROUNDS):
            for label, what in CASES.items():
                seconds[label].append(probe(what, cache)[0])
    table = Table("import_time", "Import time", libraries=("aiohttp", "httpx", "tenacity"))
    table.section(
        f"Beyond asyncio, {ROUNDS} fresh interpreters each",
        ["statement", "median ms", "best ms", "modules", "of them web, database, HTTP, validation, terminal"],
        [
            [label, median(s) * 1000, min(s) * 1000, len(loaded[label]), ", ".join(kept_out(loaded[label])) or "none"]
            for label, s in seconds.items()
        ],
    )
    table.figure("module_ms", median(seconds[NAME]) * 1000)
    table.figure("class_ms", median(seconds[CLASS]) * 1000)
    table.goal("import understudy ≤ 40 ms beyond asyncio", median(seconds[NAME]) * 1000, 40)
    table.goal(f"modules loaded by {BUILT} that it should do without", len(kept_out(loaded[BUILT])), 0)
    table.note(
        "`import understudy` loads next to nothing, because its names are loaded when they are first used: what a "
        "program really waits for is in the second and the third row."
    )
    table.note("Looked for: " + "; ".join(f"{kind}: {', '.join(names)}" for kind, names in KEPT_OUT.items()) + ".")
    return 0 if table.write() else 1


if __name__ == "__main__":
    raise SystemExit(main())
