"""Mail: what is said to a server in which order, what its answers mean, and who is sent a mail again."""

from __future__ import annotations

import asyncio

import pytest
from aiosmtpd.smtp import SMTP

from certificates import Authority
from channel_kit import channel, message, notice, overdue
from tunnel import TunnelProxy
from understudy.channels._smtp import Server, deliver
from understudy.channels.email import EmailOptions
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.errors import OptionError
from understudy.core.notices import NoticeKind
from understudy.core.reach import PUBLIC, Reach
from understudy.core.secrets import Secret
from understudy.notifications.message import Delivered, PerRecipient, Receipt, Rejected, Retry
from understudy.testing import FakeClock
from understudy.testing.receivers.smtp import SmtpReceiver, drops, hangs, says

WORD = "sesame of a test"
ANA, BEA, CAI = "ana@example.com", "bea@example.com", "cai@example.com"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def options(server, authority=None, **more):
    values = {
        "host": "127.0.0.1", "port": server.port, "security": "starttls" if authority else "none",
        "ca_file": authority.ca_file if authority else "", "from_email": "Understudy <alerts@example.com>",
        "to_emails": (ANA,), "allow_private": True,
    }  # fmt: skip
    return EmailOptions(**{**values, **more})


async def sent(opts, of=None, **more):
    async with channel(opts) as mail:
        return await mail.send(of or message(**more))


# -- the way there ------------------------------------------------------------------------------------


@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "TLS at once"])
@pytest.mark.parametrize("methods", [("PLAIN",), ("LOGIN",), ("LOGIN", "PLAIN")], ids=str)
async def test_mail_goes_encrypted_and_under_our_name(authority, implicit, methods):
    tls = authority.server()
    async with SmtpReceiver(tls=tls, implicit=implicit, users={"ana": WORD}, methods=methods) as server:
        opts = options(server, authority, username="ana", password=Secret(WORD))
        if implicit:
            opts = options(server, authority, security="tls", username="ana", password=Secret(WORD))
        outcome = await sent(opts)
    [mail] = server.mails
    assert isinstance(outcome, Delivered)
    assert outcome.status == 250
    assert f"<{outcome.receipt.provider_id}>" == mail.message["Message-ID"]
    assert (mail.encrypted, mail.user) == (True, "ana")
    assert (mail.sender, mail.recipients) == ("alerts@example.com", (ANA,))
    assert not server.faults


async def test_a_plain_relay_of_our_own_is_used_when_it_is_configured_so():
    async with SmtpReceiver() as server:
        assert isinstance(await sent(options(server)), Delivered)
    assert not server.mails[0].encrypted


async def test_an_offer_of_encryption_that_is_missing_ends_it(authority):
    """A server without STARTTLS, or somebody on the way who takes the offer out: nothing is said in the clear."""
    async with SmtpReceiver(tls=authority.server(), offer=False, users={"ana": WORD}) as server:
        outcome = await sent(options(server, authority, username="ana", password=Secret(WORD)))
    assert isinstance(outcome, Rejected)
    assert outcome.scope == "endpoint"
    assert "STARTTLS" in outcome.reason
    assert {command.split()[0] for command in server.commands} <= {"EHLO", "QUIT"}


@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "TLS at once"])
@pytest.mark.parametrize(
    ("names", "fault"),
    [((), {"expired": True}), ((), {"self_signed": True}), (("another.example",), {})],
    ids=["expired", "self-signed", "another name"],
)
async def test_a_certificate_that_is_not_good_ends_it(authority, implicit, names, fault):
    async with SmtpReceiver(tls=authority.server(*names, **fault), implicit=implicit) as server:
        outcome = await sent(options(server, authority, security="tls" if implicit else "starttls"))
    assert isinstance(outcome, Rejected)
    assert outcome.scope == "endpoint"
    assert "certificate" in outcome.reason
    assert not server.mails


async def test_a_wrong_password_ends_it_and_is_not_shown(authority):
    async with SmtpReceiver(tls=authority.server(), users={"ana": "another"}) as server:
        outcome = await sent(options(server, authority, username="ana", password=Secret(WORD)))
    assert isinstance(outcome, Rejected)
    assert (outcome.scope, outcome.status) == ("endpoint", 535)
    assert WORD not in repr(outcome)


async def test_a_server_with_neither_plain_nor_login_ends_it(authority):
    async with SmtpReceiver(tls=authority.server(), users={"ana": WORD}, methods=("GSSAPI",)) as server:
        outcome = await sent(options(server, authority, username="ana", password=Secret(WORD)))
    assert isinstance(outcome, Rejected)
    assert outcome.scope == "endpoint"


async def test_mail_goes_through_a_proxy(authority):
    tls = authority.server("mail.example")
    async with SmtpReceiver(tls=tls) as server, TunnelProxy(aliases={"mail.example": server.port}) as proxy:
        opts = options(server, authority, host="mail.example", port=587, proxy=Secret(proxy.address))
        assert isinstance(await sent(opts), Delivered)
    assert proxy.tunnels == ["mail.example:587"]


async def test_a_proxy_that_refuses_is_no_fault_of_the_mail():
    async with SmtpReceiver() as server, TunnelProxy(refuse=502) as proxy:
        outcome = await sent(options(server, proxy=Secret(proxy.address)))
    assert isinstance(outcome, Retry)
    assert not outcome.ambiguous
    assert "the proxy answered 502" in outcome.reason


# -- what answers mean --------------------------------------------------------------------------------

FOR_NOW, FOR_GOOD = "451 4.3.0 later", "550 5.7.1 never"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (says("greeting", "421 4.3.2 too busy"), Retry),
        (says("greeting", "554 5.7.1 no service for you"), Retry),
        (says("hello", FOR_NOW), Retry),
        (says("sender", FOR_NOW), Retry),
        (says("sender", FOR_GOOD), "endpoint"),
        (says("sender", "552 5.3.4 too large"), "message"),
        (says("data", FOR_NOW), Retry),
        (says("data", "554 5.7.1 not this"), "message"),
        (says("content", FOR_NOW), Retry),
        (says("content", "421 4.3.2 shutting down"), Retry),
        (says("content", "550 5.7.1 spam"), "message"),
        (says("content", "hello"), Retry),
        (drops("greeting"), Retry),
        (drops("sender"), Retry),
        (drops("body"), Retry),
        (drops("content"), Retry),
        (drops("accepted"), Retry),
    ],
    ids=lambda value: f"{value.at} {value.do} {value.answer[:3]}" if hasattr(value, "at") else "",
)
async def test_what_is_for_now_is_tried_again_and_what_is_for_good_is_not(fault, expected):
    async with SmtpReceiver() as server:
        server.then(fault)
        outcome = await sent(options(server))
        if expected is Retry:
            assert isinstance(outcome, Retry)
            # Nobody can tell whether a server that fell silent behind the whole mail, or babbles, has kept it.
            heard = fault.answer[:1] in ("4", "5")
            assert outcome.ambiguous is (not heard and fault.at in ("body", "content", "accepted"))
        else:
            assert isinstance(outcome, Rejected)
            assert outcome.scope == expected
        assert isinstance(await sent(options(server)), Delivered)
    assert not server.faults


async def test_nobody_there_is_for_now():
    async with SmtpReceiver() as server:
        opts = options(server)
    outcome = await sent(opts)
    assert isinstance(outcome, Retry)
    assert not outcome.ambiguous


async def test_what_speaks_another_protocol_is_no_mail_server():
    async def answer(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        outcome = await sent(options(type("There", (), {"port": server.sockets[0].getsockname()[1]})))
    assert isinstance(outcome, Retry)
    assert not outcome.ambiguous


@pytest.mark.parametrize(("place", "ambiguous"), [("greeting", False), ("recipient", False), ("content", True)])
async def test_a_server_that_says_nothing_more_is_given_up_in_time(place, ambiguous):
    clock = FakeClock()
    async with SmtpReceiver() as server, channel(options(server, timeout=7.0), clock=clock) as mail:
        server.then(hangs(place))
        far = {"greeting": 0, "recipient": 3, "content": 4}[place]
        reached = lambda: server.connections == 1 and len(server.commands) == far  # noqa: E731 - one look, told by its name
        outcome = await overdue(clock, mail.send(message()), 7.1, reached)
    assert isinstance(outcome, Retry)
    assert outcome.ambiguous is ambiguous
    assert "7 s" in outcome.reason


async def test_a_cancelled_send_hangs_up():
    async with SmtpReceiver() as server, channel(options(server), clock=FakeClock()) as mail:
        server.then(hangs("sender"))
        task = asyncio.ensure_future(mail.send(message()))
        while len(server.commands) < 2:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while server.open:
            await asyncio.sleep(0)


# -- recipients ---------------------------------------------------------------------------------------


async def test_each_recipient_has_an_outcome_and_nobody_gets_a_mail_twice():
    """550 + 452 + accepted: the first is dead, the second is tried again, the third is done."""
    refusals = {ANA: ["550 5.1.1 unknown user"], BEA: ["452 4.2.2 mailbox full"]}
    async with SmtpReceiver(refusals=refusals) as server, channel(options(server, to_emails=(ANA, BEA, CAI))) as mail:
        outcome = await mail.send(message())
        assert isinstance(outcome, PerRecipient)
        assert isinstance(outcome.outcomes[ANA], Rejected)
        assert outcome.outcomes[ANA].scope == "message"
        assert isinstance(outcome.outcomes[BEA], Retry)
        assert isinstance(outcome.outcomes[CAI], Delivered)
        again = await mail.send(message(recipients=(BEA,)))
    assert isinstance(again, PerRecipient), "it says nothing of the others"
    assert {who: type(each) for who, each in again.outcomes.items()} == {BEA: Delivered}
    assert [server.copies(each) for each in (ANA, BEA, CAI)] == [0, 1, 1]
    first, second = server.mails
    assert first.message["Message-ID"] == second.message["Message-ID"]


async def test_greylisting_is_waited_out():
    async with SmtpReceiver(greylist=True) as server, channel(options(server, to_emails=(ANA, BEA))) as mail:
        outcome = await mail.send(message())
        assert isinstance(outcome, PerRecipient)
        assert all(isinstance(each, Retry) and not each.ambiguous for each in outcome.outcomes.values())
        assert "DATA" not in server.commands, "there is nobody to hand it over for"
        assert isinstance(await mail.send(message(recipients=(ANA, BEA), attempt=2)), Delivered)
    assert (server.copies(ANA), server.copies(BEA)) == (1, 1)


async def test_too_many_recipients_at_once_is_for_now():
    """RFC 5321, 4.5.3.1.10: 552 to a recipient is to be taken as 452."""
    async with SmtpReceiver(refusals={BEA: ["552 5.5.3 too many recipients"]}) as server:
        outcome = await sent(options(server, to_emails=(ANA, BEA)))
    assert isinstance(outcome.outcomes[BEA], Retry)
    assert isinstance(outcome.outcomes[ANA], Delivered)


async def test_a_server_that_closes_among_recipients_has_taken_nothing():
    async with SmtpReceiver(refusals={BEA: ["421 4.3.2 shutting down"]}) as server:
        outcome = await sent(options(server, to_emails=(ANA, BEA, CAI)))
    assert isinstance(outcome, Retry)
    assert not server.mails


async def test_a_mail_that_is_refused_for_good_is_refused_for_those_who_were_accepted():
    async with SmtpReceiver(refusals={ANA: [FOR_NOW]}) as server:
        server.then(says("content", "554 5.6.0 refused"))
        outcome = await sent(options(server, to_emails=(ANA, BEA)))
    assert isinstance(outcome.outcomes[ANA], Retry)
    assert isinstance(outcome.outcomes[BEA], Rejected)


async def test_who_is_no_recipient_any_more_is_not_replaced_by_everybody():
    async with SmtpReceiver() as server:
        outcome = await sent(options(server, to_emails=(BEA,)), recipients=(ANA,))
    assert isinstance(outcome, Rejected)
    assert not server.mails


async def test_a_mail_that_the_server_calls_too_large_is_not_even_begun():
    async with SmtpReceiver(max_size=100) as server:
        outcome = await sent(options(server))
    assert isinstance(outcome, Rejected)
    assert outcome.scope == "message"
    assert not any(command.startswith("MAIL") for command in server.commands)


# -- another server than ours -------------------------------------------------------------------------


async def test_a_server_by_others_understands_us_as_ours_does(authority):
    got = []

    class Keeps:
        async def handle_DATA(self, server, session, envelope):
            got.append(envelope)
            return "250 2.0.0 kept"

    tls, loop = authority.server(), asyncio.get_running_loop()
    there = await loop.create_server(
        lambda: SMTP(Keeps(), hostname="there.test", tls_context=tls, require_starttls=True, loop=loop), "127.0.0.1", 0
    )
    async with there:
        opts = options(type("There", (), {"port": there.sockets[0].getsockname()[1]}), authority)
        assert isinstance(await sent(opts), Delivered)
    async with SmtpReceiver(tls=tls) as ours:
        await sent(options(ours, authority))
    [theirs], [mail] = got, ours.mails
    assert theirs.content == mail.data
    assert (theirs.mail_from, theirs.rcpt_tos) == (mail.sender, list(mail.recipients))


# -- configuration ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["", "ana", "@example.com", "ana@", "ana@exa mple.com", "ana@example.com\r\nBcc: eva@example.com", "a@b@c",
     "ana@-bad.example", "ana@example..com", "<ana@example.com", "Ana <x> <ana@example.com>", "x" * 65 + "@example.com",
     "ana@[127.0.0.1]", '"ana b"@example.com', "ana\0@example.com", "аna@example.com",
     "ana@example.com, b@example.com"],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("field", ["from_email", "to_emails"])
def test_what_is_not_one_plain_address_is_refused(address, field):
    given = {
        "from_email": "a@example.com",
        "to_emails": (ANA,),
        field: address if field == "from_email" else (address,),
    }
    with pytest.raises(OptionError, match=field):
        EmailOptions(host="mail.example.com", **given)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"security": "none", "allow_private": True, "username": "ana"}, "security"),
        ({"security": "none", "allow_private": False}, "security"),
        ({"host": "127.0.0.1", "allow_private": False}, "host"),
        ({"host": "mail.example.com\r\nQUIT"}, "host"),
        ({"hello": "my host"}, "hello"),
        ({"to_emails": ()}, "to_emails"),
        ({"to_emails": (ANA, "Ana <ana@EXAMPLE.com>")}, "to_emails"),
        ({"to_emails": tuple(f"{n}@example.com" for n in range(101))}, "to_emails"),
        ({"port": 65536}, "port"),
    ],
)
def test_what_cannot_work_or_is_not_safe_is_refused_when_it_is_configured(more, field):
    given = {"host": "mail.example.com", "from_email": "a@example.com", "to_emails": (ANA,), **more}
    with pytest.raises(OptionError, match=field):
        EmailOptions(**given)


def test_a_domain_with_accents_is_written_as_the_wire_has_it():
    async def built():
        opts = EmailOptions(host="mail.example.com", from_email="a@example.com", to_emails=("ana@café.example",))
        async with channel(opts) as mail:
            return mail.traits

    assert asyncio.run(built()).recipients == ("ana@xn--caf-dma.example",)


@pytest.mark.parametrize(("security", "port"), [("tls", 465), ("starttls", 587)])
async def test_the_port_follows_from_the_encryption(security, port):
    opts = EmailOptions(host="mail.example.com", security=security, from_email="a@example.com", to_emails=(ANA,))
    async with channel(opts) as mail:
        assert mail.traits.destination == f"email:mail.example.com:{port}"
        assert (mail.traits.concurrency, mail.traits.living) == (2, "thread")


# -- what is in it: the rest is in test_mail ----------------------------------------------------------


async def test_the_same_mail_is_sent_by_every_attempt_and_its_end_answers_the_same_root():
    async with SmtpReceiver() as server, channel(options(server)) as mail:
        server.then(drops("accepted"))
        await mail.send(message())
        await mail.send(message(attempt=2, repeat=True))
        await mail.send(message(notice(NoticeKind.RESOLVED), language="pt-BR"))
    first, again, end = (each.message for each in server.mails)
    assert first["Message-ID"] == again["Message-ID"] != end["Message-ID"]
    assert first["References"] == end["References"] == end["In-Reply-To"]
    assert first["Subject"] == "Success rate low · odds"
    assert end["Subject"] == "[RESOLVIDO] Success rate low · odds"


async def test_a_server_whose_name_leads_inside_gets_no_byte_unless_its_network_is_allowed():
    """What people enter is looked at once more when it is connected to: a public name may stand for any address."""
    mail = b"From: ana@example.com\r\nTo: ana@example.com\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n\r\nx\r\n"
    async with SmtpReceiver() as server:
        for permits, arrives in ((PUBLIC, False), (Reach(["127.0.0.0/8", "::1/128"]).permits_address, True)):
            place = Server("localhost", server.port, "none", name="us.example", permits=permits)
            outcome = await deliver(place, SYSTEM_CLOCK, ANA, [ANA], mail, Receipt("1"))
            told = outcome.outcomes[ANA] if isinstance(outcome, PerRecipient) else outcome
            assert ("private network" in str(told)) is not arrives, told
            assert server.connections == arrives
