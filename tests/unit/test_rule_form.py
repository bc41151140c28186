"""A rule goes through the form of its page unchanged: what comes with the program can be kept as it stands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from understudy.alerts.defaults import default_rules
from understudy.alerts.model import Rule
from understudy.core.text import texts
from understudy.web.pages.alert_words import Words
from understudy.web.pages.rule_form import filled, read

WORDS = Words(texts("en"))


@pytest.mark.parametrize("rule", default_rules(), ids=lambda rule: rule.name)
def test_default_rules_come_back_from_their_form_as_they_were(rule: Rule) -> None:
    form = read(filled(rule), WORDS)
    assert form.faults == {}
    assert form.rule == replace(rule, version=form.rule.version if form.rule else 0)


def test_the_first_threshold_of_an_event_may_be_left_out_but_not_the_next() -> None:
    (rule,) = (each for each in default_rules() if each.name == "api_down")
    alone = {**filled(rule), "level0.threshold": "", "level1.severity": "", "level1.threshold": ""}
    assert read(alone, WORDS).faults == {}
    assert list(read({**filled(rule), "level1.threshold": ""}, WORDS).faults) == ["level1.threshold"]
    assert "level0.threshold" in read({**filled(rule), "level0.threshold": "many"}, WORDS).faults
