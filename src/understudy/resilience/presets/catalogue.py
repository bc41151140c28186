"""All presets, in the order in which they are shown."""

from __future__ import annotations

from typing import Final

from . import Preset
from .hubs import HUBS

PRESETS: Final[tuple[Preset, ...]] = (*HUBS,)
