"""Which function serves a path: exact ones first, then those with places, as in `/api/alerts/{alert}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes

H = TypeVar("H")


class Routes(Generic[H]):
    """A table from (method, path) to handlers. A place in braces is one part of the path, never empty."""

    def __init__(self, table: Mapping[tuple[str, str], H]) -> None:
        self._exact = {key: each for key, each in table.items() if "{" not in key[1]}
        self._paths = {path for _, path in self._exact}
        self._placed = [(path.split("/"), method, each) for (method, path), each in table.items() if "{" in path]

    def find(self, method: str, path: str, raw: bytes) -> tuple[H, dict[str, str]] | None:
        """The handler and what stands in its places; None when there is none.

        `raw` is the path as it was sent: a part may hold an encoded slash.
        """
        if path in self._paths:
            known = self._exact.get((method, path))
            return None if known is None else (known, {})
        parts = _parts(raw)
        for pattern, theirs, handler in self._placed:
            if theirs == method and parts is not None and (found := _matched(pattern, parts)) is not None:
                return handler, found
        return None

    def allowed(self, path: str, raw: bytes) -> list[str]:
        """The methods that a path takes."""
        exact = {method for method, known in self._exact if known == path}
        parts = _parts(raw)
        placed = {
            method for pattern, method, _ in self._placed if parts is not None and _matched(pattern, parts) is not None
        }
        return sorted(exact or placed)


def _parts(raw: bytes) -> list[str] | None:
    try:
        return [unquote_to_bytes(part).decode("utf-8") for part in raw.partition(b"?")[0].split(b"/")]
    except UnicodeDecodeError:
        return None


def _matched(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(parts):
        return None
    found: dict[str, str] = {}
    for wanted, part in zip(pattern, parts, strict=True):
        if wanted.startswith("{"):
            if not part:
                return None
            found[wanted[1:-1]] = part
        elif wanted != part:
            return None
    return found
