"""Values as they lie in a column: JSON, compressed where that saves room, and texts that every database takes."""

from __future__ import annotations

import json
import zlib
from typing import Any

#: Shorter documents are not worth the time to compress them, bytes.
_WORTH_IT = 1024
#: What JSON cannot begin with, and what zlib's streams of this level do.
_COMPRESSED = b"\x78"

# Made once: making one takes as long as writing a short document.
_encode = json.JSONEncoder(separators=(",", ":")).encode
_encode_sorted = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode


def pack(value: Any) -> bytes:
    """A JSON-ready value as bytes.

    Raises:
        TypeError: it is not JSON-ready.
    """
    # Escaped to ASCII: half a character, as a stranger's text may hold it, cannot be written otherwise.
    text = _encode(value).encode("ascii")
    return zlib.compress(text, 1) if len(text) > _WORTH_IT else text


def unpack(kept: bytes) -> Any:
    """What was packed."""
    return json.loads(zlib.decompress(kept) if kept.startswith(_COMPRESSED) else kept)


def document(value: Any) -> str:
    """A JSON-ready value as text that people can read in the table; the same value is always the same text.

    Raises:
        TypeError: it is not JSON-ready.
    """
    return _encode_sorted(value)


def clean(text: str) -> str:
    """A text without what a database refuses: NUL, which PostgreSQL cannot hold, and halves of characters."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def ms(at: float) -> int:
    """Epoch seconds as they are kept."""
    return round(at * 1000)
