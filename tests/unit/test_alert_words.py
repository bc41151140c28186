"""What the rules of this program are called in messages, in both languages; what people named stays as it is."""

from __future__ import annotations

import pytest

from understudy.alerts.context import Prepared
from understudy.alerts.defaults import default_rules
from understudy.alerts.evidence import judge
from understudy.alerts.ladder import Ladder
from understudy.alerts.metrics import METRICS
from understudy.alerts.model import Level, Rule
from understudy.alerts.ports import Sample
from understudy.alerts.records import notice
from understudy.alerts.rules import rule_from
from understudy.alerts.state import AlertState
from understudy.core.notices import NoticeKind, Severity
from understudy.core.text import texts
from understudy.notifications.findings import causes
from understudy.notifications.message import Card
from understudy.notifications.render import card
from understudy.notifications.wording import metric_word, reason_word, rule_word


def told(rule: Rule, language: str = "en", kind: NoticeKind = NoticeKind.FIRED, **state) -> Card:
    """The card of an alert of this rule."""
    alert = AlertState(
        "f" * 32, rule.name, {rule.subject: "odds"}, severity=Severity.WARNING, started_at=0.0, level=0, **state
    )
    return card(notice(alert, Prepared(rule), kind, 60.0, reason="", actor="", previous=None, facts={}), language)


@pytest.mark.parametrize("rule", default_rules(), ids=lambda rule: rule.name)
def test_every_default_rule_has_words_in_both_languages(rule):
    english, portuguese = told(rule), told(rule, "pt-BR")
    assert rule.name not in english.title
    assert rule_word(texts("en"), rule.name) != rule_word(texts("pt"), rule.name)
    assert rule.description in english.paragraphs
    assert rule.description not in portuguese.paragraphs


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_every_metric_has_words_in_both_languages(metric):
    english, portuguese = metric_word(texts("en"), metric)[0], metric_word(texts("pt"), metric)[0]
    assert "_" not in english
    assert english != portuguese


def test_what_people_named_and_described_stays_as_it_is():
    doc = {"name": "api_slow", "metric": "failures", "threshold": 1, "severity": "info", "description": "Look {here}."}
    found = told(rule_from(doc), "pt-BR")
    assert "api_slow" in found.title
    assert "Look {here}." in found.paragraphs


@pytest.mark.parametrize(("standbys", "said"), [(0.0, "No other API"), (1.0, "1 other API"), (2.0, "2 other APIs")])
def test_an_outage_says_who_stands_in(standbys, said):
    down = next(rule for rule in default_rules() if rule.name == "api_down")
    assert told(down, value=standbys).paragraphs[0].startswith(said)
    assert not any("stand in" in each for each in told(down, kind=NoticeKind.RESOLVED, value=standbys).paragraphs)


def test_a_value_is_told_with_its_window_and_a_number_of_the_present_without():
    success, forecast = (
        next(r for r in default_rules() if r.name == name) for name in ("success_rate", "quota_forecast")
    )
    assert told(success, value=54.2).paragraphs[0] == "success rate 54.2 % (below 80 %) over 5 min"
    assert told(forecast, value=7200.0).paragraphs[0] == "time until the quota is spent 2 h (below 24 h)"


def test_a_burn_rate_is_told_as_one():
    rule = rule_from({"name": "slo", "kind": "burn_rate"})
    assert told(rule, value=2.5).paragraphs[0] == "burn of the error budget 2.5× (above 1×)"


def test_a_condition_is_told_with_what_it_read():
    doc = {"name": "x", "kind": "expression", "when": "failures > 5 and success_rate < 80", "severity": "info"}
    fields = {each.name: each.value for each in told(rule_from(doc), reason="failures 9, success_rate 50").fields}
    assert (fields["Condition"], fields["Values"]) == (
        "failures > 5 and success_rate < 80",
        "failures 9, success_rate 50",
    )
    assert "Condição" in {each.name for each in told(rule_from(doc), "pt-BR", reason="failures 9").fields}


@pytest.mark.parametrize(
    ("reason", "english", "portuguese"),
    [
        ("rule_deleted", "The rule was deleted.", "A regra foi excluída."),
        ("silence:01JDX", "This is told now because a silence has ended.",
         "Avisado agora porque um silêncio terminou."),
        ("mute:night", "This is told now because muted hours are over.",
         "Avisado agora porque as horas silenciadas terminaram."),
        ("on it", "on it", "on it"),
        ("silence: we know", "silence: we know", "silence: we know"),
    ],
)  # fmt: skip
def test_why_it_ended_or_is_told_only_now_is_said_in_words(reason, english, portuguese):
    assert reason_word(texts("en"), reason) == english
    assert reason_word(texts("pt-BR"), reason) == portuguese


@pytest.mark.parametrize(
    ("reason", "english", "portuguese"),
    [
        ("only 4 calls", "Only 4 calls are known of.", "Só se conhecem 4 chamadas."),
        ("the last 10 calls", "Those are the last 10 calls.", "São as últimas 10 chamadas."),
        ("burn 14.5 over 1 h, 12 failures", "12 failures within 1 h", "12 falhas em 1 h"),
        ("3 APIs of the hub fail", "3 APIs of the hub fail.", "3 APIs do hub falham."),
        ("40 calls in 3600 s before", "There were 40 calls in 60 min before.", "Houve 40 chamadas em 60 min antes."),
        ("reopened", "It was resolved by hand, and is there again.", "Foi resolvido à mão e voltou."),
    ],
)
def test_what_was_found_is_said_in_words(reason, english, portuguese):
    assert reason_word(texts("en"), reason) == english
    assert reason_word(texts("pt-BR"), reason) == portuguese


@pytest.mark.parametrize(
    ("cause", "english", "portuguese"),
    [
        ("5 failures in a row", "5 failures in a row", "5 falhas seguidas"),
        ("6 of 10 attempts failed; 3 of 3 attempts took 2.5 s or more",
         "6 of 10 attempts failed; 3 of 3 attempts took 2.5 s or more",
         "6 de 10 tentativas falharam; 3 de 3 tentativas levaram 2,5 s ou mais"),
        ("somebody's own words", "somebody's own words", "somebody's own words"),
    ],
)  # fmt: skip
def test_why_a_breaker_opened_is_said_in_words(cause, english, portuguese):
    assert causes(texts("en"), cause) == english
    assert causes(texts("pt-BR"), cause) == portuguese


def test_what_verdicts_say_of_themselves_is_known_in_both_languages():
    numbers = Sample(0.0, 300.0, 300.0, total=4, failures=4)
    few = judge(METRICS["success_rate"], Ladder(METRICS["success_rate"], "<", (Level(threshold=80.0),), None), numbers,
                10, lambda count: None)  # fmt: skip
    assert reason_word(texts("pt-BR"), few.reason) != few.reason
