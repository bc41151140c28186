"""What the loader promises: order, origins, all faults at once, no secret shown."""

from pathlib import Path

import pytest

from understudy.config import load
from understudy.config.explain import rows
from understudy.core.errors import ConfigError


def write(folder: Path, text: str, name: str = "understudy.toml") -> Path:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, "utf-8")
    return file


def get(folder, env=None, overrides=(), **options):
    return load(cwd=folder, env=env or {}, overrides=overrides, secret_dirs=(), **options)


def faults(folder, env=None, overrides=()) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        get(folder, env, overrides)
    return [str(fault) for fault in caught.value.faults]


def test_without_any_file_the_defaults_apply(tmp_path):
    settings = get(tmp_path).settings
    assert (settings.environment, settings.service.host, settings.service.port) == ("development", "127.0.0.1", 8080)


def test_each_later_source_wins(tmp_path):
    def timeout(env=None, overrides=()):
        loaded = get(tmp_path, env, overrides)
        return loaded.settings.apis["x"].timeout.attempt, str(loaded.origin(("apis", "x", "timeout", "attempt")))

    write(tmp_path, "[apis.x]\ntimeout = 1\n")
    assert timeout() == (1, "understudy.toml:2")
    write(tmp_path, "[apis.x]\ntimeout = 2\n", "understudy.d/a.toml")
    write(tmp_path, "[apis.x]\ntimeout = 3\n[environments.production.apis.x]\ntimeout = 4\n", "understudy.d/b.toml")
    assert timeout() == (3, "understudy.d/b.toml:2")
    assert timeout({"ENVIRONMENT": "prod"}) == (4, "understudy.d/b.toml:4")
    write(tmp_path, "# note\nUNDERSTUDY__APIS__X__TIMEOUT=5\n", ".env")
    assert timeout({"ENVIRONMENT": "prod"}) == (5, ".env:2")
    env = {"UNDERSTUDY__APIS__X__TIMEOUT": "6"}
    assert timeout(env) == (6, "env:UNDERSTUDY__APIS__X__TIMEOUT")
    write(tmp_path, "7\n", "secret")
    env["UNDERSTUDY__APIS__X__TIMEOUT_FILE"] = "secret"
    assert timeout(env) == (7, "file:secret")
    assert timeout(env, ["apis.x.timeout=8"]) == (8, "command line")


def test_a_shorthand_leaves_the_other_limits_of_a_lower_source_alone(tmp_path):
    write(tmp_path, "[apis.x]\ntimeout = {attempt = 9, connect = 1}\n")
    timeout = get(tmp_path, {"UNDERSTUDY__APIS__X__TIMEOUT": "5"}).settings.apis["x"].timeout
    assert (timeout.attempt, timeout.connect) == (5, 1)


def test_all_faults_come_at_once_with_line_and_nearest_name(tmp_path):
    write(
        tmp_path,
        "[apis.fixtures]\nprioritty = 1\npriority = '3'\ntimeout = -1\n[routes.r]\nmode = 'fastes'\n[rules]\nurl = 1\n",
    )
    assert sorted(faults(tmp_path)) == [
        "understudy.toml:2: apis.fixtures.prioritty: unknown key; did you mean 'priority'?",
        "understudy.toml:3: apis.fixtures.priority: expected a whole number, found '3'",
        "understudy.toml:4: apis.fixtures.timeout.attempt: expected more than 0, found -1",
        (
            "understudy.toml:6: routes.r.mode: expected 'priority', 'balanced', 'fastest' or 'cheapest', "
            "found 'fastes'; did you mean 'fastest'?"
        ),
        "understudy.toml:7: rules: unknown key; did you mean 'routes'?",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[apis.fixtures]\n[routes.r]\napis=['fixture']", "no API of that name"),
        ("[apis.a]\nauth={kind='bearer'}", "needs at least one key"),
        ("[apis.a]\nauth={kind='rapidapi',keys=['k-secret']}", "apis.a.base_url: kind 'rapidapi' needs it"),
        ("[apis.a]\nauth={kind='bearer',keys=['env:NOT_THERE']}", "understudy.toml:2: apis.a.auth.keys[0].value: the variable NOT_THERE"),  # noqa: E501 - one row, one mistake
        ("[apis.a]\nbase_url='ftp://x'", "expected http:// or https://"),
        ("[apis.a]\nbase_url='http://me:hunter2@x'", "must hold no user name"),
        ("[apis.a]\nsuccess={json='a['}", "JMESPath"),
        ("[[apis.a.outcomes]]\nclass='key'\npattern='('", "regular expression"),
        ('[apis.a]\nheaders={X="a\\r\\nb: hunter2"}', "line ends"),
        ("[apis.a-b]\n[apis.a_b]", "is the same name as 'a-b'"),
        ("[service]\nport=70000", "expected at most 65535"),
        ("[apis.a]\nhealth_check={path='up'}", "begins with /"),
        ("a = ", "understudy.toml:1: TOML syntax"),
        ("[channels.x]\nurl='hunter2'", "channels.x.kind: expected 'email',"),
        ("[environments.prodution]\n", "did you mean 'production'?"),
        ("[environments.staging.service]\nport='x'", "understudy.toml:2: environments.staging.service.port: expected a whole number"),  # noqa: E501 - one row, one mistake
        ("[apis.a]\nmax_body=2020-01-01", "no date or time"),
        ("[[apis.a.outcomes]]\nclass_='key'", "did you mean 'class'?"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_clear_line(tmp_path, text, expected):
    write(tmp_path, text)
    found = "\n".join(faults(tmp_path))
    assert expected in found
    assert "hunter2" not in found


def test_a_file_that_cannot_be_read_is_one_clear_line(tmp_path):
    (tmp_path / "dir").mkdir()
    (tmp_path / "latin").write_bytes(b"a='\xff'")
    (tmp_path / "huge").write_bytes(b"#" * (5 * 1024 * 1024 + 1))
    expected = {"dir": "directory", "latin": "UTF-8", "huge": "larger than 5 MiB", "none": "no such file"}
    for name, words in expected.items():
        with pytest.raises(ConfigError, match=words):
            get(tmp_path, path=Path(name))


def test_a_byte_order_mark_is_no_fault(tmp_path):
    (tmp_path / "understudy.toml").write_bytes(b"\xef\xbb\xbf[service]\nport=9\n")
    assert get(tmp_path).settings.service.port == 9


def test_an_environment_name_that_matches_two_apis_is_a_fault(tmp_path):
    write(tmp_path, "[apis.a-b]\n[apis.a_b]\n")
    assert any(
        "matches 'a-b' and 'a_b'" in fault for fault in faults(tmp_path, {"UNDERSTUDY__APIS__A_B__PRIORITY": "2"})
    )


def test_a_secret_is_found_by_variable_file_and_dotenv_and_never_shown(tmp_path):
    write(
        tmp_path,
        "[apis.a]\nbase_url='http://x'\nauth={kind='bearer', keys=['env:ONE', {value='file:two', alias='b'}]}\n",
    )
    write(tmp_path, "ONE='hunter2-one'\n", ".env")
    write(tmp_path, "hunter2-two\n", "two")
    loaded = get(tmp_path)
    keys = loaded.settings.apis["a"].auth.keys
    assert [key.value.reveal() for key in keys] == ["hunter2-one", "hunter2-two"]
    assert [key.value.source for key in keys] == [".env:1", "file:two"]
    assert "hunter2" not in repr(loaded) + str(rows(loaded))
    assert "source .env:1)" in str(rows(loaded, "apis.a.auth.keys"))


def test_credentials_of_systemd_win_over_the_environment(tmp_path):
    write(tmp_path, "from-file", "creds/dashboard_secret_key")
    env = {"CREDENTIALS_DIRECTORY": str(tmp_path / "creds"), "DASHBOARD_SECRET_KEY": "from-env"}
    assert get(tmp_path, env).settings.service.secret_key.reveal() == "from-file"


def test_the_channels_of_the_seed_are_named_and_placeholders_reported(tmp_path):
    env = {"DISCORD_WEBHOOK_URL": "https://discord.com/api/webhooks/1/x", "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/...",
           "SMTP_SERVER": "smtp.x", "SMTP_USERNAME": "me@x", "SMTP_PASSWORD": "sua_senha_app"}  # fmt: skip
    loaded = get(tmp_path, env)
    assert list(loaded.settings.channels) == ["discord"]
    assert "channel slack is not configured: SLACK_WEBHOOK_URL is a placeholder" in loaded.warnings
    assert "channel email is not configured: SMTP_PASSWORD is a placeholder" in loaded.warnings


def test_text_of_a_variable_that_is_no_number_is_a_fault(tmp_path):
    assert faults(tmp_path, {"DASHBOARD_PORT": "eighty"}) == [
        "env:DASHBOARD_PORT: service.port: expected a whole number, found 'eighty'"
    ]


def test_the_sample_passes():
    import understudy.config

    loaded = load(Path(understudy.config.__file__).with_name("sample.toml"), env={}, secret_dirs=())
    assert (len(loaded.settings.apis), len(loaded.settings.routes)) == (7, 3)


def test_a_webhook_that_signs_nothing_is_a_warning(tmp_path):
    (tmp_path / "understudy.toml").write_text('[channels.x]\nkind = "webhook"\nurl = "https://hooks.example.com/a"')
    [warning] = [each for each in load(cwd=tmp_path, env={}).warnings if "secret stands" not in each]
    assert warning.startswith("channel x signs nothing")


def test_one_recipient_is_written_without_brackets(tmp_path):
    (tmp_path / "understudy.toml").write_text(
        '[channels.mail]\nkind = "email"\nhost = "mail.example.com"\nfrom_email = "a@example.com"\n'
        'to_emails = "b@example.com, c@example.com"\n'
        '[channels.one]\nkind = "telegram"\nbot_token = "env:TOKEN"\nchat_id = -100123\n'
        '[channels.two]\nkind = "telegram"\nbot_token = "env:TOKEN"\nchat_id = ["42", 43]\n'
    )
    token = "12345" + ":" + "a" * 30
    channels = load(cwd=tmp_path, env={"TOKEN": token}).settings.channels
    assert channels["mail"].to_emails == ("b@example.com", "c@example.com")
    assert (channels["one"].chat_id, channels["two"].chat_id) == (("-100123",), ("42", "43"))
