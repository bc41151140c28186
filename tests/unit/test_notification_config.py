"""Policies and notifications in configuration files: what they may say, and where a fault is shown."""

from __future__ import annotations

import pytest

from understudy.config import load
from understudy.core.errors import ConfigError

CHANNEL = '[channels.ops]\nkind = "slack"\nurl = "https://hooks.example.com/T/B/not-a-real-one"\n'


def read(tmp_path, text: str):
    file = tmp_path / "understudy.toml"
    file.write_text(text, "utf-8")
    return load(file, env={}, cwd=tmp_path).settings


def test_policies_and_notifications_are_read(tmp_path):
    settings = read(
        tmp_path,
        CHANNEL
        + '[policies.night]\nmatch = [\'api=~"odds.*"\']\nmin_severity = "critical"\nchannels = ["ops"]\n'
        + 'proceed = true\ngroup_by = ["hub"]\n'
        + '[notifications]\npublic_url = "https://status.example.com"\nmessage_cooldown = 60\n',
    )
    policy = settings.policies["night"]
    assert (policy.channels, policy.min_severity, policy.proceed, policy.group_by) == (
        ("ops",),
        "critical",
        True,
        ("hub",),
    )
    assert settings.notifications.message_cooldown == 60.0


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ('[policies.a]\nmatch = ["api"]', "policies.a.match[0]", "expected one of = != =~ !~"),
        ('[policies.a]\nchannels = ["op"]', "policies.a.channels[0]", "did you mean 'ops'?"),
        ('[policies.a]\nescalation = "who"', "policies.a.escalation", "no escalation policy"),
        ("[policies.a]\ncontinue = true", "policies.a.continue", "unknown key"),
        ("[notifications]\nmessage_cooldown = -1", "notifications.message_cooldown", "at least 0"),
        ('[notifications]\npublic_url = "nonsense"', "notifications.public_url", "http"),
        ('[channels.b]\nkind = "slack"\nurl = "https://h.example.com/x"\ntemplate = "{api"', "template", "single {"),
    ],
)
def test_a_fault_is_shown_with_its_place_and_what_to_do(tmp_path, text, place, said):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, CHANNEL + text)
    [line] = str(caught.value).splitlines()
    assert place in line
    assert said in line
    assert "understudy.toml:" in line


@pytest.mark.parametrize("name", ["team", "slack"])
def test_a_variable_that_a_table_refers_to_makes_no_second_channel(tmp_path, name):
    (tmp_path / "understudy.toml").write_text(
        f'[channels.{name}]\nkind = "slack"\nurl = "env:SLACK_WEBHOOK_URL"\n'
        '[channels.mail]\nkind = "email"\nhost = "smtp.example.com"\nusername = "a@example.com"\n'
        'password = "env:SMTP_PASSWORD"\nfrom_email = "a@example.com"\nto_emails = ["b@example.com"]\n',
        "utf-8",
    )
    env = {
        "SLACK_WEBHOOK_URL": "https://hooks.example.com/T/B/not-a-real-one",
        "SMTP_PASSWORD": "nothing",
        "DISCORD_WEBHOOK_URL": "https://discord.example.com/api/webhooks/1/none",
    }
    loaded = load(tmp_path / "understudy.toml", env=env, cwd=tmp_path)
    assert set(loaded.settings.channels) == {name, "mail", "discord"}
    assert loaded.warnings == ()
