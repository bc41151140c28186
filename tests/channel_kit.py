"""What tests of channels share: notices, messages made of them, and channels on real sockets with a fake clock."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import replace

from understudy.channels import ChannelDeps, build
from understudy.clients.outward import OutwardClients
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.notifications.message import Message
from understudy.notifications.render import card

AT = 1_800_000_000.0


def notice(kind=NoticeKind.FIRED, severity=Severity.CRITICAL, **more):
    """An alert about the API `odds`, as the engine makes it."""
    values = {
        "event_id": f"event-{kind.value}", "kind": kind, "severity": severity, "at": AT, "title": "Success rate low",
        "content": "Fewer calls succeed than should.", "rule": "success_rate", "fingerprint": "f" * 32,
        "episode": "01JEPISODE0000000000000000", "number": 1, "labels": {"api": "odds", "route": "fixtures"},
        "metric": "success_rate", "operator": "<", "value": 54.2, "threshold": 60.0, "window": 300.0,
        "started_at": AT - 30.0,
    }  # fmt: skip
    return Notice(**{**values, **more})


def message(of=None, *, language="en", links=None, **more):
    """A message about a notice, as the dispatcher makes it."""
    of = of or notice()
    row = f"01JROW{of.kind.value.upper()[:12]:0<20}"
    made = Message(row, of, card(of, language, links=links), AT, root=of.episode)
    return replace(made, **more)


@asynccontextmanager
async def channel(options, *, clock=SYSTEM_CLOCK, name="mine"):
    """The channel of these options, with connections of its own."""
    clients = OutwardClients(clock)
    made = build(name, options, ChannelDeps(clock, random.Random(1), clients))
    try:
        yield made
    finally:
        await made.close()
        await clients.close()


async def until(true, turns=200_000):
    """Let others run until something is so; no time is waited for."""
    for _ in range(turns):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came about")


async def overdue(clock, sending, seconds, reached):
    """What a send answers whose time is over; `reached` tells that the receiver has got as far as it will."""
    task = asyncio.ensure_future(sending)
    await until(reached)
    await clock.advance(seconds)
    return await task
