"""Checks on JSON documents that the strict receivers share: which fields there may be, of which type and length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def unknown(document: Mapping[str, Any], allowed: frozenset[str], where: str = "") -> list[str]:
    """The fields that the service does not know."""
    return [f"{where}{name}: unknown field" for name in document if name not in allowed]


def text(document: Mapping[str, Any], name: str, most: int, where: str = "", *, required: bool = False) -> list[str]:
    """What is wrong with a text: missing, of another type, blank, too long (in UTF-16 units), not encodable."""
    if name not in document:
        return [f"{where}{name}: required"] if required else []
    value = document[name]
    if not isinstance(value, str):
        return [f"{where}{name}: not a text"]
    if required and not value.strip():
        return [f"{where}{name}: blank"]
    if any("\ud800" <= sign <= "\udfff" for sign in value):
        return [f"{where}{name}: half of a surrogate pair"]
    length = len(value.encode("utf-16-le")) // 2
    return [f"{where}{name}: {length} characters, at most {most}"] if length > most else []


def url(
    document: Mapping[str, Any], name: str, where: str = "", schemes: tuple[str, ...] = ("http", "https")
) -> list[str]:
    """What is wrong with an address."""
    value = document.get(name)
    fits = isinstance(value, str) and value.startswith(tuple(f"{scheme}://" for scheme in schemes))
    return [] if fits and str(value).isprintable() and " " not in str(value) else [f"{where}{name}: not a URL"]
