"""Texts in the reader's language: a gettext catalogue (`.po`) read at its first use, no compiler needed.

The source language is English; a message that a catalogue lacks is shown in English.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "pt_BR")
#: Points and commas change places in Portuguese of Brazil.
_SWAPPED = str.maketrans(",.", ".,")


class Texts:
    """The messages of one language: call it with the English text, and values for its `{places}`."""

    def __init__(self, language: str, messages: dict[str, tuple[str, ...]]) -> None:
        self.language = language
        self._messages = messages

    def __call__(self, message: str, /, **values: object) -> str:
        """The message in this language."""
        found = self._messages.get(message, (message,))[0] or message
        return found.format(**values) if values else found

    def plural(self, one: str, many: str, count: int, /, **values: object) -> str:
        """The form for `count`, which also fills the place `{count}`.

        Both languages know one and many; zero is many in English, one in Portuguese of Brazil.
        """
        forms = self._messages.get(one, ())
        single = count < 2 if self.language == "pt_BR" else count == 1
        found = (forms[0 if single else 1] if len(forms) == 2 else "") or (one if count == 1 else many)
        return found.format(count=self.number(count), **values)

    def number(self, value: float, digits: int = 0) -> str:
        """A number as the language writes it: 1,234.5 or 1.234,5."""
        return self.written(f"{value:,.{digits}f}")

    def written(self, number: str) -> str:
        """A number in English notation, as the language writes it."""
        return number.translate(_SWAPPED) if self.language == "pt_BR" else number

    @property
    def tag(self) -> str:
        """The language as HTML names it."""
        return self.language.replace("_", "-")


@cache
def texts(language: str) -> Texts:
    """The messages of a language as the system names it (`pt_BR.UTF-8`, `pt`, `C`); English by default."""
    chosen = known_language(language)
    if chosen == "en":
        return Texts("en", {})
    source = files("understudy.locale").joinpath(f"{chosen}.po").read_text(encoding="utf-8")
    return Texts(chosen, parse(source))


def known_language(tag: str) -> str:
    """The one of our languages that a tag asks for."""
    return "pt_BR" if tag.lower().startswith("pt") else "en"


def parse(source: str) -> dict[str, tuple[str, ...]]:
    """The messages of a `.po` file, each with its forms; fuzzy ones and the header are left out."""
    found: dict[str, tuple[str, ...]] = {}
    for block in source.split("\n\n"):
        fields: dict[str, str] = {}
        field = ""
        fuzzy = False
        for line in block.splitlines():
            if line.startswith("#,") and "fuzzy" in line:
                fuzzy = True
            elif line.startswith("msg"):
                field, _, quoted = line.partition(" ")
                fields[field] = ast.literal_eval(quoted)
            elif line.startswith('"'):
                fields[field] += ast.literal_eval(line)
        forms = tuple(text for name, text in fields.items() if name.startswith("msgstr"))
        if fields.get("msgid") and not fuzzy:
            found[fields["msgid"]] = forms
    return found
