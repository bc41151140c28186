"""`/live`: one stream of server-sent events for each browser, and the same for those who cannot listen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from understudy.web.auth.permissions import NOBODY, Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.http import Answer, Problem, Request, Send, dumped

from .hub import MOST_TOPICS, Hub, TooMany, hub_of
from .message import named
from .topics import refusal
from .viewer import Viewer

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.web.auth.permissions import Identity

#: A browser that lost the stream asks again after this, ms; our own scripts wait longer each time.
_RETRY: Final = b"retry: 3000\n\n"
_HEADERS: Final = {
    # Nothing on the way may pack or hold back what comes.
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
}


@dataclass(slots=True)
class LiveAnswer(Answer):
    """An answer that goes on until the browser, the hub or the account ends."""

    request: Request | None = None
    hub: Hub | None = None
    topics: Sequence[str] = ()
    refused: Sequence[dict[str, str]] = ()
    after: str = ""

    async def send(self, send: Send, *, bodiless: bool = False) -> None:
        """As `Answer.send`."""
        if bodiless or self.hub is None or self.request is None:
            await Answer.send(self, send, bodiless=True)
            return
        headers = [(b"content-type", self.content_type.encode("latin-1"))]
        headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()]
        viewer = self.hub.enter(self.request.who, self.request.client, self.topics, self.after)
        gone = asyncio.ensure_future(self._left(viewer))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            hello = {"stream": viewer.key, "refused": list(self.refused)}
            await _piece(send, _RETRY + named("hello", hello))
            await self._talk(viewer, send)
        finally:
            gone.cancel()
            self.hub.leave(viewer)

    async def _left(self, viewer: Viewer) -> None:
        if self.request is not None:
            await self.request.gone()
        viewer.close("gone")

    async def _talk(self, viewer: Viewer, send: Send) -> None:
        """Send what comes until the stream is closed."""
        hub = self.hub
        while hub is not None:
            await viewer.ready()
            if viewer.doubted:
                await self._look_again(viewer)
            if viewer.closed:
                break
            await _piece(send, hub.again(viewer) if viewer.lost else viewer.take())
            hub.sent(viewer)
        if viewer.closed != "gone":
            await _piece(send, named("bye", {"why": viewer.closed}))
            await send({"type": "http.response.body", "body": b""})

    async def _look_again(self, viewer: Viewer) -> None:
        """Whether whoever listens may still see all of it."""
        viewer.doubted = False
        if self.request is None:
            return
        try:
            who = await self.request.gate.identify(self.request)
        except Problem as problem:
            if problem.status == 503:  # accounts cannot be read now: asked again in a while
                return
            who = NOBODY
        if not who.may(Permission.READ) or (who.name, who.key) != (viewer.who.name, viewer.who.key):
            viewer.close("signed out")
        elif any(refusal(topic, who) for topic in viewer.topics):
            viewer.close("permissions changed")


async def _piece(send: Send, content: bytes) -> None:
    await send({"type": "http.response.body", "body": content, "more_body": True})


def _sorted_out(wanted: object, who: Identity) -> tuple[list[str], list[dict[str, str]]]:
    """The topics that may be listened to, and why the others may not."""
    if not isinstance(wanted, list) or len(wanted) > MOST_TOPICS or not all(isinstance(each, str) for each in wanted):
        raise Problem(422, f"topics is a list of at most {MOST_TOPICS} names of topics")
    taken: list[str] = []
    refused: list[dict[str, str]] = []
    for topic in dict.fromkeys(wanted):
        if why := refusal(topic, who):
            refused.append({"topic": topic[:200], "why": why})
        else:
            taken.append(topic)
    return taken, refused


def _asked(request: Request) -> tuple[list[str], list[dict[str, str]], str]:
    query = request.query("topics", "after")
    try:
        wanted = json.loads(query.get("topics", "[]"))
    except (ValueError, RecursionError):
        raise Problem(400, 'topics is a JSON list of names, as ["overview"]') from None
    taken, refused = _sorted_out(wanted, request.who)
    return taken, refused, query.get("after") or request.headers.get("last-event-id", "")


async def listen(app: Understudy, request: Request) -> Answer:
    """The stream: `topics` to begin with, `after` the id of the last message that was seen."""
    taken, refused, after = _asked(request)
    hub = hub_of(app)
    try:
        hub.admit(request.who, request.client)
    except TooMany as reason:
        raise Problem(429, f"{reason}; close some, or ask /live/snapshot", {"Retry-After": "30"}) from None
    return LiveAnswer(
        b"", 200, "text/event-stream; charset=utf-8", dict(_HEADERS),
        request=request, hub=hub, topics=taken, refused=refused, after=after,
    )  # fmt: skip


async def change(app: Understudy, request: Request) -> Answer:
    """What a stream listens to from now on, instead of what it did."""
    request.query()
    content = await request.json_object("topics")
    taken, refused = _sorted_out(content.get("topics"), request.who)
    hub = hub_of(app)
    viewer = hub.viewers.get(request.parts["stream"])
    if viewer is None or (viewer.who.name, viewer.who.key) != (request.who.name, request.who.key):
        raise Problem(404, "there is no such stream any more; open it anew")
    try:
        hub.change(viewer, taken)
    except TooMany as reason:
        raise Problem(429, f"{reason}", {"Retry-After": "30"}) from None
    return Answer(dumped({"topics": taken, "refused": refused}))


async def snapshot(app: Understudy, request: Request) -> Answer:
    """What a stream would have told since the message `after`, or everything: for those who cannot listen."""
    taken, refused, after = _asked(request)
    hub = hub_of(app)
    try:
        told = await hub.asked(taken, after)
    except TooMany as reason:
        raise Problem(429, f"{reason}", {"Retry-After": "5"}) from None
    head = dumped({"id": hub.place, "at": app.clock.time(), "refused": refused})
    return Answer(head[:-1] + b', "messages": [' + b",".join(told) + b"]}")


ROUTES: Table = {
    ("GET", "/live"): Endpoint(listen, Permission.READ),
    ("POST", "/live/{stream}/topics"): Endpoint(change, Permission.READ),
    ("GET", "/live/snapshot"): Endpoint(snapshot, Permission.READ),
}
