"""The process-wide instance, and the getters of the original document. The only `global` is here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .app import Understudy

if TYPE_CHECKING:
    from .monitor import PerformanceMonitor
    from .resilience import FallbackManager

_current: Understudy | None = None


def current() -> Understudy:
    """The process-wide instance; made with the defaults at first use."""
    global _current
    if _current is None:
        _current = Understudy.build()
    return _current


def configure(settings: Any = None, **parts: Any) -> Understudy:
    """Make the process-wide instance from `settings`; replaces the one before. See `Understudy.build`."""
    global _current
    _current = Understudy.build(settings, **parts)
    return _current


def reset() -> None:
    """Forget the process-wide instance; the next use makes a new one."""
    global _current
    _current = None


@contextmanager
def using(app: Understudy) -> Iterator[Understudy]:
    """Let `app` be the process-wide instance within the block; for tests."""
    global _current
    before, _current = _current, app
    try:
        yield app
    finally:
        _current = before


def get_performance_monitor() -> PerformanceMonitor:
    """The monitor of the process-wide instance."""
    return current().monitor


def get_fallback_manager() -> FallbackManager:
    """The fallback manager of the process-wide instance."""
    return current().fallback
