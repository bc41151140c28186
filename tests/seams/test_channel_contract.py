"""Every channel keeps what channels promise."""

from __future__ import annotations

import pytest

from channel_kit import AT, channel
from flows.channel_cases import ANA, CASES, mail_options
from understudy.channels.apprise import AppriseOptions
from understudy.core.secrets import Secret
from understudy.notifications.message import Retry
from understudy.testing import ChannelContract, FakeClock
from understudy.testing.memory_channel import HANGS, MemoryChannel
from understudy.testing.receivers import HANG, Receiver, Reply, SmtpReceiver, status
from understudy.testing.receivers.smtp import hangs, says


class OverHttp:
    """A channel before a receiver of HTTP."""

    def __init__(self, receiver, made, clock, secrets=()):
        self.receiver, self.channel, self.clock, self.secrets = receiver, made, clock, secrets

    def fail(self):
        self.receiver.then(status(503))

    def hang(self):
        self.receiver.then(HANG)

    def reached(self):
        return len(self.receiver.requests)

    def accepted(self):
        return len(getattr(self.receiver, "accepted", self.receiver.requests))


class TestHttpChannels(ChannelContract):
    @pytest.fixture(params=CASES, ids=str)
    async def probe(self, request):
        clock, case = FakeClock(epoch=AT), request.param
        async with case.receiver(clock=clock) as receiver, channel(case.options(receiver), clock=clock) as made:
            held = [
                getattr(case.options(receiver), name, None) for name in ("url", "bot_token", "routing_key", "api_key")
            ]
            yield OverHttp(receiver, made, clock, tuple(each.reveal() for each in held if each))


class TestEmail(ChannelContract):
    class Probe(OverHttp):
        def fail(self):
            self.receiver.then(says("data", "451 4.3.0 later"))

        def hang(self):
            self.receiver.then(hangs("content"))

        def reached(self):
            return self.receiver.commands.count("DATA")

        def accepted(self):
            return self.receiver.copies(ANA)

    @pytest.fixture
    async def probe(self):
        clock = FakeClock(epoch=AT)
        async with SmtpReceiver() as receiver, channel(mail_options(receiver), clock=clock) as made:
            yield self.Probe(receiver, made, clock)
            assert not receiver.faults


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
class TestApprise(ChannelContract):
    class Service(Receiver):
        def answer(self, request):
            return Reply(200)

    @pytest.fixture
    async def probe(self):
        clock, secret = FakeClock(epoch=AT), "token-of-nothing-real"
        async with self.Service(clock=clock) as receiver:
            # A call that was cut off goes on in its thread, and those behind it wait until it gives up by itself.
            url = f"json://127.0.0.1:{receiver.port}/{secret}?rto=0.2&cto=0.2"
            options = AppriseOptions(urls=(Secret(url),), allow_private=True)
            async with channel(options, clock=clock) as made:
                yield OverHttp(receiver, made, clock, (secret,))


class TestMemoryChannel(ChannelContract):
    """All but its time-out, which is the dispatcher's business where nothing is really sent."""

    class Probe(OverHttp):
        def fail(self):
            self.channel.script.append(Retry("later"))

        def hang(self):
            self.channel.script.append(HANGS)

        def reached(self):
            return len(self.channel.sent)

        def accepted(self):
            return len(self.channel.delivered)

    @pytest.fixture
    async def probe(self):
        clock = FakeClock(epoch=AT)
        yield self.Probe(None, MemoryChannel(clock=clock), clock)

    test_silence_is_given_up_within_the_time_out_and_may_have_been_heard = None
