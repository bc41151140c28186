"""The commands about the configuration, as people type them."""

from __future__ import annotations

import json
import tomllib

import pytest
from processes import run

from understudy.cli.commands import run as run_here


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """Runs a command in this process, which is quicker: its exit code and what it wrote."""
    monkeypatch.chdir(tmp_path)
    for name in ("UNDERSTUDY_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "160")

    def called(*arguments: str) -> tuple[int, str, str]:
        code = run_here(list(arguments))
        return code, *capsys.readouterr()

    return called


def test_check_answers_2_and_every_fault_in_one_line_each(tmp_path):
    (tmp_path / "understudy.toml").write_text("[apis.a]\nprioritty = 1\nhup = 'x'\n")
    ended = run(tmp_path, "config", "check")
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        "understudy: understudy.toml:2: apis.a.prioritty: unknown key; did you mean 'priority'?",
        "understudy: understudy.toml:3: apis.a.hup: unknown key; did you mean 'hub'?",
        "understudy: the configuration has faults, so nothing was done",
    ]
    assert ended.stdout == ""


def test_check_says_ok_in_one_line(tmp_path):
    (tmp_path / "understudy.toml").write_text("[apis.a]\n[routes.r]\napis=['a']\n")
    ended = run(tmp_path, "config", "check", "--environment", "prod")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "OK: 1 API, 1 route, production\n", "")


def test_check_says_when_there_is_no_file_and_what_is_worth_a_warning(tmp_path):
    (tmp_path / ".env").write_text("SMTP_SERVER=smtp.example.com\nSMTP_USERNAME=me\nSMTP_PASSWORD=sua_senha_app\n")
    ended = run(tmp_path, "config", "check")
    assert ended.returncode == 0
    assert "there is no understudy.toml here: only defaults and variables apply" in ended.stderr
    assert "SMTP_PASSWORD is a placeholder" in ended.stderr


def test_explain_shows_a_value_with_its_origin_and_masks_secrets(tmp_path):
    (tmp_path / "understudy.toml").write_text(
        "[apis.a]\nbase_url='http://x'\npriority=3\nauth={kind='bearer',keys=['hunter2']}\n"
    )
    found = json.loads(run(tmp_path, "config", "explain", "apis.a", "--json").stdout)
    rows = {row["path"]: row for row in found}
    assert rows["apis.a.priority"] == {"path": "apis.a.priority", "value": 3, "origin": "understudy.toml:3"}
    assert "set (sha256:" in rows["apis.a.auth.keys[0].value"]["value"]
    table = run(tmp_path, "config", "explain").stdout
    (line,) = (line for line in table.splitlines() if "apis.a.health_check.unhealthy_after" in line)
    assert line.split() == ["apis.a.health_check.unhealthy_after", "3", "default"], "one line, for grep"
    assert "apis.a.priority" in table
    assert "hunter2" not in table + json.dumps(found)


def test_explain_of_nothing_is_a_mistake(tmp_path):
    ended = run(tmp_path, "config", "explain", "apis.nobody")
    assert (ended.returncode, ended.stderr) == (2, "understudy: there is no value at apis.nobody\n")


def test_schema_and_templates_are_printed_and_the_template_passes(tmp_path):
    assert json.loads(run(tmp_path, "config", "schema").stdout)["$schema"].endswith("2020-12/schema")
    text = run(tmp_path, "config", "template").stdout
    assert "[apis.NAME]" in text
    assert tomllib.loads(text)
    (tmp_path / "understudy.toml").write_text(text)
    variables = run(tmp_path, "config", "template", "--env").stdout
    assert "SMTP_PASSWORD" in variables
    (tmp_path / ".env").write_text(variables)
    assert run(tmp_path, "config", "check").stdout == "OK: 0 APIs, 0 routes, development\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("frob",), "No such command 'frob'; understudy --help shows how"),
        (("run", "--prot", "1"), "there is no option --prot (did you mean --host, --port?); understudy run --help shows how"),  # noqa: E501 - one row, one mistake
        (("run", "--port", "x"), "--port takes a number from 0 to 65535; understudy run --help shows how"),
        (("run", "--port", "65536"), "--port takes a number from 0 to 65535; understudy run --help shows how"),
        (("demo", "--seed", "x"), "--seed takes a whole number; understudy demo --help shows how"),
        (("demo", "--seconds", "nan"), "--seconds takes a number from 10 to 3600; understudy demo --help shows how"),
        (("config", "check", "x"), "there are more arguments than it takes; understudy config check --help shows how"),
        (("status", "--lang", "xx"), "--lang takes en, pt"),
        (("run", "--prot", "1", "--lang", "pt"), "não há uma opção --prot (quis dizer --host, --port?); understudy run --help mostra como"),  # noqa: E501 - one row, one mistake
        (("--lang=pt", "run", "--port", "x"), "--port aceita um número de 0 a 65535; understudy run --help mostra como"),  # noqa: E501 - the same
        (("frob", "--lang", "pt"), "não há um comando 'frob'; understudy --help mostra como"),
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_one_line_in_the_reader_s_language(here, arguments, expected):
    assert here(*arguments) == (2, "", f"understudy: {expected}\n")


COMMANDS = [
    (), ("run",), ("status",), ("explain",), ("check",), ("demo",), ("config",),
    ("config", "check"), ("config", "explain"), ("config", "schema"), ("config", "template"),
]  # fmt: skip  # one list, not eleven lines


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_in_both_languages(here, command):
    code, english, _ = here(*command, "--help")
    assert code == 0
    assert "Usage: understudy" in english
    _, portuguese, _ = here(*command, "--help", "--lang", "pt")
    assert "Uso: understudy" in portuguese
    for left in ("Usage", "Options", "Commands", "Arguments", "Show this message", "default:"):
        assert left not in portuguese
    if command not in ((), ("config",)):
        assert "Examples" in english
        assert "Exemplos" in portuguese


@pytest.mark.parametrize("command", COMMANDS[1:6] + COMMANDS[7:], ids=" ".join)
def test_the_examples_in_the_help_are_command_lines_that_are_understood(here, command):
    """Each is run with `--help` at its end: an option that there is not is a mistake there too."""
    _, text, _ = here(*command, "--help")
    shown = [line.strip() for line in text.partition("Examples")[2].splitlines()]
    shown = [line for line in shown if line.startswith("understudy ")]
    assert shown
    for line in shown:
        words = line.partition(" > ")[0].split()[1:]
        assert here(*words, "--help")[0] == 0, line


def test_the_language_is_that_of_the_environment_unless_it_is_said(here, monkeypatch):
    monkeypatch.setenv("LANG", "pt_BR.UTF-8")
    assert "Uso: understudy" in here("--help")[1]
    assert "Usage: understudy" in here("--help", "--lang", "en")[1]
    monkeypatch.setenv("LC_ALL", "C")
    assert "Usage: understudy" in here("--help")[1]
    monkeypatch.setenv("UNDERSTUDY_LANG", "pt")
    assert "Uso: understudy" in here("--help")[1]
