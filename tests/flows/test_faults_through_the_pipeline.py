"""Faults × channels, with the dispatcher: everything is delivered or given up with a reason, and never too early.

All services stand before their own receivers over real sockets and suffer at the same time; a channel in memory
beside them works, and must not notice. Time is fake: it goes on when nobody has anything left to do.
"""

from __future__ import annotations

import asyncio
import base64
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from email.utils import formatdate

import pytest

from channel_kit import AT, channel
from flows.channel_cases import ANA, CASES, SIGNING, mail_options
from understudy.core.outbox import RowState
from understudy.core.secrets import Secret
from understudy.testing.receivers import DROP_AFTER, DROP_BEFORE, GARBAGE, HANG, SLOW, SmtpReceiver
from understudy.testing.receivers.base import redirect, status
from understudy.testing.receivers.smtp import drops, hangs, says
from unit.pipeline import Bench, alert

ALERTS = 4
HTTP = {case.name: case for case in CASES}
NAMES = (*HTTP, "email")


class Services:
    """Every service with its channel, on one bench."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.receivers = {}

    async def go_on(self, seconds: float, step: float) -> None:
        """Let time pass in steps, and all that can happen in each of them happen."""
        for _ in range(max(1, round(seconds / step))):
            await self.settle()
            await self.bench.clock.advance(step)
        await self.settle()

    async def settle(self) -> None:
        """Sockets on loopback are ready at once: what has not moved for so many turns waits for time."""
        for _ in range(60):
            await asyncio.sleep(0)

    def seen(self, name: str) -> int:
        """How many messages a person sees, repeats and all."""
        receiver = self.receivers[name]
        return receiver.copies(ANA) if name == "email" else HTTP[name].seen(receiver)

    def unsettled(self, rows) -> list[str]:
        return [f"{row.channel} {row.state} {row.reason}" for row in rows if row.state is RowState.PENDING]


@asynccontextmanager
async def services(**options):
    bench = Bench("steady")
    async with asyncio.timeout(60), _opened(bench, options) as made:
        await bench.start()
        try:
            yield made
        finally:
            await bench.stop()


@asynccontextmanager
async def _opened(bench, options):
    made = Services(bench)
    async with AsyncExitStack() as stack:
        channels = dict(bench.channels)
        for name, case in HTTP.items():
            at = made.receivers[name] = await stack.enter_async_context(case.receiver(clock=bench.clock))
            channels[name] = await stack.enter_async_context(channel(case.options(at, **options), clock=bench.clock))
        at = made.receivers["email"] = await stack.enter_async_context(SmtpReceiver())
        channels["email"] = await stack.enter_async_context(channel(mail_options(at, **options), clock=bench.clock))
        bench.manager.set_channels(channels)
        yield made


async def told(made, *, severity="critical", first=60.0, then=0.0):
    """The rows of some alerts after so much time."""
    rows = await made.bench.tell(*(alert(f"api{number}", severity=severity) for number in range(ALERTS)))
    await made.go_on(first, 0.5)
    if then:
        await made.go_on(then, 30.0)
    return await made.bench.rows(rows)


FAULTS = {
    "429 in 7 s": (status(429, retry_after="7"), says("recipient", "451 4.7.0 slow down"), 7.0),
    "429 in 2.5 s": (status(429, retry_after="2.5"), says("sender", "421 4.7.0 slow down"), 2.5),
    "429 until a date": (
        status(429, retry_after=formatdate(AT + 40, usegmt=True)),
        says("data", "451 4.7.0 no"),
        -40.0,
    ),
    "429 without a word": (status(429), says("content", "452 4.3.1 full"), 0.0),
    "429 for 0 s": (status(429, retry_after="0"), says("hello", "421 4.3.2 no"), 0.0),
    "429 negative": (status(429, retry_after="-3"), says("greeting", "421 4.3.2 no"), 0.0),
    "500": (status(500), says("content", "451 4.3.0 trouble"), 0.0),
    "dropped before": (DROP_BEFORE, drops("recipient"), 0.0),
    "dropped after": (DROP_AFTER, drops("accepted"), 0.0),
    "silence": (HANG, hangs("content"), 0.0),
    "drip": (SLOW, hangs("greeting"), 0.0),
    "garbage": (GARBAGE, says("data", "<html>"), 0.0),
    "redirect": (redirect("http://127.0.0.1:1/"), drops("greeting"), 0.0),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_everything_arrives_in_the_end_and_nothing_before_its_time(name):
    http, mail, wait = FAULTS[name]
    async with services(timeout=2.0) as made:
        bench = made.bench
        for each, receiver in made.receivers.items():
            receiver.then(*[mail if each == "email" else http] * 3)
        rows = await told(made, first=60.0, then=600.0)
        assert not made.unsettled(rows)
        assert {row.state for row in rows} == {RowState.DELIVERED}, [row for row in rows if row.reason]
        for each in NAMES:
            if name != "garbage" or each != "webhook":  # to a webhook of one's own, any 200 is a success
                assert made.seen(each) >= ALERTS, each
            if each in ("pagerduty", "opsgenie"):
                assert made.seen(each) == ALERTS, "one incident for each alert"
        await never_early(bench, wait)
        await unhurt(bench, rows)
        await adds_up(bench, rows)


async def test_what_was_revoked_is_given_up_with_the_reason_and_its_service_left_alone(caplog):
    async with services() as made:
        for each, receiver in made.receivers.items():
            receiver.always = says("sender", "550 5.7.1 not you") if each == "email" else HTTP[each].revoked
        rows = await told(made, severity="info", first=30.0)
        assert {row.channel for row in rows if row.state is RowState.DELIVERED} == {"steady"}
        asked = {name: _asked(receiver) for name, receiver in made.receivers.items()}
        mails = asked.pop("email")
        assert set(asked.values()) == {1}, "one refusal is enough"
        assert mails <= 2, "but mail goes by two connections at once"
        await made.go_on(3700.0, 60.0)  # info is of no use to anybody after an hour
        rows = await made.bench.rows(rows)
        assert not made.unsettled(rows)
        given_up = [row for row in rows if row.channel != "steady"]
        assert {row.state for row in given_up} == {RowState.DEAD}
        assert all(row.reason for row in given_up)
        told_of = [record for record in caplog.records if record.getMessage().startswith("not delivered on")]
        assert len(told_of) == len(given_up), "each once"
        assert {name: _asked(receiver) for name, receiver in made.receivers.items()} == {**asked, "email": mails}
        await unhurt(made.bench, rows)


async def test_greylisting_and_a_full_mailbox_are_waited_out_for_those_alone():
    refusals = {"bea@example.com": ["550 5.1.1 unknown"], "cai@example.com": ["452 4.2.2 full"]}
    people = (ANA, "bea@example.com", "cai@example.com")
    async with SmtpReceiver(refusals=refusals) as at:
        bench = Bench("steady")
        async with channel(mail_options(at, to_emails=people), clock=bench.clock) as mail:
            made = Services(bench)
            bench.manager.set_channels({**bench.channels, "email": mail})
            await bench.start()
            try:
                [row] = await bench.tell(alert("api0"), targets=["email"])
                await made.go_on(60.0, 0.25)
                [row] = await bench.rows([row])
            finally:
                await bench.stop()
    assert [at.copies(each) for each in people] == [1, 0, 1]
    assert row.state is RowState.DEAD, "somebody does not have it, and it can be seen who"
    assert "bea@example.com" in row.reason
    assert row.recipients == ("bea@example.com",)


async def test_a_secret_that_changes_while_messages_wait_signs_what_follows():
    """A4, 58: the receiver has the new secret already, and the configuration follows with a reload."""
    old = "whsec_" + base64.b64encode(b"o" * 32).decode()
    case = HTTP["webhook"]
    bench = Bench("steady")
    async with case.receiver(clock=bench.clock) as at:
        known, changed = (
            replace(case.options(at), secrets=tuple(map(Secret, each))) for each in ([old], [SIGNING, old])
        )
        async with channel(known, clock=bench.clock) as before, channel(changed, clock=bench.clock) as after:
            made = Services(bench)
            bench.manager.set_channels({**bench.channels, "webhook": before})
            await bench.start()
            try:
                rows = await bench.tell(*(alert(f"api{number}") for number in range(ALERTS)), targets=["webhook"])
                await made.go_on(5.0, 0.5)
                assert not at.accepted
                assert at.refusals
                bench.manager.set_channels({**bench.channels, "webhook": after})
                await made.go_on(120.0, 0.5)
                rows = await bench.rows(rows)
            finally:
                await bench.stop()
    assert {row.state for row in rows} == {RowState.DELIVERED}
    assert len(at.accepted) == ALERTS
    assert all(len(each.headers["webhook-signature"].split()) == 2 for each in at.requests[-ALERTS:])


def _asked(receiver) -> int:
    return receiver.connections if isinstance(receiver, SmtpReceiver) else len(receiver.requests)


async def never_early(bench, wait):
    """After a 429 its destination got nothing until the time was over that the service asked for.

    `wait` is seconds from the answer, or below zero the moment itself, counted from the beginning.
    """
    log = sorted((attempt for _, attempt in await bench.store.attempts(10_000)), key=lambda attempt: attempt.at)
    for each in NAMES:
        held = 0.0
        for attempt in (one for one in log if one.channel == each):
            assert attempt.at >= held, (each, attempt)
            if attempt.status == 429:
                held = (attempt.at + attempt.seconds + wait if wait >= 0 else AT - wait) - 0.01


async def unhurt(bench, rows):
    """The channel that works has everything at once, as if there were no others."""
    ours = {row.id for row in rows}
    log = await bench.store.attempts(1000, channel="steady")
    delays = [attempt.since_detected for _, attempt in log if attempt.row in ours]
    assert len(delays) == ALERTS
    assert max(delays) < 0.1, delays


async def adds_up(bench, rows):
    """A3.13: what was to be told is delivered, told within another, kept quiet, given up or still under way."""
    account = await bench.manager.accounting(0.0, bench.clock.time() + 1)
    assert account.missing == 0
    assert account.rows == len(rows)
    assert account.pending == 0
