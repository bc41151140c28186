"""The pages about testing show whole test files, and each of them passes as a reader would run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import understudy.testing

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["docs/testing.md", "docs/pt-BR/testing.md"]
SOURCES = str(Path(understudy.__file__).parents[1])


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_is_shown_passes(page, tmp_path):
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)
    files = [tmp_path / f"test_shown_{number}.py" for number, _ in enumerate(blocks, 1)]
    for file, block in zip(files, blocks, strict=True):
        file.write_text(block, "utf-8")
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(file.name for file in files)],
        cwd=tmp_path,
        env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": SOURCES, "PYTHONUTF8": "1"},
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=100,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(blocks) > 3


@pytest.mark.parametrize("page", PAGES)
def test_every_name_of_the_kit_is_named(page):
    text = (ROOT / page).read_text("utf-8")
    missing = [name for name in understudy.testing.__all__ if f"`{name}" not in text and f" {name}" not in text]
    assert not missing
