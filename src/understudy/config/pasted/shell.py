"""Splits a command line into words as bash, Windows' cmd and PowerShell do.

A word is a text; the signs that end a command (`|`, `;`, `>`, `&`) end the list, since what follows is none of the
request's.
"""

from __future__ import annotations

import re

from .request import PasteError, Said

_ = Said
#: `$'…'` of bash: its short escapes.
_ANSI = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "0": "\0"}
_BACKTICK = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
#: A sign that ends the command where it stands unquoted.
_ENDS = "|;<>\n"
#: A line that can only be the rest of a command: people lose the sign that continues the line before it.
_GOES_ON = re.compile(r"\s{1,100}+(?=-{1,2}[A-Za-z])")


def words(text: str) -> list[str]:
    """The words of a command, of whichever shell it was written for.

    Raises:
        PasteError: a quote is not closed.
    """
    text = text.replace("\r\n", "\n").strip()
    if re.search(r'\^\s*\n|\^"', text):
        return _of_cmd(text)
    if re.search(r"`\s*\n", text) or re.match(r"curl\.exe\b", text, re.IGNORECASE):
        return _Words(text, "`").split()
    return _Words(text, "\\").split()


class _Words:
    """One pass over a command of bash (`escape` is a backslash) or of PowerShell (a backtick)."""

    def __init__(self, text: str, escape: str) -> None:
        self._text, self._escape = text, escape
        self._at = 0
        self._found: list[str] = []
        #: The word that is being read; None between words.
        self._word: str | None = None

    def split(self) -> list[str]:
        while self._at < len(self._text):
            if not self._step(self._text[self._at]):
                break
        self._end()
        return self._found

    def _step(self, sign: str) -> bool:
        """Take one sign, or a quoted stretch; False when the command is over."""
        ahead = self._text[self._at + 1 : self._at + 2]
        if sign == self._escape:
            self._escaped(ahead)
        elif sign in "'\"":
            self._add(self._quoted(sign))
        elif sign == "$" and ahead == "'" and self._escape == "\\":
            self._at += 1
            self._add(self._ansi())
        elif sign in " \t":
            self._end()
            self._at += 1
        elif sign == "\n" and (rest := _GOES_ON.match(self._text, self._at)):
            self._end()
            self._at = rest.end()
        elif sign in _ENDS or (sign == "&" and (not ahead or ahead in "& \t\n")):
            return False
        else:
            self._add(sign)
            self._at += 1
        return True

    def _escaped(self, ahead: str) -> None:
        rest = re.match(r"[ \t]*\n", self._text[self._at + 1 :])
        if rest:  # people copy lines with blanks behind the sign that continues them
            self._end()
            self._at += 1 + rest.end()
            return
        self._add(ahead if self._escape == "\\" else _BACKTICK.get(ahead, ahead))
        self._at += 2

    def _add(self, text: str) -> None:
        self._word = (self._word or "") + text

    def _end(self) -> None:
        if self._word is not None:
            self._found.append(self._word)
            self._word = None

    def _quoted(self, quote: str) -> str:
        """What stands in quotes; moves behind them."""
        found, at = list[str](), self._at + 1
        doubled = self._escape == "`"
        while at < len(self._text):
            sign, ahead = self._text[at], self._text[at + 1 : at + 2]
            if sign == quote and not (doubled and ahead == quote):
                self._at = at + 1
                return "".join(found)
            if sign == quote:
                found.append(quote)
                at += 2
            elif sign == self._escape and quote == '"':
                found.append(self._inside(ahead))
                at += 2
            else:
                found.append(sign)
                at += 1
        raise _open(quote, self._at)

    def _inside(self, ahead: str) -> str:
        """What an escape in double quotes means."""
        if self._escape == "`":
            return _BACKTICK.get(ahead, ahead)
        return "" if ahead == "\n" else ahead if ahead in '"\\$`' else f"\\{ahead}"

    def _ansi(self) -> str:
        """What stands in `$'…'`."""
        start, found, at = self._at, list[str](), self._at + 1
        while at < len(self._text):
            sign = self._text[at]
            if sign == "'":
                self._at = at + 1
                return "".join(found)
            code = re.compile(r"\\(?:u([0-9A-Fa-f]{1,4})|x([0-9A-Fa-f]{1,2}))").match(self._text, at)
            if code:
                found.append(chr(int(code[1] or code[2], 16)))
                at = code.end()
            elif sign == "\\":
                ahead = self._text[at + 1 : at + 2]
                found.append(_ANSI.get(ahead, f"\\{ahead}"))
                at += 2
            else:
                found.append(sign)
                at += 1
        raise _open("'", start)


def _of_cmd(text: str) -> list[str]:
    """Words of Windows: first cmd takes its carets away, then the program splits what is left at quotes."""
    plain, quoted, at = [], False, 0
    while at < len(text):
        sign = text[at]
        if sign == "^" and not quoted:
            rest = re.compile(r"\^[ \t]*\n").match(text, at)
            plain.append(" " if rest else text[at + 1 : at + 2])
            at = rest.end() if rest else at + 2
            continue
        if sign == '"':
            quoted = not quoted
        if not quoted and sign in _ENDS:
            break
        plain.append(sign)
        at += 1
    return _program_words("".join(plain))


def _program_words(line: str) -> list[str]:
    """The arguments that a program of Windows sees."""
    found: list[str] = []
    word: str | None = None
    quoted_at, at = -1, 0
    while at < len(line):
        sign, ahead = line[at], line[at + 1 : at + 2]
        if (sign == "\\" and ahead == '"') or (sign == '"' and ahead == '"' and quoted_at >= 0):
            word, at = (word or "") + '"', at + 2
            continue
        if sign == '"':
            quoted_at, word = (-1 if quoted_at >= 0 else at), word or ""
        elif sign in " \t" and quoted_at < 0:
            if word is not None:
                found.append(word)
            word = None
        else:
            word = (word or "") + sign
        at += 1
    if quoted_at >= 0:
        raise _open('"', quoted_at)
    return found if word is None else [*found, word]


def _open(quote: str, at: int) -> PasteError:
    return PasteError(_("the quote {quote} at character {place} is not closed", quote=quote, place=str(at + 1)))
