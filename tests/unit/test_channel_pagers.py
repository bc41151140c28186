"""PagerDuty and Opsgenie: one incident or alert for each of ours, whatever happens on the way."""

from __future__ import annotations

import pytest

from channel_kit import channel, message, notice, overdue
from understudy.channels import _pager
from understudy.channels.opsgenie import OpsgenieOptions
from understudy.channels.pagerduty import PagerDutyOptions
from understudy.core.errors import OptionError
from understudy.core.notices import NoticeKind, Severity
from understudy.core.secrets import Secret
from understudy.notifications.message import Degrade, Delivered, Rejected, Retry
from understudy.testing import FakeClock
from understudy.testing.receivers import DROP_AFTER, DROP_BEFORE, GARBAGE, HANG, OpsgenieReceiver, PagerDutyReceiver
from understudy.testing.receivers.base import redirect, status
from understudy.testing.receivers.opsgenie import API_KEY
from understudy.testing.receivers.pagerduty import ROUTING_KEY

KEY = notice().dedup_key
SERVICES = ["pagerduty", "opsgenie", "jsm"]


class Pager:
    """One of the services, asked the same questions."""

    def __init__(self, service: str, slowness: int = 0) -> None:
        self.service = service
        self.receiver = (
            PagerDutyReceiver() if service == "pagerduty" else OpsgenieReceiver(jsm=service == "jsm", slowness=slowness)
        )

    def options(self, **more):
        if self.service == "pagerduty":
            values = {"routing_key": Secret(ROUTING_KEY), "api_base": self.receiver.base}
            return PagerDutyOptions(**{**values, "allow_private": True, **more})
        base = self.receiver.base + ("/jsm/ops/integration" if self.service == "jsm" else "")
        values = {"api_key": Secret(API_KEY), "api_base": base, "service": self.service}
        return OpsgenieOptions(**{**values, "allow_private": True, **more})

    @property
    def incidents(self):
        """(key, state) of each."""
        if self.service == "pagerduty":
            return [(each.key, each.state) for each in self.receiver.incidents]
        names = {"open": "triggered", "acked": "acknowledged", "closed": "resolved"}
        return [(each.alias, names[each.state]) for each in self.receiver.alerts]


@pytest.fixture(params=SERVICES)
async def pager(request):
    pager = Pager(request.param)
    async with pager.receiver:
        yield pager


async def sent(pager, *messages, **more):
    """The outcomes of these messages, with time that passes only where somebody waits for it."""
    async with channel(pager.options(**more), clock=FakeClock()) as made:
        return [await made.send(each) for each in messages]


async def test_an_episode_is_one_incident_that_is_acknowledged_and_resolved(pager):
    kinds = (NoticeKind.FIRED, NoticeKind.REMINDER, NoticeKind.ESCALATED, NoticeKind.ACKED)
    outcomes = await sent(pager, *(message(notice(kind)) for kind in kinds))
    assert all(isinstance(outcome, Delivered) for outcome in outcomes), outcomes
    assert pager.incidents == [(KEY, "acknowledged")]
    await sent(pager, message(notice(NoticeKind.RESOLVED)))
    assert pager.incidents == [(KEY, "resolved")]
    assert not pager.receiver.refusals


async def test_a_second_episode_is_a_second_incident_of_the_same_key(pager):
    await sent(pager, *(message(notice(kind)) for kind in (NoticeKind.FIRED, NoticeKind.RESOLVED, NoticeKind.FIRED)))
    assert pager.incidents == [(KEY, "resolved"), (KEY, "triggered")]


async def test_an_answer_that_was_lost_makes_no_second_incident(pager):
    """A4, 39: accepted, then dropped; the same is sent again."""
    pager.receiver.then(DROP_AFTER)
    first, second = await sent(pager, message(), message(attempt=2, repeat=True))
    assert isinstance(first, Retry)
    assert first.ambiguous
    assert isinstance(second, Delivered)
    assert pager.incidents == [(KEY, "triggered")]


async def test_what_ends_unseen_is_nothing_to_complain_of(pager):
    """The resolution of an incident that somebody closed there, or that was never made."""
    outcomes = await sent(pager, message(notice(NoticeKind.RESOLVED)), message(notice(NoticeKind.ACKED)))
    assert all(isinstance(outcome, Delivered) for outcome in outcomes), outcomes
    assert pager.incidents == []


async def test_a_test_opens_what_its_end_closes(pager):
    """The end comes as a message of its own, as that of an alert does."""
    of, over = (notice(kind, fingerprint="test1", episode="") for kind in (NoticeKind.TEST, NoticeKind.RESOLVED))
    await sent(pager, message(of))
    assert pager.incidents == [(of.dedup_key, "triggered")]
    await sent(pager, message(over))
    assert pager.incidents == [(of.dedup_key, "resolved")]


async def test_what_ended_while_it_was_flapping_is_resolved(pager):
    over = notice(NoticeKind.FLAPPING_ENDED, ended_at=notice().at)
    await sent(pager, message(), message(notice(NoticeKind.FLAPPING_ENDED)))
    assert pager.incidents == [(KEY, "triggered")]
    await sent(pager, message(over))
    assert pager.incidents == [(KEY, "resolved")]


@pytest.mark.parametrize(
    ("fault", "kind", "ambiguous"),
    [
        (status(429), Retry, False),
        (status(500), Retry, False),
        (status(503), Retry, False),
        (status(504), Retry, True),
        (DROP_BEFORE, Retry, True),
        (GARBAGE, Retry, True),
        (redirect("http://127.0.0.1:1/elsewhere"), Retry, False),
        (status(400, '{"errors": ["something"]}'), Degrade, False),
        (status(413), Degrade, False),
        (status(422, '{"errors": {"field": "text"}}'), Degrade, False),
        (status(401), Rejected, False),
        (status(403), Rejected, False),
    ],
    ids=str,
)
async def test_what_an_answer_means(pager, fault, kind, ambiguous):
    pager.receiver.then(fault)
    outcome, again = await sent(pager, message(), message(plain=isinstance(kind, Degrade)))
    assert type(outcome) is kind
    assert getattr(outcome, "ambiguous", False) is ambiguous
    assert getattr(outcome, "scope", "endpoint") == "endpoint"
    assert isinstance(again, Delivered)
    for secret in (ROUTING_KEY, API_KEY):
        assert secret not in repr(outcome)


async def test_what_is_refused_in_its_plain_form_too_is_refused_for_good(pager):
    pager.receiver.then(status(400))
    [outcome] = await sent(pager, message(plain=True))
    assert isinstance(outcome, Rejected)
    assert outcome.scope == "message"


async def test_the_plain_form_leaves_out_what_may_be_too_large(pager):
    await sent(pager, message(plain=True))
    found = pager.receiver.requests[0].json()
    assert "custom_details" not in found.get("payload", found)
    assert "details" not in found
    assert "description" not in found


async def test_a_service_that_hangs_is_given_up_in_time(pager):
    pager.receiver.then(HANG)
    clock = FakeClock()
    async with channel(pager.options(timeout=4.0), clock=clock) as made:
        outcome = await overdue(clock, made.send(message()), 4.1, lambda: len(pager.receiver.requests) == 1)
    assert isinstance(outcome, Retry)
    assert outcome.ambiguous


async def test_it_is_a_pager_and_pages_always_where_that_is_wanted(pager):
    for wanted in (False, True):
        async with channel(pager.options(always_page=wanted)) as made:
            assert (made.traits.pager, made.traits.always_page) == (True, wanted)


@pytest.mark.parametrize("severity", list(Severity))
async def test_severities_are_those_of_the_service(pager, severity):
    await sent(pager, message(notice(severity=severity)))
    if pager.service == "pagerduty":
        assert pager.receiver.incidents[0].severity == severity.value
    else:
        expected = {"critical": "P1", "warning": "P3", "info": "P5"}[severity.value]
        assert pager.receiver.alerts[0].priority == expected


HOSTILE = [
    "",
    "\0\r\n\x1b[31m",
    "\ud800",
    "\u202e" * 400,
    "é" * 2_000,
    "\U0001f525" * 20_000,
    '"' * 100_000,
    "x" * 1_000_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:8]))
async def test_any_content_is_within_the_limits(pager, text):
    of = notice(
        title=text, content=text, reason=text, actor=text, labels={"api": text, text: text, "hub": text},
        facts={f"{text[:50]}{number}": text[:9_000] for number in range(60)}, metric=text,
    )  # fmt: skip
    kinds = (NoticeKind.FIRED, NoticeKind.ACKED, NoticeKind.RESOLVED)
    outcomes = await sent(pager, *(message(notice(kind, **values_of(of))) for kind in kinds))
    assert all(isinstance(outcome, Delivered) for outcome in outcomes), (outcomes, pager.receiver.refusals)


def values_of(of):
    return {name: getattr(of, name) for name in ("title", "content", "reason", "actor", "labels", "facts", "metric")}


@pytest.mark.parametrize("total", [40, 41, 44, 45, 100])
def test_details_fill_their_room_and_no_more(total):
    found = _pager.fitted({"a": "x" * 20, "b": "y" * 20, "c": "z"}, total, 20)
    assert sum(len(name) + len(value) for name, value in found.items()) <= total
    assert found["a"] == "x" * 20


# -- PagerDuty alone ----------------------------------------------------------------------------------


async def test_a_routing_key_that_is_not_theirs_ends_it():
    pager = Pager("pagerduty")
    async with pager.receiver:
        [outcome] = await sent(pager, message(), routing_key=Secret("f" * 32))
    assert isinstance(outcome, Rejected)
    assert outcome.scope == "endpoint"


async def test_the_event_says_what_where_and_since_when():
    pager = Pager("pagerduty")
    links = {"open": "https://u.example/a", "acknowledge": "https://u.example/ack"}
    async with pager.receiver:
        await sent(pager, message(links=links))
    [event] = pager.receiver.accepted
    payload = event["payload"]
    assert payload["summary"] == "Critical: Success rate low · odds"
    assert (payload["source"], payload["component"], payload["class"]) == ("odds", "fixtures", "success_rate")
    assert payload["custom_details"]["rule"] == "success_rate"
    assert "54.2 %" in payload["custom_details"]["description"]
    assert [link["text"] for link in event["links"]] == ["Acknowledge", "Details"]


@pytest.mark.parametrize("key", ["", "short", "x" * 33, "ö" * 32, "a b" + "c" * 29])
def test_what_cannot_be_a_routing_key_is_refused_unseen(key):
    with pytest.raises(OptionError, match="32 letters and digits") as caught:
        PagerDutyOptions(routing_key=Secret(key))
    assert not key or key not in str(caught.value)


# -- Opsgenie and JSM ---------------------------------------------------------------------------------


async def test_a_request_is_followed_to_its_verdict():
    pager = Pager("opsgenie", slowness=3)
    async with pager.receiver:
        [outcome] = await sent(pager, message())
    assert isinstance(outcome, Delivered)
    assert outcome.receipt.provider_id == "request-1"
    assert outcome.receipt.data["alert"] == f"id-of-{KEY}"
    assert [request.method for request in pager.receiver.requests] == ["POST"] + ["GET"] * 4


async def test_a_request_that_is_not_processed_in_time_is_made_again_and_makes_no_second_alert():
    pager = Pager("opsgenie", slowness=100)
    async with pager.receiver:
        first, second = await sent(pager, message(), message(attempt=2))
    assert isinstance(first, Retry)
    assert first.ambiguous
    assert isinstance(second, Retry)
    assert [(each.alias, each.count) for each in pager.receiver.alerts] == [(KEY, 2)]


async def test_a_look_that_fails_is_no_failure_of_the_request():
    pager = Pager("opsgenie")
    async with pager.receiver:
        pager.receiver.then(status(202, '{"requestId": "request-1"}'), DROP_BEFORE, status(500), status(404))
        async with channel(pager.options(), clock=FakeClock()) as made:
            outcome = await made.send(message())
    assert isinstance(outcome, Retry), "the request was never really made, and no look found it"
    assert [request.method for request in pager.receiver.requests] == ["POST"] + ["GET"] * 5


@pytest.mark.parametrize("during", ["the request", "a look"])
async def test_a_throttled_account_is_left_alone_for_its_period(during):
    pager = Pager("opsgenie", slowness=9)
    throttled = status(429, **{"X-RateLimit-State": "THROTTLED", "X-RateLimit-Period-In-Sec": "17"})
    async with pager.receiver:
        pager.receiver.then(*([status(202, '{"requestId": "r"}')] if during == "a look" else []), throttled)
        [outcome] = await sent(pager, message())
    assert isinstance(outcome, Retry)
    assert outcome.after == 17.0
    assert outcome.ambiguous is (during == "a look")


async def test_a_severity_that_changes_changes_the_priority():
    pager = Pager("opsgenie")
    async with pager.receiver:
        await sent(pager, message(notice(severity=Severity.WARNING)), message(notice(NoticeKind.ESCALATED)))
    assert [each.priority for each in pager.receiver.alerts] == ["P1"]


@pytest.mark.parametrize("service", ["opsgenie", "jsm"])
async def test_who_is_called_is_named_as_the_service_names_people(service):
    pager = Pager(service)
    async with pager.receiver:
        await sent(pager, message(), responders=("team:payments", "user:ana@example.com"), tags=("understudy",))
    [alert] = pager.receiver.alerts
    team, user = ("id", "id") if service == "jsm" else ("name", "username")
    assert alert.document["responders"] == [
        {"type": "team", team: "payments"}, {"type": "user", user: "ana@example.com"},
    ]  # fmt: skip
    assert alert.document["tags"] == ["understudy"]


async def test_a_key_of_another_region_ends_it_and_says_so():
    pager = Pager("opsgenie")
    async with pager.receiver:
        [outcome] = await sent(pager, message(), api_key=Secret("another-key"))
    assert isinstance(outcome, Rejected)
    assert outcome.scope == "endpoint"
    assert "region" in outcome.reason


@pytest.mark.parametrize(
    ("more", "field"),
    [({}, "api_key"), ({"api_key": Secret("a b")}, "api_key"), ({"api_key": Secret("k"), "tags": ("x" * 51,)}, "tags"),
     ({"api_key": Secret("k"), "responders": ("payments",)}, "responders"),
     ({"api_key": Secret("k"), "api_base": "http://api.example.com"}, "api_base")],
)  # fmt: skip
def test_what_opsgenie_cannot_take_is_refused_when_it_is_configured(more, field):
    with pytest.raises(OptionError, match=field):
        OpsgenieOptions(**more)
