"""Reads a line of curl into a request."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from .request import Pasted, PasteError, Said
from .shell import words

_ = Said
#: Options that take a value and change nothing about what an API is.
_VALUES: Final = frozenset({
    "output", "max-time", "connect-timeout", "retry", "retry-delay", "retry-max-time", "write-out", "user-agent",
    "referer", "cookie", "cookie-jar", "cacert", "capath", "cert", "cert-type", "key", "key-type", "pass",
    "upload-file", "resolve", "limit-rate", "max-redirs", "ciphers", "noproxy", "interface", "range", "time-cond",
    "speed-limit", "speed-time", "dump-header", "stderr", "trace", "trace-ascii", "tls-max", "max-filesize",
    "config", "continue-at", "local-port", "proto", "proto-default", "unix-socket", "dns-servers",
    "expect100-timeout", "happy-eyeballs-timeout-ms", "keepalive-time", "tls13-ciphers", "curves", "pinnedpubkey",
    "proxy-user", "parallel-max", "rate", "form-string",
})  # fmt: skip  # a list of words
#: Options without a value that change nothing either.
_FLAGS: Final = frozenset({
    "silent", "show-error", "location", "include", "verbose", "fail", "fail-with-body", "globoff", "compressed",
    "progress-bar", "no-buffer", "ipv4", "ipv6", "http1.0", "http1.1", "http2", "http2-prior-knowledge", "http3",
    "http0.9", "tlsv1", "tlsv1.0", "tlsv1.1", "tlsv1.2", "tlsv1.3", "ssl-reqd", "no-keepalive", "remote-name",
    "remote-header-name", "path-as-is", "raw", "tcp-nodelay", "tcp-fastopen", "post301", "post302", "post303",
    "create-dirs", "disable", "no-sessionid", "no-progress-meter", "retry-connrefused", "retry-all-errors",
    "parallel", "styled-output", "location-trusted", "basic", "anyauth", "junk-session-cookies", "remote-time",
    "no-alpn", "false-start", "compressed-ssh",
})  # fmt: skip  # a list of words
#: Options that are read.
_READ: Final = frozenset({
    "request", "url", "header", "user", "data", "data-raw", "data-binary", "data-ascii", "data-urlencode", "json",
    "form", "get", "head", "insecure", "proxy", "oauth2-bearer", "url-query", "digest", "ntlm", "negotiate",
})  # fmt: skip  # a list of words
_BARE: Final = frozenset({
    "get", "head", "insecure", "digest", "ntlm", "negotiate",
})  # fmt: skip  # a list of words
_SHORT: Final = {
    "X": "request", "H": "header", "u": "user", "d": "data", "G": "get", "I": "head", "k": "insecure", "x": "proxy",
    "F": "form", "o": "output", "m": "max-time", "w": "write-out", "A": "user-agent", "e": "referer", "b": "cookie",
    "c": "cookie-jar", "E": "cert", "T": "upload-file", "r": "range", "z": "time-cond", "Y": "speed-limit",
    "y": "speed-time", "D": "dump-header", "K": "config", "C": "continue-at", "U": "proxy-user", "s": "silent",
    "S": "show-error", "L": "location", "i": "include", "v": "verbose", "f": "fail", "g": "globoff",
    "#": "progress-bar", "N": "no-buffer", "4": "ipv4", "6": "ipv6", "0": "http1.0", "1": "tlsv1", "O": "remote-name",
    "J": "remote-header-name", "q": "disable", "Z": "parallel", "j": "junk-session-cookies", "R": "remote-time",
}  # fmt: skip
_SENDS: Final = frozenset({
    "data", "data-raw", "data-binary", "data-ascii", "data-urlencode", "json", "form",
})  # fmt: skip  # a list of words


def read_curl(text: str) -> Pasted:
    """The request that a line of curl would send.

    Raises:
        PasteError: which option, quote or word is not understood.
    """
    line = words(text)
    if line and line[0] in ("$", ">", "#"):
        line = line[1:]  # the prompt was copied too
    if not line or line[0].lower() not in ("curl", "curl.exe"):
        raise PasteError(_("expected a line that begins with curl"))
    reader = _Options()
    reader.read(line[1:])
    return reader.request()


class _Options:
    """The options of one line, taken in order."""

    def __init__(self) -> None:
        self._urls: list[str] = []
        self._headers: list[tuple[str, str]] = []
        self._query: list[tuple[str, str]] = []
        self._data: list[tuple[str, str]] = []
        self._notes: list[Said] = []
        self._method = self._user = ""
        self._flags: set[str] = set()

    def read(self, line: list[str]) -> None:
        waiting = list(reversed(line))
        while waiting:
            word = waiting.pop()
            if word.startswith("--") and len(word) > 2:
                name, equals, value = word[2:].partition("=")
                self._option(name, f"--{name}", value if equals else None, waiting)
            elif word.startswith("-") and len(word) > 1:
                self._short(word[1:], waiting)
            elif word != "--":
                self._urls.append(word)

    def _short(self, signs: str, waiting: list[str]) -> None:
        """`-sSL`, `-XPOST`, `-H`: several flags, or one option with its value behind it."""
        for place, sign in enumerate(signs):
            name = _SHORT.get(sign)
            if name is None:
                raise PasteError(_("curl's option {option} is not understood", option=f"-{sign}"))
            rest = signs[place + 1 :]
            if name in _FLAGS or name in _BARE:
                self._option(name, f"-{sign}", None, waiting)
                continue
            self._option(name, f"-{sign}", rest or None, waiting)
            return

    def _option(self, name: str, shown: str, value: str | None, waiting: list[str]) -> None:
        if name in _BARE or name in _FLAGS:
            self._flags.add(name)
            if name in ("digest", "ntlm", "negotiate"):
                raise PasteError(_("signing in by {option} is not supported", option=shown))
            if name == "insecure":
                self._notes.append(_("-k is left out: certificates are always checked"))
            return
        if name not in _VALUES and name not in _READ:
            raise PasteError(_("curl's option {option} is not understood", option=shown))
        if value is None:
            if not waiting:
                raise PasteError(_("curl's option {option} needs a value", option=shown))
            value = waiting.pop()
        self._valued(name, value)

    def _valued(self, name: str, value: str) -> None:
        match name:
            case "url":
                self._urls.append(value)
            case "request":
                self._method = value.upper()
            case "header":
                header, colon, content = value.partition(":")
                if colon and content.strip():
                    self._headers.append((header.strip(), content.strip()))
                elif not colon and not value.endswith(";"):
                    raise PasteError(_("the header {header} has no colon", header=_short(header)))
            case "user":
                self._user = value
            case "oauth2-bearer":
                self._headers.append(("Authorization", f"Bearer {value}"))
            case "cookie":
                self._headers.append(("Cookie", value))
            case "url-query":
                self._query += _pairs(value)
            case "proxy":
                self._notes.append(_("the proxy is left out: HTTPS_PROXY of the environment is used"))
            case _ if name in _SENDS:
                self._data.append((name, value))

    def request(self) -> Pasted:
        """What all of it comes to."""
        if not self._urls:
            raise PasteError(_("the line names no address"))
        if len(self._urls) > 1:
            raise PasteError(_("the line names {count} addresses; paste one at a time", count=str(len(self._urls))))
        method, query, body = self._method, list(self._query), bool(self._data)
        if "get" in self._flags:
            query += [pair for name, value in self._data for pair in _pairs(value, name == "data-urlencode")]
            method, body = method or "GET", False
        if "head" in self._flags:
            method = method or "HEAD"
        method = method or ("POST" if body else "GET")
        return Pasted(self._urls[0], method, tuple(self._headers), self._user or None, tuple(query), tuple(self._notes))


def _pairs(value: str, encode: bool = False) -> list[tuple[str, str]]:
    """The query parameters of a piece of data."""
    if encode:
        name, equals, content = value.partition("=")
        return [(name, content)] if equals else [(value, "")]
    return parse_qsl(value, keep_blank_values=True)


def _short(text: str) -> str:
    """Enough of a header to be recognised; a whole one may hold a key."""
    return text[:12] + "…" if len(text) > 12 else text
