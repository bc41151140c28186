"""Outcomes of channels with several recipients."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.notifications.message import Delivered, Outcome, PerRecipient, Retry


def each_of(recipients: Sequence[str], outcome: Outcome) -> Outcome:
    """An outcome of all these as one of each, where only some of a channel's recipients were still to be reached.

    It is theirs alone: said of the whole message, a success would count for those who refused it before.
    """
    if not isinstance(outcome, Delivered | Retry):
        return outcome
    return PerRecipient(dict.fromkeys(recipients, outcome))
