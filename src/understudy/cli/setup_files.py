"""What `understudy setup` writes: two texts, judged by the loader and shown as a difference before they are written."""

from __future__ import annotations

import difflib
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from understudy.config import Loaded, load
from understudy.config.editing import set_key, set_table, set_variable
from understudy.config.environ import SEED_PATHS
from understudy.config.faults import Fault, Origin
from understudy.config.sources import read_dotenv, real_environment
from understudy.core.clock import Clock
from understudy.core.errors import ConfigError

from .setup_draft import Draft, write_private

_HEAD: Final = "# understudy.toml: written by `understudy setup`, and yours to edit. Secrets stand in .env.\n\n"
_ENV_HEAD: Final = "# .env: the real environment wins over this file. Keep it out of version control.\n\n"
_VALUE: Final = re.compile(r"^([+ -]?\s*(?:export\s+)?[A-Za-z_]\w*\s*=).+$")
_SHOWN: Final = re.compile(
    r"^[+ -]?(?:ENVIRONMENT|LOG_\w+|SMTP_SERVER|SMTP_PORT|DASHBOARD_HOST|DASHBOARD_PORT|ALERT_\w+)="
)


@dataclass(frozen=True, slots=True)
class Change:
    """One file, as it is (None: not there) and as it would be."""

    file: Path
    before: str | None
    after: str
    mode: int

    def difference(self) -> Iterator[str]:
        """The lines that change, with some around them; values of secrets are masked."""
        before = (self.before or "").splitlines()
        for line in difflib.unified_diff(
            before, self.after.splitlines(), self.file.name, self.file.name, lineterm="", n=1
        ):
            masked = self.mode == 0o600 and not _SHOWN.match(line)
            yield _VALUE.sub(r"\1********", line) if masked else line

    def write(self, clock: Clock) -> Path | None:
        """Write it; the copy that was kept of what stood there."""
        backup = None
        if self.before is not None:
            at = datetime.fromtimestamp(clock.time(), UTC)
            backup = self.file.with_name(f"{self.file.name}.backup-{at:%Y%m%dT%H%M%SZ}")
            write_private(backup, self.before, self.mode)
        write_private(self.file, self.after, self.mode)
        return backup


class Target:
    """The files of one configuration: the TOML file, and `.env` beside it."""

    def __init__(self, file: Path) -> None:
        self.file = file.absolute()
        self.folder = self.file.parent
        self.dotenv = self.folder / ".env"

    def variables(self) -> dict[str, str]:
        """What `.env` says now."""
        faults: list[Fault] = []
        found = read_dotenv(self.dotenv, ".env", faults)
        if faults:
            raise ConfigError(tuple(faults))
        return {name: value for name, (value, _) in found.items()}

    def changes(self, draft: Draft) -> list[Change]:
        """What the draft would change, file by file; nothing for what is so already."""
        toml, env = _text(self.file), _text(self.dotenv)
        after, variables = toml or _HEAD, dict(draft.variables)
        known = self.variables()
        if "DASHBOARD_SECRET_KEY" not in {**known, **real_environment(), **variables}:
            variables["DASHBOARD_SECRET_KEY"] = secrets.token_urlsafe(32)
        for path, value in draft.settings.items():
            variable = next((name for name, place in SEED_PATHS.items() if place == path), "")
            if variable and variable in known:
                variables[variable] = str(value)  # in the file it would be overruled by this one
            else:
                after = set_key(after, path, value)
        for path, table in draft.tables.items():
            after = set_table(after, path, table)
        later = env if env is not None else _ENV_HEAD
        for name, text in variables.items():
            if known.get(name) != text:
                later = set_variable(later, name, text)
        found = [Change(self.file, toml, after, 0o644), Change(self.dotenv, env, later, 0o600)]
        return [each for each in found if each.before != each.after]

    def loaded(self, draft: Draft) -> Loaded:
        """The configuration as it would be, without writing it where it belongs.

        Raises:
            ConfigError: every fault of it.
        """
        changed = {each.file: each.after for each in self.changes(draft)}
        toml = changed.get(self.file) or _text(self.file) or ""
        with tempfile.TemporaryDirectory(prefix="understudy-setup-") as name:
            trial = Path(name) / self.file.name
            trial.write_text(toml, encoding="utf-8")
            beside = self.folder / "understudy.d"
            if beside.is_dir():
                (trial.parent / beside.name).symlink_to(beside, target_is_directory=True)
            try:
                return load(trial, env=self.environment(draft), cwd=self.folder)
            except ConfigError as error:
                ahead = self.file in changed
                raise ConfigError(tuple(self._at_home(each, trial, ahead) for each in error.faults)) from None

    def _at_home(self, fault: Fault, trial: Path, ahead: bool) -> Fault:
        """A fault of the trial as one of the file itself; without its line where the file has no such line yet."""
        if fault.origin.name != str(trial):
            return fault
        return replace(fault, origin=replace(fault.origin, name=self.file.name, line=0 if ahead else fault.origin.line))

    def environment(self, draft: Draft) -> Mapping[str, str]:
        """The variables as a service would see them: the real ones win."""
        return {**self.variables(), **draft.variables, **real_environment()}

    def too_open(self) -> bool:
        """Whether others may read `.env` as it stands."""
        try:
            return bool(self.dotenv.stat().st_mode & 0o077)
        except OSError:
            return False


def _text(file: Path) -> str | None:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        fault = Fault((), _origin(file), f"cannot be read: {reason.lower()}")
        raise ConfigError((fault,)) from None


def _origin(file: Path) -> Origin:
    return Origin("file", file.name)
