"""What is wrong with this service itself; pages say it above everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Something is wrong that has no kind of its own; the page of the system tells it.
OTHER = "other"


def trouble_of(app: Understudy) -> str:
    """The kind of trouble: the store's own word for it, `other`, or nothing while all is well."""
    health = app.keeping.store.health() if app.keeping is not None else None
    if health is not None and health.trouble is not None and health.problems:
        return str(health.trouble)
    return OTHER if app.problems() else ""
