"""How long `import understudy` takes beyond asyncio, and what it loads. Each run is a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent))

from common import Table

_PROBE = """
import asyncio, json, sys, time
before = set(sys.modules)
began = time.perf_counter()
{what}
spent = time.perf_counter() - began
print(json.dumps([spent, sorted(m.split('.')[0] for m in set(sys.modules) - before)]))
"""
_FORBIDDEN = {"aiohttp", "pydantic", "fastapi", "starlette", "sqlalchemy", "httpx", "requests", "uvicorn", "redis"}
_CASES = {
    "import understudy": "import understudy",
    "from understudy import Understudy": "from understudy import Understudy",
    "Understudy.build()": "from understudy import Understudy; Understudy.build()",
    "import aiohttp, for scale": "import aiohttp",
    "import tenacity, for scale": "import tenacity",
}


def probe(what: str, times: int = 9) -> tuple[float, set[str]]:
    """Median seconds of a statement in fresh interpreters, and the top-level modules that it loaded."""
    runs = []
    loaded: set[str] = set()
    for _ in range(times):
        done = subprocess.run(
            [sys.executable, "-c", _PROBE.format(what=what)], capture_output=True, text=True, check=True
        )
        seconds, modules = json.loads(done.stdout)
        runs.append(seconds)
        loaded |= set(modules)
    return median(runs), loaded


def main() -> int:
    """Measure, print, write; the exit code says whether the goals are met."""
    table = Table("import_time", "Import time", libraries=("aiohttp", "tenacity"))
    found = {label: probe(what) for label, what in _CASES.items()}
    table.section(
        "Beyond asyncio",
        ["statement", "median ms", "modules of web, database, HTTP or validation libraries"],
        [
            [label, seconds * 1000, ", ".join(sorted(loaded & _FORBIDDEN)) or "none"]
            for label, (seconds, loaded) in found.items()
        ],
    )
    table.goal("import understudy ≤ 40 ms beyond asyncio", found["import understudy"][0] * 1000, 40)
    table.goal("Understudy.build() ≤ 40 ms beyond asyncio", found["Understudy.build()"][0] * 1000, 40)
    table.goal("forbidden modules loaded", len(found["Understudy.build()"][1] & _FORBIDDEN), 0)
    return 0 if table.write() else 1


if __name__ == "__main__":
    raise SystemExit(main())
