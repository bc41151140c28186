"""`understudy notify preview --channel`: a configured channel's own messages, before anything is wrong."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from understudy.cli.commands import run

TOML = """
[channels.ops]
kind = "slack"
url = "env:HOOK"
language = "pt-BR"
[channels.others]
kind = "apprise"
urls = ["json://program.example"]
"""


@pytest.fixture
def preview(capsys, tmp_path, monkeypatch):
    (tmp_path / "understudy.toml").write_text(TOML)
    monkeypatch.setenv("HOOK", "https://hooks.example/services/word-of-no-worth")

    def call(*arguments: str) -> tuple[int, str, str]:
        """The exit code and what was said; in a thread, as a program of its own has no loop that runs."""
        given = ["notify", "preview", "-c", str(tmp_path / "understudy.toml"), *arguments]
        with ThreadPoolExecutor(1) as thread:
            code = thread.submit(run, given).result()
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        assert "word-of-no-worth" not in said.out + said.err
        return code, said.out, said.err

    return call


def test_it_shows_the_message_in_the_channels_language_and_how_near_each_limit_is(preview):
    code, out, _ = preview("--channel", "ops")
    assert code == 0
    assert "Crítico: Success rate low · odds-main" in out
    assert "section.text" in out
    assert "✗" not in out


def test_programs_get_every_message_with_every_measure(preview):
    code, out, _ = preview("--channel", "ops", "--channel", "others", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["others"] == []
    assert {"usual", "long", "digest"} <= {each["case"] for each in told["ops"]}
    assert all(part["found"] <= part["limit"] for each in told["ops"] for part in each["measures"])


def test_what_cannot_be_known_before_is_said(preview):
    code, out, _ = preview("--channel", "others")
    assert code == 0
    assert "nothing to measure before" in out


def test_a_channel_that_is_not_configured_is_told_in_one_line(preview):
    code, out, err = preview("--channel", "nobody\x1b[2J")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "\x1b" not in err
