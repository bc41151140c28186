"""`understudy notify preview`: what an alert looks like on a channel, and whether the worst one would be taken.

Nothing leaves the machine: the messages go to strict stand-ins that know every published limit of the services.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field

from rich.text import Text

from understudy.channels import build
from understudy.channels.options import ChannelDeps
from understudy.clients.outward import OutwardClients
from understudy.core.clock import SYSTEM_CLOCK, Clock
from understudy.core.ids import ulid_source
from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.notifications.message import Card, Delivered, Message
from understudy.notifications.render import card

from .alerts_shown import print_json
from .exits import FAILED, OK, USAGE, Stop
from .local_receivers import KINDS, Local, local_receivers
from .screen import Screen, safe

#: Refusals that are shown of a channel.
_SHOWN = 5
#: Lengths just beyond what services take, characters.
_LENGTHS = (1, 131, 151, 257, 1025, 2001, 4097, 16_000)
#: What texts are made of: plain, wide, joined, from right to left, markup of every service, line ends, nothing.
_STUFF = (
    "a", "é", "👩‍👩‍👧", "ע", "<b>&\"'", "*_[]()~`>#+-=|{}.!", "@everyone <!channel> <@U1>", "\r\n", "\x00", " ",
    "e\u0301\u0302",
)  # fmt: skip  # a few in a line
#: A length that nobody takes, tried with a few of them.
_HUGE, _HUGE_OF = 1_000_000, ("a", "👩‍👩‍👧", "<b>&\"'")


@dataclass(slots=True)
class Preview:
    """What one kind of channel made of it all."""

    kind: str
    sent: int = 0
    accepted: int = 0
    #: Why its stand-in refused something, or what the channel itself said.
    refusals: list[str] = field(default_factory=list)


def preview(screen: Screen, kinds: list[str], *, as_json: bool) -> int:
    """Show the ordinary message, try the worst ones; exit code 1 when one is refused."""
    _ = screen.text
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise Stop(USAGE, _("{option} takes {values}", option="KIND", values=", ".join(KINDS)))
    clock = SYSTEM_CLOCK
    shown = card(ordinary(clock.time()), _.tag)
    found = asyncio.run(_tried(kinds, _.tag, clock))
    if as_json:
        print_json(screen, {"card": asdict(shown), "channels": [asdict(each) for each in found]})
    else:
        _render(screen, shown, found)
    return FAILED if any(each.refusals for each in found) else OK


async def _tried(kinds: list[str], language: str, clock: Clock) -> list[Preview]:
    async with AsyncExitStack() as stack:
        clients = OutwardClients(clock)
        stack.push_async_callback(clients.close)
        deps = ChannelDeps(clock, random.Random(0), clients)  # noqa: S311 - jitter, nothing secret
        receivers = await stack.enter_async_context(local_receivers(*kinds, language=language))
        make_id = ulid_source(clock, random.Random(0))  # noqa: S311 - names, nothing secret

        async def one(kind: str, local: Local) -> Preview:
            channel = build(kind, local.options, deps)
            told = Preview(kind)
            for notice in (ordinary(clock.time()), *worst(clock.time())):
                told.sent += 1
                message = Message(make_id(), notice, card(notice, language), clock.time())
                outcome = await channel.send(message)
                if isinstance(outcome, Delivered):
                    told.accepted += 1
                elif len(told.refusals) < _SHOWN:
                    told.refusals.append(getattr(outcome, "reason", "") or type(outcome).__name__)
            await channel.close()
            told.refusals += local.refusals()[:_SHOWN]
            return told

        return list(await asyncio.gather(*(one(kind, local) for kind, local in receivers.items())))


def ordinary(at: float) -> Notice:
    """An alert as it comes on most days."""
    return Notice(
        event_id="preview", kind=NoticeKind.FIRED, severity=Severity.CRITICAL, at=at, title="success_rate",
        content="Too few attempts succeed.", rule="success_rate", fingerprint="0" * 32, episode="0" * 26, number=1,
        labels={"api": "odds_prime", "hub": "hub"}, metric="success_rate", operator="<", value=54.2, threshold=60.0,
        window=300.0, started_at=at, runbook="https://example.com/runbooks/success-rate",
    )  # fmt: skip  # a row reads as a table


def worst(at: float) -> Iterator[Notice]:
    """Alerts that are as bad as content can be: every length of everything, in every place that takes texts."""
    tried = [(stuff, length) for stuff in _STUFF for length in _LENGTHS] + [(stuff, _HUGE) for stuff in _HUGE_OF]
    for number, (stuff, length) in enumerate(tried):
        text = (stuff * (length // len(stuff) + 1))[:length]
        yield Notice(
            event_id=f"preview{number}", kind=NoticeKind.RESOLVED if number % 3 == 2 else NoticeKind.FIRED,
            severity=Severity.WARNING, at=at, title=text, content=text, rule=text[:200], fingerprint=f"{number:032x}",
            episode=f"{number:026}", number=1, labels={"api": text[:5000]}, started_at=at - 60, ended_at=at,
            reason=text, actor=text[:200], facts={text[:300] or "x": text[:5000]}, runbook=text[:2000],
        )  # fmt: skip  # a row reads as a table


def _render(screen: Screen, shown: Card, found: list[Preview]) -> None:
    _ = screen.text
    screen.line(Text(safe(shown.title, 300), "name"))
    for paragraph in shown.paragraphs:
        screen.line(f"  {safe(paragraph, 1000)}")
    for each in shown.fields:
        screen.line(Text.assemble((f"  {safe(each.name)}: ", "quiet"), safe(each.value, 300)))
    screen.line()
    table = screen.table(_("Channel"), _("Tried"), _("Accepted"), _("Result"), numbers=(1, 2))
    for told in found:
        good = not told.refusals
        result = Text("✓ " + _("works"), "good") if good else Text("✗ " + _("fails"), "bad")
        table.add_row(Text(told.kind, "name"), screen.number(told.sent), screen.number(told.accepted), result)
    screen.console.print(table)
    for told in found:
        for reason in told.refusals:
            screen.line(Text.assemble((f"{told.kind}: ", "name"), safe(reason, 400)))
