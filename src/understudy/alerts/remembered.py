"""What the alerts of the past tell about events: when each began and ended, and how bad it was.

The history holds calls, not breakers. But an alert about an event was kept when it fired, so it says when the event
was there. Rules about events are judged on that once more: an edit of theirs that waits longer, or tells others, shows
what it would have changed. An event of which no alert was kept is not known: where there was no rule about it, or
where it was shorter than the rule waited.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from math import inf

from understudy.core.notices import NoticeKind

from .metrics import DERIVED, EVENTS, METRICS
from .model import Labels, Rule
from .ports import EpisodeRow, EventRow, Signal

_Key = tuple[tuple[str, str], ...]
#: Kinds after which an alert has another severity.
_LEVELS = frozenset((NoticeKind.ESCALATED.value, NoticeKind.DOWNGRADED.value))


class Remembered:
    """The events that kept alerts tell of. `rules` are those that were in force then, as far as is known."""

    def __init__(self, rules: Iterable[Rule], episodes: Sequence[EpisodeRow], events: Iterable[EventRow]) -> None:
        self._spans: dict[tuple[str, _Key], list[tuple[float, float]]] = {}
        self._values: dict[tuple[str, _Key], list[tuple[float, float]]] = {}
        self.signals: list[Signal] = []
        about = {rule.name: rule for rule in rules if rule.kind == "event" and rule.event not in DERIVED}
        turns: dict[str, list[EventRow]] = {}
        for event in events:
            if event.rule in about and event.kind in _LEVELS:
                turns.setdefault(event.episode, []).append(event)
        for episode in sorted(episodes, key=lambda each: each.started_at):
            rule = about.get(episode.rule)
            if rule is not None:
                self._take(rule, episode, turns.get(episode.episode, []))
        #: The events of which something is known.
        self.events = {event for event, _ in self._spans}
        self._event_of = {EVENTS[event][1]: event for event in self.events if event in EVENTS}

    def _take(self, rule: Rule, episode: EpisodeRow, turns: Sequence[EventRow]) -> None:
        same = rule.version == episode.rule_version
        wait = rule.for_ if same else 0.0
        begin = episode.started_at - wait
        spans = self._spans.setdefault((rule.event, _key(episode.labels)), [])
        # Two rules about one event tell of it twice.
        if spans and begin <= spans[-1][1]:
            return
        end = inf
        if episode.resolved_at is not None:
            # By hand, or because the rule changed, it ended at once; else it had to stay good for a while.
            kept = rule.keep_firing_for if same and not episode.reason else 0.0
            end = max(begin, episode.resolved_at - kept)
        spans.append((begin, end))
        severities = [(begin, episode.peak if not turns else _first(turns, episode))]
        severities += [(self._changed_at(rule, each, same=same), each.severity) for each in turns]
        values = self._values.setdefault((rule.metric, _key(episode.labels)), [])
        for at, severity in severities:
            values.append((at, _value(rule, severity)))
            if at < end:
                self.signals.append(Signal(rule.event, episode.labels, True, at))
        if end < inf:
            self.signals.append(Signal(rule.event, episode.labels, False, end))

    @staticmethod
    def _changed_at(rule: Rule, turn: EventRow, *, same: bool) -> float:
        if not same:
            return turn.at
        return turn.at - (rule.keep_firing_for if turn.kind == NoticeKind.DOWNGRADED else rule.for_)

    def gauge(self, metric: str, labels: Labels, at: float) -> float | None:
        """A gauge that kept alerts tell of: whether an event lasts, and what its severity depended on; else None."""
        key = _key(labels)
        event = self._event_of.get(metric)
        if event is not None:
            return float(any(begin <= at < end for begin, end in self._spans.get((event, key), ())))
        values = self._values.get((metric, key)) if metric else None
        if not values:
            return None
        place = bisect_right(values, at, key=lambda each: each[0]) - 1
        return values[place][1] if place >= 0 else None


def _first(turns: Sequence[EventRow], episode: EpisodeRow) -> str:
    """The severity before the first change: what the change says it was, or the only other one there is."""
    before = str(turns[0].notice.get("previous") or "")
    return before or episode.severity


def _value(rule: Rule, severity: str) -> float:
    """A value of the rule's metric at which it has this severity."""
    level = max((n for n, each in enumerate(rule.levels) if each.severity == severity), default=0)
    thresholds = [each.threshold for each in rule.levels]
    if rule.metric not in METRICS or not thresholds:
        return 0.0
    if level + 1 < len(thresholds):
        return thresholds[level + 1]  # just not that bad
    return thresholds[level] + (-1.0 if rule.operator.startswith("<") else 1.0)


def _key(labels: Labels) -> _Key:
    return tuple(sorted(labels.items()))
