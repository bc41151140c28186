"""Options in plain values, as a file holds them and as code may write them: numbers, texts, lists, tables.

    manager.register_api("odds", timeout=3, rate_limit="10/s", success={"json": "ok"}, breaker={"open_for": 60})

`spell_out` writes the short forms in full, in place; `made` makes the options class of what is then there.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin

from understudy.core.errors import OptionError
from understudy.core.options import describe
from understudy.core.secrets import Secret

_RATE = re.compile(
    r"\s*(\d+(?:\.\d+)?)\s*/\s*(\d+(?:\.\d+)?)?\s*(s|second|m|min|minute|h|hour|d|day)\s*", re.IGNORECASE
)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

#: Answers the secret that `env:NAME` or `file:PATH` means.
ReadSecret = Callable[[str], Secret]


def is_number(value: Any) -> bool:
    """Whether it is one; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def spell_out(api: dict[str, Any]) -> None:
    """Write the short forms of an API's options in full, in place; what is none of them stays as it is."""
    if is_number(api.get("timeout")):
        api["timeout"] = {"attempt": api["timeout"]}
    if is_number(api.get("bulkhead")):
        api["bulkhead"] = {"limit": api["bulkhead"]}
    if is_number(api.get("quota")):
        api["quota"] = {"limit": api["quota"], "window": "month"}
    if isinstance(api.get("rate_limit"), str):
        api["rate_limit"] = _rate(api["rate_limit"])
    success = api.get("success")
    if isinstance(success, dict) and "status" in success:
        success["status"] = _statuses(success["status"])
    auth = api.get("auth")
    if isinstance(auth, dict) and isinstance(auth.get("keys"), str | Secret):
        auth["keys"] = [auth["keys"]]
    if isinstance(auth, dict) and isinstance(auth.get("keys"), list):
        auth["keys"] = [{"value": key} if isinstance(key, str | Secret) else key for key in auth["keys"]]
    rules = api.get("outcomes")
    for rule in rules if isinstance(rules, list) else ():
        if isinstance(rule, dict):
            if "class" in rule:  # a word of Python, so that the field is called otherwise
                rule["class_"] = rule.pop("class")
            if is_number(rule.get("status")):
                rule["status"] = str(rule["status"])


def _rate(text: str) -> Any:
    found = _RATE.fullmatch(text)
    if found is None:
        return text
    return {"rate": float(found[1]), "per": float(found[2] or 1) * _UNITS[found[3][0].lower()]}


def _statuses(value: Any) -> Any:
    if isinstance(value, list):
        return [str(part) if is_number(part) else part for part in value]
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return [str(value)] if is_number(value) else value


def in_full(settings: dict[str, Any], kind: type, secret: ReadSecret | None) -> dict[str, Any]:
    """The fields of an options class with their own types, from plain values; instances go through as they are.

    Raises:
        TypeError: a setting, or a key of a table, that does not exist.
        OptionError: a value lies outside its range.
    """
    for name in settings:
        _known(kind, name)
    full = {name: _copied(value) for name, value in settings.items()}
    spell_out(full)
    types = {spec.name: spec.type for spec in describe(kind)}
    return {name: _made(types[name], value, secret) for name, value in full.items()}


def _known(kind: type, name: str) -> None:
    known = ["class" if spec.name == "class_" else spec.name for spec in describe(kind)]
    if name not in known and name != "class_":
        nearest = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise TypeError(f"{kind.__name__} has no setting {name!r}{hint}")


def _copied(value: Any) -> Any:
    """Tables and lists anew, as they are changed in place; everything in them as it is."""
    if isinstance(value, dict):
        return {name: _copied(below) for name, below in value.items()}
    return [_copied(below) for below in value] if isinstance(value, list | tuple) else value


def _made(hint: Any, value: Any, secret: ReadSecret | None) -> Any:
    if get_origin(hint) in (Union, UnionType):
        hint = next(part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is tuple and isinstance(value, list):
        return tuple(_made(get_args(hint)[0], below, secret) for below in value)
    if hint is Secret and isinstance(value, str):
        return _secret(value, secret)
    if is_dataclass(hint) and isinstance(value, dict):
        kind: Any = hint
        for name in value:
            _known(kind, name)
        types = {spec.name: spec.type for spec in describe(kind)}
        given = {name: _made(types[name], below, secret) for name, below in value.items()}
        for field in fields(kind):
            if field.default is MISSING and field.name not in given:
                raise TypeError(f"{kind.__name__} needs {field.name.rstrip('_')!r}")
        return kind(**given)
    return value


def _secret(text: str, read: ReadSecret | None) -> Secret:
    source = text.partition(":")[0]
    if ":" not in text or source not in ("env", "file"):
        return Secret(text)
    if read is None:
        raise OptionError("KeyOptions", "value", f"{source}:…", "the key itself, as no application is there to read it")
    return read(text)
