"""Reads the snippets of JavaScript that RapidAPI's page and browsers give: fetch, axios, node's https.

No interpreter: the signs are split up, plain objects and texts are put together, and calls are looked for.
"""

from __future__ import annotations

import re
from typing import Any, Final

from .request import Pasted, PasteError, Said

_ = Said
_TOKEN: Final = re.compile(
    r"""(?P<skip>\s+|//[^\n]*|/\*(?:.*?\*/|.*))|(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)"""
    r"""|(?P<word>[A-Za-z_$][\w$]*(?:\s*\.\s*[A-Za-z_$][\w$]*)*)|(?P<number>\d[\d.]*)|(?P<sign>.)""",
    re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|.)", re.DOTALL)
_VARIABLE: Final = re.compile(r"\$\{\s*process\.env\.(\w+)\s*\}")
_SHORT: Final = {"n": "\n", "t": "\t", "r": "\r", "\n": ""}
_VERBS: Final = frozenset({"get", "head", "post", "put", "patch", "delete"})
#: Objects inside objects, and texts put together, are followed no deeper.
_DEEPEST: Final = 20
#: Most calls that are looked into; each may be as long as the text.
_MOST_CALLS: Final = 50
#: Longest text that is put together, characters: each that is put together may stand in the next one twice.
_LONGEST: Final = 4096

Token = tuple[str, str]


def read_script(text: str) -> Pasted:
    """The first request that the snippet sends.

    Raises:
        PasteError: it sends none that can be read.
    """
    reader = _Reader(_tokens(text))
    found = reader.run()
    if found is None:
        raise PasteError(_("no call of fetch, axios or https was found"))
    return found


def _tokens(text: str) -> list[Token]:
    return [(match.lastgroup or "", match[0]) for match in _TOKEN.finditer(text) if match.lastgroup != "skip"]


class _Reader:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = self._calls = 0
        self._values: dict[str, Any] = {}
        #: `http` is what most call the module, of whichever kind.
        self._scheme = "http" if any(word[1:-1] in ("http", "node:http") for _kind, word in tokens) else "https"

    def run(self) -> Pasted | None:
        """Go through it once, remembering what names stand for."""
        while self._at < len(self._tokens):
            kind, word = self._tokens[self._at]
            if kind == "word" and self._sign(1) == "=" and self._sign(2) not in ("=", ">"):
                self._at += 2
                if not self._calls_next():
                    self._values[word] = self._value(0)
                continue
            self._at += 1
            if kind == "word" and self._sign(0) == "(":
                self._at += 1
                found = self._call(re.sub(r"\s", "", word))
                if found is not None:
                    return found
        return None

    def _calls_next(self) -> bool:
        """Whether a call stands next whose answer is stored: `const response = await fetch(…)`."""
        words = [word for kind, word in self._tokens[self._at : self._at + 2] if kind == "word"]
        return bool(words) and (
            words[0] == "await" or (self._sign(1) == "(" and words[0] not in ("Headers", "URLSearchParams", "URL"))
        )

    def _sign(self, ahead: int) -> str:
        at = self._at + ahead
        return self._tokens[at][1] if at < len(self._tokens) and self._tokens[at][0] == "sign" else ""

    def _call(self, name: str) -> Pasted | None:
        """The request that a call sends; None, standing behind its bracket, where it sends none."""
        owner, _dot, method = name.rpartition(".")
        start = self._at
        self._calls += 1
        if self._calls > _MOST_CALLS:
            return None
        if name in ("fetch", "axios", "request", "axios.request", "https.request", "http.request") or (
            method in _VERBS and owner in ("axios", "https", "http", "unirest")
        ):
            given = self._arguments()
            found = _request(name, given, self._scheme)
            if found is not None:
                return found
        self._at = start
        return None

    def _arguments(self) -> list[Any]:
        found: list[Any] = []
        while self._at < len(self._tokens) and self._sign(0) != ")":
            found.append(self._value(0))
            if self._sign(0) != ",":
                break
            self._at += 1
        return found

    def _value(self, deep: int) -> Any:
        """What stands next, as far as it is plain to see; None else. Moves behind what it took."""
        if self._at >= len(self._tokens):
            return None
        kind, word = self._tokens[self._at]
        self._at += 1
        if kind == "text":
            found: Any = _text(word)
        elif kind == "number":
            found = word
        elif kind == "word" and word in ("new", "await"):
            return self._value(deep)
        elif kind == "word":
            found = self._named(word)
        elif word == "{" and deep < _DEEPEST:
            return self._object(deep + 1)
        else:
            return None
        while self._sign(0) == "+" and isinstance(found, str):
            self._at += 1
            more = self._value(deep + 1) if deep < _DEEPEST else None
            found = found + more if isinstance(more, str) and len(found) + len(more) <= _LONGEST else None
        return found

    def _named(self, word: str) -> Any:
        name = re.sub(r"\s", "", word)
        if name.startswith("process.env."):
            return "$" + name.removeprefix("process.env.")
        if self._sign(0) == "(" and name in ("Headers", "URLSearchParams", "URL"):
            self._at += 1
            given = self._arguments()
            self._at += self._sign(0) == ")"
            return given[0] if given else None
        return self._values.get(name)

    def _object(self, deep: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self._at < len(self._tokens) and self._sign(0) != "}":
            kind, word = self._tokens[self._at]
            self._at += 1
            if kind in ("text", "word", "number") and self._sign(0) == ":":
                self._at += 1
                found[_text(word) if kind == "text" else word] = self._value(deep)
            elif kind == "word" and self._sign(0) in (",", "}"):
                found[word] = self._values.get(word)  # `{ headers }`
        self._at += 1
        return found


def _text(quoted: str) -> str:
    def plain(found: re.Match[str]) -> str:
        code = found[1]
        return chr(int(code[1:], 16)) if len(code) > 1 else _SHORT.get(code, code)

    inside = quoted[1:-1]
    if quoted[0] == "`":
        inside = _VARIABLE.sub(r"$\1", inside)
    return _ESCAPE.sub(plain, inside)


def _request(name: str, given: list[Any], scheme: str) -> Pasted | None:
    tables = [each for each in given if isinstance(each, dict)]
    options: dict[str, Any] = {key: value for table in tables for key, value in table.items()}
    words = {key: value for key, value in options.items() if isinstance(value, str)}
    url = next((each for each in given if isinstance(each, str) and "://" in each), options.get("url"))
    host = words.get("hostname") or words.get("host")
    if url is None and host:
        port = f":{words['port']}" if words.get("port") else ""
        url = f"{scheme}://{host}{port}{words.get('path', '/')}"
    if not isinstance(url, str) or "://" not in url:
        return None
    verb = name.rpartition(".")[2]
    method = (words.get("method") or (verb if verb in _VERBS else "GET")).upper()
    auth = options.get("auth")
    user = ":".join(_word(auth, name) for name in ("username", "password")) if isinstance(auth, dict) else None
    return Pasted(url, method, _pairs(options.get("headers")), user, _pairs(options.get("params")))


def _word(table: dict[str, Any], name: str) -> str:
    found = table.get(name)
    return found if isinstance(found, str) else ""


def _pairs(found: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(found, dict):
        return ()
    return tuple((name, value) for name, value in found.items() if isinstance(value, str))
