"""What the stores of alerts and of the outbox have in common, whatever they are made of."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.core.outbox import OutboxRow
from understudy.notifications.ports import Settlement

#: A lease that ends later than this was written by a clock that was wrong: it counts as over, s.
LONGEST_LEASE = 300.0
#: Most delays that `OutboxStore.counts` answers for a channel.
DELAYS = 1000
#: What `OutboxStore.settle` may change of a row; the rest says what the row is.
CHANGEABLE = (
    "state", "attempts", "plain", "ambiguous", "reason", "told_in", "group", "instead_of", "recipients",
    "not_before_at", "deadline_at", "priority", "destination",
)  # fmt: skip
#: Why an episode ended whose alert began another one: it was kept by a store that lost the alert's state.
SUPERSEDED = "superseded"
#: Most signals that wait for an instance that evaluates; the oldest go.
MOST_SIGNALS = 10_000


def expected_is(expected: int | None, newest: int, *, deleted: bool) -> bool:
    """Whether a document is as whoever changes it believes: 0 means that there is none, or none any more."""
    return expected is None or expected == newest or (expected == 0 and deleted)


def added_by(settlements: Sequence[Settlement], accepted: Sequence[Settlement]) -> list[OutboxRow]:
    """The rows that come into being: those of accepted settlements, and those that an accepted row is told in.

    A digest comes with one of its members. Where just that one is refused, the others still need their digest.
    """
    carriers = {each.row.id for each in accepted}
    told_in = {each.row.told_in for each in accepted}
    return [row for each in settlements for row in each.added if each.row.id in carriers or row.id in told_in]
