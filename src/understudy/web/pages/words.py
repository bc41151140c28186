"""The words that scripts of every page show; the page carries them, as scripts have no catalogue of their own."""

from __future__ import annotations

from understudy.core.text import Texts
from understudy.web.views.trouble import OTHER


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
        "chart.notes": _("Events in this span: {count}"),
        "range.copied": _("copied"),
        "palette.search": _("Go to a page, an API, a route, an action"),
        "palette.found": _("Found"),
        "palette.none": _("Nothing has that name."),
        "palette.failed": _("The service did not answer. Type on to ask again."),
        "keys.title": _("Keyboard shortcuts"),
        "keys.close": _("Close"),
        "keys.Ctrl K": _("Go anywhere"),
        "keys./": _("Search this page"),
        "keys.t": _("Choose the time range"),
        "keys.c": _("Keep the API for a comparison"),
        "keys.e": _("Acknowledge the alert"),
        "keys.s": _("Silence the alert"),
        "keys.j / k": _("Next row, row before"),
        "keys.[ / ]": _("Earlier incident, later incident"),
        "keys.?": _("These keys"),
        "tray.title": _("To compare"),
        "tray.compare": _("Compare"),
        "tray.more": _("Choose one more to compare"),
        "tray.clear": _("Let them go"),
        "tray.remove": _("Do not compare {api}"),
        "heat.title": _("All APIs over time, one row each"),
        "heat.keys": _("Arrow keys move, Enter opens the API."),
        "heat.none": _("no calls"),
        "heat.0": _("fine"),
        "heat.1": _("twice as slow as usual"),
        "heat.2": _("some failures, or very slow"),
        "heat.3": _("many failures"),
        "heat.4": _("down"),
        "heat.alone": _("Without a hub"),
        "heat.folded": _("APIs: {count}, all fine"),
        "heat.idle": _("APIs: {count}, no calls in this span"),
        "heat.group": _("APIs: {count}"),
        "heat.failed": _("The picture could not be loaded: {reason}. It is tried again in {seconds} s."),
        "state.healthy": _("Healthy"),
        "state.degraded": _("Degraded"),
        "state.down": _("Down"),
        "state.unknown": _("Unknown"),
        "state.paused": _("Paused"),
    }


def troubles(_: Texts) -> dict[str, str]:
    """What each kind of trouble of the service itself means for the reader (`views.trouble`)."""
    paused = _(
        "History, requests and settings are not kept until then; calls go on, and what is measured now is right."
    )
    return {
        "full": _("The disk of the store is full: make room.") + " " + paused,
        "read-only": _("The store must not be written: its file or disk is read-only.") + " " + paused,
        "corrupt": _("The store's file is damaged.") + " " + paused,
        "away": _("The database cannot be reached.") + " " + paused,
        "busy": _("The store is locked by another program.") + " " + paused,
        "io": _("The disk of the store cannot be read or written.") + " " + paused,
        "taken": _("Another service uses the same place in the store.") + " " + paused,
        OTHER: _("Something is wrong with this service; calls go on."),
    }
