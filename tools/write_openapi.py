"""Writes docs/openapi.json from what the endpoints declare; `--check` only compares. A test runs the comparison."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from understudy import __version__
from understudy.web.openapi import document
from understudy.web.table import ROUTES

FILE = Path(__file__).resolve().parents[1] / "docs" / "openapi.json"


def written() -> str:
    """The document of everything there is, whoever may use it."""
    return json.dumps(document(ROUTES, lambda needs: True, __version__), ensure_ascii=False, indent=1) + "\n"


def main() -> int:
    """Write the file, or say that it is out of date."""
    text = written()
    if "--check" not in sys.argv[1:]:
        FILE.write_text(text, encoding="utf-8")
        return 0
    if FILE.exists() and FILE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{FILE.name} is out of date: run tools/write_openapi.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
