"""The systemd unit: what it runs, what it may not do, and that systemd itself can read it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from understudy.cli.commands import run
from understudy.cli.exits import Stop
from understudy.cli.service import Unit, unit_for
from understudy.core.text import texts


@pytest.mark.parametrize("kind", ["user", "system"])
@pytest.mark.parametrize("folder", ["plain", "with space", 'quo"te', "per%cent", "dol$lar", "São Paulo"])
def test_systemd_reads_the_unit_wherever_the_configuration_lies(tmp_path, kind, folder):
    config = tmp_path / folder / "understudy.toml"
    config.parent.mkdir()
    text = Unit(kind, ("/bin/true",), config, "root", 80).render()
    assert "Alias=rapidapi-dashboard.service" in text
    assert "RestartPreventExitStatus=2 77 78" in text
    file = tmp_path / "understudy.service"
    file.write_text(text)
    command = ["systemd-analyze", *(["--user"] if kind == "user" else []), "--man=no", "verify", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    told = [line for line in done.stderr.splitlines() if "understudy" in line]
    assert told == [], done.stderr


def test_a_unit_of_the_machine_takes_everything_away_that_is_not_needed(tmp_path):
    text = Unit("system", ("/usr/bin/understudy",), tmp_path / "understudy.toml", "odds").render()
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "User=odds", "CapabilityBoundingSet=", "UMask=0077"):
        assert line in text.splitlines()
    assert f"ReadWritePaths={tmp_path}" in text
    low = Unit("system", ("/usr/bin/understudy",), tmp_path / "understudy.toml", "odds", 443).render()
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE" in low


def test_a_line_break_cannot_smuggle_a_setting_in():
    with pytest.raises(Stop):
        unit_for("user", Path("/tmp/a\nExecStartPre=/bin/evil/understudy.toml"), 8080, texts("en"))


def test_print_shows_what_would_be_installed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["service", "print", "--system"]) == 0
    out = capsys.readouterr().out
    assert f"--config {tmp_path}/understudy.toml" in out
    assert out.startswith("[Unit]\n")
