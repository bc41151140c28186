"""Texts that came from elsewhere, made fit to be kept and shown: short, one line, without secrets."""

from __future__ import annotations

from string import ascii_letters, digits
from unicodedata import category

from understudy.core.redaction import REDACTOR

#: Zero-width and bidirectional characters, besides the control categories.
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
#: What a cut may have gone through: a key, a token with its dots and signs, a quoted part of a URL.
_WORD = ascii_letters + digits + "_.~+/=%-"


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
        start = start.rstrip(_WORD)
    start = REDACTOR.redact(start, foreign=True).strip()
    if len(start) > limit or (not start and whole.strip()):
        return start[: limit - 1] + "…"
    return start
