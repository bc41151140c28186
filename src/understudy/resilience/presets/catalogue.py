"""All presets, in the order in which they are shown."""

from __future__ import annotations

from typing import Final

from . import Preset
from .data import DATA
from .hubs import HUBS
from .platforms import PLATFORMS

PRESETS: Final[tuple[Preset, ...]] = (*HUBS, *DATA, *PLATFORMS)
