"""What a rule costs the people whom it tells: pages, nights, episodes that nobody needed; and what an edit changes.

Pure functions of episodes and events, those of the past or those of a backtest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from understudy.core.notices import NoticeKind, Severity

from .ports import EpisodeRow, EventRow

#: An episode that ended sooner was over before anybody could have helped, s.
SHORT: Final = 120.0
#: Hours of the night, local: from the first up to the second.
NIGHT: Final = (22, 7)
_WEEK: Final = 7 * 86400.0
#: Kinds that ring: each is a page when it is critical and told.
_RINGS: Final = frozenset(
    (NoticeKind.FIRED.value, NoticeKind.ESCALATED.value, NoticeKind.REMINDER.value, NoticeKind.STEP.value)
)


@dataclass(frozen=True, slots=True)
class Noise:
    """What a rule (or several) did in a span of `seconds`.

    `told` and `suppressed` count notices; pages are critical ones that ring. `short` episodes ended within two
    minutes, `flapped` ones began to flap, `unanswered` ones were told and nobody acknowledged them.
    """

    seconds: float
    episodes: int = 0
    open: int = 0
    told: int = 0
    suppressed: Mapping[str, int] = field(default_factory=dict)
    pages: int = 0
    pages_per_week: float = 0.0
    night_pages: int = 0
    short: int = 0
    flapped: int = 0
    unanswered: int = 0
    #: Percent of the span in which at least one episode was open.
    share_firing: float = 0.0
    #: Percent of the episodes that were short or flapped; None without episodes.
    share_noise: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The numbers as JSON-ready values."""
        return {**{each.name: getattr(self, each.name) for each in fields(self)}, "suppressed": dict(self.suppressed)}


def noise(
    episodes: Sequence[EpisodeRow], events: Iterable[EventRow], start: float, end: float, zone: tzinfo = UTC
) -> Noise:
    """The numbers of a span; `zone` says where night is."""
    seconds = max(end - start, 1.0)
    suppressed: Counter[str] = Counter()
    told = pages = nights = 0
    answered: set[str] = set()
    flapped: set[str] = set()
    heard: set[str] = set()
    for event in events:
        if event.kind == NoticeKind.ACKED:
            answered.add(event.episode)
        if event.kind == NoticeKind.FLAPPING_STARTED:
            flapped.add(event.episode)
        if event.suppressed_by:
            suppressed[event.suppressed_by.partition(":")[0]] += 1
            continue
        told += 1
        heard.add(event.episode)
        if event.kind in _RINGS and event.severity == Severity.CRITICAL:
            pages += 1
            nights += _is_night(event.at, zone)
    short = {
        each.episode for each in episodes if each.resolved_at is not None and each.resolved_at - each.started_at < SHORT
    }
    noisy = sum(each.episode in short or each.episode in flapped for each in episodes)
    return Noise(
        seconds=seconds,
        episodes=len(episodes),
        open=sum(each.resolved_at is None for each in episodes),
        told=told,
        suppressed=dict(suppressed),
        pages=pages,
        pages_per_week=pages * _WEEK / seconds,
        night_pages=nights,
        short=len(short),
        flapped=sum(each.episode in flapped for each in episodes),
        unanswered=sum(each.episode in heard and each.episode not in answered for each in episodes),
        share_firing=100.0 * _covered(episodes, start, end) / seconds,
        share_noise=100.0 * noisy / len(episodes) if episodes else None,
    )


def _is_night(at: float, zone: tzinfo) -> bool:
    hour = datetime.fromtimestamp(at, zone).hour
    return hour >= NIGHT[0] or hour < NIGHT[1]


def _covered(episodes: Iterable[EpisodeRow], start: float, end: float) -> float:
    """Seconds of the span in which at least one episode was open."""
    covered, until = 0.0, start
    for each in sorted(episodes, key=lambda each: each.started_at):
        first = max(each.started_at, until)
        last = min(end if each.resolved_at is None else each.resolved_at, end)
        if last > first:
            covered += last - first
            until = last
    return covered


def budget(
    episodes: Sequence[EpisodeRow], events: Sequence[EventRow], start: float, end: float, zone: tzinfo = UTC
) -> dict[str, Noise]:
    """The noise of a span by rule, the rule that rang most often first; of rules without an episode nothing."""
    mine: dict[str, tuple[list[EpisodeRow], list[EventRow]]] = {}
    for episode in episodes:
        mine.setdefault(episode.rule, ([], []))[0].append(episode)
    for event in events:
        if event.at >= start and event.rule in mine:
            mine[event.rule][1].append(event)
    found = {rule: noise(*each, start, end, zone) for rule, each in mine.items()}
    return dict(sorted(found.items(), key=lambda each: (-each[1].pages, -each[1].told, each[0])))


@dataclass(frozen=True, slots=True)
class Difference:
    """What another version of a rule does differently: episodes that go, that come, and that begin at another time."""

    gone: tuple[EpisodeRow, ...]
    new: tuple[EpisodeRow, ...]
    #: Old and new episodes that overlap.
    kept: tuple[tuple[EpisodeRow, EpisodeRow], ...]

    def as_dict(self) -> dict[str, Any]:
        """The difference as JSON-ready values; of kept episodes how many, and how much later they begin on average."""
        later = [new.started_at - old.started_at for old, new in self.kept]
        return {
            "gone": [_short(each) for each in self.gone],
            "new": [_short(each) for each in self.new],
            "kept": len(self.kept),
            "later": sum(later) / len(later) if later else None,
        }


def difference(before: Sequence[EpisodeRow], after: Sequence[EpisodeRow], slack: float = 0.0) -> Difference:
    """Episodes of the same labels that overlap, or lie within `slack` seconds of each other, are the same one."""
    rest: dict[tuple[tuple[str, str], ...], list[EpisodeRow]] = {}
    for each in after:
        rest.setdefault(_labels(each), []).append(each)
    kept, gone = [], []
    for old in before:
        mine = rest.get(_labels(old), [])
        found = next((new for new in mine if _overlap(old, new, slack)), None)
        if found is None:
            gone.append(old)
        else:
            mine.remove(found)
            kept.append((old, found))
    new = sorted((each for mine in rest.values() for each in mine), key=lambda each: each.started_at)
    return Difference(tuple(gone), tuple(new), tuple(kept))


def _overlap(one: EpisodeRow, other: EpisodeRow, slack: float) -> bool:
    first = one.resolved_at is None or other.started_at <= one.resolved_at + slack
    return first and (other.resolved_at is None or one.started_at <= other.resolved_at + slack)


def _labels(row: EpisodeRow) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(row.labels.items()))


def _short(row: EpisodeRow) -> dict[str, Any]:
    return {
        "labels": dict(row.labels), "severity": row.peak, "started_at": row.started_at, "resolved_at": row.resolved_at,
    }  # fmt: skip  # one line
