# ruff: noqa: D102, S101 - a suite: its names are its documentation, its asserts its content
"""What every `Channel` promises, as a suite: a subclass named `Test…` provides the `probe` fixture.

class TestMine(ChannelContract):
    @pytest.fixture
    async def probe(self):
        async with MyService() as service:
            yield MyProbe(service)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import pytest

from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.notifications.message import (
    Card,
    CardAction,
    CardField,
    Degrade,
    Delivered,
    Message,
    Outcome,
    PerRecipient,
    Rejected,
    Retry,
)
from understudy.notifications.ports import Channel

from .clock import FakeClock

NOON = 1_800_000_000.0
#: What strangers put into texts: every plane, both directions, line ends, a NUL, half a character, markup.
STRANGE = (
    "é 東京 \U0001f468\u200d\U0001f469 \u202eabc '\"\\%_*<b>&amp; @everyone <!channel>"
    "\r\nBcc: a@b\r\n.\r\n\x00\x1b[31m\ud83d"
)
#: Turns of the loop that are enough for anything that needs no time, and for what a thread does meanwhile.
_TURNS = 500_000


class ChannelProbe(Protocol):
    """A channel before a service that does as it is told; both on one clock."""

    @property
    def channel(self) -> Channel:
        """The channel."""

    @property
    def clock(self) -> FakeClock:
        """The clock that the channel was made with."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What of its configuration must never be shown."""

    def fail(self) -> None:
        """The next message meets a failure that passes."""

    def hang(self) -> None:
        """The next message meets silence."""

    def reached(self) -> int:
        """How often the service was spoken to."""

    def accepted(self) -> int:
        """How many messages the service has, repeats and all."""


def message(kind: NoticeKind = NoticeKind.FIRED, text: str = "odds fails") -> Message:
    """A message about an alert, in which a stranger's text stands wherever one can."""
    notice = Notice(
        f"event-{kind}", kind, Severity.CRITICAL, NOON, text, text, "rule", "f" * 32, "01JEPISODE", 1,
        labels={"api": text}, reason=text, actor=text, facts={text or "fact": text}, started_at=NOON - 60,
    )  # fmt: skip
    fields = (CardField(text, text), CardField("since", "noon", short=False))
    actions = (CardAction("Details", "https://understudy.example/a?b=1&c=2"),)
    card = Card(text, text, Severity.CRITICAL, kind, "en", NOON, (text, text), fields, actions, (text,), text)
    return Message(f"01JROW{kind.value[:12].upper():0<20}", notice, card, NOON, root="01JEPISODE")


def parts(outcome: Outcome) -> list[Outcome]:
    """The outcome, or those of its recipients."""
    return list(outcome.outcomes.values()) if isinstance(outcome, PerRecipient) else [outcome]


async def until(true: Callable[[], bool]) -> None:
    """Let others run until something is so."""
    for _ in range(_TURNS):
        if true():
            return
        await asyncio.sleep(0)  # noqa: TID251 - lets others run; no time passes
    raise AssertionError("it never came about")


class ChannelContract:
    """Derive from it, and provide `probe`."""

    async def test_a_message_arrives(self, probe: ChannelProbe) -> None:
        outcome = await probe.channel.send(message())
        assert all(isinstance(each, Delivered) for each in parts(outcome)), outcome
        assert probe.accepted() >= 1

    @pytest.mark.parametrize("kind", list(NoticeKind))
    @pytest.mark.parametrize("plain", [False, True])
    async def test_every_kind_of_notice_is_understood(self, probe: ChannelProbe, kind: NoticeKind, plain: bool) -> None:
        outcome = await probe.channel.send(replace(message(kind), plain=plain))
        assert all(isinstance(each, Delivered) for each in parts(outcome)), outcome

    @pytest.mark.parametrize("text", ["", " ", STRANGE, STRANGE * 500, "x" * 70_000], ids=lambda text: f"{len(text)}")
    async def test_any_text_is_understood(self, probe: ChannelProbe, text: str) -> None:
        outcome = await probe.channel.send(message(text=text))
        assert all(isinstance(each, Delivered) for each in parts(outcome)), outcome

    async def test_a_failure_that_passes_is_for_now_and_then_it_arrives(self, probe: ChannelProbe) -> None:
        probe.fail()
        outcome = await probe.channel.send(message())
        assert any(isinstance(each, Retry) for each in parts(outcome)), outcome
        assert not any(isinstance(each, Degrade | Rejected) for each in parts(outcome)), outcome
        again = await probe.channel.send(replace(message(), attempt=2, repeat=True))
        assert all(isinstance(each, Delivered) for each in parts(again)), again

    async def test_silence_is_given_up_within_the_time_out_and_may_have_been_heard(self, probe: ChannelProbe) -> None:
        probe.hang()
        before = probe.reached()
        sending = asyncio.ensure_future(probe.channel.send(message()))
        await until(lambda: probe.reached() > before)
        await probe.clock.advance(probe.channel.traits.timeout + 0.1)
        outcome = await sending
        assert any(isinstance(each, Retry) and each.ambiguous for each in parts(outcome)), outcome

    async def test_a_send_that_is_cancelled_ends(self, probe: ChannelProbe) -> None:
        probe.hang()
        before = probe.reached()
        sending = asyncio.ensure_future(probe.channel.send(message()))
        await until(lambda: probe.reached() > before)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert isinstance(await probe.channel.send(message()), Delivered | PerRecipient)

    async def test_messages_may_be_sent_at_the_same_time(self, probe: ChannelProbe) -> None:
        messages = [replace(message(), id=f"01JROW{number:020}") for number in range(3)]
        outcomes = await asyncio.gather(*(probe.channel.send(each) for each in messages))
        assert all(isinstance(each, Delivered) for outcome in outcomes for each in parts(outcome)), outcomes

    async def test_nothing_that_it_shows_holds_a_secret(self, probe: ChannelProbe) -> None:
        probe.fail()
        shown = repr([await probe.channel.send(message()), await probe.channel.send(message()), probe.channel.traits])
        for secret in probe.secrets:
            assert secret not in shown

    async def test_what_it_is_like_does_not_change(self, probe: ChannelProbe) -> None:
        traits = probe.channel.traits
        await probe.channel.send(message())
        assert probe.channel.traits == traits
        assert traits.kind
        assert traits.destination
        assert traits.timeout > 0

    async def test_closing_twice_does_no_harm(self, probe: ChannelProbe) -> None:
        await probe.channel.send(message())
        await probe.channel.close()
        await probe.channel.close()
