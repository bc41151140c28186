"""The commands about alerts, rules, silences and notifications, against a service in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from processes import service

from understudy.cli.commands import run
from understudy.core.clock import SYSTEM_CLOCK

CONFIG = """
[storage]
url = "sqlite:///{folder}/u.db"

[alerts.rules.always]
metric = "requests_per_minute"
operator = ">="
threshold = 0
severity = "warning"
subject = "all"
description = "Always true, so that there is something to see."
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    (folder / "understudy.toml").write_text(CONFIG.format(folder=folder))
    with service(folder) as (_, url):
        yield folder, url


@pytest.fixture
def said(running, capsys, monkeypatch):
    """Runs a command against the service; answers what it wrote to standard output, or where it fails, to the other."""
    folder, url = running
    monkeypatch.chdir(folder)

    def command(*arguments, code=0, local=False):
        ended = run([*arguments, *([] if local else ["--url", url])])
        told = capsys.readouterr()
        assert ended == code, told.out + told.err
        return told.err if code and told.err else told.out

    return command


def firing(said):
    until = SYSTEM_CLOCK.monotonic() + 20
    while SYSTEM_CLOCK.monotonic() < until:
        try:
            found = json.loads(said("alerts", "list", "--json", code=1))["alerts"]  # something fires: code 1
        except AssertionError:
            continue  # nothing does yet
        if mine := [each for each in found if each["phase"] == "firing"]:
            return mine[0]
    return pytest.fail("nothing ever fired")


def test_an_alert_is_seen_taken_in_hand_explained_and_ended(said):
    alert = firing(said)
    assert "always" in said("alerts", "list", code=1)
    assert "acknowledged" in said("alerts", "ack", alert["episode"], "-m", "mine")
    assert said("alerts", "unack", alert["episode"])
    assert "snoozed until" in said("alerts", "snooze", alert["episode"], "--for", "2h")
    whole = json.loads(said("alerts", "show", alert["fingerprint"], "--json"))
    assert "fired" in [each["kind"] for each in whole["events"]]
    assert "always" in said("alerts", "show", alert["episode"])
    assert said("alerts", "why", whole["events"][0]["event_id"]).strip()
    assert "always" in said("status")
    assert "resolved" in said("alerts", "resolve", alert["episode"], "--reason", "enough")
    assert "refused" in said("alerts", "ack", alert["episode"], code=1)
    assert alert["episode"] in said("alerts", "list", "--state", "all")


def test_rules_are_shown_and_tried_on_the_past(said):
    assert "success_rate" in said("rules", "list")
    assert "always" in said("rules", "show", "always")
    ended = said("rules", "show", "nothing", code=1)
    assert ended.count("\n") == 1
    assert "OK" in said("rules", "check", local=True)
    assert "as it really was" in said("rules", "noise")
    assert json.loads(said("rules", "noise", "--last", "7d", "--json"))["end"] > 0
    assert said("rules", "noise", "--zone", "Mars/Olympus", code=1).count("\n") == 1
    Path("new.toml").write_text('[rules.always]\nmetric = "sucess_rate"\n')
    assert "sucess_rate" in said("rules", "backtest", "--rules", "new.toml", "--last", "1h", code=1)


def test_a_silence_is_previewed_made_listed_and_ended(said):
    assert said("silence", "preview", "rule=always") is not None
    made = json.loads(said("silence", "add", "rule=nobody", "--for", "1h", "--reason", "a test", "--json"))
    assert made["id"] in said("silence", "list")
    assert said("silence", "expire", made["id"]) is not None
    assert said("silence", "expire", "nothing", code=1).count("\n") == 1
    assert said("silence", "add", "rule=x", "--reason", "no end", code=1).count("\n") == 1


def test_notifications_without_a_channel_say_so(said):
    assert "No channel is configured" in said("notify", "stats")
    # Nobody would be told, which is an answer, and the exit code says so.
    assert "No channel is configured" in said("notify", "simulate", "api_down", "api=odds", code=1)
    assert json.loads(said("notify", "simulate", "api_down", "api=odds", "--json", code=1))["severity"] == "critical"
    assert said("notify", "simulate", "nobody", code=1).count("\n") == 1
    assert said("notify", "simulate", "api_down", "api", code=2).count("\n") == 1
    assert said("notify", "log") is not None
    assert "No dead letters" in said("notify", "dead")
    assert "nobody was told" in said("notify", "send", "Hello", code=1)
    assert said("notify", "test", "ops", code=1).count("\n") == 1
    assert said("notify", "replay", "../../etc", code=1).count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("alerts", "list", "--state", "x"), ("alerts", "snooze", "e"), ("alerts", "show"), ("alerts", "nothing"),
        ("silence", "add", "--reason", "x"), ("rules", "test", "missing.toml"), ("notify", "log", "--limit", "0"),
    ],
)  # fmt: skip
def test_a_wrong_command_line_ends_in_one_line_and_code_2(tmp_path, capsys, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    assert run(list(arguments)) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1, told


TEST = """
[rules.quick]
metric = "error_rate"
threshold = 20
[[tests]]
name = "fails at once"
[[tests.series]]
labels = { api = "odds" }
failure = "10x6"
[[tests.expect]]
at = "1m"
rule = "quick"
alerts = [{ rule = "quick", labels = { api = "odds" } }]
"""


def test_tests_of_rules_pass_fail_or_say_what_is_wrong_with_them(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("good.toml").write_text(TEST)
    Path("bad.toml").write_text(TEST.partition("alerts = ")[0] + "alerts = []")
    Path("broken.toml").write_text(TEST.replace("10x6", "10x"))
    assert run(["rules", "test", "good.toml"]) == 0
    assert run(["rules", "test", "good.toml", "bad.toml"]) == 1
    assert "fires, not expected" in capsys.readouterr().out
    assert run(["rules", "test", "broken.toml"]) == 2
    assert "tests[0].series[0].failure, column 1" in capsys.readouterr().err


def test_a_recording_of_calls_is_judged_here(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    calls = [
        {"at": 1_800_000_000 + second, "api": "odds", "ok": not 100 <= second < 200, "seconds": 0.2}
        for second in range(600)
    ]
    Path("calls.jsonl").write_text("".join(json.dumps(each) + "\n" for each in calls))
    Path("new.toml").write_text('[rules.error_rate]\nmetric = "error_rate"\nthreshold = 20\nfor = 500\n')
    assert run(["rules", "backtest", "error_rate", "--calls", "calls.jsonl", "--rules", "new.toml", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    [rule] = told["rules"]
    assert (told["resolution"], rule["noise"]["episodes"], rule["changed"]["noise"]["episodes"]) == (0, 1, 0)
    assert len(rule["changed"]["difference"]["gone"]) == 1
    assert run(["rules", "backtest", "error_rate", "--calls", "calls.jsonl", "--most-pages", "0"]) == 1
    capsys.readouterr()
    Path("wrong.toml").write_text(
        "[[incidents]]\nfrom = 2027-01-15T08:01:40Z\nto = 2027-01-15T08:03:20Z\nname = 'the outage'\n"
        "labels = {api = 'odds'}\n"
    )
    asked = ["rules", "backtest", "success_rate", "--calls", "calls.jsonl", "--incident"]
    assert run([*asked, "wrong.toml"]) == 0
    assert "1 of 1 incidents told" in capsys.readouterr().out
    assert run([*asked, "2027-01-15T08:09/2027-01-15T08:10", "--incident", "wrong.toml"]) == 1
    shown = capsys.readouterr()
    assert "1 of 2 incidents told" in shown.out
    assert "missed" in shown.out
    assert "1 incident was told by no rule" in shown.err
    for wrong in ("yesterday", "2027-01-15T08:09/2027-01-15T08:08", "x/y", "nowhere.toml", "new.toml"):
        assert run([*asked, wrong]) == 2, wrong
        assert capsys.readouterr().err.count("\n") == 1
    for bad in ("", "{}\n", "x\n", '{"at": 2, "api": "a", "ok": true}\n{"at": 1, "api": "a", "ok": true}\n', "\xff"):
        Path("bad.jsonl").write_text(bad, encoding="latin-1")
        capsys.readouterr()
        assert run(["rules", "backtest", "--calls", "bad.jsonl"]) == 2, bad
        assert capsys.readouterr().err.count("\n") == 1
