"""The incidents that weighed most: what fired, for how long, and how many requests failed meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from understudy.core.text import Texts

from .model import Column, Fact, Section, Table, Value
from .ports import Episode

#: Worst first.
_SEVERITIES = {"critical": 0, "warning": 1, "info": 2}


def _columns(_: Texts) -> tuple[Column, ...]:
    return (
        Column("started", _("Began"), "time"),
        Column("subject", _("About")),
        Column("rule", _("Rule")),
        Column("severity", _("Severity"), "word"),
        Column("lasted", _("Lasted"), "seconds"),
        Column("ended", _("Ended"), "time"),
        Column("failures", _("Failed attempts"), "count"),
        Column("incident", _("Incident")),
    )


def _subjects(_: Texts) -> tuple[Column, ...]:
    return (
        Column("subject", _("About")),
        Column("incidents", _("Incidents"), "count"),
        Column("seconds", _("Time in all"), "seconds"),
        Column("longest", _("Longest"), "seconds"),
        Column("mean", _("Mean until its end"), "seconds"),
    )


def weightiest(episodes: Sequence[Episode], start: float, end: float, limit: int) -> list[Episode]:
    """The episodes that may be at the top: the severe ones first, then the long ones."""
    return sorted(episodes, key=lambda each: (_SEVERITIES.get(each.peak, 3), -lasted(each, start, end)))[:limit]


def lasted(episode: Episode, start: float, end: float) -> float:
    """Seconds of the episode that lie within the span."""
    until = end if episode.resolved_at is None else min(end, episode.resolved_at)
    return max(0.0, until - max(start, episode.started_at))


def subject(labels: Mapping[str, str]) -> str:
    """What an episode is about: its API, hub or route, or all of its labels."""
    for name in ("api", "hub", "route"):
        if labels.get(name):
            return labels[name]
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items()))


def incidents(
    _: Texts,
    episodes: Sequence[Episode],
    failures: Mapping[str, int],
    start: float,
    end: float,
    left_out: bool = False,
) -> Section:
    """The section; `failures` of the weightiest by episode, which come first. `left_out`: there were more."""
    chosen = [each for each in episodes if each.episode in failures]
    chosen.sort(key=lambda each: (-failures[each.episode], -lasted(each, start, end)))
    rows: list[tuple[Value, ...]] = [
        (
            each.started_at, subject(each.labels), each.rule, each.peak, lasted(each, start, end),
            each.resolved_at, failures[each.episode], each.episode,
        )
        for each in chosen
    ]  # fmt: skip
    by_subject: dict[str, list[Episode]] = {}
    for each in episodes:
        by_subject.setdefault(subject(each.labels), []).append(each)
    seconds = [lasted(each, start, end) for each in episodes]
    return Section(
        _("Top incidents"),
        _(
            "An incident is one continuous firing of a rule. Those with most failed attempts of their API come first; "
            "one fault may have made several rules fire."
        ),
        (
            Fact(_("Incidents"), len(episodes), "count", _("the newest; there were more") if left_out else ""),
            Fact(_("Still open"), sum(each.resolved_at is None for each in episodes), "count"),
            Fact(_("Time with one or more"), _covered(episodes, start, end), "seconds"),
            Fact(_("Longest"), max(seconds, default=None), "seconds"),
        ),
        (),
        (
            Table("top-incidents", _("By weight"), _columns(_), tuple(rows)),
            Table(
                "incidents-by-subject", _("By what they are about"), _subjects(_),
                tuple(_summed(name, group, start, end) for name, group in sorted(by_subject.items())), most="seconds",
            ),
        ),
    )  # fmt: skip


def _summed(name: str, group: Sequence[Episode], start: float, end: float) -> tuple[Value, ...]:
    seconds = [lasted(each, start, end) for each in group]
    whole = [each.resolved_at - each.started_at for each in group if each.resolved_at is not None]
    return name, len(group), sum(seconds), max(seconds), sum(whole) / len(whole) if whole else None


def _covered(episodes: Sequence[Episode], start: float, end: float) -> float:
    """Seconds of the span in which at least one of them was open."""
    found, reached = 0.0, start
    for each in sorted(episodes, key=lambda each: each.started_at):
        until = end if each.resolved_at is None else min(end, each.resolved_at)
        begins = max(reached, each.started_at)
        found += max(0.0, until - begins)
        reached = max(reached, until)
    return found
