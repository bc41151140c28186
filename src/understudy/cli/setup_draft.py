"""What `understudy setup` has gathered so far, and how it is kept when somebody stops in the middle.

The kept form holds no secret: of each only the name of its variable, so that it is asked for again.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from understudy.config.sources import MAX_BYTES

#: The file beside the configuration in which a draft waits.
DRAFT_FILE: Final = ".understudy-setup.json"
_FORMAT: Final = 1


@dataclass(slots=True)
class Draft:
    """Answers that are not written yet."""

    #: Single values by their place in the tree.
    settings: dict[tuple[str, ...], Any] = field(default_factory=dict)
    #: Whole tables by their place: an API, a route, a channel.
    tables: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)
    #: Variables for `.env`; never in the kept form, nor in a repr.
    variables: dict[str, str] = field(default_factory=dict, repr=False)
    #: Names of variables that a resumed draft needs again.
    missing: list[str] = field(default_factory=list)
    #: As what it shall run in the background: user, system, or empty for not at all.
    unit: str = ""
    #: Steps that were answered.
    done: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.settings or self.tables or self.variables or self.missing)

    def names(self, kind: str) -> list[str]:
        """The names of the tables of a kind: apis, routes, channels."""
        return [path[1] for path in self.tables if path[0] == kind]

    def finish(self, step: str) -> None:
        """A step was answered."""
        if step not in self.done:
            self.done.append(step)

    def keep(self, folder: Path) -> None:
        """Write the draft beside the configuration, for its owner only."""
        content = {
            "format": _FORMAT,
            "settings": [[list(path), value] for path, value in self.settings.items()],
            "tables": [[list(path), table] for path, table in self.tables.items()],
            "missing": sorted({*self.variables, *self.missing}),
            "unit": self.unit,
            "done": self.done,
        }
        write_private(folder / DRAFT_FILE, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def kept_draft(folder: Path) -> Draft | None:
    """The draft that waits in a folder; None when there is none that can be used."""
    file = folder / DRAFT_FILE
    try:
        if not file.is_file() or file.stat().st_size > MAX_BYTES:
            return None
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            return None
        return Draft(
            settings={tuple(map(str, path)): value for path, value in content["settings"]},
            tables={tuple(map(str, path)): dict(table) for path, table in content["tables"]},
            missing=[str(name) for name in content["missing"]],
            unit=str(content["unit"]),
            done=[str(step) for step in content["done"]],
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def forget_draft(folder: Path) -> None:
    """Remove the kept form."""
    with contextlib.suppress(OSError):
        (folder / DRAFT_FILE).unlink()


def write_private(file: Path, text: str, mode: int = 0o600) -> None:
    """Write a file whole or not at all; nobody sees a half of it, and it never has more rights than `mode`."""
    try:
        _written(file, text, mode)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error  # a full disk names no file by itself


def _written(file: Path, text: str, mode: int) -> None:
    beside = file.with_name(f"{file.name}.new-{os.getpid()}")
    opened = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(opened, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        beside.chmod(mode)
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
