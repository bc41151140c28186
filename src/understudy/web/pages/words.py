"""The words that scripts of every page show; the page carries them, as scripts have no catalogue of their own."""

from __future__ import annotations

from understudy.core.text import Texts


def words(_: Texts) -> dict[str, str]:
    """Texts by the keys that scripts ask for (static/words.js)."""
    return {
        "chart.reset": _("Show the whole span"),
        "chart.requests": _("Requests in this window"),
        "chart.table": _("Show as a table"),
        "chart.csv": _("Download as CSV"),
        "chart.png": _("Download as a picture"),
        "chart.nothing": _("Nothing was measured in this span."),
        "chart.now": _("now"),
        "chart.notes": _("{count} events in this span"),
    }
