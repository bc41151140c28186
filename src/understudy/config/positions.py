"""The line of every key in a TOML text, which the standard library's parser does not tell.

The text has been accepted by `tomllib`, so this scanner only has to find its way, not to judge.
"""

from __future__ import annotations

import re
import tomllib

from .faults import Path

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}\n#]*")


def positions(text: str) -> dict[Path, int]:
    """The line (from 1) on which each table, key and array element first appears."""
    return _Scanner(text.replace("\r\n", "\n")).run()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0
        self._table: Path = ()
        self._arrays: dict[Path, int] = {}
        self.found: dict[Path, int] = {}

    def run(self) -> dict[Path, int]:
        self._skip(newlines=True)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                self._header()
            else:
                self._pair(self._table)
            self._skip(newlines=True)
        return self.found

    def _note(self, path: Path) -> None:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        self.found.setdefault(path, self._line)

    def _skip(self, *, newlines: bool) -> None:
        """Go over blanks, and with `newlines` over line ends and comments."""
        blank = " \t\n" if newlines else " \t"
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == "#" and newlines:
                end = self._text.find("\n", self._at)
                self._at = len(self._text) if end < 0 else end
            elif char in blank:
                self._at += 1
            else:
                return

    def _header(self) -> None:
        many = self._text.startswith("[[", self._at)
        self._at += 2 if many else 1
        *parents, last = self._key()
        path: Path = ()
        for part in parents:
            self._note((*path, part))
            path = self._within((*path, part))
        path = (*path, last)
        if many:
            self._note(path)
            self._arrays[path] = self._arrays.get(path, 0) + 1
        self._table = self._within(path)
        self._note(self._table)
        self._at += 2 if many else 1

    def _within(self, path: Path) -> Path:
        """The path itself, or its last element where it is an array of tables."""
        return (*path, self._arrays[path] - 1) if path in self._arrays else path

    def _key(self) -> list[str]:
        parts: list[str] = []
        while True:
            self._skip(newlines=False)
            parts.append(self._key_part())
            self._skip(newlines=False)
            if self._text[self._at] != ".":
                return parts
            self._at += 1

    def _key_part(self) -> str:
        if self._text[self._at] in "\"'":
            start = self._at
            self._string()
            value = tomllib.loads(f"x={self._text[start : self._at]}")["x"]
            return str(value)
        bare = _BARE.match(self._text, self._at)
        if bare is None:
            raise ValueError(f"no key on line {self._line}")  # never, after the standard library's parser
        self._at = bare.end()
        return bare[0]

    def _pair(self, table: Path) -> None:
        path = table
        for part in self._key():
            path = (*path, part)
            self._note(path)
        self._at += 1  # the equals sign
        self._skip(newlines=False)
        self._value(path)

    def _value(self, path: Path) -> None:
        char = self._text[self._at]
        if char in "\"'":
            self._string()
        elif char == "[":
            self._array(path)
        elif char == "{":
            self._inline(path)
        else:
            scalar = _SCALAR.match(self._text, self._at)
            self._at = scalar.end() if scalar else self._at

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        while True:
            self._skip(newlines=True)
            if self._text[self._at] == "]":
                self._at += 1
                return
            if self._text[self._at] == ",":
                self._at += 1
                continue
            self._note((*path, index))
            self._value((*path, index))
            index += 1

    def _inline(self, path: Path) -> None:
        self._at += 1
        while True:
            self._skip(newlines=True)
            if self._text[self._at] == "}":
                self._at += 1
                return
            if self._text[self._at] == ",":
                self._at += 1
                continue
            self._pair(path)

    def _string(self) -> None:
        """Go past a string of any of the four kinds."""
        quote = self._text[self._at]
        triple = self._text.startswith(quote * 3, self._at)
        ending = quote * 3 if triple else quote
        self._at += len(ending)
        while not self._text.startswith(ending, self._at):
            self._at += 2 if self._text[self._at] == "\\" and quote == '"' else 1
        self._at += len(ending)
        # Up to two quotes may stand directly before the closing three.
        while triple and self._text.startswith(quote, self._at):
            self._at += 1
