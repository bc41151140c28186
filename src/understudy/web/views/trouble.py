"""What is wrong with this service itself, in a sentence above every page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.core.text import Texts

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Something is wrong that has no sentence of its own; the page of the system tells it.
OTHER = "other"


def trouble_of(app: Understudy) -> str:
    """The kind of trouble: the store's own word for it, `other`, or nothing while all is well."""
    health = app.keeping.store.health() if app.keeping is not None else None
    if health is not None and health.trouble is not None and health.problems:
        return str(health.trouble)
    return OTHER if app.problems() else ""


def sentences(_: Texts) -> dict[str, str]:
    """What each kind means for the reader."""
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
