"""Grouping: what is not urgent waits a moment, so that what belongs together is told as one message.

Critical notices wait for nothing, and pagers are never told in groups. Which notices are one message is said by
`group`: the rows of a channel with the same group that are due at the same time. What is held is in the outbox
already, with its time; only when a group was told last is remembered here.
"""

from __future__ import annotations

from collections.abc import Mapping

from understudy.core.notices import Notice, NoticeKind, Severity

from .context import Context, Grouping

#: What is told by itself: somebody did it, or it is for somebody of its own.
_SINGLE = frozenset(
    (NoticeKind.ACKED, NoticeKind.UNACKED, NoticeKind.SNOOZED, NoticeKind.STEP, NoticeKind.TEST, NoticeKind.MESSAGE)
)


class Groups:
    """Says until when notices are held. `told` is when each group is or was told last; `changed` what is new."""

    __slots__ = ("_context", "_told", "changed", "now")

    def __init__(self, context: Context, told: Mapping[str, float], now: float) -> None:
        self._context, self._told, self.now = context, told, now
        self.changed: dict[str, float] = {}

    def hold(self, notice: Notice, labels: Mapping[str, str]) -> tuple[str, float]:
        """The group of a notice and until when it waits; no group and 0 for one that is told at once."""
        if notice.severity is Severity.CRITICAL or notice.kind in _SINGLE:
            return "", 0.0
        options = self._context.options
        grouping = self._context.handling(labels).grouping or Grouping(
            options.group_by, options.group_wait, options.group_interval
        )
        if not grouping.by:
            return "", 0.0
        group = "\x1f".join(f"{name}={labels.get(name, '')}" for name in grouping.by)
        told = self.changed.get(group, self._told.get(group))
        if told is not None and told > self.now:
            return group, told
        at = self.now + grouping.wait
        # That something has ended is not held back because something else was told just now.
        if told is not None and notice.kind is not NoticeKind.RESOLVED:
            at = max(at, told + grouping.interval)
        self.changed[group] = at
        return group, at
