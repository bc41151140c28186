"""APIs that somebody is about to add: kept in memory for half an hour, so that no key travels through a page."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from understudy.config.pasted import Proposal
from understudy.core.secrets import Secret
from understudy.web.auth.permissions import Permission
from understudy.web.http import Problem, Request

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.connectivity import CheckResult

#: How long a draft waits after it was last used, s; most drafts of one service.
_VALID: Final = 1800.0
_MOST: Final = 100


@dataclass(slots=True)
class Draft:
    """A proposal as it has been changed so far, and what came of trying it."""

    id: str
    owner: str
    proposal: Proposal
    name: str
    base_url: str
    path: str
    key: Secret | None
    until: float
    #: Whether asking its path costs nothing.
    free: bool = False
    #: Whether it was begun before there was any account: the administrator who is then made goes on with it.
    unowned: bool = False
    tried: CheckResult | None = None
    #: What was wrong at the last try, in the reader's language.
    faults: list[str] = field(default_factory=list)

    def values(self) -> dict[str, Any]:
        """The entry as a file would say it, its key in clear: only for what stores or tries it."""
        found = self.proposal.table(self.key.reveal() if self.key is not None else "")
        found["base_url"] = self.base_url
        found.pop("health_check", None)
        if self.path:
            found["health_check"] = {"path": self.path, **({"cost": "free"} if self.free else {})}
        return found


class Drafts:
    """The drafts of one service."""

    def __init__(self) -> None:
        self._drafts: OrderedDict[str, Draft] = OrderedDict()

    def begin(self, app: Understudy, request: Request, proposal: Proposal) -> Draft:
        """Keep a new draft; only whoever began it can go on with it, or an administrator made meanwhile."""
        unowned = request.who.via == "loopback" and not request.who.may(Permission.ADMIN)
        made = Draft(
            secrets.token_urlsafe(16), request.who.name, proposal, proposal.name, proposal.base_url,
            proposal.health_path, proposal.key, app.clock.monotonic() + _VALID, unowned=unowned,
        )  # fmt: skip
        self._drafts[made.id] = made
        while len(self._drafts) > _MOST:
            self._drafts.popitem(last=False)
        return made

    def find(self, app: Understudy, request: Request, name: str) -> Draft:
        """A draft that is still there.

        Raises:
            Problem: 404 for one that is over, or another's.
        """
        found, now = self._drafts.get(name), app.clock.monotonic()
        if found is not None and found.unowned and request.who.may(Permission.ADMIN):
            found.owner, found.unowned = request.who.name, False
        if found is not None and found.until < now:
            del self._drafts[name]
            found = None
        if found is None or found.owner != request.who.name:
            raise Problem(404, "this draft is over; begin again at /setup/start")
        found.until = now + _VALID
        return found

    def end(self, name: str) -> None:
        """Forget a draft with its key."""
        self._drafts.pop(name, None)


_DRAFTS: WeakKeyDictionary[Understudy, Drafts] = WeakKeyDictionary()


def drafts_of(app: Understudy) -> Drafts:
    """The drafts of an application."""
    return _DRAFTS.setdefault(app, Drafts())
