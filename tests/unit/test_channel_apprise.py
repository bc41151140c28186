"""Whatever Apprise knows: its yes and no told as what they are, each URL by itself."""

from __future__ import annotations

import asyncio
import builtins
import threading

import pytest

from channel_kit import channel, message, notice, overdue
from understudy.channels.apprise import AppriseOptions
from understudy.core.errors import NotInstalled, OptionError
from understudy.core.notices import NoticeKind, Severity
from understudy.core.secrets import Secret
from understudy.notifications.message import Delivered, PerRecipient, Rejected, Retry
from understudy.testing import FakeClock
from understudy.testing.receivers import HANG, Received, Receiver, Reply
from understudy.testing.receivers.base import status

# Apprise imports what Python is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

TOKEN = "token-of-nothing-real"


class JsonReceiver(Receiver):
    """What Apprise's `json://` posts to."""

    def answer(self, request: Received) -> Reply:
        return Reply(200)


@pytest.fixture
async def server():
    async with JsonReceiver() as server:
        yield server


def options(*servers, **more):
    urls = tuple(Secret(f"json://127.0.0.1:{each.port}/{TOKEN}") for each in servers)
    return AppriseOptions(**{"urls": urls, "allow_private": True, **more})


async def sent(opts, *messages):
    async with channel(opts) as made:
        outcomes = [await made.send(each) for each in messages or (message(),)]
    return outcomes[0] if len(outcomes) == 1 else outcomes


async def test_the_message_arrives_as_plain_text(server):
    outcome = await sent(options(server), message(notice(title="<b>odds</b>", content="a & b")))
    assert isinstance(outcome, Delivered)
    [request] = server.requests
    found = request.json()
    assert "<b>odds</b>" in found["title"]
    assert "a & b" in found["message"]


@pytest.mark.parametrize(
    ("kind", "severity", "expected"),
    [
        (NoticeKind.FIRED, Severity.CRITICAL, "failure"),
        (NoticeKind.FIRED, Severity.WARNING, "warning"),
        (NoticeKind.FIRED, Severity.INFO, "info"),
        (NoticeKind.RESOLVED, Severity.CRITICAL, "success"),
    ],
)
async def test_apprise_is_told_how_bad_it_is(server, kind, severity, expected):
    await sent(options(server), message(notice(kind, severity)))
    assert server.requests[0].json()["type"] == expected


async def test_a_no_is_for_now_may_have_arrived_and_says_what_apprise_logged(server):
    server.then(status(500, f"{TOKEN} broke"))
    outcome = await sent(options(server))
    assert isinstance(outcome, Retry)
    assert outcome.ambiguous
    assert "500" in outcome.reason
    assert TOKEN not in repr(outcome)


async def test_nobody_there_is_for_now(server):
    async with JsonReceiver() as gone:
        opts = options(gone)
    assert isinstance(await sent(opts), Retry)


async def test_each_url_has_an_outcome_and_who_has_it_is_not_sent_it_again(server):
    async with JsonReceiver() as other:
        other.then(status(500))
        opts = options(server, other)
        first = await sent(opts)
        assert isinstance(first, PerRecipient)
        assert sorted(type(each).__name__ for each in first.outcomes.values()) == ["Delivered", "Retry"]
        left = tuple(name for name, each in first.outcomes.items() if isinstance(each, Retry))
        second = await sent(opts, message(recipients=left))
    assert isinstance(second.outcomes[left[0]], Delivered)
    assert (len(server.requests), len(other.requests)) == (1, 2)


async def test_who_is_no_recipient_any_more_is_not_replaced_by_everybody(server):
    assert isinstance(await sent(options(server), message(recipients=("json:00000000",))), Rejected)
    assert not server.requests


async def test_a_call_that_hangs_delays_nobody_else_and_is_given_up_in_time(server):
    clock = FakeClock()
    server.then(HANG)
    async with channel(options(server, timeout=3.0), clock=clock) as made:
        sending = made.send(message())
        outcome = await overdue(clock, sending, 3.1, lambda: len(server.requests) == 1)
    assert isinstance(outcome, Retry)
    assert outcome.ambiguous


async def test_a_plug_in_that_raises_says_no(server):
    class Broken:
        def notify(self, **values):
            raise RuntimeError(f"password={TOKEN}")

    async with channel(options(server)) as made:
        made._services = dict.fromkeys(made._services, Broken())
        outcome = await made.send(message())
    assert isinstance(outcome, Retry)
    assert "RuntimeError" in outcome.reason
    assert TOKEN not in repr(outcome)


async def test_the_loop_goes_on_while_apprise_works(server):
    seen = []

    class Slow:
        def notify(self, **values):
            seen.append(threading.current_thread() is not threading.main_thread())
            return True

    async with channel(options(server)) as made:
        made._services = dict.fromkeys(made._services, Slow())
        assert isinstance(await made.send(message()), Delivered)
    assert seen == [True]


async def test_what_it_is_called_shows_no_token(server):
    async with channel(options(server)) as made:
        assert TOKEN not in repr(made.traits)
        assert made.traits.recipients[0].startswith("json:")


@pytest.mark.parametrize("url", ["", "no url", "unknown-scheme://x", "json://", f"json://[::1/{TOKEN}"])
async def test_what_apprise_does_not_know_is_refused_unseen(url):
    with pytest.raises(OptionError, match="urls") as caught:
        await sent(AppriseOptions(urls=(Secret(url),), allow_private=True))
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("url", [
    "json://127.0.0.1/x", "gotify://localhost/AAAAAAAAAAAAAAA", "ntfy://10.1.2.3/topic",
    # What Apprise makes of a host that seems public is its own affair: a redirect, a name, a host in the query.
    "jsons://public.example/x", "mailtos://a:b@public.example?smtp=127.0.0.1",
])  # fmt: skip
async def test_our_own_network_is_out_of_reach_where_it_is_not_permitted(url):
    with pytest.raises(OptionError, match="allow_private"):
        await sent(AppriseOptions(urls=(Secret(url),), allow_private=False))


async def test_a_token_in_the_place_of_a_host_is_no_private_host():
    async with channel(AppriseOptions(urls=(Secret("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dVjs"),))) as made:
        assert made.traits.kind == "apprise"


@pytest.mark.parametrize("more", [{"ca_file": "/x.pem"}, {"proxy": Secret("http://p:1")}, {"urls": ()}])
def test_what_apprise_cannot_take_is_refused_when_it_is_configured(more):
    given = {"urls": (Secret("json://example.com/x"),), **more}
    with pytest.raises(OptionError):
        AppriseOptions(**given)


def test_without_apprise_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "apprise":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(NotInstalled, match=r"understudy\[apprise\]"):
        asyncio.run(sent(AppriseOptions(urls=(Secret("json://example.com/x"),))))
