"""What a user left as the template has it is told by the variable's name, and stays off."""

from __future__ import annotations

import re

import pytest

from understudy.config import load
from understudy.config.environ import is_placeholder
from understudy.config.templates import env_template
from understudy.core.errors import ConfigError

MAIL = {"SMTP_SERVER": "smtp.x", "SMTP_USERNAME": "me@x", "SMTP_PASSWORD": "hunter22"}


def warnings(tmp_path, env, toml=""):
    (tmp_path / "understudy.toml").write_text(toml, "utf-8")
    return load(env=env, cwd=tmp_path, secret_dirs=())


def test_a_template_that_was_only_uncommented_configures_nothing_and_each_secret_is_named(tmp_path):
    env = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", env_template(), re.MULTILINE))
    loaded = warnings(tmp_path, env)
    assert loaded.settings.channels == {}
    assert loaded.settings.service.secret_key is None
    told = " ".join(loaded.warnings)
    for name in env:
        if name.endswith(("PASSWORD", "USERNAME", "EMAIL", "EMAILS", "URL", "TOKEN", "CHAT_ID", "SECRET_KEY")):
            assert name in told, name


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"FROM_EMAIL": "seu_email@gmail.com"}, "FROM_EMAIL is a placeholder"),
        ({"TO_EMAILS": "ops@x, seu-email@gmail.com"}, "TO_EMAILS is a placeholder"),
        (
            {"SMTP_PASSWORD": "sua_senha_app", "TO_EMAILS": "your_email@x"},
            "SMTP_PASSWORD is a placeholder, TO_EMAILS is",
        ),
        ({"SMTP_PASSWORD": ""}, "SMTP_PASSWORD is not set"),
        ({"SMTP_PORT": "70000"}, "SMTP_PORT is no port number"),
    ],
)
def test_mail_stays_off_and_every_reason_is_given_at_once(tmp_path, more, told):
    loaded = warnings(tmp_path, {**MAIL, **more})
    assert loaded.settings.channels == {}
    assert any(f"channel email is not configured: {told}" in warning for warning in loaded.warnings)


def test_mail_goes_to_its_sender_without_recipients_and_from_its_user_without_a_sender(tmp_path):
    mail = warnings(tmp_path, MAIL).settings.channels["email"]
    assert (mail.port, mail.from_email, mail.to_emails) == (0, "me@x", ("me@x",))


@pytest.mark.parametrize(
    ("chats", "found"), [("1, -2", ("1", "-2")), (",", None), ("1,seu_chat_id", None), ("seu_chat_id", None)]
)
def test_telegram_needs_chats_that_are_all_real(tmp_path, chats, found):
    loaded = warnings(tmp_path, {"TELEGRAM_BOT_TOKEN": "123:real", "TELEGRAM_CHAT_ID": chats})
    telegram = loaded.settings.channels.get("telegram")
    assert (telegram.chat_id if telegram else None) == found
    assert bool(telegram) != any("TELEGRAM_CHAT_ID is" in warning for warning in loaded.warnings)


def test_a_key_of_the_service_that_anyone_can_read_in_the_template_is_none(tmp_path):
    loaded = warnings(tmp_path, {"DASHBOARD_SECRET_KEY": "sua_chave_secreta"})
    assert loaded.settings.service.secret_key is None
    assert "DASHBOARD_SECRET_KEY is not configured: it is a placeholder" in loaded.warnings
    assert warnings(tmp_path, {"DASHBOARD_SECRET_KEY": "0f3c99"}).settings.service.secret_key.reveal() == "0f3c99"


def test_an_api_key_that_is_a_placeholder_is_told_by_its_variable(tmp_path):
    toml = '[apis.main]\nbase_url = "http://127.0.0.1:9"\nauth = { kind = "bearer", keys = ["env:RAPIDAPI_KEY"] }\n'
    loaded = warnings(tmp_path, {"RAPIDAPI_KEY": "sua_chave_rapidapi"}, toml)
    assert "API main has no real key: RAPIDAPI_KEY is a placeholder" in loaded.warnings


@pytest.mark.parametrize(
    "real", ["seul@x.fr", "suarez@x.es", "ana@seudominio.net", "https://hooks.slack.com/services/A/B/c"]
)
def test_what_only_looks_a_little_like_one_is_real(real):
    assert not is_placeholder(real)


def test_what_the_files_begin_the_variables_complete(tmp_path):
    toml = '[channels.email]\nkind = "email"\nhost = "mail.x"\nusername = "bot"\n'
    toml += 'from_email = "bot@x"\nto_emails = ["a@x"]\n'
    found = warnings(tmp_path, {"SMTP_PASSWORD": "hunter22", "TO_EMAILS": "b@x, c@x"}, toml)
    mail = found.settings.channels["email"]
    assert (mail.host, mail.password.reveal(), mail.to_emails) == ("mail.x", "hunter22", ("b@x", "c@x"))
    assert (mail.password.source, found.warnings) == ("env:SMTP_PASSWORD", ())
    assert str(found.origin(("channels", "email", "host"))) == "understudy.toml:3"


def test_port_465_is_encrypted_from_the_first_byte(tmp_path):
    assert warnings(tmp_path, {**MAIL, "SMTP_PORT": "465"}).settings.channels["email"].security == "tls"
    assert warnings(tmp_path, MAIL).settings.channels["email"].security == "starttls"


def test_a_variable_does_not_turn_a_channel_of_the_files_into_another_kind(tmp_path):
    toml = '[channels.slack]\nkind = "discord"\nurl = "env:HOOK"\n'
    env = {"HOOK": "https://discord.example/api/webhooks/1/a", "SLACK_WEBHOOK_URL": "https://hooks.example/b"}
    found = warnings(tmp_path, env, toml)
    assert found.settings.channels["slack"].url.reveal().endswith("/a")
    assert found.warnings == ("SLACK_WEBHOOK_URL not used: the files configure another kind of channel as slack",)


def test_a_channel_whose_secret_was_not_filled_in_stays_off_and_is_named(tmp_path):
    toml = '[channels.ops]\nkind = "slack"\nurl = "env:HOOK"\n[channels.all]\nkind = "apprise"\nurls = ["env:HOOK"]\n'
    found = warnings(tmp_path, {"HOOK": "https://hooks.slack.com/services/..."}, toml)
    assert found.settings.channels == {}
    assert found.warnings == (
        "channel ops is not configured: url is a placeholder",
        "channel all is not configured: urls is a placeholder",
    )


def test_a_secret_of_another_environment_is_looked_for_on_its_day_only(tmp_path):
    toml = '[environments.production.channels.ops]\nkind = "slack"\nurl = "env:HOOK"\n'
    assert warnings(tmp_path, {}, toml).settings.channels == {}
    with pytest.raises(ConfigError, match="the variable HOOK is not set"):
        warnings(tmp_path, {"ENVIRONMENT": "production"}, toml)
