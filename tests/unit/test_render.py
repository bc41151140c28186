"""Alerts in words: every kind of notice, in both languages, with values as people write them."""

from __future__ import annotations

import re

import pytest

from channel_kit import AT, notice
from understudy.alerts.metrics import METRICS
from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.core.text import texts
from understudy.notifications import notes
from understudy.notifications.message import CardAction, CardField
from understudy.notifications.render import card, in_plain_words
from understudy.notifications.wording import (
    clock_time,
    compared,
    duration,
    metric_word,
    moment,
    quantity,
    severity_word,
)

EN, PT = texts("en"), texts("pt-BR")
SUBJECT = "Success rate low · odds"


@pytest.mark.parametrize(
    ("kind", "more", "english", "portuguese"),
    [
        (NoticeKind.FIRED, {}, f"Critical: {SUBJECT}", f"Crítico: {SUBJECT}"),
        (NoticeKind.ESCALATED, {}, f"Now critical: {SUBJECT}", f"Agora crítico: {SUBJECT}"),
        (NoticeKind.DOWNGRADED, {"severity": Severity.WARNING}, f"Now only warning: {SUBJECT}",
         f"Agora apenas aviso: {SUBJECT}"),
        (NoticeKind.REMINDER, {"nth": 3}, f"Still critical (reminder 3): {SUBJECT}",
         f"Continua (crítico, lembrete 3): {SUBJECT}"),
        (NoticeKind.REMINDER, {}, f"Still critical: {SUBJECT}", f"Continua (crítico): {SUBJECT}"),
        (NoticeKind.STEP, {}, f"Nobody has answered (critical): {SUBJECT}", f"Ninguém respondeu (crítico): {SUBJECT}"),
        (NoticeKind.ACKED, {}, f"Acknowledged: {SUBJECT}", f"Reconhecido: {SUBJECT}"),
        (NoticeKind.UNACKED, {}, f"No longer acknowledged: {SUBJECT}", f"Não mais reconhecido: {SUBJECT}"),
        (NoticeKind.SNOOZED, {}, f"Snoozed: {SUBJECT}", f"Adiado: {SUBJECT}"),
        (NoticeKind.RESOLVED, {}, f"Resolved: {SUBJECT}", f"Resolvido: {SUBJECT}"),
        (NoticeKind.FLAPPING_STARTED, {}, f"Comes and goes: {SUBJECT}", f"Vai e volta: {SUBJECT}"),
        (NoticeKind.FLAPPING_ENDED, {}, f"Steady again: {SUBJECT}", f"Estável de novo: {SUBJECT}"),
        (NoticeKind.TEST, {}, f"Test: {SUBJECT}", f"Teste: {SUBJECT}"),
        (NoticeKind.MESSAGE, {"labels": {}}, "Success rate low", "Success rate low"),
    ],
)  # fmt: skip
def test_every_kind_has_its_title_and_all_of_an_episode_one_subject(kind, more, english, portuguese):
    given = notice(kind, **more)
    assert card(given, "en").title == english
    assert card(given, "pt-BR").title == portuguese
    assert card(given, "en").subject == (SUBJECT if given.labels else "Success rate low")


@pytest.mark.parametrize("kind", NoticeKind)
@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_every_kind_is_told_in_full_with_as_little_as_it_may_hold(kind, language):
    made = card(Notice("e", kind, Severity.WARNING, AT, ""), language)
    assert made.title.strip()
    assert made.language == language
    assert "{" not in in_plain_words(made)


def test_what_was_measured_is_said_with_its_unit_its_threshold_and_its_window():
    assert card(notice(), "en").paragraphs[0] == "success rate 54.2 % (below 60 %) over 5 min"
    assert card(notice(), "pt-BR").paragraphs[0] == "taxa de sucesso 54,2 % (abaixo de 60 %) em 5 min"
    latency = notice(metric="response_time_p95", operator=">", value=5.25, threshold=2.0, window=3600.0)
    assert card(latency, "en").paragraphs[0] == "95 % of the response times 5.25 s (above 2 s) over 1 h"
    assert card(notice(value=None), "en").paragraphs[0] == "Fewer calls succeed than should."


def test_a_condition_that_holds_or_does_not_is_told_without_a_number():
    open_ = notice(metric="breaker_open", operator=">=", value=1.0, threshold=1.0)
    assert card(open_, "en").paragraphs[0] == "the circuit breaker is open"
    ended = notice(NoticeKind.RESOLVED, metric="breaker_open", value=0.0, ended_at=AT)
    assert card(ended, "en").paragraphs[0] == "It lasted 30 s."
    assert not any("breaker" in paragraph for paragraph in card(ended, "en").paragraphs)


def test_an_end_tells_how_long_it_lasted_and_how_it_is_by_now():
    ended = notice(NoticeKind.RESOLVED, value=99.5, ended_at=AT + 250.0, reason="condition gone")
    made = card(ended, "en")
    assert made.paragraphs[:2] == ("It lasted 4 min 40 s.", "success rate 99.5 % (alert: below 60 %) over 5 min")
    assert "What it was: Fewer calls succeed than should." in made.paragraphs
    assert CardField("Until", "2027-01-15 08:04:10 UTC") in made.fields
    assert CardField("Reason", "condition gone", short=False) in made.fields


def test_an_end_that_stands_for_its_beginning_too_says_so():
    made = card(notice(NoticeKind.RESOLVED, ended_at=AT), "en", merged=True, notes=(notes.merged("en"),))
    assert made.title == f"Fired and resolved: {SUBJECT}"
    assert made.notes == ("The alert fired and ended before either could be sent; this message stands for both.",)


def test_times_are_in_utc_and_in_the_readers_zone_besides():
    since = card(notice(), "en", zone="America/Sao_Paulo").fields[2]
    assert since == CardField("Since", "2027-01-15 07:59:30 UTC (04:59:30 America/Sao_Paulo)")
    assert moment(AT, "Pacific/Kiritimati") == "2027-01-15 08:00:00 UTC (22:00:00 Pacific/Kiritimati)"
    assert moment(AT + 9 * 3600, "Pacific/Kiritimati").endswith("(2027-01-16 07:00:00 Pacific/Kiritimati)")
    assert moment(AT, "No/Where") == "2027-01-15 08:00:00 UTC"
    assert moment(float("nan")) == moment(1e20) == "–"


def test_lateness_is_said_with_its_cause():
    said = notes.late("en", AT, AT + 38 * 60, "the channel did not answer")
    assert said == "Late by 38 min: detected 08:00 UTC, sent 08:38 UTC; the channel did not answer."
    assert notes.late("pt-BR", AT, AT + 38 * 60) == "Atraso de 38 min: detectado às 08:00 UTC, enviado às 08:38 UTC."
    assert "2027-01-15 08:00 UTC" in notes.late("en", AT, AT + 86_400)
    assert clock_time(AT, AT, "America/Sao_Paulo") == "05:00 America/Sao_Paulo"


def test_several_in_one_are_counted_by_severity_and_the_first_ones_named():
    members = tuple(("critical" if index < 2 else "warning", f"API {index} down") for index in range(12))
    given = notice(NoticeKind.DIGEST, title="", content="", labels={}, metric="", members=members,
                   counts={"warning": 30, "critical": 2})  # fmt: skip
    made = card(given, "en")
    assert made.title == "32 alerts: 2 critical, 30 warning"
    assert made.paragraphs[0].splitlines()[:3] == [
        "• critical: API 0 down",
        "• critical: API 1 down",
        "• warning: API 2 down",
    ]
    assert made.paragraphs[0].splitlines()[-1] == "and 22 more"
    assert card(given, "pt-BR").title == "32 alertas: 2 crítico, 30 aviso"


def test_links_stand_in_their_order_and_only_where_they_make_sense():
    links = {
        "open": "https://ops.example/1",
        "silence": "https://ops.example/s",
        "acknowledge": "https://ops.example/a",
    }
    fired = card(notice(runbook="https://wiki.example/odds"), "en", links=links)
    assert fired.actions == (
        CardAction("Acknowledge", "https://ops.example/a", "acknowledge"),
        CardAction("Silence it", "https://ops.example/s", "silence"),
        CardAction("Details", "https://ops.example/1", "open"),
        CardAction("What to do", "https://wiki.example/odds", "runbook"),
    )
    assert [each.kind for each in card(notice(NoticeKind.RESOLVED), "en", links=links).actions] == ["open"]
    assert [each.kind for each in card(notice(NoticeKind.ACKED), "en", links=links).actions] == ["silence", "open"]


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:x", "https://", "https://a b", "https://a\nb", "x", "https://[", "h" * 3000]
)
def test_what_is_no_address_is_no_link(url):
    assert card(notice(runbook=url), "en", links={"open": url}).actions == ()


def test_words_of_strangers_are_made_harmless_and_kept():
    given = notice(title="a\0b\r\nc\u202e", content="x\x1b[31m\r\ny", labels={"api": "o\0", "\n": " "}, actor="an\na")
    made = card(given, "en")
    assert made.subject == "a␀b c\\u202e · o␀"
    assert "x␛[31m\ny" in made.paragraphs
    assert CardField("By", "an a") in made.fields


def test_a_rule_stands_in_for_a_title_that_nobody_can_read():
    assert card(notice(title=" \u200b", labels={}), "en").subject == "success_rate"
    assert card(notice(title="", rule="", labels={}), "pt-BR").subject == "(sem título)"


def test_every_metric_of_a_rule_has_words_and_a_unit_in_both_languages():
    units = {"%": "percent", "s": "seconds", "ratio": "ratio", "calls": "number", "/min": "number"}
    for name, metric in METRICS.items():
        english, unit = metric_word(EN, name)
        assert "_" not in english
        assert metric_word(PT, name)[0] != english
        assert unit == units.get(metric.unit, unit)
        assert (unit == "flag") == (metric.words.startswith("1 while"))
    assert metric_word(EN, "my_own") == ("my own", "number")


@pytest.mark.parametrize(
    ("value", "unit", "english", "portuguese"),
    [
        (54.2, "percent", "54.2 %", "54,2 %"),
        (100.0, "percent", "100 %", "100 %"),
        (99.987, "percent", "99.987 %", "99,987 %"),
        (0.003, "percent", "0.003 %", "0,003 %"),
        (0.25, "ratio", "25 %", "25 %"),
        (14.4, "times", "14.4×", "14,4×"),
        (1234.5, "number", "1,234.5", "1.234,5"),
        (12.5, "money", "12.50", "12,50"),
        (None, "percent", "–", "–"),
        (float("nan"), "number", "–", "–"),
        (float("inf"), "seconds", "–", "–"),
    ],
)
def test_values_are_written_as_the_language_writes_them(value, unit, english, portuguese):
    assert quantity(EN, value, unit) == english
    assert quantity(PT, value, unit) == portuguese


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0, "0 ms"), (0.0042, "4.2 ms"), (0.34, "340 ms"), (1.0, "1 s"), (2.55, "2.55 s"), (45.0, "45 s"),
        (59.96, "1 min"), (60.0, "1 min"), (250.0, "4 min 10 s"), (3600.0, "1 h"), (12_000.0, "3 h 20 min"),
        (172_799.6, "2 d"), (1_051_200.0, "12 d 4 h"), (-5.0, "-5 s"), (float("nan"), "–"),
    ],
)  # fmt: skip
def test_durations_have_two_units_at_most(seconds, expected):
    assert duration(EN, seconds) == expected


def test_comparisons_are_words():
    said = [compared(EN, operator, "5") for operator in ("<", "<=", ">", ">=", "==", "!=")]
    assert said == ["below 5", "at most 5", "above 5", "at least 5", "exactly 5", "other than 5"]
    assert severity_word(PT, Severity.CRITICAL) == "crítico"
    assert severity_word(EN, "odd\n") == "odd"


def test_notes_are_sentences_in_both_languages():
    for language in ("en", "pt-BR"):
        said = [
            notes.repeat(language), notes.stand_in(language, "pager"), notes.merged(language),
            notes.merged(language, unsure=True), notes.plain(language, "400"), notes.template(language, "bad {x}"),
        ]  # fmt: skip
        assert all(re.fullmatch(r"[A-ZÀ-Ú].*[.)}]", each) for each in said)
        assert len(set(said)) == 6


@pytest.mark.parametrize(
    ("language", "zone", "said"),
    [
        ("en", "", "At the present rate it ends Thursday, 2026-12-03 18:00:00 UTC."),
        ("pt-BR", "America/Sao_Paulo",
         "No ritmo atual, acaba quinta-feira, 2026-12-03 18:00:00 UTC (15:00:00 America/Sao_Paulo)."),
        # Beyond midnight there it is Friday, and here Thursday still.
        ("en", "Asia/Tokyo",
         "At the present rate it ends Friday, 2026-12-03 18:00:00 UTC (2026-12-04 03:00:00 Asia/Tokyo)."),
    ],
)  # fmt: skip  # a table
def test_a_quota_that_runs_out_is_told_by_the_day_and_hour_of_its_end(language, zone, said):
    at = 1_796_320_800.0 - 3 * 3600.0  # Thursday, 2026-12-03 15:00 UTC
    about = notice(
        at=at, rule="quota_forecast", title="quota_forecast", metric="quota_exhausted_in", operator="<", window=None,
        value=3 * 3600.0, threshold=86_400.0,
    )  # fmt: skip  # one line of fields
    assert said in card(about, language, zone=zone).paragraphs
    ended = notice(kind=NoticeKind.RESOLVED, at=at, metric="quota_exhausted_in", value=9e9, rule="quota_forecast")
    endless = notice(at=at, metric="quota_exhausted_in", value=float("inf"), rule="quota_forecast")
    late = notice(at=at, metric="quota_exhausted_in", value=1e300, rule="quota_forecast")
    for other in (ended, endless, late):
        assert not any("At the present rate it" in each for each in card(other, "en").paragraphs)
