"""Who may import whom, checked on the source as it stands."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib

from house import PACKAGE, ROOT


def test_every_room_imports_only_what_lies_below_it():
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONUTF8": "1"}
    run = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        check=False,
        encoding="utf-8",
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_no_room_is_missing_from_the_contract_about_the_testing_kit():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    [listed] = [c["source_modules"] for c in contracts if c["name"].startswith("No room depends")]
    rooms = {f"understudy.{p.stem}" for p in PACKAGE.iterdir() if p.name[0] != "_" and p.suffix in ("", ".py")}
    rooms |= {"understudy._default"}
    rooms -= {"understudy.testing", "understudy.py"}
    assert rooms <= set(listed)
