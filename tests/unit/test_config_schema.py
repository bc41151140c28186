"""The schema and the templates say what the loader accepts."""

import json
import re

from understudy.channels import KINDS
from understudy.config.loader import load
from understudy.config.schema import schema
from understudy.config.templates import env_template, toml_template


def test_every_field_of_an_api_is_described_and_unknown_keys_are_refused():
    made = schema()
    api = made["$defs"]["ApiOptions"]
    assert api["additionalProperties"] is False
    assert all(entry.get("description") for entry in api["properties"].values())
    assert api["properties"]["max_body"]["description"].endswith("[bytes]")
    channel = made["properties"]["channels"]["additionalProperties"]
    assert set(channel["discriminator"]["mapping"]) == set(KINDS)
    assert made["$defs"]["SlackOptions"]["properties"]["url"] == {
        "description": "URL of the incoming webhook; env:NAME or file:PATH", "title": "Url", "type": "string",
        "writeOnly": True,
    }  # fmt: skip
    json.dumps(made)


def test_the_template_is_valid_as_it_stands_and_sets_nothing(tmp_path):
    (tmp_path / "understudy.toml").write_text(toml_template())
    loaded = load(cwd=tmp_path, env={}, secret_dirs=())
    assert loaded.settings == load(cwd=tmp_path / "..", env={}, secret_dirs=(), path=None).settings


def test_the_dotenv_template_uncommented_configures_no_channel(tmp_path):
    lines = [line.removeprefix("# ") for line in env_template().splitlines() if "=" in line]
    (tmp_path / ".env").write_text("\n".join(lines))
    assert load(cwd=tmp_path, env={}, secret_dirs=()).settings.channels == {}


def test_the_template_is_valid_with_every_key_taken_out_of_its_comment(tmp_path):
    lines = [re.sub(r"^# (?=\[|[a-z_]+ = (?!…))", "", line) for line in toml_template().splitlines()]
    (tmp_path / "understudy.toml").write_text("\n".join(lines))
    settings = load(cwd=tmp_path, env={}, secret_dirs=()).settings
    assert list(settings.apis) == list(settings.routes) == ["NAME"]
    assert settings.apis["NAME"].outcomes[0].class_ == "caller"
