"""Who listens to what: each topic is looked at once for all, encoded once, and sent to everybody who listens.

Nothing is looked at while nobody listens. What was sent in the last minute is kept, so that a browser that comes
back goes on where it was; a topic that nobody has listened to for as long is forgotten.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from math import inf
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from understudy.core.events import Event
from understudy.web.auth.permissions import Identity

from .message import Message, failed, framed, place_of, ticked
from .topics import SWITCHES, kind_of
from .viewer import Viewer
from .watched import Watched, watched

if TYPE_CHECKING:
    from understudy.app import Understudy

_log = logging.getLogger("understudy.web")

#: How long what was sent is kept, s, and at most how many bytes of it.
KEPT, KEPT_BYTES = 60.0, 8 * 1024 * 1024
#: What has just happened is told after this, together with what happens meanwhile, s; and how often at most.
AT_ONCE, APART = 0.02, 0.2
#: A browser that was sent nothing for this long is sent a sign of life, s: it calls what it shows stale soon after.
BEAT = 2.0
#: How often it is looked whether somebody may still see what they listen to, s.
CHECKED = 30.0
#: Topics that one browser may listen to, and all together.
MOST_TOPICS, MOST_WATCHED = 64, 2000
#: Streams of one account, of one address, and of all.
OF_ONE_USER, OF_ONE_ADDRESS, OF_ALL = 64, 128, 600
#: The hub looks around at least this often while anybody listens, s.
_ROUND: Final = 1.0


class TooMany(Exception):
    """Another stream, or another topic, would be one too many; the text says of what."""


class Hub:
    """The live side of one application. Lives on its loop; costs nothing while nobody listens."""

    def __init__(self, app: Understudy) -> None:
        self._app = app
        self._now = app.clock.monotonic
        #: Names this start in the ids of messages.
        self.boot = secrets.token_hex(4)
        self.viewers: dict[str, Viewer] = {}
        self._topics: dict[str, Watched] = {}
        self._kept: deque[Message] = deque()
        self._kept_bytes = 0
        self._seq = 0
        #: The number of the last message that is not kept any more.
        self._floor = 0
        self._running: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._urgent: set[str] = set()
        self._urgent_due = inf
        self._urgent_at = -inf
        self._ends: list[Callable[[], None]] = []
        self.closed = False

    # -- streams ----------------------------------------------------------------------------------

    def admit(self, who: Identity, client: str) -> None:
        """Raise `TooMany` when whoever asks has as many streams as one may have."""
        open_streams = Counter((each.who.via, each.who.name) for each in self.viewers.values())
        from_there = sum(each.client == client for each in self.viewers.values())
        if len(self.viewers) >= OF_ALL:
            raise TooMany(f"{OF_ALL} live streams are open, which is as many as there may be")
        if who.via == "loopback":
            return  # everybody there is the same user at the same address
        if open_streams[who.via, who.name] >= OF_ONE_USER:
            raise TooMany(f"you have {OF_ONE_USER} live streams open, which is as many as one may have")
        if from_there >= OF_ONE_ADDRESS:
            raise TooMany(f"{OF_ONE_ADDRESS} live streams come from your address, which is as many as may")

    def enter(self, who: Identity, client: str, topics: Collection[str], after: str = "") -> Viewer:
        """A new stream, which is sent what it missed after the message of that id, or everything."""
        viewer = Viewer(secrets.token_urlsafe(16), who, client, topics)
        viewer.sent_at = viewer.checked_at = self._now()
        self.viewers[viewer.key] = viewer
        for topic in topics:
            self._listen(viewer, topic)
        for message in self._missed(topics, after):
            viewer.push(message.frame)
        self._start()
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """A stream has ended."""
        self.viewers.pop(viewer.key, None)
        for topic in viewer.topics:
            self._unlisten(viewer, topic)

    def change(self, viewer: Viewer, topics: Collection[str]) -> None:
        """The stream listens to these topics from now on."""
        wanted = set(topics)
        for topic in viewer.topics - wanted:
            self._unlisten(viewer, topic)
        new = wanted - viewer.topics
        viewer.topics = wanted
        for topic in new:
            self._listen(viewer, topic)
        for message in self._missed(new, ""):
            viewer.push(message.frame)
        viewer.flush()

    def again(self, viewer: Viewer) -> bytes:
        """Everything, for a stream that fell behind."""
        viewer.lost = False
        return b"".join(message.frame for message in self._missed(viewer.topics, ""))

    def sent(self, viewer: Viewer) -> None:
        """Something has just been sent to it."""
        viewer.sent_at = self._now()

    def doubt(self) -> None:
        """Accounts have changed: ask each stream at once whether whoever listens still may."""
        for viewer in tuple(self.viewers.values()):
            viewer.doubt()

    def close(self, why: str = "the service stops") -> None:
        """Close all streams; none is opened any more."""
        self.closed = True
        for viewer in tuple(self.viewers.values()):
            viewer.close(why)
        if self._running is not None:
            self._running.cancel()
        for topic in tuple(self._topics):
            self._forget(topic)

    # -- asking instead of listening ----------------------------------------------------------------

    async def asked(self, topics: Sequence[str], after: str) -> list[bytes]:
        """What a browser that cannot listen is told: what it missed, or everything there is."""
        now = self._now()
        for topic in topics:
            place = self._watch(topic)
            place.asked_at = now
        self._start()
        for topic in topics:
            known = self._topics.get(topic)
            if known is not None and known.due <= now:
                await self._look(known)
        return [message.body for message in self._missed(topics, after)]

    @property
    def place(self) -> str:
        """The id of the last message."""
        return f"{self.boot}-{self._seq}"

    # -- topics -------------------------------------------------------------------------------------

    def _watch(self, topic: str) -> Watched:
        place = self._topics.get(topic)
        if place is None:
            if len(self._topics) >= MOST_WATCHED:
                self._forget_idle(0.0)
            if len(self._topics) >= MOST_WATCHED:
                raise TooMany(f"{MOST_WATCHED} topics are listened to, which is as many as there may be")
            found = kind_of(topic)
            if isinstance(found, str):
                raise ValueError(found)
            place = watched(self._app, topic, *found, lambda: self.urge(topic))
            place.born = self._seq
            place.idle_since = self._now()
            self._topics[topic] = place
        return place

    def _listen(self, viewer: Viewer, topic: str) -> None:
        place = self._watch(topic)
        place.viewers.add(viewer)
        if place.due <= self._now():
            self._woken.set()

    def _unlisten(self, viewer: Viewer, topic: str) -> None:
        place = self._topics.get(topic)
        if place is not None:
            place.viewers.discard(viewer)
            place.idle_since = self._now()

    def _forget(self, topic: str) -> None:
        self._topics.pop(topic).close()

    def _forget_idle(self, longer: float) -> None:
        before = self._now() - longer
        for topic in [name for name, each in self._topics.items() if each.idle(before)]:
            self._forget(topic)

    def _missed(self, topics: Collection[str], after: str) -> list[Message]:
        """What was sent of these topics after an id; everything there is of those whose messages are not all kept."""
        since = place_of(after, self.boot)
        found: list[Message] = []
        going_on = set()
        for topic in topics:
            place = self._topics[topic]
            if since is not None and self._floor <= since and place.born <= since:
                going_on.add(topic)
            elif (whole := place.whole()) is not None:
                found.append(framed(self.boot, self._seq, place.at, topic, whole))
        if since is not None and going_on:
            found += [each for each in self._kept if each.seq > since and each.topic in going_on]
        return found

    # -- the rounds ---------------------------------------------------------------------------------

    def urge(self, topic: str) -> None:
        """Look at this topic at once, if anybody listens."""
        if topic not in self._topics or topic in self._urgent:
            return
        if not self._urgent:
            self._urgent_due = max(self._now() + AT_ONCE, self._urgent_at + APART)
            self._woken.set()
        self._urgent.add(topic)

    def _start(self) -> None:
        if self._running is None or self._running.done():
            self._ends = [self._app.events.subscribe(self._heard)]
            if self._app.keeping is not None:
                self._ends.append(self._app.alerts.follow(self._moved))
            self._running = asyncio.ensure_future(self._run())
            self._running.set_name("understudy:live")

    def _heard(self, event: Event) -> None:
        if event.kind.startswith(SWITCHES):  # most events are about single calls
            for topic, place in self._topics.items():
                if place.viewers and event.kind.startswith(place.kind.on):
                    self.urge(topic)

    def _moved(self) -> None:
        for topic in ("alerts", "events"):
            self.urge(topic)

    async def _run(self) -> None:
        """Look at what is due, send it, until nobody has listened for a minute."""
        try:
            while self._topics and not self.closed:
                await self._wait()
                await self._round()
                self._care()
        finally:
            for end in self._ends:
                end()
            self._ends = []

    async def _wait(self) -> None:
        """Until something is due, or urgent."""
        while True:
            now = self._now()
            due = min((each.due for each in self._topics.values() if each.wanted(now)), default=inf)
            due = min(due, self._urgent_due, now + _ROUND)
            if due <= now:
                return
            self._woken.clear()
            timer = self._app.clock.call_later(due - now, self._woken.set)
            try:
                await self._woken.wait()
            finally:
                timer.cancel()
            if self._now() >= due:
                return

    async def _round(self) -> None:
        now = self._now()
        urgent: set[str] = set()
        if now >= self._urgent_due:
            urgent, self._urgent, self._urgent_at, self._urgent_due = self._urgent, set(), now, inf
        for topic, place in tuple(self._topics.items()):
            if place.wanted(now) and (place.due <= now or topic in urgent):
                await self._look(place)
        for viewer in tuple(self.viewers.values()):
            viewer.flush()

    async def _look(self, place: Watched) -> None:
        """Look at a topic once, and send what is new to everybody who listens."""
        place.due = _aligned(self._now(), place.kind.every)
        try:
            body = await place.look(self._app.clock.time())
        except Exception:  # noqa: BLE001 - one topic's fault must not end the others; logged once, and tried again
            if not place.failed:
                _log.exception("the live topic %r cannot be read", place.topic[:200])
            place.failed, body = True, failed(place.topic, self._app.clock.time())
        else:
            place.failed = False
        if body is None:
            return
        self._seq += 1
        message = framed(self.boot, self._seq, place.at, place.topic, body)
        self._keep(message)
        for viewer in place.viewers:
            viewer.push(message.frame)

    def _keep(self, message: Message) -> None:
        self._kept.append(message)
        self._kept_bytes += len(message.frame)
        while self._kept and (self._kept[0].at < message.at - KEPT or self._kept_bytes > KEPT_BYTES):
            gone = self._kept.popleft()
            self._kept_bytes -= len(gone.frame)
            self._floor = gone.seq

    def _care(self) -> None:
        """Signs of life, and forgetting what nobody listens to."""
        now = self._now()
        tick = ticked(self._app.clock.time())
        for viewer in self.viewers.values():
            if now - viewer.checked_at >= CHECKED:
                viewer.checked_at = now
                viewer.doubt()
            if now - viewer.sent_at >= BEAT:
                viewer.push(tick)
                viewer.flush()
        self._forget_idle(KEPT)


def _aligned(now: float, every: float) -> float:
    """The next whole multiple: topics that are looked at equally often come in one piece."""
    return (now // every + 1.0) * every


_HUBS: WeakKeyDictionary[Understudy, Hub] = WeakKeyDictionary()


def hub_of(app: Understudy) -> Hub:
    """The hub of an application, made at first use; a new one after it was closed."""
    hub = _HUBS.get(app)
    if hub is None or hub.closed:
        hub = _HUBS[app] = Hub(app)
    return hub


def doubt(app: Understudy) -> None:
    """Accounts, sessions or tokens of an application have changed; nothing where nobody listens."""
    hub = _HUBS.get(app)
    if hub is not None:
        hub.doubt()
