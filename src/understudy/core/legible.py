"""Texts of strangers made legible: nothing in them moves a cursor, turns a line around or breaks an encoder.

What is made harmless stays readable, so that no content is lost: a NUL becomes `␀`, an override of the writing
direction its code in words. All functions are idempotent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from unicodedata import category

#: What stands where something was left out.
ELLIPSIS = "…"
_ZWJ = "\u200d"
#: No cluster of marks that a person wrote is longer; more is an attempt to make the cut slow.
_LONGEST_CLUSTER = 32
#: A part of a text that would be cut to less is left out.
_LEAST = 24

#: Line ends of any kind, as one.
_LINE_ENDS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
#: What must not stay as it is: C0 and C1 controls, directional overrides and isolates, halves of a
#: surrogate pair, code points that are no characters.
_HARMFUL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_SPACES = re.compile(r"\s+")


def clean(text: str) -> str:
    """`text` with lines ended by `\\n`, controls as pictures and directional overrides as `\\u202e`."""
    return _HARMFUL.sub(_harmless, _LINE_ENDS.sub("\n", text))


def line(text: str) -> str:
    """The same on one line: runs of white space are one space, none at either end."""
    return _SPACES.sub(" ", clean(text)).strip()


def visible(text: str) -> bool:
    """Whether a reader sees anything of it: one character that is neither space, format nor mark."""
    return any(category(sign)[0] not in "ZCM" for sign in text)


def utf16(text: str) -> int:
    """The length of `text` in UTF-16 code units: never less than in code points, as some services count."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, limit: int, size: Callable[[str], int] = len) -> str:
    """`text` if its `size` is at most `limit`, else the longest beginning of it that fits with an ellipsis.

    `size` is what the service counts, of the text as it will be written (escaped, in UTF-16 units): it is
    at least one for each character and grows with the text, or nearly so. No cluster (an accent on its letter, a flag,
    a family) is cut in two. A limit too small for the ellipsis gives an empty text.
    """
    head = text[: limit + 1] if limit >= 0 else ""
    if len(head) == len(text) and size(text) <= limit:
        return text
    low, high = 0, len(head)
    while low < high:
        middle = (low + high + 1) // 2
        if size(head[:middle] + ELLIPSIS) <= limit:
            low = middle
        else:
            high = middle - 1
    while low > 0:
        made = head[: _boundary(head, low)].rstrip() + ELLIPSIS
        if size(made) <= limit:
            return made
        low -= 1  # what is escaped may depend on what follows it
    return ELLIPSIS if size(ELLIPSIS) <= limit else ""


def fitted(parts: Iterable[str], limit: int, size: Callable[[str], int] = len, joint: str = "\n\n") -> str:
    """The parts as one text of at most `limit`: where they are too long, each keeps its fair share.

    A short part is kept whole, and what it does not need goes to the others (max-min fairness), so that no
    part, however long, leaves nothing of the next. The last ones are left out when a share would be too
    small to be read.
    """
    kept = [part for part in parts if part]
    apart = size(joint)
    sizes = [size(part[: limit + 1]) for part in kept]
    if sum(sizes) + apart * (len(kept) - 1) <= limit:
        return joint.join(kept)
    while len(kept) > 1 and (limit - apart * (len(kept) - 1)) // len(kept) < _LEAST:
        kept.pop()
    left = limit - apart * max(0, len(kept) - 1)
    shares: dict[int, int] = {}
    for place, index in enumerate(sorted(range(len(kept)), key=sizes.__getitem__)):
        shares[index] = min(sizes[index], left // (len(kept) - place))
        left -= shares[index]
    made = [cut(part, shares[index], size) for index, part in enumerate(kept)]
    return cut(joint.join(part for part in made if part), limit, size)


def iso(at: float, timespec: str = "seconds") -> str:
    """Epoch seconds as ISO 8601 in UTC; what is no moment of the calendar is told as the beginning of the epoch."""
    try:
        when = datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        when = datetime.fromtimestamp(0, UTC)
    return when.isoformat(timespec=timespec).replace("+00:00", "Z")


def _boundary(text: str, at: int) -> int:
    """The last place at or before `at` that is within no cluster; `at` itself when there is none nearby."""
    for place in range(at, max(0, at - _LONGEST_CLUSTER), -1):
        if place >= len(text) or not _joined(text, place):
            return place
    return at


def _joined(text: str, place: int) -> bool:
    """Whether the characters on both sides of `place` belong together."""
    before, behind = text[place - 1], text[place]
    if behind == _ZWJ or before == _ZWJ or category(behind)[0] == "M" or "\U0001f3fb" <= behind <= "\U0001f3ff":
        return True
    if _flag(before) and _flag(behind):
        start = place
        while start > 0 and _flag(text[start - 1]):
            start -= 1
        return (place - start) % 2 == 1
    return False


def _flag(sign: str) -> bool:
    return "\U0001f1e6" <= sign <= "\U0001f1ff"


def _harmless(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if code < 0xA0:
        return f"\\x{code:02x}"
    return "\ufffd" if code >= 0xD800 else f"\\u{code:04x}"
