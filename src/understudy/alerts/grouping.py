"""Grouping: what is not urgent waits a moment, so that what belongs together is told as one message.

Critical notices wait for nothing, and pagers are never told in groups. Which notices are one message is said by
`group`: the rows of a channel with the same group that are due at the same time. What is held is in the outbox
already, with its time; only when a group was told last is remembered here.
"""

from __future__ import annotations

from collections.abc import Mapping

from understudy.core.notices import Notice, NoticeKind, Severity

from .context import EngineOptions

#: What is told by itself: somebody did it, or it is for somebody of its own.
_SINGLE = frozenset(
    (NoticeKind.ACKED, NoticeKind.UNACKED, NoticeKind.SNOOZED, NoticeKind.STEP, NoticeKind.TEST, NoticeKind.MESSAGE)
)


class Groups:
    """Says until when notices are held. `told` is when each group is or was told last; `changed` what is new."""

    __slots__ = ("_told", "changed", "now", "options")

    def __init__(self, options: EngineOptions, told: Mapping[str, float], now: float) -> None:
        self.options, self.now, self._told = options, now, told
        self.changed: dict[str, float] = {}

    def hold(self, notice: Notice, labels: Mapping[str, str]) -> tuple[str, float]:
        """The group of a notice and until when it waits; no group and 0 for one that is told at once."""
        if not self.options.group_by or notice.severity is Severity.CRITICAL or notice.kind in _SINGLE:
            return "", 0.0
        group = "\x1f".join(f"{name}={labels.get(name, '')}" for name in self.options.group_by)
        told = self.changed.get(group, self._told.get(group))
        if told is not None and told > self.now:
            return group, told
        at = self.now + self.options.group_wait
        # That something has ended is not held back because something else was told just now.
        if told is not None and notice.kind is not NoticeKind.RESOLVED:
            at = max(at, told + self.options.group_interval)
        self.changed[group] = at
        return group, at
