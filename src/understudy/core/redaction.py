"""Masks secrets in texts that are shown or kept: the known ones, and what has the shape of one.

Texts come from strangers, so every pattern here is bounded and takes time in proportion to the text. Most
texts hold no secret, so each pattern is tried only where one of its hints occurs.
"""

from __future__ import annotations

import html
import json
import re
import threading
from typing import NamedTuple
from urllib.parse import quote, quote_plus

from .secrets import MASK, Secret

#: A known secret shorter than this is not searched for: masking it would shred ordinary words.
MIN_SECRET = 6
#: Longest stretch that is taken for one secret, characters.
_MOST = 4096


class _Rule(NamedTuple):
    """Tried where one of the `hints` (lower case) occurs; groups of the pattern stay, the rest is masked."""

    hints: tuple[str, ...]
    pattern: re.Pattern[str]


# Between a name and its value: in headers, JSON (escaped too), Python, queries, shell.
_BETWEEN = r"(?:\\{0,3}[\"'])?\s{0,3}(?:=>|[:=]|%3d)\s{0,3}[\[({]?\s?|[\"']\s?,\s?(?=b?[\"'])"
# A value: all that one kind of quote encloses, else up to a space or a sign that ends it. What stands before a colon
# is a name: `API key: {"token": "abc"}`.
_VALUE = (
    rf"(?:(b?\")[^\"\n]{{1,{_MOST}}}+(?!\"\s?:)|(b?')[^'\n]{{1,{_MOST}}}+(?!'\s?:)"
    rf"|(\\{{1,3}}[\"'])[^\"'\\\n]{{1,{_MOST}}}+(?!\\{{1,3}}[\"']\s?:)"
    rf"|(?![\[({{][\"'\\])(?:(?:bearer|basic|token|negotiate|apikey)\s{{1,3}})?[^\s\"'&,;}}\])\\]{{1,{_MOST}}})"
)


def _named(*names: str) -> re.Pattern[str]:
    return re.compile(rf"(?i)((?:{'|'.join(names)})(?:{_BETWEEN})){_VALUE}")


_RULES = (
    # `https://user:password@host`, `https://token@host`
    _Rule(("://",), re.compile(r"(://)[^/\s?#]{1,512}(?=@)")),
    # A cookie is a list of pairs, any of which may be the session.
    _Rule(
        ("cookie",),
        re.compile(
            r"(?i)(\bcookie2?[\"']?\s{0,3}[:=]\s{0,3}b?[\"']?)"
            rf"[^\s;,\"']{{1,{_MOST}}}(?:;\s?[^\s;,\"']{{1,{_MOST}}}){{0,100}}"
        ),
    ),
    _Rule(("digest",), re.compile(rf"(?i)(\bdigest\s{{1,3}})(?=\w{{1,20}}=)[^\n]{{1,{_MOST}}}")),
    # `Bearer abc123`; a word without digit, sign or inner capital is prose: "basic authentication".
    _Rule(
        ("bearer", "basic", "negotiate", "apikey"),
        re.compile(
            r"(\b(?i:bearer|basic|negotiate|apikey)\s{1,3})"
            rf"(?=[\w.~+/=-]{{0,200}}(?:[0-9=._~+/]|[a-z][A-Z]))[\w.~+/=-]{{5,{_MOST}}}"
        ),
    ),
    # A name of a secret may end a longer one: `x-rapidapi-key`, `accessToken`.
    _Rule(
        ("key", "token", "secret", "pass", "senha", "authorization", "credential", "signature", "session", "jwt"),
        _named(
            "(?:api|rapidapi|secret|private|access|app|auth|account)[-_ ]?keys?", "secret", "tokens?", "passw(?:or)?d",
            "passphrase", "senha", "authorization", "credentials?", "signature", "session[-_]?id", "jwt",
        ),
    ),
    # A short one stands by itself or behind a sign: neither `bypass` nor `inside` is one.
    _Rule(("pwd", "pass", "auth", "sid", "sig", "app", "session"), _named(
        "(?<![a-z])(?:pwd|pass|auth|sid|sig|app[-_]?id|session)",
    )),
    # Shapes that well-known services give their keys, and addresses that are keys themselves.
    _Rule(
        ("://hooks.", "/webhooks/"),
        re.compile(
            r"()https://(?:hooks\.slack\.com/services|(?:\w{1,20}\.)?discord(?:app)?\.com/api/webhooks)/\S{1,512}"
        ),
    ),
    _Rule(
        ("jsn", "akia", "asia", "aiza", "eyj", "xox", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        re.compile(
            r"()(?<![A-Za-z0-9])(?:[0-9a-z]{10}msh[0-9a-z]{15}p[0-9a-z]{6}jsn[0-9a-z]{12}"
            r"|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{30,64}|gh[pousr]_[A-Za-z0-9]{20,256}|github_pat_\w{20,256}"
            rf"|xox[abprs]-[A-Za-z0-9-]{{8,256}}|eyJ[\w-]{{8,{_MOST}}}(?:\.[\w-]{{1,{_MOST}}}){{1,4}})"
        ),
    ),
    _Rule(
        ("sk-", "sk_", "pk-", "pk_", "rk_", "us-", "us_", "setup-"),
        re.compile(r"()\b(?:(?:sk|pk|rk|us)[-_][A-Za-z0-9_-]{16,256}|setup-[A-Za-z0-9_-]{43})"),
    ),
    # A bot's token at Telegram.
    _Rule((":",), re.compile(r"()(?<!\d)\d{6,12}:[A-Za-z0-9_-]{30,128}")),
)  # fmt: skip
# What only a stranger's text is searched for: our own lines name keys by alias, and calls by long ids.
_FOREIGN_RULES = (
    _Rule(("key",), _named("(?<![a-z])keys?")),
    # "invalid key abc12345", "API key provided: abc12345", `--token abc12345`
    _Rule(
        ("key", "token", "password", "secret"),
        re.compile(
            r"(?i)((?:\bkey|token|password|secret)(?: (?:provided|is|was))?:?\s{1,3}[\"']?)"
            rf"(?=[\w-]{{0,64}}\d)(?=[\w-]{{0,64}}[a-z])[\w-]{{8,{_MOST}}}"
        ),
    ),
)
#: A long run of letters and digits is more often a key than a word.
_LONG_RUN = re.compile(rf"[A-Za-z0-9_-]{{20,{_MOST}}}")


def _forms(secret: str) -> set[str]:
    """A secret as it is, and as it stands in addresses, in HTML and in JSON."""
    quoted = (quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace"))
    return {secret, *quoted, html.escape(secret), json.dumps(secret)[1:-1]}


class Redactor:
    """Masks the secrets it was told, and whatever has the shape of one. Usable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    def add(self, *secrets: Secret) -> None:
        """Mask these from now on."""
        new = {form for each in secrets if len(each.reveal()) >= MIN_SECRET for form in _forms(each.reveal())}
        with self._lock:
            if new <= self._known:
                return
            self._known |= new
            longest_first = sorted(self._known, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def redact(self, text: str, *, foreign: bool = False) -> str:
        """`text` without secrets; a `foreign` one is also searched for what would be too common in our own."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        text = _apply(_RULES, text)
        if foreign:
            text = _LONG_RUN.sub(_opaque, _apply(_FOREIGN_RULES, text))
        return text


def _apply(rules: tuple[_Rule, ...], text: str) -> str:
    lower = text.lower()
    for hints, pattern in rules:
        for hint in hints:
            if hint in lower:
                text = pattern.sub(_masked, text)
                break
    return text


def _masked(found: re.Match[str]) -> str:
    """The groups that took part, then the mask: the name, what stands between, the opening quote."""
    return "".join(filter(None, found.groups())) + MASK


def _opaque(found: re.Match[str]) -> str:
    run = found[0]
    return MASK if not run.isalpha() and any(map(str.isdigit, run)) and any(map(str.isalpha, run)) else run


#: The redactor of the process: it knows every secret that a configuration brought.
REDACTOR = Redactor()
