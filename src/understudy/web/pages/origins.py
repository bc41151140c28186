"""Where a value of the configuration came from, in words."""

from __future__ import annotations

import re
from typing import Final

from understudy.core.text import Texts

_EDITED: Final = re.compile(r"database: (\w+) (.*), version (\d+)", re.DOTALL)


def origin_words(_: Texts, origin: str) -> str:
    """An origin as `config explain` writes it: `understudy.toml:12`, `.env:3`, `env:NAME`, `command line`, …."""
    if origin == "default":
        return _("usual")
    if origin == "program":
        return _("the program")
    if origin == "command line":
        return _("the command line")
    if origin.startswith("env:"):
        return _("the environment: {name}", name=origin.removeprefix("env:"))
    edited = _EDITED.fullmatch(origin)
    return _("edited here, version {number}", number=edited[3]) if edited else origin
