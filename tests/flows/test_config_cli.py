"""The commands as people type them."""

import json

from typer.testing import CliRunner

from understudy.cli.config import config_app


def run(*words):
    return CliRunner().invoke(config_app, list(words))


def test_check_answers_2_and_every_fault_without_a_traceback(tmp_path):
    file = tmp_path / "understudy.toml"
    file.write_text("[apis.a]\nprioritty = 1\nhup = 'x'\n")
    result = run("check", "-c", str(file))
    assert result.exit_code == 2
    assert result.output.count("unknown key; did you mean") == 2 and "Traceback" not in result.output


def test_check_says_ok_in_one_line(tmp_path):
    file = tmp_path / "understudy.toml"
    file.write_text("[apis.a]\n[routes.r]\napis=['a']\n")
    assert run("check", "-c", str(file)).stdout.startswith("OK: 1 APIs, 1 routes")


def test_explain_shows_a_value_with_its_origin_and_masks_secrets(tmp_path):
    file = tmp_path / "understudy.toml"
    file.write_text("[apis.a]\nbase_url='http://x'\npriority=3\nauth={kind='bearer',keys=['hunter2']}\n")
    found = json.loads(run("explain", "apis.a", "--json", "-c", str(file)).stdout)
    rows = {row["path"]: row for row in found}
    assert rows["apis.a.priority"]["value"] == 3 and rows["apis.a.priority"]["origin"].endswith("understudy.toml:3")
    assert "set (sha256:" in rows["apis.a.auth.keys[0].value"]["value"]
    assert "hunter2" not in run("explain", "-c", str(file)).output + json.dumps(found)


def test_schema_and_templates_are_printed():
    assert json.loads(run("schema").stdout)["$schema"].endswith("2020-12/schema")
    assert "[apis.NAME]" in run("template").stdout and "SMTP_PASSWORD" in run("template", "--env").stdout
