"""The program's own log: one line an event, as text for people or as JSON (Elastic Common Schema names).

Whatever reaches a log may come from a stranger, so control and direction characters are escaped,
lengths are capped, and known secrets and what looks like one are masked.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from understudy.core.options import Doc, Options
from understudy.core.redaction import REDACTOR, Redactor
from understudy.core.secrets import Secret

#: Libraries whose everyday news are of no use to whoever runs the service.
LIBRARIES = ("alembic", "asyncio", "uvicorn")
#: Longest message and longest trace that is written, in characters.
MAX_MESSAGE = 8_000
MAX_TRACE = 32_000


@dataclass(frozen=True, slots=True)
class LogSettings(Options):
    """Logging, as in `[log]`."""

    level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], Doc("events below this are not written")
    ] = "INFO"
    file: Annotated[str, Doc("file that is appended to; empty: standard error")] = ""
    format: Annotated[Literal["text", "json"], Doc("lines for people, or JSON with ECS names")] = "text"


def escape(text: str, *, lines: bool = False) -> str:
    """Text with control, direction and other unprintable characters escaped; `lines` keeps line ends and tabs."""
    if text.isprintable():
        return text
    kept = "\n\t" if lines else ""
    return "".join(c if c.isprintable() or c in kept else c.encode("unicode_escape").decode() for c in text)


def _capped(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text) - longest} more characters)"


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # a wrong number of arguments must not lose the event
        return f"{record.msg} {record.args!r}"


class _Formatter(logging.Formatter):
    """What both formats share: redaction first, on the full text, so that no cut can hide a secret's shape."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def _text(self, record: logging.LogRecord) -> str:
        return _capped(escape(self._redactor.redact(_message(record))), MAX_MESSAGE)

    def _trace(self, record: logging.LogRecord) -> str:
        if not record.exc_info or record.exc_info[0] is None:
            return ""
        return _capped(escape(self._redactor.redact(self.formatException(record.exc_info)), lines=True), MAX_TRACE)

    @staticmethod
    def _at(record: logging.LogRecord) -> datetime:
        return datetime.fromtimestamp(record.created, UTC)


class TextFormatter(_Formatter):
    """`2026-01-31T12:00:00.123Z INFO understudy.app: message`."""

    def format(self, record: logging.LogRecord) -> str:
        """The event as text; a trace follows on lines that begin with a bar."""
        at = self._at(record).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = f"{at} {record.levelname} {record.name}: {self._text(record)}"
        trace = self._trace(record)
        return line + "".join(f"\n  | {part}" for part in trace.splitlines())


class JsonFormatter(_Formatter):
    """One JSON object a line, with the names of the Elastic Common Schema."""

    def __init__(self, redactor: Redactor, *, version: str, environment: str) -> None:
        super().__init__(redactor)
        self._service = {
            "ecs.version": "8.11.0",
            "service.name": "understudy",
            "service.version": version,
            "service.environment": environment,
        }

    def format(self, record: logging.LogRecord) -> str:
        """The event as JSON; `extra={"event": {...}}` becomes `event.*`."""
        entry: dict[str, Any] = {
            "@timestamp": self._at(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "log.level": record.levelname.lower(),
            "message": self._text(record),
            **self._service,
            "log.logger": record.name,
        }
        event = getattr(record, "event", None)
        if isinstance(event, dict):
            for name, value in event.items():
                entry[f"event.{name}"] = self._plain(value)
        if record.exc_info and record.exc_info[0] is not None:
            entry["error.type"] = record.exc_info[0].__name__
            entry["error.message"] = _capped(self._redactor.redact(str(record.exc_info[1])), MAX_MESSAGE)
            entry["error.stack_trace"] = self._trace(record)
        return json.dumps(entry, ensure_ascii=True)

    def _plain(self, value: object) -> object:
        if value is None or isinstance(value, (bool, int)):
            return value
        if isinstance(value, float):
            return value if value - value == 0 else None  # JSON knows no infinity
        return _capped(self._redactor.redact(str(value)), MAX_MESSAGE)


class Losses:
    """Events that could not be written, since start: a full disk must be seen, and must not stop anything."""

    def __init__(self) -> None:
        self.count = 0
        self._telling = True

    def lost(self, where: str) -> None:
        """One event is lost; the first of a spell is told on standard error, in one line."""
        self.count += 1
        if not self._telling:
            return
        self._telling = False
        error = sys.exc_info()[1]
        reason = getattr(error, "strerror", None) or type(error).__name__
        try:
            sys.stderr.write(f"understudy: the log {where} cannot be written: {reason}; events are lost until it can\n")
        except (AttributeError, OSError, ValueError):
            pass  # standard error is closed too: the count is all that is left

    def written(self) -> None:
        """An event was written: the spell, if there was one, is over."""
        self._telling = True


LOSSES = Losses()


class _StreamHandler(logging.StreamHandler[Any]):
    def emit(self, record: logging.LogRecord) -> None:
        before = LOSSES.count
        super().emit(record)
        if LOSSES.count == before:
            LOSSES.written()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        LOSSES.lost("on standard error")


class _FileHandler(logging.FileHandler):
    """Appends to a file, and goes on with a new one when a rotation has taken the old away."""

    def emit(self, record: logging.LogRecord) -> None:
        before = LOSSES.count
        try:
            self._follow()
        except OSError:
            self.handleError(record)
            return
        super().emit(record)
        if LOSSES.count == before:
            LOSSES.written()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        LOSSES.lost(self.baseFilename)

    def _follow(self) -> None:
        if self.stream is None:
            self.stream = self._open()
        mine = os.fstat(self.stream.fileno())
        try:
            there = Path(self.baseFilename).stat()
        except FileNotFoundError:
            there = None
        if there is None or (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino):
            old, self.stream = self.stream, self._open()
            old.close()


def configure_logging(
    settings: LogSettings, *, secrets: tuple[Secret, ...] = (), version: str = "", environment: str = "development"
) -> logging.Handler:
    """Send the root logger's events to one handler; replaces the handler of an earlier call.

    Raises:
        OSError: the log file cannot be opened; nothing has changed then.
    """
    REDACTOR.add(*secrets)
    handler: logging.Handler
    if settings.file:
        Path(settings.file).parent.mkdir(parents=True, exist_ok=True)
        handler = _FileHandler(settings.file, encoding="utf-8", errors="backslashreplace")
    else:
        handler = _StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(REDACTOR, version=version, environment=environment)
        if settings.format == "json"
        else TextFormatter(REDACTOR)
    )
    handler.set_name("understudy")
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if handler.get_name() == "understudy"]:
        root.removeHandler(old)
        with contextlib.suppress(OSError):  # what a full disk kept back is lost, and was counted
            old.close()
    root.addHandler(handler)
    root.setLevel(settings.level)
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    return handler
