"""What a user left as the template has it is told by the variable's name, and stays off."""

from __future__ import annotations

import re

import pytest

from understudy.config import load
from understudy.config.environ import is_placeholder
from understudy.config.templates import env_template

MAIL = {"SMTP_SERVER": "smtp.x", "SMTP_USERNAME": "me@x", "SMTP_PASSWORD": "hunter22"}


def warnings(tmp_path, env, toml=""):
    (tmp_path / "understudy.toml").write_text(toml, "utf-8")
    return load(env=env, cwd=tmp_path, secret_dirs=())


def test_a_template_that_was_only_uncommented_configures_nothing_and_each_secret_is_named(tmp_path):
    env = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", env_template(), re.MULTILINE))
    loaded = warnings(tmp_path, env)
    assert loaded.settings.channels.names() == []
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
    assert loaded.settings.channels.smtp is None
    assert any(f"channel email is not configured: {told}" in warning for warning in loaded.warnings)


def test_mail_goes_to_its_sender_without_recipients_and_from_its_user_without_a_sender(tmp_path):
    mail = warnings(tmp_path, MAIL).settings.channels.smtp
    assert (mail.port, mail.from_email, mail.to_emails) == (587, "me@x", ("me@x",))


@pytest.mark.parametrize(
    ("chats", "found"), [("1, -2", ("1", "-2")), (",", None), ("1,seu_chat_id", None), ("seu_chat_id", None)]
)
def test_telegram_needs_chats_that_are_all_real(tmp_path, chats, found):
    loaded = warnings(tmp_path, {"TELEGRAM_BOT_TOKEN": "123:real", "TELEGRAM_CHAT_ID": chats})
    telegram = loaded.settings.channels.telegram
    assert (telegram.chat_ids if telegram else None) == found
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
