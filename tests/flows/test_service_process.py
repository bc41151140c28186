"""The real program in a process of its own: it starts, serves, reloads, drains, and says what is wrong."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys

import pytest
from processes import PATIENCE, environment, free_port, get, run, service, until


def test_the_sample_serves_and_the_commands_see_it(tmp_path):
    with service(tmp_path, "--simulator", "--traffic", "20") as (process, url):
        assert json.loads(get(url + "/health"))["ready"] is True
        assert b"understudy_upstream_requests_total" in get(url + "/metrics")
        status = run(tmp_path, "status", "--url", url)
        assert status.returncode == 0, status.stderr
        assert "fixtures_pro" in status.stdout
        assert json.loads(run(tmp_path, "status", "--url", url, "--json").stdout)["apis"]
        assert run(tmp_path, "explain", "--url", url, "--last").returncode == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def test_a_changed_file_is_taken_in_as_a_whole_or_not_at_all(tmp_path):
    file = tmp_path / "understudy.toml"
    file.write_text('[apis.one]\nbase_url = "http://127.0.0.1:9"\n')
    with service(tmp_path) as (process, url):
        file.write_text('[apis.two]\nbase_url = "http://127.0.0.1:9"\ntimeout = -1\n')
        process.send_signal(signal.SIGHUP)
        until(process, "configuration refused")
        assert list(json.loads(get(url + "/api/fallback"))["apis"]) == ["one"]
        assert b"understudy_config_last_reload_successful 0" in get(url + "/metrics")
        file.write_text('[apis.two]\nbase_url = "http://127.0.0.1:9"\n')
        process.send_signal(signal.SIGHUP)
        until(process, "configuration taken in")
        assert list(json.loads(get(url + "/api/fallback"))["apis"]) == ["two"]
        file.write_text("[alerts]\nsuccess_rate = 90\n")
        process.send_signal(signal.SIGHUP)
        until(process, "configuration taken in: removed ['two'], sections ['alerts']")
        file.write_text("[storage]\nkeep_1m = 86400\n")
        process.send_signal(signal.SIGHUP)
        until(process, "where and for how long things are kept changes at the next start only")
        # What holds at once is not called late.
        file.write_text('[service]\nallow_networks = ["10.0.0.0/8"]\nshutdown_timeout = 9\n')
        process.send_signal(signal.SIGHUP)
        until(process, "WARNING understudy.service: shutdown_timeout of [service] changes at the next start only")


def test_ctrl_c_ends_with_130(tmp_path):
    with service(tmp_path) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("run", "--host", "0.0.0.0"), 78, "refused to listen on 0.0.0.0 (command line): others could reach it"),
        (("run", "--host", "::"), 78, "ssh -L 8080:127.0.0.1:8080 THIS-MACHINE"),
        (("run", "--host", "127.1"), 78, "no accounts yet"),
        (("run", "--host", "::ffff:127.0.0.1"), 78, "no accounts yet"),
        (("run", "--config", "missing.toml"), 2, "missing.toml"),
        (("run", "--set", "service.prot=1"), 2, "prot"),
        (("run", "--no-such-option"), 2, "no-such-option"),
        (("status", "--url", "http://127.0.0.1:9"), 69, "no service listens"),
        (("status", "--url", "ftp://x"), 2, "no URL"),
        (("check", "nobody"), 2, "no API named nobody"),
    ],
)
def test_a_mistake_ends_in_a_clear_line_and_its_exit_code(tmp_path, arguments, code, words):
    ended = run(tmp_path, *arguments)
    assert ended.returncode == code, ended.stderr
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_taken_port_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run(tmp_path, "run", "--port", port)
    assert ended.returncode == 69
    assert ended.stderr == f"understudy: port {port} is taken; stop what uses it, or choose another with --port\n"


def test_check_says_what_it_found_and_fails_when_an_api_does(tmp_path):
    port = free_port()
    (tmp_path / "understudy.toml").write_text(f'[apis.gone]\nbase_url = "http://127.0.0.1:{port}"\n')
    ended = run(tmp_path, "check")
    assert ended.returncode == 1
    assert "gone" in ended.stdout
    assert "nothing listens there" in ended.stdout
    assert json.loads(run(tmp_path, "check", "--json").stdout)[0]["stage"] == "refused"


def test_without_the_extra_one_line_names_it(tmp_path):
    blocked = "import sys; sys.modules['typer'] = None; from understudy.cli import main; main(['run'])"
    ended = subprocess.run(
        [sys.executable, "-c", blocked],
        check=False,
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 69
    assert ended.stderr == "the command line needs an extra: pip install 'understudy[service]'\n"


def test_the_address_of_the_original_document_s_file_is_refused_with_the_ways_out(tmp_path):
    (tmp_path / ".env").write_text("# from the template\nDASHBOARD_HOST=0.0.0.0\nDASHBOARD_PORT=9000\n")
    ended = run(tmp_path, "run")
    assert ended.returncode == 78
    (line,) = ended.stderr.splitlines()
    assert "refused to listen on 0.0.0.0 (.env:2)" in line
    assert "understudy run --host 127.0.0.1" in line
    assert "ssh -L 9000:127.0.0.1:9000 THIS-MACHINE" in line
    assert "reverse proxy" in line
