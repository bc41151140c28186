"""The runner of the long experiments: a broken promise cannot pass, and every experiment has its sample here."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from soak import __main__ as runner
from soak import table
from soak.catalogue import EXPERIMENTS, Experiment
from soak.experiment import Report, Tell


def report(**numbers: float) -> Report:
    found = Report("trial", "A trial of the runner")
    for text, number in numbers.items():
        found.at_most(text, number, 10.0, " ms")
    found.seconds = 1.4
    found.figures = {"calls": 3, "served": {"lead": 2}}
    return found


def test_promises_say_what_was_promised_and_what_was_measured():
    found = report(late=11.5)
    found.at_least("success", 99.9, 99.9, " %")
    found.exactly("requests", 2, 1)
    found.none_of("losses", [])
    found.none_of("leaks", ["a", "b", "c", "d"])
    shown = [(promise.text, promise.measured, promise.kept) for promise in found.promises]
    assert shown == [
        ("late ≤ 10 ms", "11.5 ms", False),
        ("success ≥ 99.9 %", "99.9 %", True),
        ("requests: 1", "2", False),
        ("losses: none", "none", True),
        ("leaks: none", "4: a; b; c", False),
    ]
    assert len(found.broken) == 3


def test_the_table_keeps_what_it_says_of_experiments_that_were_not_run(tmp_path: Path):
    table.write([report(late=3.0)], seed=7, directory=tmp_path)
    other = Report("other", "Another")
    other.none_of("leaks", ["x | y\nz"])
    table.write([other], seed=8, directory=tmp_path)
    known = json.loads((tmp_path / "soak.json").read_text("utf-8"))
    assert list(known) == ["trial", "other"]
    assert known["trial"]["versions"]["Python"]
    assert known["trial"]["date"].count("-") == 2
    text = (tmp_path / "soak.md").read_text("utf-8")
    assert "| trial | late ≤ 10 ms | 3 ms | yes |" in text
    assert "| other | leaks: none | 1: x \\| y z | **NO** |" in text
    assert "**A promise was broken.**" in text
    assert "- served: lead 2" in text


async def sound(_seed: int, tell: Tell) -> Report:
    tell(0.5)
    return report(late=1.0)


async def broken(_seed: int, _tell: Tell) -> Report:
    return report(late=99.0)


async def crashing(_seed: int, _tell: Tell) -> Report:
    raise LookupError("no server")


@pytest.mark.parametrize(("run", "kept"), [(sound, True), (broken, False), (crashing, False)])
def test_a_crash_is_a_broken_promise_and_the_others_still_run(run, kept):
    console = Console(file=io.StringIO())
    with Progress(console=console) as progress:
        found = runner.run(Experiment("trial", "A trial", run, run), 7, False, progress)
    assert (not found.broken) is kept
    assert found.seconds > 0


@pytest.mark.parametrize(("run", "code"), [(sound, 0), (broken, 1)])
def test_the_exit_code_tells_whether_every_promise_was_kept(run, code, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(runner, "EXPERIMENTS", (Experiment("trial", "A trial", run, run),))
    monkeypatch.setattr(table, "RESULTS", tmp_path)
    monkeypatch.setattr("sys.argv", ["soak", "--quick"])
    assert runner.main() == code
    assert "late" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_an_unknown_name_is_told_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["soak", "survivol"])
    with pytest.raises(SystemExit) as ended:
        runner.main()
    assert ended.value.code == 2
    assert "no experiment is called survivol" in capsys.readouterr().err


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_every_experiment_has_its_sample_in_the_suite(experiment):
    module = experiment.sample.__module__.rpartition(".")[2]
    texts = [path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py")]
    assert any(f"{module}.sample(" in text for text in texts)


def test_the_committed_table_is_of_these_experiments_and_holds_no_broken_promise():
    known = json.loads((table.RESULTS / "soak.json").read_text("utf-8"))
    assert set(known) <= {experiment.name for experiment in EXPERIMENTS}
    assert all(promise["kept"] for entry in known.values() for promise in entry["promises"])
    assert (table.RESULTS / "soak.md").read_text("utf-8") == table.markdown(known)
