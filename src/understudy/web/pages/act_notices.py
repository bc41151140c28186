"""What a page says after something was done with an API, on the page of the API and on that of a route."""

from __future__ import annotations

from collections.abc import Mapping

from understudy.core.text import Texts

#: A state (ok, warning, fault) and a sentence.
Notice = tuple[str, str]


def notices(_: Texts, **own: Notice) -> Mapping[str, Notice]:
    """By the codes that a redirect may carry; `own` are those of one page besides. Other codes say nothing."""
    return {
        "drain": ("ok", _("Drained: no new calls go to it.")),
        "undrain": ("ok", _("Calls may go to it again.")),
        "forced_open": ("ok", _("Its breaker is held open.")),
        "unforce": ("ok", _("Its breaker judges again.")),
        "reset": ("ok", _("Breakers closed, holds ended.")),
        **own,
    }
