"""The configuration: one frozen tree, from many sources, each value with its origin.

Names are fetched at first use, so that a light import stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .loader import Loaded, load
    from .settings import Settings

__all__ = ["Loaded", "Settings", "load"]
_HOMES = {"Loaded": ".loader", "load": ".loader", "Settings": ".settings"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
