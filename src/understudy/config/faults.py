"""Where a value came from, and what is wrong with one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from understudy.core.redaction import REDACTOR

#: A place in the tree of the configuration: `("apis", "fixtures", "outcomes", 0, "status")`.
Path = tuple[str | int, ...]

#: Parts of a path below which a value may be a secret, so that it is never shown.
SECRET_PARTS = frozenset(
    {
        "keys",
        "value",
        "secret_key",
        "headers",
        "token_body",
        "token_url",
        "password",
        "report_token",
    }
)
#: The same below a channel.
CHANNEL_SECRETS = frozenset(
    {"url", "urls", "proxy", "bot_token", "password", "routing_key", "api_key", "secret", "secrets", "authorization"}
)
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from: `kind` is default, file, dotenv, env, secret, database or cli."""

    kind: str
    name: str = ""
    line: int = 0
    #: The table that the value stands in, where its path does not say so: `("environments", "production")`.
    under: Path = ()

    def __str__(self) -> str:
        name = printable(self.name, 1000)
        match self.kind:
            case "env":
                return f"env:{name}"
            case "secret":
                return f"file:{name}"
            case "cli":
                return "command line"
            case "database":
                return f"database: {name}"
            case "default":
                return "default"
        return f"{name}:{self.line}" if self.line else name


DEFAULT = Origin("default")


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason why a configuration cannot be used. `found` never holds a secret."""

    path: Path
    origin: Origin
    expected: str
    found: str = ""
    hint: str = ""

    def __str__(self) -> str:
        where = [str(self.origin)] if self.origin.kind != "default" else []
        if self.path:
            where.append(dotted((*self.origin.under, *self.path)))
        text = ": ".join([*where, self.expected])
        if self.found:
            text += f", found {self.found}"
        return f"{text}; {self.hint}" if self.hint else text


def in_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Each fault once, by source and line, as a reader mends them."""
    return tuple(sorted(dict.fromkeys(faults), key=lambda f: (f.origin.kind, f.origin.name, f.origin.line)))


def dotted(path: Path) -> str:
    """`apis.fixtures.outcomes[0].status`; a part that is no bare key of TOML stands in quotes."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = printable(part)
            text += ("." if text else "") + (shown if _BARE.fullmatch(shown) else f'"{shown}"')
    return text


def printable(text: str, longest: int = 120) -> str:
    """Foreign text fit for one line of a terminal: control and direction characters escaped, length capped."""
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def is_secret(path: Path) -> bool:
    """Whether the value at `path` must never be shown."""
    if path[:1] == ("channels",):
        return any(part in CHANNEL_SECRETS for part in path[2:])
    return any(part in SECRET_PARTS for part in path) or path[-1:] == ("auth",)


def shown(path: Path, value: object) -> str:
    """A value for a fault's text."""
    if is_secret(path):
        return "a value that is not shown"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, (list, tuple)):
        return "an array"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and "@" in value:
        return "a value that is not shown"  # it may hold a user's name and password
    return printable(REDACTOR.redact(repr(value)))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The hint with the nearest known name; empty when none is near."""
    near = difflib.get_close_matches(name[:200].lower(), sorted(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""
