"""Reads the files and variables that a configuration is made of."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path as FilePath

from .faults import Fault, Origin, Path, printable
from .positions import positions
from .tree import Layer, too_deep

#: Where a container's platform puts secret files.
SECRET_DIRS = (FilePath("/run/secrets"),)
#: No configuration file is larger than this, in bytes; more is a mistake (a log, an image).
MAX_BYTES = 5 * 1024 * 1024
_VARIABLE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_AT = re.compile(r"^(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_LONG_NUMBER = re.compile(r"[0-9_]{4000,}")


def is_there(file: FilePath) -> bool:
    """Whether there is anything of that name, also a broken link, or something that may not be looked at."""
    try:
        file.lstat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError:
        return True
    return True


def toml_files(folder: FilePath) -> list[FilePath]:
    """The TOML files of a folder by name; hidden ones are editors' own.

    Raises:
        OSError: it cannot be read.
    """
    return sorted(file for file in folder.iterdir() if file.suffix == ".toml" and not file.name.startswith("."))


def read_text(file: FilePath, name: str, faults: list[Fault]) -> str | None:
    """The text of a file, or None with one fault that says why it cannot be read."""
    reason = ""
    try:
        if file.is_dir():
            reason = "is a directory, not a file"
        elif file.exists() and not file.is_file():
            reason = "is not a regular file"
        else:
            with file.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
            if len(data) <= MAX_BYTES:
                return data.decode("utf-8-sig")
            reason = f"is larger than {MAX_BYTES // 1024 // 1024} MiB, which no configuration is"
    except UnicodeDecodeError as error:
        reason = f"is not UTF-8 text (byte {error.start})"
    except OSError as error:
        reason = f"cannot be read: {(error.strerror or 'unknown reason').lower()}"
    except ValueError:
        reason = "is no name of a file"
    faults.append(Fault((), Origin("file", name), reason))
    return None


def read_toml(file: FilePath, name: str, faults: list[Fault]) -> Layer:
    """A TOML file with the line of every key; empty, with a fault, where it cannot be read."""
    text = read_text(file, name, faults)
    if text is None:
        return Layer()
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        faults.append(_syntax(str(error), text, name))
        return Layer()
    except RecursionError:
        faults.append(Fault((), Origin("file", name), "is nested too deeply"))
        return Layer()
    except ValueError:
        long = _LONG_NUMBER.search(text)
        line = text.count("\n", 0, long.start()) + 1 if long else 0
        faults.append(Fault((), Origin("file", name, line), "holds a number that is too long to be read"))
        return Layer()
    deep = too_deep(values)
    if deep is not None:
        faults.append(Fault(deep, Origin("file", name), "is nested too deeply"))
        return Layer()
    origins: dict[Path, Origin] = {path: Origin("file", name, line) for path, line in positions(text).items()}
    return Layer(values, origins)


def _syntax(message: str, text: str, name: str) -> Fault:
    """A syntax error with its line and column; never the text around it, which may be a secret."""
    found = _AT.match(message)
    if found is None:
        return Fault((), Origin("file", name), "is no valid TOML")
    line = int(found["line"]) if found["line"] else text.count("\n") + 1
    what = re.sub(r"'[^']*'|\"[^\"]*\"", "…", found["what"])
    column = f", column {found['column']}" if found["column"] else ""
    return Fault((), Origin("file", name, line), f"TOML syntax{column}: {what}")


def read_dotenv(file: FilePath, name: str, faults: list[Fault]) -> dict[str, tuple[str, Origin]]:
    """The variables of a `.env` file; a later line wins. Nothing is expanded."""
    if not is_there(file):
        return {}
    text = read_text(file, name, faults)
    found: dict[str, tuple[str, Origin]] = {}
    for number, raw in enumerate((text or "").splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        origin = Origin("dotenv", name, number)
        match = _VARIABLE.fullmatch(line)
        value = _unquoted(match[2]) if match else None
        if match is None or value is None:
            faults.append(Fault((), origin, "expected NAME=value, quotes closed on the same line"))
            continue
        found[match[1]] = (value, origin)
    return found


def _unquoted(text: str) -> str | None:
    """The value that a line of `.env` gives; None when its quote does not close."""
    if text[:1] == "'":
        found = re.fullmatch(r"'([^']*)'\s*(?:#.*)?", text)
        return found[1] if found else None
    if text[:1] == '"':
        found = re.fullmatch(r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?', text)
        return re.sub(r"\\(.)", lambda e: _ESCAPES.get(e[1], e[1]), found[1]) if found else None
    return re.split(r"(?:^|\s)#", text, maxsplit=1)[0].strip()


class Variables:
    """Everything that has a variable's name: secrets files, then the real environment, then `.env`."""

    def __init__(
        self,
        env: Mapping[str, str],
        dotenv: Mapping[str, tuple[str, Origin]],
        cwd: FilePath,
        secret_dirs: tuple[FilePath, ...],
        faults: list[Fault],
    ) -> None:
        self._plain = {**dotenv, **{name: (value, Origin("env", name)) for name, value in env.items()}}
        self._cwd, self._faults = cwd, faults
        #: The files of secrets that were asked for.
        self.read: list[FilePath] = []
        self._files: dict[str, FilePath] = {}
        dirs = secret_dirs + ((FilePath(env["CREDENTIALS_DIRECTORY"]),) if env.get("CREDENTIALS_DIRECTORY") else ())
        for folder in dirs:
            self._files.update(_secret_files(folder))
        self._cache: dict[str, tuple[str, Origin] | None] = {}

    def get(self, name: str) -> tuple[str, Origin] | None:
        """The value of a variable and where it came from; None when it is not set."""
        if name not in self._cache:
            self._cache[name] = self._find(name)
        return self._cache[name]

    def names(self) -> list[str]:
        """All names, those of secrets files among them."""
        pointed = [name.removesuffix("_FILE") for name in self._plain if is_pointer(name)]
        return sorted({*self._plain, *self._files, *pointed})

    def secret_file(self, name: str, origin: Origin, path: Path) -> tuple[str, Origin] | None:
        """The text of a file that the configuration names at `path` as `file:PATH`."""
        return self._read(self._cwd / name, name, origin, path)

    def _find(self, name: str) -> tuple[str, Origin] | None:
        pointer = self._plain.get(f"{name}_FILE") if is_pointer(f"{name}_FILE") else None
        if pointer is not None and pointer[0]:
            return self._read(self._cwd / pointer[0], pointer[0], pointer[1])
        if name in self._files:
            return self._read(self._files[name], str(self._files[name]), None)
        return self._plain.get(name)

    def _read(self, file: FilePath, shown: str, pointer: Origin | None, path: Path = ()) -> tuple[str, Origin] | None:
        faults: list[Fault] = []
        self.read.append(file)
        text = read_text(file, shown, faults)
        if text is None:
            self._faults.extend(
                Fault(path, pointer or fault.origin, f"the secret's file {printable(shown)} {fault.expected}")
                for fault in faults
            )
            return None
        return text.rstrip("\r\n"), Origin("secret", shown)


def is_pointer(name: str) -> bool:
    """Whether a variable says where the value of another stands; some keys end in the same word."""
    return name.endswith("_FILE") and not name.endswith(("__FILE", "__CA_FILE")) and name != "LOG_FILE"


def _secret_files(folder: FilePath) -> dict[str, FilePath]:
    """The files of a secrets directory by variable name: `rapidapi_key` and `RAPIDAPI_KEY` are the same."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return {}
    return {entry.name.upper(): entry for entry in entries if entry.is_file()}


def real_environment() -> Mapping[str, str]:
    """The environment of this process."""
    return os.environ
