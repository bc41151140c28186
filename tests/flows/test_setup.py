"""`understudy setup`: from options alone, and asked in a real terminal; what it writes works, the rest stays."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from terminal import CTRL_C, DOWN, ENTER, SPACE, Terminal

from keyed_api import keyed_api
from understudy.cli.commands import run
from understudy.config import load

UNDERSTUDY = [sys.executable, "-m", "understudy.cli"]
KEY = "k3y-of-the-odds-9f8e7d6c"
PASSWORD = "a long enough passphrase"
CURL = "curl 'http://127.0.0.1:{port}/v1/status' \\\n  -H 'X-Api-Key: {key}'"


@pytest.fixture
def port():
    with keyed_api(KEY) as port:
        yield port


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mode(file):
    return file.stat().st_mode & 0o777


def without_questions(*arguments):
    return run(["setup", "--non-interactive", *arguments])


def test_options_alone_make_a_configuration_that_works(folder, port, capsys):
    curl = CURL.format(port=port, key=KEY)
    (folder / "spare.curl").write_text(f"curl http://127.0.0.1:{port}/v1/spare")
    code = without_questions(
        "--api", f"odds={curl}", "--api", "spare=@spare.curl", "--route", "prices=odds,spare", "-e", "prod",
        "--storage", "memory:", "--success-rate", "90", "--variable", "TELEGRAM_CHAT_ID=42", "--port", "0",
    )  # fmt: skip
    shown = capsys.readouterr()
    assert code == 0, shown
    assert KEY not in shown.out + shown.err
    assert mode(folder / ".env") == 0o600
    assert KEY not in (folder / "understudy.toml").read_text()
    settings = load(cwd=folder, env={}, secret_dirs=()).settings
    assert settings.environment == "production"
    assert settings.apis["odds"].auth.keys[0].value.reveal() == KEY
    assert settings.routes["prices"].apis == ("odds", "spare")
    assert settings.alerts.success_rate == 90
    assert settings.service.secret_key
    assert run(["check", "odds"]) == 0
    assert run(["config", "check"]) == 0


def test_what_is_there_is_changed_only_when_that_is_wanted(folder, capsys):
    (folder / "understudy.toml").write_text(
        '# mine\n[service]\nport = 9000  # why\n\n[apis.old]\nbase_url = "http://a.example"\n'
    )
    (folder / ".env").write_text(
        "# secrets\nDASHBOARD_SECRET_KEY=0123456789abcdef0123456789abcdef\nALERT_ERROR_RATE_THRESHOLD=30\n"
    )
    (folder / ".env").chmod(0o644)
    before = {file: file.read_text() for file in folder.iterdir()}

    assert without_questions("--dry-run", "--port", "9001") == 0
    assert without_questions("--port", "9001") == 1
    assert {file: file.read_text() for file in folder.iterdir()} == before
    assert "--yes" in capsys.readouterr().err

    assert without_questions("--yes", "--port", "9001", "--error-rate", "25") == 0
    assert "# mine" in (folder / "understudy.toml").read_text()
    settings = load(cwd=folder, env={}, secret_dirs=()).settings
    assert (settings.service.port, settings.alerts.error_rate) == (9001, 25)
    assert settings.apis["old"].base_url == "http://a.example"
    [backup] = folder.glob("understudy.toml.backup-*")
    assert backup.read_text() == before[folder / "understudy.toml"]
    assert mode(folder / ".env") == 0o600


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--api", "curl --nonsense x"], "curl's option --nonsense is not understood"),
        (["--api", "@missing.curl"], "missing.curl cannot be read"),
        (["--route", "odds"], "NAME=API,API"),
        (["--route", "odds=missing"], "no API of that name is configured"),
        (["--variable", "not a name"], "NAME=VALUE"),
        (["--storage", "mysql://x"], "storage.url"),
        (["--success-rate", "200"], "alerts.success_rate"),
        (["--service", "machine"], "user, system"),
        (["--config", "nowhere/understudy.toml"], "there is no folder"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(folder, capsys, arguments, said):
    assert without_questions(*arguments) == 2
    assert said in capsys.readouterr().err
    assert list(folder.iterdir()) == []


def test_the_template_holds_every_variable_and_no_secret(folder):
    assert run(["setup", "--template"]) == 0
    text = (folder / ".env.template").read_text()
    assert "# SLACK_WEBHOOK_URL=" in text
    assert load(cwd=folder, env={}, secret_dirs=()).settings.channels == {}


def test_a_file_that_cannot_be_written_and_a_fault_to_come_name_the_file_itself(folder, capsys):
    (folder / ".env.template").mkdir()
    assert run(["setup", "--template", "--yes"]) == 1
    assert f"understudy: {folder / '.env.template'}: is a directory" in capsys.readouterr().err
    assert [each.name for each in folder.iterdir()] == [".env.template"]
    assert without_questions("--api", "https://odds.example.com/v1/x", "--success-rate", "900") == 2
    assert "understudy: understudy.toml: alerts.success_rate: expected at most 100" in capsys.readouterr().err


def test_without_a_terminal_it_says_how(folder, capsys):
    assert run(["setup"]) == 2
    assert "--non-interactive" in capsys.readouterr().err


def started(folder, *arguments):
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "xterm-256color", "PYTHONWARNINGS": "ignore"}
    return Terminal([*UNDERSTUDY, "setup", *arguments], cwd=folder, env=env)


def test_asked_in_a_terminal_stopped_and_gone_on_with(tmp_path, port):
    curl = CURL.format(port=port, key=KEY)
    first = started(tmp_path, "--lang", "pt")
    first.wait_for("O que agora?")
    first.type("3" + ENTER)
    first.wait_for("API (vazio")
    first.paste(curl)
    first.type(ENTER)
    for asked, given in (("Nome", "\x15odds"), ("Variável", ""), ("Endereço base", ""), ("Caminho", "")):
        first.wait_for(asked)
        first.type(given + ENTER)
    first.wait_for("Testar agora?")
    first.type(ENTER)
    first.wait_for("● funciona")
    first.wait_for("API (vazio")
    first.type(CTRL_C)
    assert first.end() == 130

    kept = (tmp_path / ".understudy-setup.json").read_text()
    assert KEY not in kept
    assert mode(tmp_path / ".understudy-setup.json") == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [".understudy-setup.json"]

    second = started(tmp_path)
    second.wait_for("not finished. Go on with it?")
    second.type(ENTER)
    second.wait_for("kept in .env, not shown")
    second.type(KEY + ENTER)
    second.wait_for("What next?")
    second.type("4" + ENTER)
    second.wait_for("Name of the route")
    second.type("\x15prices" + ENTER)
    second.wait_for("What next?")
    second.type("8" + ENTER)
    second.wait_for("Name to sign in with")
    second.type(ENTER)
    second.wait_for("Password")
    second.type(PASSWORD + ENTER)
    second.wait_for("Again")
    second.type(PASSWORD + ENTER)
    second.wait_for("What next?")
    second.type("7" + ENTER)  # "Testar Conectividade" of the original document
    second.wait_for("● works")
    second.wait_for("Nothing failed.")
    second.wait_for("What next?")
    second.type("0" + ENTER)
    second.wait_for("Write this?")
    second.type(ENTER)
    second.wait_for("admin may sign in as admin")
    second.wait_for("understudy run")
    assert second.end() == 0
    assert KEY not in second.seen
    assert PASSWORD not in second.seen

    assert not (tmp_path / ".understudy-setup.json").exists()
    settings = load(cwd=tmp_path, env={}, secret_dirs=()).settings
    assert settings.apis["odds"].auth.keys[0].value.reveal() == KEY
    assert settings.routes["prices"].apis == ("odds",)
    assert (tmp_path / "understudy.db").exists()


def test_a_channel_an_order_and_a_store_are_asked_for(tmp_path):
    (tmp_path / "understudy.toml").write_text(
        '[apis.one]\nbase_url = "http://127.0.0.1:9/a"\n\n[apis.two]\nbase_url = "http://127.0.0.1:9/b"\n'
    )
    asked = started(tmp_path, "--fresh")
    asked.wait_for("What next?")
    asked.type("4" + ENTER)
    asked.wait_for("Name of the route")
    asked.type(ENTER)
    asked.wait_for("Which APIs")
    asked.type(SPACE + DOWN + SPACE + ENTER)
    asked.wait_for("Which API leads?")
    asked.type(DOWN + ENTER)
    asked.wait_for("How is the API of a call chosen?")
    asked.type(ENTER)
    asked.wait_for("What next?")
    asked.type("5" + ENTER)
    asked.wait_for("Add a channel")
    asked.type(DOWN * 5 + ENTER)
    asked.wait_for("Integration key")
    asked.type("0123456789abcdef0123456789abcdef" + ENTER)
    asked.wait_for("Send a test message now?")
    asked.type(DOWN + ENTER)
    asked.wait_for("Add a channel")
    asked.type(ENTER)
    asked.wait_for("What next?")
    asked.type("0" + ENTER)
    asked.wait_for("PAGERDUTY_ROUTING_KEY=********")
    asked.wait_for("Write this?")
    asked.type(ENTER)
    assert asked.end() == 0
    settings = load(cwd=tmp_path, env={}, secret_dirs=()).settings
    assert settings.routes["main"].apis == ("two", "one")
    assert settings.channels["pagerduty"].kind == "pagerduty"
    assert json.dumps([file.name for file in Path(tmp_path).glob("*.backup-*")]).count("understudy.toml") == 1
