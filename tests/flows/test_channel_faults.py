"""Faults × channels: whatever goes wrong on the way, the outcome says what is true, and so what must come next.

Every channel stands before its own strict receiver, over real sockets; time is fake. The same faults against the
dispatcher, with its waits and its dead letters, are in the tests of the pipeline.
"""

from __future__ import annotations

import json
from email.utils import formatdate

import pytest

from certificates import Authority
from channel_kit import AT, channel, message, overdue
from flows.channel_cases import ANA, BEA, CAI, CASES, json_fault, mail_options
from understudy.channels.webhook import PAUSE
from understudy.core.secrets import Secret
from understudy.notifications.message import Delivered, PerRecipient, Rejected, Retry
from understudy.testing import FakeClock
from understudy.testing.receivers import DROP_AFTER, DROP_BEFORE, GARBAGE, HANG, SLOW, Receiver, SmtpReceiver
from understudy.testing.receivers.base import Reply, redirect, status
from understudy.testing.receivers.smtp import drops, hangs, says

DAY = 24 * 3600.0
every_channel = pytest.mark.parametrize("case", CASES, ids=str)
AGAIN = message(attempt=2, repeat=True)


@pytest.fixture
def clock():
    return FakeClock(epoch=AT)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


async def outcomes(case, clock, faults, *messages, **more):
    """What the messages became, the first ones under the faults; and the receiver."""
    async with case.receiver(clock=clock) as at, channel(case.options(at, **more), clock=clock) as made:
        at.then(*faults)
        return [await made.send(each) for each in messages], at


# -- over HTTP ----------------------------------------------------------------------------------------


@every_channel
async def test_without_a_fault_it_arrives_once(case, clock):
    [outcome], at = await outcomes(case, clock, (), message())
    assert isinstance(outcome, Delivered)
    assert case.seen(at) == 1
    assert not at.refusals


@every_channel
@pytest.mark.parametrize(
    ("said", "after"),
    [
        ("7", 7.0),
        ("2.5", 2.5),
        ("0", 0.0),
        (formatdate(AT + 30, usegmt=True), 30.0),
        (None, None),
        ("-5", None),
        ("soon", None),
        (formatdate(AT - 30, usegmt=True), None),
        ("9" * 30, DAY),
        ("3601", 3601.0),
    ],
)
async def test_a_rate_limit_is_for_now_and_says_for_how_long(case, clock, said, after):
    """A4, 36: Retry-After whole, fractional, a date, missing, nothing, negative, absurd."""
    fault = status(429, **({"retry_after": said} if said is not None else {}))
    (outcome, again), at = await outcomes(case, clock, [fault], message(), AGAIN)
    assert isinstance(outcome, Retry)
    assert outcome.status == 429
    assert not outcome.ambiguous
    assert outcome.after == (PAUSE if after is None and case.name == "webhook" else after)
    assert isinstance(again, Delivered)
    assert case.seen(at) == 1


@every_channel
async def test_server_errors_are_for_now_however_many(case, clock):
    """A4, 37: 500 so many times, then 200."""
    faults = [status(code) for code in (500, 500, 503, 500)]
    found, at = await outcomes(case, clock, faults, *[message()] * 5)
    assert all(isinstance(each, Retry) and not each.ambiguous for each in found[:4])
    assert isinstance(found[4], Delivered)
    assert case.seen(at) == 1


@every_channel
async def test_a_connection_that_ends_unheard_may_have_been_heard(case, clock):
    """A4, 38: from here it cannot be told from the next."""
    (outcome, again), at = await outcomes(case, clock, [DROP_BEFORE], message(), AGAIN)
    assert isinstance(outcome, Retry)
    assert outcome.ambiguous
    assert isinstance(again, Delivered)
    assert case.seen(at) == 1


@every_channel
async def test_what_was_accepted_without_an_answer_is_sent_again_and_seen_once_where_the_service_knows_it(case, clock):
    """A4, 39."""
    (outcome, again), at = await outcomes(case, clock, [DROP_AFTER], message(), AGAIN)
    assert isinstance(outcome, Retry)
    assert outcome.ambiguous
    assert isinstance(again, Delivered)
    assert case.seen(at) == (1 if case.keyed else 2)


@every_channel
async def test_silence_is_given_up_in_time(case, clock):
    """A4, 40."""
    async with case.receiver(clock=clock) as at, channel(case.options(at, timeout=8.0), clock=clock) as made:
        at.then(HANG)
        outcome = await overdue(clock, made.send(message()), 8.1, lambda: len(at.requests) == 1)
    assert isinstance(outcome, Retry)
    assert outcome.ambiguous


@every_channel
async def test_an_answer_that_drips_is_given_up_in_time(case, clock):
    """A4, 41: each byte comes soon enough, the whole does not."""
    started = clock.monotonic()
    (outcome, again), at = await outcomes(case, clock, [SLOW], message(), AGAIN, timeout=2.0)
    assert isinstance(outcome, Retry)
    assert outcome.ambiguous
    assert clock.monotonic() - started < 10.0
    assert isinstance(again, Delivered)
    assert case.seen(at) == (1 if case.keyed else 2)


@every_channel
async def test_a_page_in_place_of_the_service_is_no_success(case, clock):
    """A4, 42."""
    [outcome], at = await outcomes(case, clock, [GARBAGE], message())
    assert type(outcome) is (Delivered if case.trusting else Retry)
    assert case.seen(at) == 0


@every_channel
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(case, clock, code):
    """A4, 43: what is sent holds secrets, and is for nobody else."""

    class Elsewhere(Receiver):
        def answer(self, request):
            return Reply(200, b"ok")

    async with Elsewhere() as elsewhere:
        [outcome], at = await outcomes(case, clock, [redirect(elsewhere.base + "/stolen", code)], message())
    assert isinstance(outcome, Retry)
    assert elsewhere.connections == 0
    assert len(at.requests) == 1


@every_channel
async def test_what_was_revoked_is_not_tried_again(case, clock):
    """A4, 52."""
    [outcome], _ = await outcomes(case, clock, [case.revoked], message())
    assert isinstance(outcome, Rejected)
    assert outcome.scope == "endpoint"


@every_channel
async def test_nobody_there_is_for_now_and_not_ambiguous(case, clock):
    async with case.receiver(clock=clock) as at:
        options = case.options(at)
    async with channel(options, clock=clock) as made:
        outcome = await made.send(message())
    assert isinstance(outcome, Retry)
    assert not outcome.ambiguous


@every_channel
@pytest.mark.parametrize(
    ("names", "fault", "kind"),
    [((), {}, Delivered), ((), {"expired": True}, Retry), ((), {"self_signed": True}, Retry),
     (("x.example",), {}, Retry)],
    ids=["good", "expired", "self-signed", "another name"],
)  # fmt: skip
async def test_nothing_is_sent_to_whom_the_certificate_does_not_vouch_for(case, clock, authority, names, fault, kind):
    """A4, 66."""
    tls = authority.server(*names, **fault)
    async with (
        case.receiver(clock=clock, tls=tls) as at,
        channel(case.options(at, ca_file=authority.ca_file), clock=clock) as made,
    ):
        outcome = await made.send(message())
    assert type(outcome) is kind
    assert case.seen(at) == (kind is Delivered)
    if kind is Retry:
        assert "certificate" in outcome.reason
        assert not outcome.ambiguous
        assert not at.requests


@every_channel
async def test_no_outcome_holds_a_secret_that_the_service_throws_back(case, clock):
    async with case.receiver(clock=clock) as at:
        options = case.options(at)
        secrets = [each.reveal() for each in _secrets(options)]
        said = " ".join(["bad request with", *secrets, "and"])
        errors = json.dumps({"errors": [said], "message": said, "description": said, "ok": False, "error_code": 400})
        by_field = json.dumps({"errors": {"alias": said}, "message": said})
        for fault in (status(500, said), status(400, said), status(429, said), case.revoked, DROP_BEFORE):
            at.then(fault, json_fault(400, errors), json_fault(422, by_field))
        async with channel(options, clock=clock) as made:
            found = [await made.send(message(plain=True)) for _ in range(15)]
    assert secrets
    for secret in secrets:
        assert secret not in repr(found)


def _secrets(options):
    for name in ("url", "bot_token", "routing_key", "api_key", "secrets"):
        value = getattr(options, name, ())
        yield from [value] if isinstance(value, Secret) else value


# -- by mail ------------------------------------------------------------------------------------------


async def mailed(faults, *messages, receiver=None, **more):
    async with receiver or SmtpReceiver() as at, channel(mail_options(at, **more)) as made:
        at.then(*faults)
        return [await made.send(each) for each in messages], at


@pytest.mark.parametrize("place", ["greeting", "hello", "sender", "recipient", "data", "content"])
@pytest.mark.parametrize("answer", ["421 4.3.2 closing", "450 4.2.0 busy", "451 4.3.0 trouble", "452 4.3.1 full"])
async def test_a_mail_server_s_not_now_is_for_now_wherever_it_is_said(place, answer):
    (outcome, again), at = await mailed([says(place, answer)], message(), AGAIN)
    told = outcome.outcomes[ANA] if isinstance(outcome, PerRecipient) else outcome
    assert isinstance(told, Retry)
    assert not told.ambiguous
    assert isinstance(again, Delivered)
    assert at.copies(ANA) == 1


@pytest.mark.parametrize(
    ("place", "ambiguous", "copies"),
    [("greeting", False, 1), ("sender", False, 1), ("recipient", False, 1), ("data", False, 1), ("content", True, 1),
     ("accepted", True, 2)],
)  # fmt: skip
async def test_a_mail_server_that_hangs_up_has_the_mail_at_most_after_its_end(place, ambiguous, copies):
    (outcome, again), at = await mailed([drops(place)], message(), AGAIN)
    assert isinstance(outcome, Retry)
    assert outcome.ambiguous is ambiguous
    assert isinstance(again, Delivered)
    assert at.copies(ANA) == copies
    assert len({mail.message["Message-ID"] for mail in at.mails}) == 1, "readers show one"


@pytest.mark.parametrize(("place", "ambiguous"), [("greeting", False), ("content", True)])
async def test_a_mail_server_that_falls_silent_is_given_up_in_time(clock, place, ambiguous):
    async with SmtpReceiver() as at, channel(mail_options(at, timeout=8.0), clock=clock) as made:
        at.then(hangs(place))
        far = 0 if place == "greeting" else 4
        reached = lambda: at.connections == 1 and len(at.commands) == far  # noqa: E731 - one look, told by its name
        outcome = await overdue(clock, made.send(message()), 8.1, reached)
    assert isinstance(outcome, Retry)
    assert outcome.ambiguous is ambiguous


async def test_a_partial_refusal_sends_again_to_nobody_who_has_it():
    """A4, 65: 550 + 452 + accepted."""
    receiver = SmtpReceiver(refusals={ANA: ["550 5.1.1 unknown"], BEA: ["452 4.2.2 full"]})
    (first, second), at = await mailed(
        [], message(), message(recipients=(BEA,), attempt=2), receiver=receiver, to_emails=(ANA, BEA, CAI)
    )
    kinds = {address: type(each) for address, each in first.outcomes.items()}
    assert kinds == {ANA: Rejected, BEA: Retry, CAI: Delivered}
    assert {who: type(each) for who, each in second.outcomes.items()} == {BEA: Delivered}
    assert [at.copies(each) for each in (ANA, BEA, CAI)] == [0, 1, 1]


async def test_greylisting_is_waited_out_once():
    (first, second), at = await mailed([], message(), AGAIN, receiver=SmtpReceiver(greylist=True))
    assert isinstance(first.outcomes[ANA], Retry)
    assert isinstance(second, Delivered)
    assert at.copies(ANA) == 1


@pytest.mark.parametrize(
    ("names", "fault", "offer"),
    [((), {"expired": True}, True), ((), {"self_signed": True}, True), (("x.example",), {}, True), ((), {}, False)],
    ids=["expired", "self-signed", "another name", "STARTTLS stripped"],
)
async def test_a_mail_server_that_proves_nothing_is_told_nothing(authority, names, fault, offer):
    """A4, 66."""
    receiver = SmtpReceiver(tls=authority.server(*names, **fault), offer=offer)
    [outcome], at = await mailed([], message(), receiver=receiver, security="starttls", ca_file=authority.ca_file)
    assert isinstance(outcome, Rejected)
    assert outcome.scope == "endpoint"
    assert not any(command.startswith(("AUTH", "MAIL")) for command in at.commands)


async def test_a_revoked_login_is_not_tried_again(authority):
    receiver = SmtpReceiver(tls=authority.server(), users={"ana": "word of a test"})
    login = {"username": "ana", "password": Secret("revoked in a test")}
    [outcome], _ = await mailed(
        [], message(), receiver=receiver, security="starttls", ca_file=authority.ca_file, **login
    )
    assert isinstance(outcome, Rejected)
    assert (outcome.scope, outcome.status) == ("endpoint", 535)
    assert "revoked in" not in repr(outcome)
