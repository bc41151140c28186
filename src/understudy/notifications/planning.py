"""From a notice to the rows of the outbox, one for each channel that is to tell it: an `alerts.ports.Planner`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from understudy.core.clock import Clock
from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.core.outbox import OutboxRow, Priority, RowState

from .policy import Policies, Routing, is_alert
from .ports import Traits

#: Given up after that long, s, by severity; an end as long after it as its beginning would be.
DEADLINES = {Severity.CRITICAL: 86_400.0, Severity.WARNING: 21_600.0, Severity.INFO: 3600.0}
#: A test is answered or over within this, s.
TEST_DEADLINE = 60.0
#: Why a row is not told: its channel wants only what is more severe.
BELOW_MINIMUM = "below the channel's min_severity"
#: Kinds that only tell what somebody did about an alert.
_ACTS = frozenset((NoticeKind.ACKED, NoticeKind.UNACKED, NoticeKind.SNOOZED))
CALLBACK = "callback"


def priority_of(notice: Notice) -> int:
    """The lane of a notice."""
    if notice.kind in _ACTS:
        return Priority.INFO
    if notice.kind is NoticeKind.RESOLVED and notice.severity is Severity.CRITICAL:
        return Priority.RESOLVED_CRITICAL
    return {Severity.CRITICAL: Priority.CRITICAL, Severity.WARNING: Priority.WARNING}.get(
        notice.severity, Priority.INFO
    )


class Plans:
    """Makes rows. Channels and policies are replaced as a whole when the configuration changes."""

    def __init__(self, clock: Clock, make_id: Callable[[], str]) -> None:
        self._clock = clock
        self.make_id = make_id
        self.channels: Mapping[str, Traits] = {}
        self.policies = Policies()

    def route(self, notice: Notice, labels: Mapping[str, str] | None = None) -> Routing:
        """Where the policies send a notice. Callbacks hear of every alert, whatever the policies say of channels."""
        callbacks = tuple(name for name, each in self.channels.items() if each.kind == CALLBACK)
        everywhere = tuple(name for name in self.channels if name not in callbacks)
        found = self.policies.route(notice, labels, everywhere)
        if not is_alert(notice):
            return found
        names = dict.fromkeys((*found.channels, *callbacks))
        return Routing(tuple(names), found.policies, found.options, found.trace)

    def plan(
        self, notice: Notice, *, targets: Sequence[str] = (), labels: Mapping[str, str] | None = None
    ) -> list[OutboxRow]:
        """As `alerts.ports.Planner.plan`."""
        names = dict.fromkeys(targets) if targets else self.route(notice, labels).channels
        return [self.row(notice, name) for name in names]

    def row(self, notice: Notice, channel: str, *, priority: int | None = None) -> OutboxRow:
        """The row of a notice on one channel; suppressed where the channel wants only what is more severe."""
        traits, now = self.channels.get(channel), self._clock.time()
        lasts = TEST_DEADLINE if notice.kind is NoticeKind.TEST else DEADLINES[Severity(notice.severity)]
        kept_out = self.kept_out(notice, channel)
        return OutboxRow(
            id=self.make_id(),
            event_id=notice.event_id,
            channel=channel,
            destination=traits.destination if traits is not None else channel,
            kind=notice.kind,
            severity=notice.severity,
            priority=priority_of(notice) if priority is None else priority,
            created_at=now,
            detected_at=min(notice.at, now),
            deadline_at=now + lasts,
            notice=notice,
            fingerprint=notice.fingerprint,
            episode=notice.episode,
            pager=traits is not None and traits.pager,
            state=RowState.SUPPRESSED if kept_out else RowState.PENDING,
            reason=kept_out,
        )

    def kept_out(self, notice: Notice, channel: str) -> str:
        """Why the channel itself does not want this notice; empty when it does."""
        traits = self.channels.get(channel)
        if traits is None or not is_alert(notice):
            return ""
        # An escalation's end, or its way down, goes where the worst of it went.
        severity = max(filter(None, (notice.severity, notice.previous)), key=lambda each: each.rank)
        return BELOW_MINIMUM if severity.rank < Severity(traits.min_severity).rank else ""

    def explain(self, notice: Notice, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Who would be told of a notice, and why; JSON-ready."""
        found = self.route(notice, labels)
        channels = [
            {
                "channel": name,
                "known": name in self.channels,
                "suppressed_by": self.kept_out(notice, name),
                "priority": priority_of(notice),
                "language": self.channels[name].language if name in self.channels else "",
            }
            for name in found.channels
        ]
        return {
            "policies": list(found.policies),
            "escalation": found.options.escalation,
            "channels": channels,
            "trace": [dict(each) for each in found.trace],
        }
