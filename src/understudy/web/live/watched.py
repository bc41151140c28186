"""One topic while somebody listens: what is known of it, encoded, and what has changed since."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .message import changes, dense, items
from .topics import Feed, Kind, Look
from .viewer import Viewer

if TYPE_CHECKING:
    from understudy.app import Understudy

#: A topic that was asked for instead of listened to is kept up to date for this long, s.
ASKED_FOR = 12.0


class Watched:
    """What both sorts of topics have in common."""

    def __init__(self, topic: str, kind: Kind, at: float) -> None:
        self.topic = topic
        self.kind = kind
        self.viewers: set[Viewer] = set()
        #: When it is looked at next, and since when nobody has listened, monotonic s.
        self.due = 0.0
        self.idle_since = 0.0
        self.asked_at = float("-inf")
        #: The number of the hub's last message before this topic's first.
        self.born = 0
        #: When it was last looked at, epoch s.
        self.at = at
        #: Whether the last look failed.
        self.failed = False

    def wanted(self, now: float) -> bool:
        """Whether anybody listens, or asks every few seconds."""
        return bool(self.viewers) or now - self.asked_at < ASKED_FOR

    def idle(self, before: float) -> bool:
        """Whether nobody has listened or asked since that moment."""
        return not self.viewers and self.idle_since <= before and self.asked_at <= before

    async def look(self, at: float) -> bytes | None:
        """Look once; what is to be sent to those who listen, None when nothing is."""
        raise NotImplementedError

    def whole(self) -> bytes | None:
        """What is sent to somebody who has nothing yet; None before the first look."""
        raise NotImplementedError

    def close(self) -> None:
        """Nobody listens any more."""


class Standing(Watched):
    """A topic that shows how things stand: values by key."""

    def __init__(self, app: Understudy, topic: str, kind: Kind, look: Look, argument: str) -> None:
        super().__init__(topic, kind, app.clock.time())
        self._app = app
        self._look = look
        self._argument = argument
        self._values: Mapping[str, Any] = {}
        self._encoded: dict[str, bytes] = {}
        self._whole: bytes | None = None
        self._looked = False

    async def look(self, at: float) -> bytes | None:
        """As `Watched.look`."""
        new = await self._look(self._app, self._argument)
        old, known = self._values, self._looked
        self._values, self._looked, self.at = new, True, at
        changed: dict[str, bytes] = {}
        for key, value in new.items():
            if known and key in old and old[key] == value:
                continue
            encoded = dense(value)
            if self._encoded.get(key) != encoded:  # a value that equals nothing, such as NaN, is null all the same
                changed[key] = self._encoded[key] = encoded
        removed = [key for key in old if key not in new]
        for key in removed:
            del self._encoded[key]
        self._whole = None
        if not known:
            return self.whole()
        return changes(self.topic, at, changed, removed, whole=False) if changed or removed else None

    def whole(self) -> bytes | None:
        """As `Watched.whole`; made once for all who come between two looks."""
        if self._whole is None and self._looked:
            self._whole = changes(self.topic, self.at, self._encoded, (), whole=True)
        return self._whole


class Happening(Watched):
    """A topic that tells what happens."""

    def __init__(self, topic: str, kind: Kind, at: float, feed: Feed) -> None:
        super().__init__(topic, kind, at)
        self._feed = feed

    async def look(self, at: float) -> bytes | None:
        """As `Watched.look`."""
        new, skipped = await self._feed.take()
        self.at = at
        return items(self.topic, at, new, skipped) if new or skipped else None

    def whole(self) -> bytes | None:
        """As `Watched.whole`."""
        return items(self.topic, self.at, self._feed.recent(), whole=True)

    def close(self) -> None:
        """As `Watched.close`."""
        self._feed.close()


def watched(app: Understudy, topic: str, kind: Kind, argument: str, arrived: Callable[[], None]) -> Watched:
    """A topic, as its kind says."""
    if kind.look is not None:
        return Standing(app, topic, kind, kind.look, argument)
    if kind.open is None:
        raise ValueError(f"{topic}: a kind either looks or opens")
    return Happening(topic, kind, app.clock.time(), kind.open(app, argument, arrived))
