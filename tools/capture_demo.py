"""Plays `understudy demo` for real and keeps what it printed as pictures for the READMEs: docs/assets/demo*.svg.

    .venv/bin/python tools/capture_demo.py [--seconds 24]

Nothing is drawn by hand: the pictures are what the terminal showed, and when the demo fails nothing is written.
Run it when the demo's output changes.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from pathlib import Path

from understudy.cli.demo import demo
from understudy.cli.exits import OK
from understudy.cli.screen import Screen
from understudy.core.text import texts

ASSETS = Path(__file__).resolve().parents[1] / "docs" / "assets"
PICTURES = {"en": "demo.svg", "pt_BR": "demo.pt-BR.svg"}
#: Columns, enough for the longest line, and the picture's width of one.
WIDTH, COLUMN = 136, 12.2
#: Fonts that need no download: whoever looks at the picture asks nobody for anything.
FONTS = "ui-monospace, 'Cascadia Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_FACE = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_BLANKS = re.compile(r' x="([\d.]+)" y="([\d.]+)" textLength="([\d.]+)" clip-path="([^"]*)">((?:&#160;)+)')


def capture(language: str, seconds: float) -> str:
    """The picture of one real run.

    Raises:
        SystemExit: the demo failed; its output says why.
    """
    out = io.StringIO()
    screen = Screen(texts(language), out=out, width=WIDTH)
    screen.console.record = True
    if demo(screen, seconds=seconds, seed=7, rate=25) != OK:
        sys.exit(out.getvalue())
    svg = screen.console.export_svg(title="understudy demo", unique_id="demo")
    # Some viewers drop blanks at the beginning of a text, so that columns would move to the left.
    svg = _BLANKS.sub(_moved, _FACE.sub("", svg))
    return re.sub(r"font-family: [^;]*;", f"font-family: {FONTS};", svg)


def _moved(found: re.Match[str]) -> str:
    """A text without its leading blanks, as far to the right as they were wide."""
    x, y, length, clip, blanks = found.groups()
    wide = blanks.count("&#160;") * COLUMN
    left = max(float(length) - wide, 0.0)
    return f' x="{float(x) + wide:g}" y="{y}" textLength="{left:g}" clip-path="{clip}">'


def main() -> None:
    """Write both pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=24.0, help="how long the story takes")
    seconds = parser.parse_args().seconds
    ASSETS.mkdir(exist_ok=True)
    for language, name in PICTURES.items():
        (ASSETS / name).write_text(capture(language, seconds), "utf-8")
        print(f"wrote docs/assets/{name}")


if __name__ == "__main__":
    main()
