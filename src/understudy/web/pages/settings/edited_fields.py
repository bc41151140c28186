"""The few values of an entry that are changed most, as plain fields over its document."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from understudy.core.text import Texts
from understudy.web.pages.first_channel import kinds as channel_kinds
from understudy.web.pages.route_words import modes

#: What a form field of ours begins with; the mark of a secret that stays comes with the second.
FIELD, KEPT = "f:", "f:kept:"
#: Ways to send a key that need no more than a key and a name; the others are written in the document.
_SIMPLE_AUTH: Final = ("none", "bearer", "header", "query", "basic", "rapidapi")


@dataclass(frozen=True, slots=True)
class Plain:
    """One field. `kind`: text, url, number, secret, lines (a list, one in a line) or choice."""

    path: tuple[str, ...]
    label: str
    kind: str = "text"
    help: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    usual: str = ""
    #: A value in the place of the table means this field of it: `timeout = 3`.
    short: bool = False

    @property
    def name(self) -> str:
        """Its name in the form."""
        return FIELD + ".".join(self.path)

    @property
    def kept(self) -> str:
        """The name of the form field that says which secret stays."""
        return KEPT + ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Shown:
    """A field with what stands in it. `mark` is that of a secret, whose field is empty."""

    plain: Plain
    value: str = ""
    mark: str = ""


def fields(_: Texts, kind: str, values: Mapping[str, Any]) -> list[Plain]:
    """The fields that an entry with these values has."""
    if kind == "api":
        return _of_api(_, values)
    if kind == "route":
        return [
            Plain(("apis",), _("APIs, one in each line, the preferred first"), "lines"),
            Plain(
                ("mode",),
                _("How one is chosen"),
                "choice",
                choices=tuple((name, words[0]) for name, words in modes(_).items()),
                usual="balanced",
            ),
            Plain(("deadline",), _("Longest call, s"), "number", usual="30"),
            Plain(("max_attempts",), _("Most attempts of a call"), "number", usual="4"),
        ]
    wanted = channel_kinds(_).get(str(values.get("kind", "")), ("", ()))[1]
    found = [
        Plain((each.key,), each.label, "secret" if each.secret else "lines" if each.several else "text")
        for each in wanted
    ]
    least = (("info", _("Information")), ("warning", _("Warning")), ("critical", _("Critical")))
    told = Plain(("min_severity",), _("Told from"), "choice", choices=least, usual="info")
    return [*found, told] if found else []


def _of_api(_: Texts, values: Mapping[str, Any]) -> list[Plain]:
    found = [Plain(("base_url",), _("Base address, which all calls have in common"), "url")]
    auth = values.get("auth")
    auth = auth if isinstance(auth, Mapping) else {}
    keys = auth.get("keys", [])
    if auth.get("kind", "none") in _SIMPLE_AUTH and (isinstance(keys, str) or len(keys) < 2):
        ways = {
            "none": _("no key"), "bearer": "Authorization: Bearer", "header": _("a header of its own"),
            "query": _("a parameter of the address"), "basic": _("user and password"), "rapidapi": "RapidAPI",
        }  # fmt: skip
        found += [
            Plain(("auth", "kind"), _("How the key is sent"), "choice", choices=tuple(ways.items()), usual="none"),
            Plain(("auth", "name"), _("Name of that header or parameter"), help=_("Only where it has one of its own.")),
            Plain(("auth", "keys"), _("Key"), "secret"),
        ]
    windows = {
        "second": _("second"), "minute": _("minute"), "hour": _("hour"), "day": _("day"), "month": _("month"),
    }  # fmt: skip
    found += [
        Plain(("timeout", "attempt"), _("Longest attempt, s"), "number", short=True),
        Plain(
            ("health_check", "path"), _("Path that shows whether it works"),
            help=_("Begins with /. Empty: only real calls show how it does."),
        ),
        Plain(("priority",), _("Priority"), "number", _("1 is preferred"), usual="1"),
        Plain(("price",), _("Price of 1,000 calls"), "number", usual="0"),
        Plain(
            ("quota", "limit"), _("Calls that the plan allows"), "number", _("Empty: learned from its answers."),
            short=True,
        ),
        Plain(("quota", "window"), _("in each"), "choice", choices=tuple(windows.items()), usual="month"),
    ]  # fmt: skip
    return found


def shown(plain: list[Plain], values: Mapping[str, Any]) -> list[Shown]:
    """Each field with what the values say."""
    found = []
    for each in plain:
        value = _at(values, each)
        if each.kind == "secret":
            found.append(Shown(each, mark=_secret_in(value)))
        elif each.kind == "lines":
            several = value if isinstance(value, list) else [] if value is None else [value]
            found.append(Shown(each, "\n".join(map(str, several))))
        else:
            found.append(Shown(each, _text(value) if value is not None else each.usual if each.choices else ""))
    return found


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) and value.is_integer() and abs(value) < 1e6 else str(value)


def changed(plain: list[Plain], values: Mapping[str, Any], content: Mapping[str, str]) -> dict[str, Any]:
    """The values with what the form says in its fields; an empty field leaves the usual value."""
    made: dict[str, Any] = copy.deepcopy(dict(values))
    for each in plain:
        if each.name not in content:
            continue  # not shown, so nobody has emptied it
        given = content[each.name].strip()
        if each.kind == "secret":
            _put_secret(made, each, given or content.get(each.kept, ""))
        elif each.kind == "lines":
            _put(made, each, [line.strip() for line in given.split("\n") if line.strip()] or None)
        elif given == each.usual and _at(values, each) is None:
            continue
        else:
            _put(made, each, (_number(given) if each.kind == "number" else given) if given else None)
    return made


def _number(text: str) -> int | float | str:
    """The number, or the text as it is, which the check then finds wrong in its place."""
    try:
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else float(text.replace(",", "."))
    except ValueError:
        return text


def _at(values: Mapping[str, Any], plain: Plain) -> Any:
    found: Any = values
    for part in plain.path:
        if plain.short and not isinstance(found, Mapping):
            return found
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _put(values: dict[str, Any], plain: Plain, value: Any) -> None:
    """Put a value in its place, or take it out; tables that hold nothing any more go, too."""
    *tables, last = plain.path
    if not tables:
        values.pop(last, None) if value is None else values.update({last: value})
        return
    [table] = tables
    held = values.get(table)
    if not isinstance(held, dict):
        held = {} if held is None or plain.short else None
    if held is None:
        return  # something else stands there, which is written in the document
    held.pop(last, None) if value is None else held.update({last: value})
    if held:
        values[table] = held
    else:
        values.pop(table, None)


def _secret_in(value: Any) -> str:
    """The mark of the one secret that stands in a place."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, Mapping):
        value = value.get("value")
    return value if isinstance(value, str) else ""


def _put_secret(values: dict[str, Any], plain: Plain, text: str) -> None:
    if plain.path != ("auth", "keys"):
        _put(values, plain, text or None)
        return
    before = _at(values, plain)
    first = before[0] if isinstance(before, list) and before else None
    one = {**first, "value": text} if isinstance(first, dict) else text
    _put(values, plain, [one] if text else None)
