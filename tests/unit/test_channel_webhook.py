"""Webhooks for programs: signed by every secret, once for each id, and small."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math

import pytest

from channel_kit import AT, channel, message, notice
from understudy.channels._fit import fitted, written
from understudy.channels.webhook import MAX_BODY, PAUSE, WebhookOptions
from understudy.core.errors import OptionError
from understudy.core.notices import NoticeKind
from understudy.core.secrets import Secret
from understudy.notifications.message import Delivered, Rejected, Retry
from understudy.testing import FakeClock
from understudy.testing.receivers import DROP_AFTER, DROP_BEFORE, GARBAGE, WebhookReceiver
from understudy.testing.receivers.base import redirect, status


def secret(filling, size=24):
    """A signing secret that everybody can see to be none."""
    return "whsec_" + base64.b64encode(filling.encode() * size).decode()


OLD, NEW, OTHER = secret("o"), secret("n", 64), secret("x")


def options(server, *secrets, **more):
    values = {"url": Secret(server.url), "secrets": tuple(map(Secret, secrets or (NEW,))), "allow_private": True}
    return WebhookOptions(**{**values, **more})


async def sent(opts, *messages):
    async with channel(opts, clock=FakeClock(epoch=AT)) as made:
        outcomes = [await made.send(each) for each in messages or (message(),)]
    return outcomes[0] if len(outcomes) == 1 else outcomes


def receiver(*secrets, **more):
    return WebhookReceiver(*(secrets or (NEW,)), clock=FakeClock(epoch=AT), **more)


async def test_one_secret_signs_and_beside_several_each_does():
    for opts in ({"secret": Secret(NEW), "secrets": ()}, {"secret": Secret(OLD), "secrets": (Secret(NEW),)}):
        async with receiver() as server:
            assert isinstance(await sent(options(server, **opts)), Delivered)
        assert len(server.accepted) == 1


async def test_without_a_secret_nothing_is_signed():
    async with WebhookReceiver(clock=FakeClock(epoch=AT)) as server:
        assert isinstance(await sent(options(server, secrets=())), Delivered)
        assert "webhook-signature" not in {name.lower() for name in server.requests[0].headers}


async def test_a_receiver_finds_the_message_signed_and_complete():
    async with receiver() as server:
        outcome = await sent(options(server))
    assert isinstance(outcome, Delivered)
    [document] = server.accepted
    assert document["type"] == "alert.fired"
    assert document["timestamp"] == "2027-01-15T08:00:00.000Z"
    data = document["data"]
    assert (data["severity"], data["value"], data["labels"]["api"]) == ("critical", 54.2, "odds")
    assert data["dedup_key"] == notice().dedup_key
    assert data["message"]["title"] == "Critical: Success rate low · odds"
    assert not server.refusals


async def test_the_signature_is_the_standard_s_own():
    """The example of the specification's reference implementations, by hand."""
    async with receiver() as server:
        await sent(options(server))
    [request] = server.requests
    key = base64.b64decode(NEW.removeprefix("whsec_"))
    content = b".".join((request.headers["webhook-id"].encode(), b"1800000000", request.body))
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-timestamp"] == "1800000000"
    assert request.headers["webhook-signature"] == f"v1,{expected}"


@pytest.mark.parametrize("known", [(OLD,), (NEW,), (OLD, NEW)])
async def test_while_one_secret_replaces_another_receivers_of_either_are_served(known):
    """A4, 58: two signatures during rotation."""
    async with receiver(*known) as server:
        assert isinstance(await sent(options(server, NEW, OLD)), Delivered)
        assert isinstance(await sent(options(server, OTHER)), Retry)
    assert len(server.accepted) == 1
    assert server.requests[0].headers["webhook-signature"].count("v1,") == 2


async def test_a_repeat_has_the_same_id_and_a_new_time():
    async with receiver() as server:
        server.then(DROP_AFTER)
        first, second = await sent(options(server), message(), message(attempt=2, at=AT + 60))
    assert isinstance(first, Retry)
    assert first.ambiguous
    assert isinstance(second, Delivered)
    assert (len(server.accepted), server.repeats) == (1, 1)
    stamps = [int(request.headers["webhook-timestamp"]) for request in server.requests]
    assert stamps == [AT, AT + 60]


@pytest.mark.parametrize(
    ("fault", "kind", "after"),
    [
        (status(200, "whatever"), Delivered, None),
        (status(202), Delivered, None),
        (GARBAGE, Delivered, None),
        (status(400), Retry, None),
        (status(401), Retry, None),
        (status(404), Retry, None),
        (status(410), Rejected, None),
        (status(429), Retry, PAUSE),
        (status(429, retry_after="7"), Retry, 7.0),
        (status(429, retry_after="0"), Retry, 0.0),
        (status(502), Retry, PAUSE),
        (status(504), Retry, PAUSE),
        (status(500), Retry, None),
        (status(503, retry_after="120"), Retry, 120.0),
        (redirect("http://127.0.0.1:1/"), Retry, None),
        (redirect("http://127.0.0.1:1/", 308), Retry, None),
        (DROP_BEFORE, Retry, None),
    ],
    ids=str,
)
async def test_two_hundreds_are_success_410_ends_it_and_all_else_is_tried_again(fault, kind, after):
    async with receiver() as server:
        server.then(fault)
        outcome = await sent(options(server))
    assert type(outcome) is kind
    assert getattr(outcome, "after", None) == after
    assert getattr(outcome, "scope", "endpoint") == "endpoint"


async def test_a_header_for_the_receiver_s_own_gate_is_sent_and_never_shown():
    gate = "Bearer of-nothing-real-1"
    async with receiver() as server:
        server.then(status(400, f"you said {gate}"))
        outcome = await sent(options(server, authorization=Secret(gate)))
    assert server.requests[0].headers["authorization"] == gate
    assert gate not in repr(outcome)


@pytest.mark.parametrize("body", ["standard", "alertmanager"])
@pytest.mark.parametrize("kind", list(NoticeKind))
async def test_every_kind_of_notice_has_a_body_that_receivers_understand(body, kind):
    async with receiver(body=body) as server:
        outcome = await sent(options(server, format=body), message(notice(kind, ended_at=AT)))
    assert isinstance(outcome, Delivered), server.refusals


async def test_alertmanager_s_body_says_firing_and_resolved():
    async with WebhookReceiver(body="alertmanager") as server:
        opts = options(server, format="alertmanager", secrets=())
        await sent(opts, message(), message(notice(NoticeKind.RESOLVED, ended_at=AT + 9)))
    fired, resolved = server.accepted
    assert (fired["status"], resolved["status"]) == ("firing", "resolved")
    [alert], [end] = fired["alerts"], resolved["alerts"]
    assert alert["labels"] == {"alertname": "success_rate", "severity": "critical", "api": "odds", "route": "fixtures"}
    assert alert["endsAt"] == "0001-01-01T00:00:00Z"
    assert end["endsAt"] == "2027-01-15T08:00:09.000Z"
    assert alert["fingerprint"] == end["fingerprint"]
    assert "webhook-signature" not in server.requests[0].headers


@pytest.mark.parametrize("body", ["standard", "alertmanager"])
@pytest.mark.parametrize(
    "text",
    ["", "\0\r\n", "\ud800", "é" * 30_000, "\U0001f525" * 9_000, '"\\' * 50_000],
    ids=lambda text: ascii(text[:9]),
)
async def test_any_content_fits_and_keeps_its_beginning(body, text):
    many = {f"{number}{text[:300]}": text[:3_000] for number in range(300)}
    of = notice(
        title=f"first words {text}", content=text, labels=many, facts=many, value=math.nan, threshold=math.inf,
        members=tuple(("critical", text[:500]) for _ in range(500)), reason=text, runbook=text, actor=text,
    )  # fmt: skip
    async with receiver(body=body) as server:
        outcome = await sent(options(server, format=body), message(of))
    assert isinstance(outcome, Delivered), server.refusals
    [request] = server.requests
    assert len(request.body) <= MAX_BODY
    assert "first words" in json.dumps(server.accepted[0])


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_document_is_shortened_only_beyond_the_limit(more):
    document = {"type": "x", "data": {"text": "y" * 5_000}}
    size = len(written(document))
    found = fitted(document, size + more)
    assert len(written(found)) <= size + more
    assert ("truncated" in found) is (more < 0)
    assert (found == document) is (more >= 0)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "whsec_",
        "whsec_!!!",
        "not" + secret("a"),
        secret("a", 23),
        secret("a", 65),
        base64.b64encode(b"a" * 24).decode(),
    ],
)
def test_what_is_no_signing_secret_is_refused_unseen(value):
    with pytest.raises(OptionError, match="secrets") as caught:
        WebhookOptions(url=Secret("https://hooks.example.com/a"), secrets=(Secret(value),))
    assert len(value) < 8 or value not in str(caught.value)


@pytest.mark.parametrize("size", [24, 64])
def test_secrets_of_the_published_lengths_are_taken(size):
    WebhookOptions(url=Secret("https://hooks.example.com/a"), secrets=(Secret(secret("a", size)),))


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"secret": Secret("whsec_short")}, "secret:? "),
        ({"url": Secret("http://hooks.example.com/"), "allow_private": False}, "url"),
        ({"url": Secret("https://10.0.0.1/"), "allow_private": False}, "url"),
        ({"url": Secret("https://ana:pw@hooks.example.com/")}, "url"),
        ({"authorization": Secret("a\r\nb: c")}, "authorization"),
        ({"secrets": tuple(Secret(NEW) for _ in range(6))}, "secrets"),
    ],
)
def test_what_is_not_safe_or_cannot_work_is_refused_when_it_is_configured(more, field):
    given = {"url": Secret("https://hooks.example.com/a"), "secrets": (Secret(NEW),), **more}
    with pytest.raises(OptionError, match=field):
        WebhookOptions(**given)
