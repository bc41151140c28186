"""The configuration in force, and the machine under it."""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Self

from understudy.config.explain import rows, values

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.web.auth.process import Process

#: What is worth knowing when something is odd.
_LIBRARIES = ("uvicorn", "aiohttp", "sqlalchemy", "jinja2", "argon2-cffi", "psycopg", "uvloop")


@dataclass(frozen=True, slots=True)
class ConfigView:
    """Every value in force and where it came from; secrets are masked. `GET /admin/config`."""

    environment: str
    values: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...]
    #: The files that were read, or would be if they were there.
    files: tuple[str, ...]

    @classmethod
    def of(cls, app: Understudy, process: Process) -> Self:
        """The configuration of the running service; of a program's own settings no origin is known."""
        loaded = process.loaded()
        environment = getattr(app.settings, "environment", "development")
        if loaded is not None:
            names = tuple(str(each.name) for each in loaded.files)
            return cls(environment, tuple(rows(loaded)), loaded.warnings, names)
        found = values(app.settings, ()) if app.settings is not None else []
        told = tuple({"path": each["path"], "value": each["value"], "origin": "program"} for each in found)
        return cls(environment, told, (), ())

    def under(self, text: str) -> Self:
        """Only the values whose path holds a text."""
        bare = text.casefold()
        kept = tuple(each for each in self.values if bare in str(each["path"]).casefold())
        return type(self)(self.environment, kept, self.warnings, self.files)

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class MachineView:
    """This process, its store and what they run on. Times are epoch seconds, durations seconds, sizes bytes."""

    instance: str
    started_at: float
    uptime: float
    cpu_percent: float | None
    memory_rss: int | None
    active_connections: int | None
    loop_lag_p99: float | None
    loop_lag_max: float | None
    in_flight: int
    errors: tuple[dict[str, Any], ...]
    problems: tuple[str, ...]
    #: The store as `Keeping.as_dict` tells it; empty where nothing is kept.
    kept: dict[str, Any]
    versions: dict[str, str]

    @classmethod
    def of(cls, app: Understudy) -> Self:
        """Everything as it stands."""
        read = app.system.read()
        kept = app.keeping.as_dict() if app.keeping is not None else {}
        return cls(
            app.instance, app.started_at, read.uptime, read.cpu_percent, read.memory_rss, read.active_connections,
            read.loop_lag_p99, read.loop_lag_max, app.in_flight, tuple(each.as_dict() for each in read.errors),
            tuple(app.problems()), kept, _versions(app),
        )  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        return asdict(self)


def _versions(app: Understudy) -> dict[str, str]:
    found = {"understudy": app.version, "python": sys.version.split()[0], "system": platform.platform(terse=True)}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
