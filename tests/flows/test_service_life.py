"""How the service lives with its surroundings: signals, closed streams, full disks, files that come and go."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from processes import COMMAND, PATIENCE, environment, found_url, free_port, get, run, service, started, until


class SlowApi:
    """An API that answers when it is told to."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE)
        self.calls: list[socket.socket] = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in (self.listener, *self.calls):
            each.close()

    def write_configuration(self, folder: Path) -> None:
        port = self.listener.getsockname()[1]
        (folder / "understudy.toml").write_text(
            f'[apis.slow]\nbase_url = "http://127.0.0.1:{port}"\ntimeout = 30\n[routes.r]\napis = ["slow"]\n'
        )

    def called(self) -> socket.socket:
        """The next call, with its request read."""
        call, _ = self.listener.accept()
        self.calls.append(call)
        call.settimeout(PATIENCE)
        while b"\r\n\r\n" not in call.recv(65536):
            pass
        return call


def test_sigterm_lets_the_calls_end_that_run(tmp_path):
    with SlowApi() as api:
        api.write_configuration(tmp_path)
        with service(tmp_path, "--traffic", "1") as (process, _):
            call = api.called()
            process.send_signal(signal.SIGTERM)
            until(process, "SIGTERM: what runs may end within 30 s")
            assert process.poll() is None
            call.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_cuts_off_what_runs(tmp_path, second):
    with SlowApi() as api:
        api.write_configuration(tmp_path)
        with service(tmp_path, "--traffic", "1") as (process, _):
            call = api.called()
            process.send_signal(signal.SIGTERM)
            until(process, "SIGTERM: what runs may end within 30 s")
            process.send_signal(second)
            until(process, "ended at once; calls that ran were cut off")
            assert process.wait(PATIENCE) == 1
            assert call.recv(1) == b""


def until_it_answers(process: subprocess.Popen, url: str) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            get(url + "/health")
            return
        except OSError:
            continue
    pytest.fail(f"the service did not answer; exit code {process.poll()}")


def test_a_closed_standard_output_stops_no_service(tmp_path):
    port = free_port()
    with started(tmp_path, "run", "--port", str(port)) as process:
        process.stdout.close()
        until_it_answers(process, f"http://127.0.0.1:{port}")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize("command", [("config", "template"), ("demo", "--seconds", "10", "--plain")])
def test_a_command_ends_quietly_when_nobody_reads_on(tmp_path, command):
    with started(tmp_path, *command) as process:
        process.stdout.close()
        assert process.wait(PATIENCE) == 1
        assert process.stderr.read() == ""


@pytest.mark.parametrize("streams", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_no_exit_code(tmp_path, streams):
    words = " ".join(f"'{word}'" for word in (*COMMAND, "run", "--config", "missing.toml"))
    ended = subprocess.run(["sh", "-c", f"{words} {streams}"], check=False, cwd=tmp_path, env=environment())
    assert ended.returncode == 2


@pytest.mark.parametrize("command", [("config", "template"), ("config", "schema"), ("config", "explain"), ("--help",)])
def test_a_full_disk_behind_standard_output_is_one_line(tmp_path, command):
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*COMMAND, *command],
            check=False,
            cwd=tmp_path,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert ended.returncode == 1
    assert ended.stderr == "understudy: standard output: no space left on device\n"


def test_a_log_on_a_full_disk_is_told_once_counted_and_stops_nothing(tmp_path):
    with started(tmp_path, "run", "--port", "0", "--set", "log.file=/dev/full") as process:
        url = found_url(process)
        process.send_signal(signal.SIGHUP)  # which is told in the log
        while b'understudy_dropped_records_total{kind="log"} 0' in get(url + "/metrics"):
            pass
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert said == (
        "understudy: the log /dev/full cannot be written: No space left on device; events are lost until it can\n"
    )


def test_a_log_that_cannot_be_opened_is_a_fault_of_the_configuration(tmp_path):
    ended = run(tmp_path, "run", "--set", f"log.file={tmp_path}")
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[0] == (
        f"understudy: command line: log.file: the log's file cannot be written: is a directory, found '{tmp_path}'"
    )


def test_a_log_that_was_rotated_away_goes_on_in_a_new_file(tmp_path):
    log = tmp_path / "a.log"
    (tmp_path / "understudy.toml").write_text("log.file = 'a.log'\n")
    with service(tmp_path, "--no-watch") as (process, _):
        log.rename(tmp_path / "a.log.1")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert "SIGTERM" in log.read_text()


def test_a_file_that_is_gone_for_a_moment_is_not_taken_for_an_empty_one(tmp_path):
    file = tmp_path / "understudy.toml"
    file.write_text('[apis.one]\nbase_url = "http://127.0.0.1:9"\n')
    with service(tmp_path) as (process, url):
        file.unlink()
        process.send_signal(signal.SIGHUP)
        until(process, "configuration refused, the old one stays: understudy.toml: cannot be read")
        assert b'api="one"' in get(url + "/metrics")


def test_a_reload_whose_log_cannot_be_opened_changes_nothing(tmp_path):
    file = tmp_path / "understudy.toml"
    file.write_text('[apis.one]\nbase_url = "http://127.0.0.1:9"\n')
    with service(tmp_path) as (process, url):
        file.write_text(f'[apis.two]\nbase_url = "http://127.0.0.1:9"\n[log]\nfile = "{tmp_path}"\n')
        process.send_signal(signal.SIGHUP)
        until(process, "configuration refused, the old one stays")
        page = get(url + "/metrics")
        assert b'api="one"' in page
        assert b'api="two"' not in page
        assert b"understudy_config_last_reload_successful 0" in page


def without_low_ports() -> None:
    """In the child: root without the right to open ports below 1024, as every other user is."""
    if os.geteuid() == 0:
        assert ctypes.CDLL(None).prctl(24, 10, 0, 0, 0) == 0  # PR_CAPBSET_DROP, CAP_NET_BIND_SERVICE


def test_a_port_that_this_user_may_not_open_is_told(tmp_path):
    first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if first <= 1:
        pytest.skip("on this machine every user may open every port")
    ended = subprocess.run(
        [*COMMAND, "run", "--port", str(first - 1)],
        check=False, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=PATIENCE,
        preexec_fn=without_low_ports,
    )  # fmt: skip  # one line each for what and how
    assert ended.returncode == 77
    assert ended.stderr == (f"understudy: this user may not open port {first - 1}; choose one above 1023 with --port\n")


def test_two_services_run_side_by_side_each_in_its_folder(tmp_path):
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
    with service(folders[0]) as (_, one), service(folders[1]) as (_, other):
        assert one != other
        assert json.loads(get(one + "/health"))["ready"]
        assert json.loads(get(other + "/health"))["ready"]
