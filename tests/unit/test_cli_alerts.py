"""Alerts and notifications on a terminal: in both languages, at every width, whatever names and answers hold."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest

from understudy.alerts.ports import EpisodeRow, EventRow
from understudy.alerts.shown import AlertView, EpisodeView, episode_as_dict
from understudy.cli.alerts_shown import outline, show_active, show_episode, show_episodes, show_why
from understudy.cli.exits import FAILED, OK, Stop
from understudy.cli.notify_shown import show_dead, show_log, show_sent, show_statistics, show_test
from understudy.cli.rules_shown import show_rule, show_rules
from understudy.cli.screen import Screen
from understudy.core.text import texts
from understudy.web.views.told import AlertsView

HOSTILE = "evil\x1b[31m\x1b]0;title\x07\u202e\r\n<b>[red]"
ULID = "01JDX3ZQ4M8W6T2N0V9K5H7B1C"
ALERT = AlertView(
    fingerprint="0" * 32, rule=HOSTILE, phase="firing", severity="critical", labels={"api": HOSTILE}, episode=ULID,
    started_at=1_800_000_000.0, reason=HOSTILE, acknowledged_by=HOSTILE,
)  # fmt: skip  # a row reads as a table
ROW = EpisodeRow(ULID, "0" * 32, 1, HOSTILE, 1, {"api": HOSTILE}, "critical", "critical", 1_800_000_000.0,
                 1_800_000_090.0, HOSTILE)  # fmt: skip
EVENT = EventRow("9" * 32, ULID, "0" * 32, HOSTILE, "fired", 1_800_000_000.0, "warning", HOSTILE, f"silence:{HOSTILE}")
DELIVERY = {"channel": HOSTILE, "kind": "fired", "state": "dead", "attempts": 3, "reason": HOSTILE, "id": ULID}
SHOWN = {
    "active": (show_active, AlertsView((ALERT,)).as_dict(), FAILED),
    "nothing": (show_active, AlertsView(()).as_dict(), OK),
    "episodes": (show_episodes, {"episodes": [episode_as_dict(ROW)], "next": HOSTILE}, OK),
    "episode": (show_episode, EpisodeView(ROW, (EVENT,), (DELIVERY,), ALERT).as_dict(), OK),
    "why": (show_why, {HOSTILE: {"a": [HOSTILE, {"b": HOSTILE}]}, "empty": None}, OK),
    "statistics": (
        show_statistics,
        {
            "channels": {HOSTILE: {"kind": HOSTILE, "state": HOSTILE, "delivered": 3, "p50": 0.2, "p95": None}},
            "accounting": {"rows": 5, "delivered": 3, "suppressed": {HOSTILE: 2}, "dead": 0}, "problems": [HOSTILE],
        },
        FAILED,
    ),
    "log": (
        show_log,
        {"next": None, "attempts": [{"at": 1.0, "channel": HOSTILE, "number": 1, "result": HOSTILE, "seconds": 0.1,
                                     "status": 500, "error": HOSTILE, "response": HOSTILE}]},
        OK,
    ),
    "dead": (
        show_dead,
        {"next": None, "rows": [{"created_at": 1.0, "channel": HOSTILE, "kind": "fired", "severity": "warning",
                                 "title": HOSTILE, "reason": HOSTILE, "id": ULID}]},
        FAILED,
    ),
    "test": (show_test, {"success": False, "seconds": 0.1, "reason": HOSTILE, "response": HOSTILE}, FAILED),
    "sent": (show_sent, {"results": {HOSTILE: {"success": False, "state": "pending", "reason": HOSTILE}}}, FAILED),
    "rules": (show_rules, {"rules": [{"rule": {"name": HOSTILE, "metric": "m"}, "origin": HOSTILE, "version": 1}]}, OK),
    "rule": (
        show_rule,
        {"rule": {"name": HOSTILE, "when": HOSTILE}, "origin": "api",
         "versions": [{"version": 1, "at": 1.0, "actor": HOSTILE, "comment": HOSTILE, "doc": {}}]},
        OK,
    ),
}  # fmt: skip  # a screen with its answer and its exit code


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("language", ["en", "pt"])
@pytest.mark.parametrize("width", [160, 60])
def test_no_text_of_strangers_moves_the_cursor_and_the_exit_code_tells(name, language, width):
    show, content, code = SHOWN[name]
    out = io.StringIO()
    assert show(Screen(texts(language), out=out, width=width), content, as_json=False) == code
    told = out.getvalue()
    assert told.strip()
    assert all(sign.isprintable() or sign == "\n" for sign in told)


@pytest.mark.parametrize("name", SHOWN)
def test_json_is_the_answer_as_it_came(name):
    show, content, code = SHOWN[name]
    out = io.StringIO()
    assert show(Screen(texts("pt"), out=out, width=40), content, as_json=True) == code
    assert json.loads(out.getvalue()) == json.loads(json.dumps(content))


@pytest.mark.parametrize("width", [160, 80])
def test_an_id_is_never_folded(width):
    for name in ("active", "episodes", "episode", "dead"):
        show, content, _ = SHOWN[name]
        out = io.StringIO()
        show(Screen(texts("en"), out=out, width=width), content, as_json=False)
        assert ULID in out.getvalue(), name


def test_an_answer_of_another_version_ends_in_one_line():
    for content in ({}, [], {"alerts": [1]}, {"alerts": None}, "x"):
        with pytest.raises(Stop) as caught:
            show_active(Screen(texts("en"), out=io.StringIO()), content, as_json=False)
        assert caught.value.code == FAILED
        assert "\n" not in caught.value.message


def test_a_trace_is_written_as_indented_lines_however_deep_it_is():
    deep: object = "end"
    for _ in range(30):
        deep = {"in": deep}
    lines = outline({"a": 1, "b": {"c": [2, {"d": "x"}]}, "empty": "", "deep": deep})
    assert lines[:3] == ["a: 1", "b:", "  c:"]
    assert "    - 2" in lines
    assert any("end" in line for line in lines)


@pytest.mark.parametrize(("width", "stacked"), [(80, True), (200, False)])
def test_what_fires_can_be_read_on_a_narrow_terminal(width, stacked):
    """An id in pieces cannot be copied, and a column of three letters is no column."""
    out, alert = io.StringIO(), replace(ALERT, rule="api_down", labels={"api": "odds"}, reason="", acknowledged_by="")
    show_active(Screen(texts("en"), out=out, width=width, plain=True), AlertsView((alert,)).as_dict(), as_json=False)
    (line,) = [line for line in out.getvalue().splitlines() if "api_down" in line]
    assert "critical" in line
    assert "api=odds" in line
    assert (ULID in line) is not stacked
    assert ULID in out.getvalue()
