"""What one answer of a channel makes of a row: a pure function, and the only place that knows the kinds of answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeGuard

from understudy.core.notices import NoticeKind
from understudy.core.outbox import OutboxRow, RowState
from understudy.core.redaction import REDACTOR

from .backoff import LONGEST_PAUSE
from .merging import because, cause
from .message import Degrade, Delivered, Outcome, PerRecipient, Receipt, Rejected, Retry
from .ports import Attempt

#: Of what a service answered, and of a reason, so much is kept, characters.
MOST_RESPONSE, MOST_REASON = 2000, 500


class Effect(StrEnum):
    """What an answer says about the channel, apart from the message."""

    #: It took a message, or told us what was wrong with it: it works.
    WORKS = "works"
    #: It could not take this now.
    FAILED = "failed"
    #: It will take nothing until somebody mends something.
    FATAL = "fatal"


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of a row. `again`: it waits once more; `after` and `pause` as the service asked for, s."""

    row: OutboxRow
    attempts: tuple[Attempt, ...]
    effect: Effect
    again: bool = False
    receipt: Receipt | None = None
    after: float | None = None
    pause: float = 0.0
    reason: str = ""


def step(
    row: OutboxRow, outcome: Outcome, *, started_at: float, seconds: float, recipients: Sequence[str] = ()
) -> Step:
    """The row after one more attempt, which began at `started_at` (epoch seconds) and took `seconds`.

    `recipients` are all those of the channel, so that it can be told when every one of them has refused.
    """
    row = replace(row, attempts=row.attempts + 1)
    # Some have refused for good, and what comes now is about the others alone: the refusals stay known.
    refused_before = bool(row.recipients) and bool(_refusing(row.reason, recipients))
    if refused_before and _about_the_message(outcome):
        outcome = PerRecipient(dict.fromkeys(row.recipients, outcome))
    if isinstance(outcome, PerRecipient):
        made = _per_recipient(row, outcome, started_at, seconds, recipients)
    else:
        attempt = _attempt(row, outcome, started_at, seconds)
        made = _single(row, outcome, attempt)
        if refused_before and made.again:
            made = replace(made, row=replace(made.row, reason=row.reason))
    if row.kind is NoticeKind.TEST and made.row.state is not RowState.DELIVERED:
        # A test is answered, not sent for hours; and one that failed is no message that was lost.
        ended = replace(made.row, state=RowState.DISCARDED, reason=made.reason)
        return replace(made, row=ended, again=False)
    return made


def _about_the_message(outcome: Outcome) -> TypeGuard[Delivered | Retry | Rejected]:
    """Whether it is an answer for each of those who were to be reached, rather than about its form or the channel."""
    return isinstance(outcome, Delivered | Retry) or (isinstance(outcome, Rejected) and outcome.scope == "message")


def asked(outcome: Outcome) -> float:
    """Seconds for which the service wants to be left alone; 0 when it said nothing that makes sense."""
    waits = [outcome, *outcome.outcomes.values()] if isinstance(outcome, PerRecipient) else [outcome]
    found = [each.after or 0.0 for each in waits if isinstance(each, Retry)]
    found += [each.pause for each in waits if isinstance(each, Delivered)]
    return max((min(each, LONGEST_PAUSE) for each in found if math.isfinite(each)), default=0.0)


def _single(row: OutboxRow, outcome: Delivered | Retry | Degrade | Rejected, attempt: Attempt) -> Step:
    if isinstance(outcome, Delivered):
        told = replace(row, state=RowState.DELIVERED, reason=because(row, ""), recipients=())
        return Step(told, (attempt,), Effect.WORKS, receipt=outcome.receipt, pause=outcome.pause)
    reason, kept = attempt.error, because(row, attempt.error)
    if isinstance(outcome, Retry):
        waits = replace(row, reason=kept, ambiguous=row.ambiguous or outcome.ambiguous)
        return Step(waits, (attempt,), Effect.FAILED, again=True, after=outcome.after, reason=reason)
    if isinstance(outcome, Degrade) and not row.plain:
        return Step(replace(row, plain=True, reason=kept), (attempt,), Effect.WORKS, again=True, reason=reason)
    if isinstance(outcome, Rejected) and outcome.scope == "endpoint":
        return Step(replace(row, reason=kept), (attempt,), Effect.FATAL, again=True, reason=reason)
    return Step(replace(row, state=RowState.DEAD, reason=kept), (attempt,), Effect.WORKS, reason=reason)


def _per_recipient(row: OutboxRow, outcome: PerRecipient, at: float, seconds: float, everybody: Sequence[str]) -> Step:
    """Who has it has it; who may be tried again is; what is left when nobody can be tried any more are refusals."""
    attempts = tuple(_attempt(row, each, at, seconds, who) for who, each in outcome.outcomes.items())
    later = tuple(who for who, each in outcome.outcomes.items() if isinstance(each, Retry))
    refused = [f"{one.recipient}: {one.error}" for one in attempts if one.result == "rejected"]
    earlier = cause(row) if _refusing(row.reason, everybody) else ""
    reason = clipped("; ".join(filter(None, [earlier, *refused])), MOST_REASON)
    taken = [each for each in outcome.outcomes.values() if isinstance(each, Delivered)]
    receipt = taken[0].receipt if taken else None
    waits = [each for each in outcome.outcomes.values() if isinstance(each, Retry)]
    effect = Effect.WORKS if taken or refused else Effect.FAILED
    if later:
        after = max((each.after for each in waits if each.after is not None), default=None)
        ambiguous = row.ambiguous or any(each.ambiguous for each in waits)
        said = reason or next(one.error for one in attempts if one.result == "retry")
        narrowed = replace(row, recipients=later, ambiguous=ambiguous, reason=because(row, reason))
        return Step(narrowed, attempts, effect, again=True, receipt=receipt, after=after, reason=said)
    if not reason:
        told = replace(row, state=RowState.DELIVERED, reason=because(row, ""), recipients=())
        return Step(told, attempts, Effect.WORKS, receipt=receipt)
    # Not everybody has it, and nobody shall have to guess who: it can be sent again to those alone.
    dead = replace(row, state=RowState.DEAD, reason=because(row, reason), recipients=_refusing(reason, everybody))
    return Step(dead, attempts, effect, receipt=receipt, reason=reason)


def _refusing(reason: str, everybody: Sequence[str]) -> tuple[str, ...]:
    """Whom the reason names as having refused, in this attempt or an earlier one."""
    return tuple(who for who in everybody if f"{who}: " in reason)


def _attempt(
    row: OutboxRow, outcome: Delivered | Retry | Degrade | Rejected, at: float, seconds: float, recipient: str = ""
) -> Attempt:
    taken = outcome if isinstance(outcome, Delivered) else None
    return Attempt(
        row=row.id,
        channel=row.channel,
        number=row.attempts,
        at=at,
        result=type(outcome).__name__.lower(),
        seconds=seconds,
        status=outcome.status,
        error="" if isinstance(outcome, Delivered) else clipped(outcome.reason, MOST_REASON),
        response=clipped(outcome.response, MOST_RESPONSE),
        provider_id=clipped(taken.receipt.provider_id, MOST_REASON) if taken else "",
        sent_bytes=taken.sent_bytes if taken else 0,
        since_detected=max(0.0, at + seconds - row.detected_at) if taken else None,
        recipient=recipient,
    )


def clipped(text: str, most: int) -> str:
    """A stranger's text, short and without what looks like a secret."""
    shown = REDACTOR.redact(text[: 2 * most], foreign=True)
    return shown if len(shown) <= most else shown[: most - 1] + "…"
