"""`[channels.NAME]`: a union that `kind` tells apart, and the channels that the original document's variables make."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from understudy.channels import KINDS
from understudy.core.options import FieldSpec, describe
from understudy.core.secrets import Secret

from .environ import is_placeholder, split
from .faults import Fault, Origin, Path, did_you_mean, printable
from .tree import Layer

_Read = Callable[[str], "tuple[str, Origin] | None"]
#: Variables of the original document by channel: the key that each sets, and whether the channel needs it.
_SEEDS: dict[str, dict[str, tuple[str, bool]]] = {
    "email": {
        "SMTP_SERVER": ("host", True),
        "SMTP_USERNAME": ("username", True),
        "SMTP_PASSWORD": ("password", True),
        "SMTP_PORT": ("port", False),
        "FROM_EMAIL": ("from_email", False),
        "TO_EMAILS": ("to_emails", False),
    },
    "slack": {"SLACK_WEBHOOK_URL": ("url", True)},
    "discord": {"DISCORD_WEBHOOK_URL": ("url", True)},
    "telegram": {"TELEGRAM_BOT_TOKEN": ("bot_token", True), "TELEGRAM_CHAT_ID": ("chat_id", True)},
}
#: Keys that hold several values, comma separated in a variable.
_LISTS = ("to_emails", "chat_id")
#: RFC 8314: the port that is encrypted from the first byte.
_TLS_PORT = 465


class ByKind:
    """Marks a union of options classes whose key `kind` says which of them a table is."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        # Imported here: only a process that loads a configuration file has pydantic loaded.
        from pydantic import Field

        return handler(Annotated[source, Field(discriminator="kind")])


def alternatives(kind: Any) -> list[type]:
    """The options classes that a type allows: itself, or those of a union, whatever is written around it."""
    if get_origin(kind) is Annotated:
        return alternatives(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return [found for part in get_args(kind) for found in alternatives(part)]
    return [kind] if isinstance(kind, type) and is_dataclass(kind) else []


def place(loc: Path) -> Path:
    """A place in the tree: pydantic's own path names the kind behind the name of a channel, which no file does."""
    return (*loc[:2], *loc[3:]) if loc[:1] == ("channels",) and len(loc) > 2 else loc


def kind_fault(loc: Path, found: Any, layer: Layer) -> Fault:
    """A table whose `kind` is missing or unknown."""
    path: Path = (*loc, "kind")
    words = "expected " + ", ".join(map(repr, KINDS))
    if not isinstance(found, str):
        return Fault(path, layer.origin(path), words, hint="every channel says which service it is")
    return Fault(path, layer.origin(path), words, repr(printable(found)), did_you_mean(found, KINDS))


def known_keys(kind: Any) -> list[str]:
    """The keys of a kind of channel."""
    return [spec.name for spec in fields_of(kind)]


def fields_of(kind: Any) -> tuple[FieldSpec, ...]:
    """What a kind of channel takes; nothing for what is none."""
    options: type | None = KINDS[kind].options if isinstance(kind, str) and kind in KINDS else None
    return describe(options) if options else ()


def expand_channels(layer: Layer) -> None:
    """Take one value for a list of one, and numbers for the texts of chats, in place: `chat_id = 42`."""
    channels = layer.values.get("channels")
    several = {
        spec.name for kind in KINDS for spec in fields_of(kind) if get_origin(spec.type) is tuple
    }  # fmt: skip
    for table in channels.values() if isinstance(channels, dict) else ():
        for name in several.intersection(table) if isinstance(table, dict) else ():
            found = table[name]
            if isinstance(found, str):
                table[name] = list(split(found)) if name in _LISTS else [found]
            elif isinstance(found, int) and not isinstance(found, bool):
                table[name] = [str(found)]
            elif isinstance(found, list) and name == "chat_id":
                table[name] = [str(each) if type(each) is int else each for each in found]


def secret_places(values: Any) -> Iterator[tuple[Path, bool]]:
    """Where the channels of a tree hold secrets; each with whether the channel is nothing without it."""
    channels = values.get("channels")
    for name, table in channels.items() if isinstance(channels, dict) else ():
        for spec in fields_of(table.get("kind")) if isinstance(table, dict) else ():
            found = table.get(spec.name)
            if spec.type is Secret or Secret in get_args(spec.type):
                several = get_origin(spec.type) is tuple
                if several and isinstance(found, list):
                    yield from ((("channels", name, spec.name, index), True) for index in range(len(found)))
                elif isinstance(found, str):
                    yield ("channels", name, spec.name), spec.type is Secret


class SeedChannels:
    """The channels that the original document's variables configure; `warnings` says by name what is off, and why."""

    def __init__(self, read: _Read, below: Layer) -> None:
        self._read, self._below = read, below
        self.warnings: list[str] = []

    def layer(self) -> Layer:
        """What the variables say, to go over what the files say."""
        layer = Layer()
        taken = dict(self._taken())
        for name, variables in _SEEDS.items():
            # The files put the variable into a channel of their own: a second one would tell everything twice.
            if any(taken.get(variable, name) != name for variable in variables):
                continue
            found = {variable: said for variable in variables if (said := self._said(variable)) is not None}
            if found and self._usable(name, found):
                self._put(layer, name, found)
        return layer

    def _taken(self) -> Iterator[tuple[str, str]]:
        """The variables that tables of channels refer to, each with the channel."""
        channels = self._below.values.get("channels")
        for name, table in channels.items() if isinstance(channels, dict) else ():
            for value in table.values() if isinstance(table, dict) else ():
                for each in value if isinstance(value, list) else (value,):
                    if isinstance(each, str) and each.startswith("env:"):
                        yield each.removeprefix("env:"), name

    def _said(self, variable: str) -> tuple[str, Origin] | None:
        found = self._read(variable)
        return (found[0].strip(), found[1]) if found is not None and found[0].strip() else None

    def _usable(self, name: str, found: dict[str, tuple[str, Origin]]) -> bool:
        """Whether the channel can be made of these and what the files say; a warning says why not."""
        variables = _SEEDS[name]
        channels = self._below.values.get("channels")
        table = channels.get(name) if isinstance(channels, dict) else None
        if isinstance(table, dict) and table.get("kind") != name:
            names = ", ".join(found)
            self.warnings.append(f"{names} not used: the files configure another kind of channel as {name}")
            return False
        written = table if isinstance(table, dict) else {}
        needed = [variable for variable, (_, needs) in variables.items() if needs]
        if not written and not any(variable in found for variable in needed):
            return False
        missing = [each for each in needed if each not in found and variables[each][0] not in written]
        left = [each for each, (text, _) in found.items() if any(map(is_placeholder, _parts(variables[each][0], text)))]
        empty = [each for each, (text, _) in found.items() if not any(_parts(variables[each][0], text))]
        reasons = [f"{each} is not set" for each in (*missing, *(each for each in empty if each in needed))]
        reasons += [f"{each} is a placeholder" for each in left]
        if not reasons and (port := found.get("SMTP_PORT")) is not None and name == "email" and not _is_port(port[0]):
            reasons = ["SMTP_PORT is no port number"]
        if reasons:
            self.warnings.append(f"channel {name} is not configured: {', '.join(reasons)}")
        return not reasons

    def _put(self, layer: Layer, name: str, found: dict[str, tuple[str, Origin]]) -> None:
        first = next(iter(found.values()))[1]
        layer.put(("channels", name, "kind"), name, first)
        for variable, (text, origin) in found.items():
            key = _SEEDS[name][variable][0]
            parts = _parts(key, text)
            value: Any = list(parts) if key in _LISTS else int(text) if key == "port" else text
            if parts:
                layer.put(("channels", name, key), value, origin)
        table = layer.values["channels"][name]
        if name == "email":
            self._complete(layer, table, first)

    def _complete(self, layer: Layer, table: dict[str, Any], origin: Origin) -> None:
        """Mail is from its user, and to its sender, where nothing else is said; port 465 means TLS at once."""
        channels = self._below.values.get("channels")
        written = channels.get("email", {}) if isinstance(channels, dict) else {}
        if "from_email" not in {*table, *written}:
            sender = table.get("username") or written.get("username", "")
            layer.put(("channels", "email", "from_email"), sender, origin)
        if "to_emails" not in {*table, *written}:
            sender = table.get("from_email") or written.get("from_email", "")
            layer.put(("channels", "email", "to_emails"), [sender], origin)
        if table.get("port") == _TLS_PORT and "security" not in written:
            layer.put(("channels", "email", "security"), "tls", origin)


def _parts(key: str, text: str) -> tuple[str, ...]:
    return split(text) if key in _LISTS else (text,)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text[:9]) < 65536
