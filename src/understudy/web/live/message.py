"""What goes over a live stream: server-sent events, each encoded once for everybody who sees it.

`id` is the start of the hub and a running number, so that a browser that comes back can say what it had last.
The data is one JSON object: `t` the topic, `at` epoch seconds, and either `d` (what changed by key; with `r` the keys
that are gone, with `i` everything there is) or `f` (new items; with `s` how many more were left out) or `x` (the topic
cannot be read at present). With neither it is a sign of life: what was told before still holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from understudy.web.http import jsonable


def dense(value: Any) -> bytes:
    """`value` as JSON without a blank: it is sent each second to everybody."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (ValueError, TypeError):  # what JSON cannot say
        text = json.dumps(jsonable(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a topic, as it is sent. `seq` numbers all messages of a hub."""

    seq: int
    at: float
    topic: str
    frame: bytes
    #: Where in the frame the JSON begins; it ends two bytes before the frame does.
    begin: int

    @property
    def body(self) -> bytes:
        """The JSON alone, for those who ask instead of listening."""
        return self.frame[self.begin : -2]


def framed(boot: str, seq: int, at: float, topic: str, body: bytes) -> Message:
    """A message as it is sent."""
    head = f"id: {boot}-{seq}\ndata: ".encode()
    return Message(seq, at, topic, b"".join((head, body, b"\n\n")), len(head))


def named(event: str, content: Mapping[str, Any]) -> bytes:
    """A message of the stream itself rather than of a topic."""
    return b"event: " + event.encode() + b"\ndata: " + dense(content) + b"\n\n"


def changes(topic: str, at: float, changed: Mapping[str, bytes], removed: Sequence[str], *, whole: bool) -> bytes:
    """The body that tells what changed of a topic's values, each encoded before."""
    pairs = b",".join(dense(key) + b":" + value for key, value in changed.items())
    gone = b',"r":' + dense(list(removed)) if removed else b""
    first = b',"i":1' if whole else b""
    return b'%s%s%s,"d":{%s}}' % (_head(topic, at), first, gone, pairs)


def items(topic: str, at: float, new: Iterable[Any], skipped: int = 0, *, whole: bool = False) -> bytes:
    """The body that tells what came anew; with `whole`, what came last before anybody listened."""
    told = b',"s":%d' % skipped if skipped else b""
    first = b',"i":1' if whole else b""
    return b'%s%s%s,"f":%s}' % (_head(topic, at), first, told, dense(list(new)))


def failed(topic: str, at: float) -> bytes:
    """The body that says that a topic cannot be read; what was told of it before may be wrong by now."""
    return _head(topic, at) + b',"x":1}'


def ticked(at: float) -> bytes:
    """The frame of a sign of life; it has no id, as nothing happened."""
    return b'data: {"at":%.3f}\n\n' % at


def _head(topic: str, at: float) -> bytes:
    return b'{"t":%s,"at":%.3f' % (dense(topic), at)


def place_of(text: str, boot: str) -> int | None:
    """The number in an id of this hub; None for another hub's, or none at all."""
    mine, _, number = text.rpartition("-")
    return int(number) if mine == boot and number.isascii() and number.isdigit() and len(number) < 18 else None
