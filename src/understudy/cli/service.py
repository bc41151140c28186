"""`understudy service print | install | uninstall | status`: a hardened systemd unit, the old name its alias."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from understudy.core.text import Texts

from .exits import FAILED, NO_PERMISSION, OK, UNAVAILABLE, USAGE, Stop
from .screen import Screen, safe
from .setup_draft import write_private

NAME: Final = "understudy.service"
#: What the original document calls it.
ALIAS: Final = "rapidapi-dashboard.service"
#: Exit codes after which starting again would only fail again: configuration, permission, refused for safety.
_FINAL: Final = "2 77 78"
#: What systemctl says where it reaches no systemd, as in a container or after su.
_UNREACHED: Final = re.compile(r"\bbus\b|not been booted|No medium found")
_SYSTEM_FOLDER: Final = Path("/etc/systemd/system")
#: What a unit of the machine may not do; each line takes something away that the service never needs.
_HARDENED: Final = """\
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
UMask=0077"""
#: The same as far as a user's own manager can do it without being root.
_HARDENED_USER: Final = """\
NoNewPrivileges=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
UMask=0077"""


@dataclass(frozen=True, slots=True)
class Unit:
    """What a unit runs. `kind` is user or system."""

    kind: str
    program: tuple[str, ...]
    config: Path
    user: str = ""
    port: int = 8080

    @property
    def file(self) -> Path:
        """Where the unit belongs."""
        return (_SYSTEM_FOLDER if self.kind == "system" else Path.home() / ".config/systemd/user") / NAME

    @property
    def command(self) -> str:
        """What it starts, as systemd reads it."""
        return " ".join(_word(each) for each in (*self.program, "run", "--config", str(self.config)))

    def render(self) -> str:
        """The text of the unit."""
        folder = self.config.parent
        lines = [
            "[Unit]",
            "Description=Understudy: third-party APIs that keep answering",
            "Wants=network-online.target",
            "After=network-online.target",
            "",
            "[Service]",
            "Type=exec",
            f"ExecStart={self.command}",
            "ExecReload=/bin/kill -HUP $MAINPID",
            f"WorkingDirectory={_path(folder)}",
            "Restart=always",
            "RestartSec=2",
            f"RestartPreventExitStatus={_FINAL}",
            # Calls that run may end: 30 s by default, and a little more for the store.
            "TimeoutStopSec=45",
        ]
        if self.kind == "system":
            low = self.port and self.port < 1024
            lines += [
                *([f"User={self.user}"] if self.user else []),
                f"CapabilityBoundingSet={'CAP_NET_BIND_SERVICE' if low else ''}",
                *(["AmbientCapabilities=CAP_NET_BIND_SERVICE"] if low else []),
                f"ReadWritePaths={_word(str(folder), expanded=False)}",
                _HARDENED,
            ]
        else:
            lines.append(_HARDENED_USER)
        target = "multi-user.target" if self.kind == "system" else "default.target"
        return "\n".join([*lines, "", "[Install]", f"WantedBy={target}", f"Alias={ALIAS}", ""])


def unit_for(kind: str, config: Path, port: int, text: Texts) -> Unit:
    """The unit for a configuration file, as this installation would run it."""
    path = config.absolute()
    if not str(path).isprintable():
        raise Stop(USAGE, text("the path of the configuration holds control characters"))
    beside = Path(sys.executable).with_name("understudy")
    program = (str(beside),) if beside.exists() else (sys.executable, "-m", "understudy.cli")
    return Unit(kind, program, path, _owner(path.parent), port)


def install(screen: Screen, unit: Unit, *, start: bool, overwrite: bool) -> int:
    """Write the unit and have it started; exit code."""
    _ = screen.text
    needs_systemd(screen, unit)
    _systemctl(screen, unit.kind, "show", "--property=Version")  # nothing is written where it does not answer
    before = _read(unit.file)
    if before is not None and before != unit.render() and not overwrite:
        raise Stop(FAILED, _("{file} is there already and differs; --yes replaces it and keeps a copy", file=unit.file))
    try:
        unit.file.parent.mkdir(parents=True, exist_ok=True)
        if before is not None and before != unit.render():
            write_private(unit.file.with_name(f"{NAME}.backup"), before, 0o644)
        write_private(unit.file, unit.render(), 0o644)
    except PermissionError:
        raise Stop(NO_PERMISSION, _("only root may write {file}; run it again with sudo", file=unit.file)) from None
    screen.line(_("written: {file}", file=unit.file), "good")
    _systemctl(screen, unit.kind, "daemon-reload")
    _systemctl(screen, unit.kind, "enable", *(["--now"] if start else []), NAME)
    if start:
        if unit.kind == "system":
            screen.line(_("it runs, and starts again with the machine"), "good")
        else:
            screen.line(_("it runs, and starts again when you sign in"), "good")
            screen.line(
                _("with the machine, before anybody signs in: {command}", command="sudo loginctl enable-linger $USER")
            )
    journal = "journalctl --user -u understudy" if unit.kind == "user" else "journalctl -u understudy"
    screen.line(_("its log: {command}", command=journal), "quiet")
    return OK


def uninstall(screen: Screen, unit: Unit) -> int:
    """Stop the service and take the unit away; what it kept stays."""
    _ = screen.text
    needs_systemd(screen, unit)
    if not unit.file.exists():
        raise Stop(FAILED, _("there is no {file}", file=unit.file))
    _systemctl(screen, unit.kind, "disable", "--now", NAME)
    try:
        unit.file.unlink()
    except PermissionError:
        raise Stop(NO_PERMISSION, _("only root may remove {file}; run it again with sudo", file=unit.file)) from None
    _systemctl(screen, unit.kind, "daemon-reload")
    screen.line(_("removed: {file}; the configuration and what was kept stay", file=unit.file), "good")
    return OK


def status(screen: Screen, unit: Unit) -> int:
    """How the service does, as systemd tells it; exit code 1 unless it runs."""
    _ = screen.text
    needs_systemd(screen, unit)
    wanted = "ActiveState,SubState,UnitFileState,MainPID,ExecMainStatus,NRestarts"
    told = _systemctl(screen, unit.kind, "show", NAME, f"--property={wanted}")
    found = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    table = screen.table("", "")
    table.show_header = False
    table.add_row(_("state"), safe(f"{found.get('ActiveState', '')} ({found.get('SubState', '')})"))
    table.add_row(_("starts with the machine"), safe(found.get("UnitFileState", "") or _("no")))
    table.add_row(_("process"), safe(found.get("MainPID", "")))
    table.add_row(_("started again"), safe(found.get("NRestarts", "")))
    table.add_row(_("unit"), str(unit.file) if unit.file.exists() else _("not installed"))
    screen.console.print(table)
    return OK if found.get("ActiveState") == "active" else FAILED


def needs_systemd(screen: Screen, unit: Unit) -> None:
    """Raise `Stop` where there is no systemd, with what to do there instead."""
    if sys.platform.startswith("linux") and shutil.which("systemctl"):
        return
    _ = screen.text
    command = " ".join([*unit.program, "run", "--config", str(unit.config)])
    if sys.platform == "win32":
        said = _('Windows has no systemd; this starts it with the machine: schtasks /Create /SC ONSTART /TN understudy '
                 '/TR "{command}"', command=command)  # fmt: skip
    elif sys.platform == "darwin":
        said = _("macOS has no systemd; a launchd agent in ~/Library/LaunchAgents with RunAtLoad and KeepAlive runs: "
                 "{command}", command=command)  # fmt: skip
    else:
        said = _("there is no systemd here; have what starts services run: {command}", command=command)
    raise Stop(UNAVAILABLE, said)


def _systemctl(screen: Screen, kind: str, *arguments: str) -> str:
    """The output of a command of systemctl; `Stop` with what it said when it fails."""
    command = ["systemctl", *(["--user"] if kind == "user" else []), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - fixed words, no shell
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Stop(FAILED, safe(error)) from None
    if done.returncode:
        _ = screen.text
        reason = safe(done.stderr.strip() or str(done.returncode), 400)
        said = _("{command} failed: {reason}", command=" ".join(command), reason=reason)
        if _UNREACHED.search(done.stderr):
            user = _("no systemd runs for this user; --system takes that of the machine, and understudy run needs none")
            said += "; " + (user if kind == "user" else _("no systemd runs here; understudy run needs none"))
        raise Stop(FAILED, said)
    return done.stdout


def _owner(folder: Path) -> str:
    """Who owns the folder: as that user the service runs."""
    try:
        import pwd

        return pwd.getpwuid(folder.stat().st_uid).pw_name
    except (ImportError, KeyError, OSError):
        return ""


def _word(text: str, *, expanded: bool = True) -> str:
    """One word: systemd takes quotes and backslashes as shells do, % for its own, and in commands $ too."""
    plain = text.replace("%", "%%")
    if expanded:
        plain = plain.replace("$", "$$")
    if re.fullmatch(r"[A-Za-z0-9_./:@=+,%$-]+", plain):
        return plain
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _path(path: Path) -> str:
    """A path that stands alone behind an equals sign: taken as it is, but for %."""
    return str(path).replace("%", "%%")


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        return ""
