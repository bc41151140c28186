"""What people and attackers put into a configuration: one clear line each, at once, and never a secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from understudy.config import load
from understudy.config.explain import rows
from understudy.core.errors import ConfigError

API = '[apis.a]\nbase_url = "http://x"\n'
SLACK = '[channels.x]\nkind = "slack"\nurl = "env:HOOK"\n'
HOOK = {"HOOK": "https://hooks.example/services/for-tests"}
KINDS = "expected 'email', 'slack', 'discord', 'telegram', 'pagerduty', 'opsgenie', 'webhook', 'apprise'"


def get(folder: Path, text: str | bytes | None = None, env=None, overrides=()):
    if text is not None:
        (folder / "understudy.toml").write_bytes(text.encode() if isinstance(text, str) else text)
    return load(cwd=folder, env=env or {}, overrides=overrides, secret_dirs=())


def faults(folder: Path, text: str | bytes | None = None, env=None, overrides=()) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        get(folder, text, env, overrides)
    return [str(fault) for fault in caught.value.faults]


#: A file with one mistake, and the line that tells it.
MISTAKES = [
    (API.encode("utf-16"), "understudy.toml: is not UTF-8 text (byte 0)"),
    ('[apis."é"]'.encode("latin-1"), "understudy.toml: is not UTF-8 text (byte 7)"),
    (b"[apis.a]\nhub = 'a\0b'\n", "understudy.toml:2: TOML syntax, column 9: Found invalid character …"),
    (b"#" * 6_000_000, "understudy.toml: is larger than 5 MiB, which no configuration is"),
    (API + "priority = " + "[" * 5000 + "]" * 5000, "understudy.toml: is nested too deeply"),
    (API + "priority = " + "[" * 60 + "]" * 60, "understudy.toml: apis.a.priority: is nested too deeply"),
    (API + ".".join(["x"] * 3000) + " = 1", "understudy.toml: apis.a.x: is nested too deeply"),
    ("[" + ".".join(["x"] * 3000) + "]", "understudy.toml: x.x.x: is nested too deeply"),
    (API + "priority = " + "9" * 5000, "understudy.toml:3: holds a number that is too long to be read"),
    ("[apis.a]\n[apis.a]\n", "understudy.toml:2: TOML syntax, column 8: Cannot declare (…, …) twice"),
    (API + "quota = 1" + "0" * 400, "understudy.toml:3: apis.a.quota.limit: expected at most 1e+15, found 1" + "0" * 118 + "…"),  # noqa: E501 - one row, one mistake
    (API + "price = nan", "understudy.toml:3: apis.a.price: expected a finite number, found nan"),
    (API + "timeout = inf", "understudy.toml:3: apis.a.timeout.attempt: expected a finite number, found inf"),
    (API + "price = 2020-01-01", "understudy.toml:3: apis.a.price: no date or time is expected here, found '2020-01-01'"),  # noqa: E501 - one row, one mistake
    (API + "timeout = true", "understudy.toml:3: apis.a.timeout: expected a number or a table, found true"),
    (API + 'rate_limit = "10/parsec"', "understudy.toml:3: apis.a.rate_limit: expected a text such as '10/s' or a table, found '10/parsec'"),  # noqa: E501 - the same
    (API + 'preset = "rapidapy"', "understudy.toml:3: apis.a.preset: expected the name of a preset, found 'rapidapy'; did you mean 'rapidapi'?"),  # noqa: E501 - the same
    (API + 'auth = {kind = "bearer", keys = [""]}', "understudy.toml:3: apis.a.auth.keys[0].value: a key must not be empty"),  # noqa: E501 - the same
    (API + 'auth = {kind = "bearer", keys = ["env:"]}', "understudy.toml:3: apis.a.auth.keys[0].value: expected env: and the name of a variable"),  # noqa: E501 - the same
    (API + 'auth = {kind = "bearer", keys = ["file:no/such"]}', "understudy.toml:3: apis.a.auth.keys[0].value: the secret's file no/such cannot be read: no such file or directory"),  # noqa: E501 - the same
    (API + 'auth = {kind = "bearer", keys = [2]}', "understudy.toml:3: apis.a.auth.keys[0]: expected a table, found a value that is not shown"),  # noqa: E501 - the same
    ('[apis.a]\nbase_url = "http://x/v1?key=hunter2"', "understudy.toml:2: apis.a.base_url: must hold no query and no fragment, as paths are appended to it"),  # noqa: E501 - the same
    ('log.file = "a\\u0000b"', "understudy.toml:1: log.file: must not hold control characters, found 'a\\x00b'"),
    ('service.host = "::1\\n"', "understudy.toml:1: service.host: must not hold control characters, found '::1\\n'"),
    ('report_to = "localhost:8080"', "understudy.toml:1: report_to: expected http:// or https:// and a host, found 'localhost:8080'"),  # noqa: E501 - the same
    ('report_to = "http://me:pw@x"', "understudy.toml:1: report_to: must hold no user name and password; use report_token"),  # noqa: E501 - the same
    ('report_to = "http://x/?a=1"', "understudy.toml:1: report_to: must hold no query and no fragment, as paths are appended to it"),  # noqa: E501 - the same
    (API + '[reports.m]\napi = "b"', "understudy.toml:4: reports.m.api: no API of that name is configured, found 'b'"),
    ('[reports.""]', 'understudy.toml:1: reports."": a name is printable, not empty, and at most 100 characters long'),
    ("[storage.db]\nurl = 1", "understudy.toml:1: storage.db: unknown key"),
    ('[storage]\nurl = "mysql://x/y"', "understudy.toml:2: storage.url: expected memory:, sqlite:///PATH or postgresql://USER@HOST/DATABASE"),
    ("[channels.slack]\nurl = 1", f"understudy.toml:1: channels.slack.kind: {KINDS}; every channel says which service it is"),  # noqa: E501 - the same
    ('[channels.x]\nkind = "slak"', f"understudy.toml:2: channels.x.kind: {KINDS}, found 'slak'; did you mean 'slack'?"),  # noqa: E501 - the same
    ("[channels.x]\nkind = 7", f"understudy.toml:2: channels.x.kind: {KINDS}; every channel says which service it is"),
    ("[channels]\nx = 1", "understudy.toml:2: channels.x: expected a table, found 1"),
    ('[channels.x]\nkind = "slack"\nurll = "hunter2"', "understudy.toml:3: channels.x.urll: unknown key; did you mean 'url'?"),  # noqa: E501 - the same
    ('[channels.x]\nkind = "slack"\nurl = 5', "understudy.toml:3: channels.x.url: expected a text"),
    (SLACK + "timeout = 99", "understudy.toml:4: channels.x.timeout: expected at most 25, found 99"),
    (SLACK + 'language = "pt"', "understudy.toml:4: channels.x.language: expected 'en' or 'pt-BR', found 'pt'"),
    (SLACK + 'time_zone = "Mars/Base"', "understudy.toml:4: channels.x.time_zone: expected a time zone such as America/Sao_Paulo"),  # noqa: E501 - the same
    (SLACK + 'fallback = "y"', "understudy.toml:4: channels.x.fallback: no channel of that name is configured, found 'y'"),  # noqa: E501 - the same
    (SLACK + 'fallback = "x"', "understudy.toml:4: channels.x.fallback: a channel cannot stand in for itself"),
    ('[channels.x]\nkind = "slack"\nurl = "http://hooks.example/hunter2"', "understudy.toml:3: channels.x.url: expected an https address: what is sent there is secret"),  # noqa: E501 - the same
    ('[channels.x]\nkind = "slack"\nurl = "https://169.254.169.254/hunter2"\nallow_private = false', "understudy.toml:3: channels.x.url: expected an address outside this machine and its network, since allow_private is false"),  # noqa: E501 - the same
    ('[channels.x]\nkind = "slack"\nurl = "env:GONE"', "understudy.toml:3: channels.x.url: the variable GONE is not set; set GONE or GONE_FILE"),  # noqa: E501 - the same
    ('[channels.x]\nkind = "telegram"\nbot_token = "1:a"\nchat_id = ["#x"]', "understudy.toml:4: channels.x.chat_id: expected a number, an @channel, or GROUP/TOPIC"),  # noqa: E501 - the same
    ('[channels.x]\nkind = "discord"\nurl = "https://discord.example/1/a"\nusername = "My Discord"', "understudy.toml:4: channels.x.username: expected a name without discord, clyde, everyone"),  # noqa: E501 - the same
    ("[[rules]]\nname = 1", "understudy.toml:1: rules: unknown key; did you mean 'routes'?"),
    ("[environments.prod.storage]\nx = 1", "understudy.toml:2: environments.prod.storage.x: unknown key"),
    ("[environments.prod.channels]\nx = 1", "understudy.toml:2: environments.prod.channels.x: expected a table, found 1"),  # noqa: E501 - the same
    ('[environments.prod.channels.x]\nkind = "slack"\nurl = "ftp:hunter2"', "understudy.toml:3: environments.prod.channels.x.url: expected an address such as https://example.com/path"),  # noqa: E501 - the same
    ("[environments.prod.environments.dev]\nx = 1", "understudy.toml:1: environments.prod.environments: unknown key of an overlay"),  # noqa: E501 - the same
    ("[environments.prod]\n[environments.production]", "understudy.toml:2: environments.production: is the same environment as another table here"),  # noqa: E501 - the same
    ('[environments.prod.apis.a]\nbase_url = "ftp://x"', "understudy.toml:2: environments.prod.apis.a.base_url: expected http:// or https:// and a host, found 'ftp://x'"),  # noqa: E501 - the same
]  # fmt: skip  # one row, one mistake


@pytest.mark.parametrize(("text", "expected"), MISTAKES)
def test_one_mistake_is_one_line(tmp_path, text, expected):
    assert faults(tmp_path, text, HOOK) == [expected]
    assert "hunter2" not in expected


@pytest.mark.parametrize("name", ["", " ", "a\\nb", "\\u001b[31mred", "\\u202eevil", "\\u0000", "n" * 201])
def test_a_name_that_would_move_a_cursor_or_fill_a_page_is_refused(tmp_path, name):
    (said,) = faults(tmp_path, f'[apis."{name}"]')
    assert "a name is printable, not empty, without space around, and at most 200 characters long" in said
    assert said.isprintable()


def test_a_name_with_markup_is_a_name(tmp_path):
    assert list(get(tmp_path, '[apis."<b>x</b>"]\n[apis."a.b"]\n').settings.apis) == ["<b>x</b>", "a.b"]
    shown = [row["path"] for row in rows(get(tmp_path))]
    assert 'apis."<b>x</b>".priority' in shown
    assert 'apis."a.b".priority' in shown


def test_faults_of_single_values_do_not_hide_those_of_the_whole_tree(tmp_path):
    text = """\
[apis.a]
base_url = "ftp://x"
priority = "1"
headers = {good = 1, "b c" = "x"}
auth = {kind = "bearer", keys = [1]}
[[apis.a.outcomes]]
class = "quotas"
pattern = "("
[apis.b]
timeout = -1
[routes.r]
apis = ["b", "c", 3]
[routes.s]
apis = ["b", "b", "c"]
deadline = "soon"
"""
    assert [said.partition(": ")[2].partition(":")[0] for said in faults(tmp_path, text)] == [
        "apis.a.base_url",
        "apis.a.priority",
        "apis.a.headers.good",
        'apis.a.headers."b c"',
        "apis.a.auth.keys[0]",
        "apis.a.outcomes[0].class",
        "apis.a.outcomes[0].pattern",
        "apis.b.timeout.attempt",
        "routes.r.apis[2]",
        "routes.s.apis[1]",
        "routes.s.apis[2]",
        "routes.s.deadline",
    ]


#: Variables and overrides with one mistake, and the line that tells it.
VARIABLES = [
    ({"UNDERSTUDY__ALERTS__ERROR_RAT": "5"}, (), "env:UNDERSTUDY__ALERTS__ERROR_RAT: alerts.error_rat: unknown key; did you mean 'error_rate'?"),  # noqa: E501 - the same
    ({"UNDERSTUDY__STORAGE__URLS": "x"}, (), "env:UNDERSTUDY__STORAGE__URLS: storage.urls: unknown key; did you mean 'url'?"),  # noqa: E501 - one row, one mistake
    ({"UNDERSTUDY__CHANNELS__SLACK__URL": "x"}, (), f"env:UNDERSTUDY__CHANNELS__SLACK__URL: channels.slack.kind: {KINDS}; every channel says which service it is"),  # noqa: E501 - one row, one mistake
    ({}, ("channels.slack=1",), "command line: channels.slack: expected a table, found '1'"),
    ({}, ("environments.dev.log.level=DEBUG",), "command line: environments: the tables of environments stand in files only"),  # noqa: E501 - one row, one mistake
    ({"UNDERSTUDY__": "1"}, (), "env:UNDERSTUDY__: expected a name such as UNDERSTUDY__APIS__NAME__TIMEOUT"),
    ({"UNDERSTUDY__" + "A__" * 4000 + "A": "1"}, (), "a.a.a: is nested too deeply"),
    ({}, ("a." * 4000 + "a=1",), "command line: a.a.a: is nested too deeply"),
    ({"UNDERSTUDY__LOG__FILE": "\udcff"}, (), "env:UNDERSTUDY__LOG__FILE: log.file: is not UTF-8 text, found '\\udcff'"),  # noqa: E501 - the same
    ({"UNDERSTUDY__\x1b[31m__X": "1"}, (), 'env:UNDERSTUDY__\\x1b[31m__X: "\\x1b[31m": unknown key'),
    ({"UNDERSTUDY__SERVICE__PORT": "٣"}, (), "env:UNDERSTUDY__SERVICE__PORT: service.port: expected a whole number, found '٣'"),  # noqa: E501 - the same
    ({"SMTP_PASSWORD_FILE": "gone"}, (), "env:SMTP_PASSWORD_FILE: the secret's file gone cannot be read: no such file or directory"),  # noqa: E501 - the same
]  # fmt: skip  # one row, one mistake


@pytest.mark.parametrize(("env", "overrides", "expected"), VARIABLES)
def test_a_variable_or_an_override_is_judged_like_a_file(tmp_path, env, overrides, expected):
    (said,) = faults(tmp_path, None, env, overrides)
    assert said.endswith(expected)


@pytest.mark.parametrize("name", ["understudy.toml", ".env"])
@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda file: file.mkdir(), "is a directory, not a file"),
        (lambda file: file.symlink_to("gone"), "cannot be read: no such file or directory"),
        (lambda file: file.symlink_to(file.name), "cannot be read: too many levels of symbolic links"),
        (lambda file: file.symlink_to("/dev/zero"), "is not a regular file"),
        (os.mkfifo, "is not a regular file"),
        (lambda file: file.write_bytes(b"\xff\xfe\0"), "is not UTF-8 text (byte 0)"),
    ],
)
def test_what_is_no_file_that_can_be_read_is_told_and_not_taken_for_absent(tmp_path, name, make, expected):
    make(tmp_path / name)
    assert faults(tmp_path) == [f"{name}: {expected}"]


def test_a_folder_of_files_that_is_none_is_told(tmp_path):
    (tmp_path / "understudy.d").write_text("")
    assert faults(tmp_path) == ["understudy.d: cannot be read: not a directory"]


def test_what_editors_leave_beside_a_file_is_not_read(tmp_path):
    folder = tmp_path / "understudy.d"
    folder.mkdir()
    (folder / ".#a.toml").symlink_to("someone@somewhere.1234")
    (folder / ".a.toml.swp").write_bytes(b"\xff")
    (folder / "a.toml~").write_text("nonsense")
    assert get(tmp_path).settings.apis == {}


@pytest.mark.parametrize(
    "text",
    [
        'auth = "hunter2hunter2"',
        'auth = {kind = "bearer", keys = "hunter2hunter2", oops = 1}',
        'auth = {kind = "hunter", keys = ["hunter2hunter2"]}',
        'auth = {kind = "bearer", keys = [["hunter2hunter2"]]}',
        'auth = {kind = "token_request", keys = ["k"], token_url = "ftp://hunter2hunter2"}',
        'headers = {"X-Key:" = "hunter2hunter2"}',
        'headers = {"X-Key" = "hunter2hunter2\\r\\n"}',
        'api_key = "hunter2hunter2"',
        "api_key = hunter2hunter2",
        'auth = {keys = ["hunter2hunter2" "x"]}',
    ],
)
def test_no_fault_shows_a_secret(tmp_path, text):
    assert "hunter2" not in "".join(faults(tmp_path, API + text))
    with pytest.raises(ConfigError) as caught:
        get(tmp_path)
    assert "hunter2" not in repr(caught.value) + str(caught.value)


def test_keys_may_stand_one_a_line_in_a_secret_file(tmp_path):
    (tmp_path / "keys").write_text("first-key\nsecond-key\n")
    bearer = API + 'auth.kind = "bearer"\n'
    loaded = get(tmp_path, bearer, {"UNDERSTUDY__APIS__A__AUTH__KEYS_FILE": "keys"})
    assert [key.value.reveal() for key in loaded.settings.apis["a"].auth.keys] == ["first-key", "second-key"]


def test_keys_that_no_request_would_carry_are_a_fault_and_a_preset_may_say_how_they_go(tmp_path):
    keys = {"UNDERSTUDY__APIS__A__AUTH__KEYS": "some-key"}
    with pytest.raises(ConfigError, match=r"apis\.a\.auth\.kind: no request carries a key without it; kind = "):
        get(tmp_path, API, keys)
    assert get(tmp_path, API + 'preset = "rapidapi"\n', keys).settings.apis["a"].auth.keys


def test_a_key_that_is_a_number_is_a_key(tmp_path):
    bearer = API + 'auth.kind = "bearer"\n'
    keys = get(tmp_path, bearer, {"UNDERSTUDY__APIS__A__AUTH__KEYS": "123456"}).settings.apis["a"].auth.keys
    assert [key.value.reveal() for key in keys] == ["123456"]


def test_what_an_overlay_leaves_to_the_variables_of_its_day_is_no_fault_today(tmp_path):
    text = API + '[environments.production.apis.a.auth]\nkind = "bearer"\n'
    assert get(tmp_path, text).settings.apis["a"].auth.kind == "none"
    assert "needs at least one key" in faults(tmp_path, text, {"ENVIRONMENT": "production"})[0]


def test_overlays_of_several_files_go_over_all_files(tmp_path):
    (tmp_path / "understudy.d").mkdir()
    (tmp_path / "understudy.d" / "a.toml").write_text("[apis.a]\npriority = 3\n[environments.prod.apis.a]\nprice = 2\n")
    settings = get(tmp_path, API + "[environments.prod.apis.a]\npriority = 9\n", {"ENVIRONMENT": "prod"}).settings
    assert (settings.apis["a"].priority, settings.apis["a"].price) == (9, 2)


def test_forty_thousand_keys_are_read_in_time_that_grows_with_their_number(tmp_path):
    # 480 s before each key was merged by itself: a day's work for a file that an editor saved.
    text = "".join(f"[apis.a{number}]\npriority = 2\nprice = 1\n" for number in range(20_000))
    assert len(get(tmp_path, text).settings.apis) == 20_000


def test_the_conditions_of_a_rule_whose_class_is_wrong_are_looked_at_too(tmp_path):
    with pytest.raises(ConfigError) as caught:
        get(tmp_path, API + 'outcomes = [{status = "999", pattern = "(", class = "providr"}]\n')
    assert [fault.path[-1] for fault in caught.value.faults] == ["class", "status", "pattern"]


def test_a_variable_whose_name_is_misspelled_is_told_and_one_that_brings_a_whole_api_is_not(tmp_path):
    misspelled = get(tmp_path, API, {"UNDERSTUDY__APIS__AA__TIMEOUT": "3"})
    assert misspelled.warnings == (
        "API aa stands in variables only, and has no base_url; is its name spelled as in the files?",
    )
    assert get(tmp_path, API, {"UNDERSTUDY__APIS__AA__BASE_URL": "http://x"}).warnings == ()
    assert get(tmp_path, API, {"UNDERSTUDY__APIS__A__TIMEOUT": "3"}).warnings == ()
