"""Makes untrusted text fit for logs, pages and decision records: short, printable, without secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from understudy.core.redaction import REDACTOR
from understudy.core.secrets import MASK

#: Longest reason kept, characters: enough for a sentence, too little to flood a page.
MAX_REASON = 200
#: Bytes of a body that are looked at for a sentence.
MAX_SCAN = 16 * 1024

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
_MESSAGE_KEYS = ("message", "error_description", "detail", "title", "error", "errors", "msg", "reason", "description")


def safe_text(text: str, secrets: Iterable[str] = (), limit: int = MAX_REASON) -> str:
    """`text` with secrets masked, control and direction characters removed, clipped to `limit` characters."""
    text = text[:MAX_SCAN]
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, MASK)
    text = text[:2048]  # enough for the sentence that is kept, little enough for the patterns below
    text = " ".join(REDACTOR.redact(_CONTROL.sub(" ", text), foreign=True).split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def message_of(body: bytes) -> str:
    """The sentence an error body holds: a well-known JSON member, else its text when it is plain text."""
    head = body[:MAX_SCAN]
    if not head.strip():
        return ""
    if len(body) <= MAX_SCAN and head.lstrip()[:1] in (b"{", b"["):
        try:
            return _dig(json.loads(head), 0)
        except (ValueError, RecursionError):
            pass
    text = head[:1024].decode("utf-8", "replace")
    return "" if "<" in text[:200] else text


def _dig(value: Any, depth: int) -> str:
    if isinstance(value, str):
        return value
    if depth >= 4:
        return ""
    if isinstance(value, list):
        return _dig(value[0], depth + 1) if value else ""
    if isinstance(value, dict):
        for name in _MESSAGE_KEYS:
            found = _dig(value.get(name), depth + 1)
            if found:
                return found
        if depth:  # an object of unknown members below `errors`: its first text is better than nothing
            return next((entry for entry in list(value.values())[:10] if isinstance(entry, str)), "")
    return ""
