"""The READMEs quote the figures of benchmarks/results/, no others, and not better than they are."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import write_comparison as comparison  # noqa: E402 - a tool is no package: its folder is put on the path first

MEASURED = {
    "record": {"by_name": 0.0571, "all_in": 0.0404, "all_in_deque": 0.192},
    "client": {"aiohttp": 0.942, "aiohttp_usual": 0.46, "httpx": 0.166, "httpx_usual": 0.149},
}


def results(figures: dict[str, dict[str, float]], met: bool = True) -> dict[str, object]:
    place = {"Python": "3.11.7", "system": "Linux x86_64", "CPUs": "2"}
    goal = {"goal": "a ≤ b", "measured": 1.0, "limit": 2.0, "at_least": False, "met": met}
    return {name: {"name": name, "environment": place, "figures": f, "goals": [goal]} for name, f in figures.items()}


def test_the_readmes_say_what_the_results_say():
    run = subprocess.run(
        [sys.executable, "tools/write_comparison.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, f"run tools/write_comparison.py:\n{run.stdout}{run.stderr}"


def test_a_line_whose_figures_were_not_measured_is_left_out():
    inside, missing = comparison.block(results(MEASURED), "en")
    assert inside.count("\n| ") == 4
    assert "bare awaits" not in inside
    assert "pipeline: awaits" in missing


def test_without_any_figure_nothing_is_claimed():
    inside, _ = comparison.block(results({"record": {}}), "en")
    assert inside == comparison.NOTHING["en"]


def test_a_missed_goal_is_told():
    assert "All 2 goals are met" in comparison.block(results(MEASURED), "en")[0]
    assert "2 of 2 goals missed" in comparison.block(results(MEASURED, met=False), "en")[0]
    assert "2 de 2 metas não atingidas" in comparison.block(results(MEASURED, met=False), "pt")[0]


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (0.0571, "share", "1/17"), (1 / 39.6, "share", "1/39"), (0.1659, "share", "1/6.0"), (0.00625, "share", "1/160"),
        (0.942, "share", "0.95×"), (0.96, "share", "0.96×"), (1.021, "share", "1.03×"), (6.521, "times", "6.53"),
        (1837.4, "ms", "1837"), (0.117, "ms", "0.12"),
    ],
)  # fmt: skip
def test_a_figure_is_rounded_against_us(value, kind, text):
    assert comparison.number(value, kind, "en") == text
    assert comparison.number(value, kind, "pt") == text.replace(".", ",")


def test_every_figure_that_is_quoted_has_a_benchmark_that_lays_it_out():
    sources = {path.stem: path.read_text("utf-8") for path in (ROOT / "benchmarks").glob("[a-z]*.py")}
    for line in comparison.LINES:
        for bench, name, _ in line.figures.values():
            source = sources[bench]
            # Figures of the fairness and failover benchmarks are named after their candidates.
            parts = re.split(r"(?<=[a-z])_(?=longest|over)|, (?=Under|stam|purg)|: (?=first|later)", name)
            assert all(part in source for part in parts), f"{bench} lays out no figure {name}"


def test_both_languages_quote_the_same_figures():
    for line in comparison.LINES:
        en, pt = (set(re.findall(r"{(\w+)}", " ".join(texts))) for texts in (line.en, line.pt))
        assert en == pt == set(line.figures)


def test_the_results_are_read_by_the_name_of_their_benchmark(tmp_path):
    (tmp_path / "x.json").write_text(json.dumps({"name": "record", "goals": []}), "utf-8")
    assert set(comparison.read(tmp_path)) == {"record"}


def test_a_readme_without_its_marks_is_a_fault():
    with pytest.raises(comparison.Fault, match=r"README\.md: expected the marks"):
        comparison.replaced("nothing here", "README.md", "x")
