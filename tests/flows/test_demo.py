"""The demo tells the truth: 0 when each part did its job, 1 and the reason when one did not."""

from __future__ import annotations

import pytest

from understudy.cli import demo as module
from understudy.cli.demo import demo
from understudy.cli.exits import FAILED, OK
from understudy.cli.screen import Screen
from understudy.cli.simulated import load_sample
from understudy.cli.story import Part
from understudy.core.text import texts
from understudy.simulator import Fault


def play(language: str = "en", seconds: float = 2.0) -> int:
    return demo(Screen(texts(language), plain=True, width=120), seconds=seconds, seed=7, rate=25)


def test_every_part_of_the_real_story_does_its_job(capsys):
    assert play(seconds=10) == OK
    shown = capsys.readouterr().out
    assert "✓ Every part did its job." in shown
    assert "✗" not in shown
    assert "One fallback, explained by its decision record:" in shown
    assert "People would have been told: email " in shown
    assert shown.count("calls served") == 8  # a line for each part, when its last call has ended


def acts(*found: Part):
    return lambda _: list(found)


BROKEN = Fault("status", status=500)


def test_a_fault_that_no_standby_had_to_answer_fails_the_demo(monkeypatch, capsys):
    monkeypatch.setattr(module, "parts", acts(Part("A standby fails", "fixtures_lite", ("fixtures",), BROKEN)))
    assert play() == FAILED
    shown = capsys.readouterr().out
    assert "✗ A standby fails: no standby ever served" in shown
    assert "Not every part did its job." in shown


def test_calls_that_nobody_served_fail_the_demo(monkeypatch, capsys):
    def without_standby(simulator, overrides):
        return load_sample(simulator, [*overrides, "apis.odds_open.enabled=false"])

    monkeypatch.setattr(module, "load_sample", without_standby)
    monkeypatch.setattr(module, "parts", acts(Part("The lead fails", "odds_prime", ("odds",), BROKEN)))
    assert play("pt") == FAILED
    assert "chamadas não foram atendidas" in capsys.readouterr().out


def test_a_part_without_a_call_fails_the_demo(monkeypatch, capsys):
    monkeypatch.setattr(module, "parts", acts(Part("Nobody calls", "", (), None)))
    assert play() == FAILED
    assert "✗ Nobody calls: no call was made" in capsys.readouterr().out


@pytest.mark.parametrize("language", ["en", "pt"])
def test_no_sentence_of_the_demo_is_left_in_the_other_language(language, capsys, monkeypatch):
    monkeypatch.setattr(module, "parts", lambda _: [Part(_("Nothing fails"), "", ("fixtures",), None)])
    assert play(language) == OK
    shown = capsys.readouterr().out
    for english, portuguese in (("Nothing fails", "Nada falha"), ("Every part did its job.", "Cada parte cumpriu")):
        assert (english in shown) is (language == "en")
        assert (portuguese in shown) is (language == "pt")
