"""Who of several recipients has a message, and who refused it, through any number of attempts."""

from __future__ import annotations

import pytest

from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.core.outbox import OutboxRow, RowState
from understudy.notifications.message import Degrade, Delivered, PerRecipient, Rejected, Retry
from understudy.notifications.settling import Effect, step

ALL = ANA, BEA, CAI = ("ana@example.com", "bea@example.com", "cai@example.com")
FIRST = PerRecipient({ANA: Delivered(), BEA: Rejected("550 unknown"), CAI: Retry("452 full")})
REFUSED = f"{BEA}: 550 unknown"


def row():
    notice = Notice("event", NoticeKind.FIRED, Severity.CRITICAL, 0.0, "odds fails")
    return OutboxRow("01JROW", "event", "mail", "smtp", NoticeKind.FIRED, Severity.CRITICAL, 0, 0.0, 0.0, 9e9, notice)


def through(*outcomes):
    made = None
    for outcome in outcomes:
        made = step(made.row if made else row(), outcome, started_at=0.0, seconds=0.0, recipients=ALL)
    return made


def test_after_a_partial_refusal_the_rest_alone_is_still_to_be_reached():
    made = through(FIRST)
    assert made.again
    assert (made.row.state, made.row.recipients, made.row.reason) == (RowState.PENDING, (CAI,), REFUSED)


@pytest.mark.parametrize("last", [Delivered(), PerRecipient({CAI: Delivered()})], ids=["of the whole", "of each"])
@pytest.mark.parametrize(
    "between",
    [
        (),
        (Retry("cut off while it was being sent", ambiguous=True),),
        (PerRecipient({CAI: Retry("451 later")}),),
        (Rejected("535 the login", "endpoint"),),
        (Degrade("not in this form"),),
        (Retry("no connection"), Rejected("535 the login", "endpoint"), Retry("421 busy")),
    ],
    ids=len,
)
def test_who_refused_is_known_at_the_end_whatever_happened_between(between, last):
    made = through(FIRST, *between, last)
    assert made.row.state is RowState.DEAD, "not everybody has it"
    assert made.row.recipients == (BEA,)
    assert made.row.reason == REFUSED


def test_who_refuses_later_is_known_too():
    made = through(FIRST, Rejected("554 refused"))
    assert (made.row.state, made.row.recipients) == (RowState.DEAD, (BEA, CAI))


def test_what_ends_the_channel_ends_it_also_for_the_rest():
    made = through(FIRST, Rejected("535 the login", "endpoint"))
    assert (made.effect, made.reason) == (Effect.FATAL, "535 the login")
    assert made.row.state is RowState.PENDING


def test_where_nobody_refused_the_last_success_is_everybodys():
    made = through(
        PerRecipient({ANA: Delivered(), BEA: Delivered(), CAI: Retry("452 full")}), Retry("cut"), Delivered()
    )
    assert (made.row.state, made.row.recipients, made.row.reason) == (RowState.DELIVERED, (), "")
