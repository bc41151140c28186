"""A fault of ours about one alert: no other alert waits for it, and people are told that it cannot be evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from alert_lab import API, PLAIN, Lab
from understudy.alerts.model import Finding, Verdict
from understudy.alerts.tick import Judged

BREACH, OK = Verdict(Finding.BREACH, 0, 0, 30.0), Verdict(Finding.OK, value=1.0)
#: Its steps cannot be read: no person could configure that, only a fault of ours could.
BROKEN = replace(PLAIN, name="broken", escalation="broken")


class Unreadable(Mapping[str, str]):
    def __getitem__(self, name: str) -> str:
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("a fault while facts are read")

    def __len__(self) -> int:
        return 1


def lab() -> Lab:
    return Lab(PLAIN, BROKEN, escalations={"broken": object()})


def both(verdict: Verdict = BREACH, **facts: Mapping[str, str]) -> tuple[Judged, Judged]:
    return Judged(BROKEN, API, verdict, **facts), Judged(PLAIN, API, verdict)


def test_what_cannot_be_told_keeps_nothing_else_from_being_told():
    there = lab()
    assert there.find(*both()) == ["fired:warning"]
    assert [each.notice.rule for each in there.tellings] == ["errors"]
    assert [each.rule for each in there.events] == ["errors"]
    assert {episode.rule for episode in there.episodes.values()} == {"errors"}


def test_what_cannot_be_judged_keeps_nothing_else_from_being_judged():
    there = lab()
    assert there.find(*both(facts=Unreadable())) == ["fired:warning"]


def test_after_some_in_a_row_people_learn_of_it_and_of_its_end():
    there = lab()
    for _ in range(3):
        there.find(*both())
    [began] = there.signals
    assert began.event == "rule_evaluation_failing"
    assert began.active
    assert began.detail["rule"] == "broken"
    assert began.detail["reason"].startswith("a fault of Understudy itself")
    there.find(*both(OK))
    assert [each.active for each in there.signals] == [True, False]
    assert "broken" not in there.standing.erring.values()


def test_once_the_fault_is_mended_the_alert_fires_and_its_number_is_the_first():
    there = lab()
    there.find(*both())
    there.context.escalations = {}
    there.context.changed()
    assert there.find(*both()) == ["fired:warning"]
    assert there.tellings[-1].notice.rule == "broken"
