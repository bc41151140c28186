"""Texts that came from elsewhere, made fit to be kept and shown: short, one line, without secrets."""

from __future__ import annotations

import re
from unicodedata import category

_MASK = "********"
_WORD = r"(?:api[-_ ]?key|rapidapi[-_]key|key|token|secret|passw(?:or)?d|senha|authorization|cookie|signature)"
_SECRETS = (
    # `token=abc`, `"x-rapidapi-key": "abc"`, `Authorization: Bearer abc`
    re.compile(rf"(?i)({_WORD}[\"']?\s{{0,3}}[:=]\s{{0,3}}[\"']?(?:(?:bearer|basic|token)\s+)?)[^\s\"'&,;}}]+"),
    re.compile(r"(?i)(\b(?:bearer|basic)\s+)[^\s\"',;]{6,}"),
    re.compile(r"(://[^\s/:@]{0,100}:)[^\s/@]+(?=@)"),
    # A long run of letters and digits is more often a key than a word.
    re.compile(r"()\b(?=[A-Za-z_-]*\d)(?=[\d_-]*[A-Za-z])[A-Za-z0-9_-]{32,}"),
)
#: Zero-width and bidirectional characters, besides the control categories.
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def one_line(text: str, limit: int) -> str:
    """`text` cut to `limit` characters, control and invisible characters replaced by spaces."""
    cut = text[:limit]
    if not cut.isprintable():
        cut = "".join(" " if category(letter) in _UNSEEN else letter for letter in cut)
    return cut


def harmless(text: object, limit: int = 300) -> str:
    """The beginning of `text` on one line, what looks like a secret masked; never raises."""
    try:
        whole = text if isinstance(text, str) else str(text)
    except Exception:  # noqa: BLE001 - the text of somebody else's exception may itself fail
        return f"<{type(text).__name__} without a text>"
    # Only a bounded beginning is searched; a word cut in two at its end could be half a secret.
    start = one_line(whole, 4 * limit)
    if len(whole) > len(start):
        start = start.rsplit(None, 1)[0] if " " in start else ""
    for pattern in _SECRETS:
        start = pattern.sub(rf"\g<1>{_MASK}", start)
    start = start.strip()
    if len(start) > limit or (not start and whole.strip()):
        return start[: limit - 1] + "…"
    return start
