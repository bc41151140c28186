"""What the store may be told: where it is, how long it keeps what, how large it may grow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import annotated_types as at

from understudy.core.errors import OptionError
from understudy.core.options import Doc, Options
from understudy.core.secrets import Secret

_DAY = 86_400

Kind = Literal["memory", "sqlite", "postgresql"]

_EXPECTED_URL = "memory:, sqlite:///PATH or postgresql://USER@HOST/DATABASE"


@dataclass(frozen=True, slots=True)
class StorageOptions(Options):
    """What is kept, and where, as in `[storage]`."""

    url: Annotated[str, at.MinLen(1), Doc("sqlite:///PATH, postgresql://USER@HOST/DATABASE or memory:")] = (
        "sqlite:///understudy.db"
    )
    password: Annotated[Secret | None, Doc("of PostgreSQL; env:NAME or file:PATH")] = None
    max_bytes: Annotated[
        int, at.Ge(1 << 20), Doc("largest SQLite file; beyond it the finest history goes", "bytes")
    ] = 2 << 30
    keep_10s: Annotated[int, at.Ge(3600), Doc("how long history of ten-second steps is kept", "s")] = 2 * _DAY
    keep_1m: Annotated[int, at.Ge(7200), Doc("how long history of one-minute steps is kept", "s")] = 30 * _DAY
    keep_1h: Annotated[int, at.Ge(2 * _DAY), Doc("how long history of one-hour steps is kept", "s")] = 730 * _DAY
    keep_requests: Annotated[int, at.Ge(60), Doc("how long entries of the request log are kept", "s")] = 7 * _DAY
    requests_per_api: Annotated[int, at.Ge(10), Doc("most entries of the request log for each API")] = 10_000
    keep_alerts: Annotated[int, at.Ge(3600), Doc("how long alerts that ended are kept", "s")] = 365 * _DAY
    keep_deliveries: Annotated[int, at.Ge(3600), Doc("how long it is kept what was sent to whom", "s")] = 90 * _DAY
    waiting_rows: Annotated[
        int, at.Ge(1000), Doc("most rows of history that wait in memory while the store cannot be written")
    ] = 100_000
    readers: Annotated[int, at.Ge(1), at.Le(16), Doc("threads that read")] = 3
    patience: Annotated[
        float, at.Gt(0), at.Le(600), Doc("longest wait of a control write, or of a read, for the store", "s")
    ] = 10.0

    def __post_init__(self) -> None:
        # No `super()`: a slotted dataclass is not the class that the cell of `super()` remembers.
        Options.__post_init__(self)
        parse_url(self.url)

    @property
    def kind(self) -> Kind:
        """Which store the URL means."""
        return parse_url(self.url)[0]

    @property
    def shared(self) -> bool:
        """Whether other services may use the same store."""
        return self.kind == "postgresql"

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return Path(unquote(parse_url(self.url)[1].path[1:]))

    def server(self) -> dict[str, str]:
        """The connection parameters of PostgreSQL, without the password."""
        parts = parse_url(self.url)[1]
        found = {
            "host": unquote(parts.hostname or ""),
            "port": str(parts.port or ""),
            "user": unquote(parts.username or ""),
            "dbname": unquote(parts.path[1:]),
            **dict(parse_qsl(parts.query)),
        }
        return {name: value for name, value in found.items() if value}


def parse_url(url: str) -> tuple[Kind, SplitResult]:
    """The kind of store and the parts of its URL.

    Raises:
        OptionError: it is none that we know; a password in it is not shown.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        raise _refused("a text that is no URL", _EXPECTED_URL) from None
    scheme = parts.scheme.partition("+")[0]
    if parts.password is not None or "password" in dict(parse_qsl(parts.query)):
        where = 'a URL without a password, and password = "env:NAME" beside it'
        raise _refused("a URL with a password in it", where)
    if scheme == "memory":
        return "memory", parts
    if scheme == "sqlite" and not parts.netloc and len(parts.path) > 1:
        return "sqlite", parts
    if scheme in ("postgresql", "postgres") and len(parts.path) > 1:
        return "postgresql", parts
    raise _refused(url, _EXPECTED_URL)


def _refused(found: str, expected: str) -> OptionError:
    return OptionError("StorageOptions", "url", found, expected)
