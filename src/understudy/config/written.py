"""Options as a file would say them: what differs from the defaults, secrets as their marks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from enum import Enum
from typing import Any

from understudy.core.secrets import Secret

from .faults import Path, is_secret
from .managed import mark
from .shape import written


def as_written(options: Any, section: Path) -> dict[str, Any]:
    """The table of options that stand at `section` (`("apis", "odds")`), JSON-ready."""
    return {name: _value(value, (*section, name)) for name, value in _said(options)}


def secrets_of(options: Any) -> dict[Path, Secret]:
    """Every secret of options by its path in the table, those that are plain texts included."""
    return dict(_secrets(options, ()))


def _said(options: Any) -> Iterator[tuple[str, Any]]:
    """The fields that differ from their defaults; the kind of a channel is always said."""
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        default = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
        if field.name == "kind" or value != default:
            yield written(field.name), value


def _value(value: Any, at: Path) -> Any:
    if isinstance(value, Secret):
        return mark(value.fingerprint()) if value else ""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return as_written(value, at)
    if isinstance(value, tuple | list):
        return [_value(below, (*at, index)) for index, below in enumerate(value)]
    if isinstance(value, dict):
        return {name: _value(below, (*at, name)) for name, below in value.items()}
    if isinstance(value, str) and value and is_secret(at) and at[-1] not in ("alias", "quota_group"):
        return mark(Secret(value).fingerprint())
    return value


def _secrets(value: Any, at: Path) -> Iterator[tuple[Path, Secret]]:
    if isinstance(value, Secret):
        yield at, value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _secrets(getattr(value, field.name), (*at, field.name))
    elif isinstance(value, dict):
        for name, below in value.items():
            yield from _secrets(below, (*at, name))
    elif isinstance(value, tuple | list):
        for index, below in enumerate(value):
            yield from _secrets(below, (*at, index))
    elif isinstance(value, str) and value and is_secret(("apis", "", *at)) and at[-1] not in ("alias", "quota_group"):
        yield at, Secret(value)
