"""Judges alerts under kills: what services said, what their store holds, what arrived, and in which order."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from time import monotonic
from typing import Protocol

from understudy.alerts.ports import EpisodeQuery, EpisodeRow, EventRow
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.notices import NoticeKind
from understudy.core.outbox import OutboxRow, RowState
from understudy.notifications.ports import OutboxQuery
from understudy.storage import StorageOptions, open_store

from .alert_kill_world import CHANNELS, Apis, Arrival, Receivers, key_of
from .experiment import Report

#: Messages that one service may have on their way: one on each channel, but two mails.
IN_FLIGHT = len(CHANNELS) + 1
#: Longest opening of the store and all that needs it, s; on a quiet machine it takes a twentieth of that.
OPENING = 2.0
_EVERYTHING = 1_000_000


class Store(Protocol):
    """What services keep their alerts in."""

    url: str
    password: str
    options: StorageOptions

    def read(self) -> Death:
        """What it holds now."""


@dataclass(slots=True)
class Death:
    """What the store held when a service had died: unfinished rows, events, episodes (API, whether it had ended).

    Alerts about the service itself have no API: of one about messages that wait for long, there may be an episode.
    """

    pending: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    episodes: list[tuple[str, bool]] = field(default_factory=list)
    at: float = field(default_factory=monotonic)

    @classmethod
    def of(cls, pending: Iterable[str], events: Iterable[str], episodes: Iterable[tuple[str, int | None]]) -> Death:
        """From what was read: ids, and of episodes the labels as JSON with the time of the end."""
        found = [(str(json.loads(labels).get("api", "")), ended is not None) for labels, ended in episodes]
        return cls(set(pending), set(events), found)


@dataclass
class History:
    """What happened, as far as services told of it."""

    #: Events that a service said its store had taken.
    told: set[str] = field(default_factory=set)
    deaths: list[Death] = field(default_factory=list)
    #: Seconds that each opening took; and how many rows there were in all, and nowhere, whenever that was asked.
    openings: list[float] = field(default_factory=list)
    accounts: list[tuple[int, int]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    finished: bool = False

    def died(self, death: Death, apis: Apis) -> None:
        """A service was killed. What it could not say any more is learnt from its store."""
        lost = self.told - death.events
        self.faults += [f"{event} was kept, and is not there after death {len(self.deaths)}" for event in sorted(lost)]
        self.deaths.append(death)
        for api, ended in death.episodes:
            apis.told(api, ended=ended)


async def judge(report: Report, store: Store, history: History, apis: Apis, receivers: Receivers) -> None:
    """Enter what was promised, and what was found."""
    kept = open_store(store.options, SYSTEM_CLOCK)
    try:
        rows = await kept.outbox.rows(OutboxQuery(), _EVERYTHING)
        events = await kept.alerts.events(limit=_EVERYTHING)
        episodes = await kept.alerts.episodes(EpisodeQuery(), _EVERYTHING)
    finally:
        await kept.close()
    found = Findings(rows, events, episodes, receivers)
    repeats = list(found.repeats(history.deaths))
    report.none_of("services that ended by themselves, or forgot what they had kept", history.faults)
    report.exactly("every alert ended, and nothing waits", history.finished, True)
    report.none_of("accepted events lost", sorted(history.told - {each.event_id for each in events}))
    report.none_of("outages that nobody was told of, or told the end of", sorted(found.untold(apis)))
    report.none_of("events without a row for each channel", list(found.without_rows()))
    report.none_of("rows neither delivered, told in another, needless nor dead for a reason", list(found.nowhere()))
    report.none_of("rows delivered by their word that never arrived", list(found.never_arrived()))
    report.none_of("messages of what no store knows", list(found.unknown()))
    report.none_of("ends told before beginnings", list(found.out_of_order()))
    report.none_of("episodes with more than one incident, and incidents left open", list(found.incidents()))
    report.none_of("repeats of what was not on its way at a kill", [each for each, death in repeats if death is None])
    report.none_of("repeats in chat, mail and webhook that do not say so", list(found.unflagged()))
    most = max(Counter(death for _, death in repeats if death is not None).values(), default=0)
    report.at_most("repeats for one kill", most, IN_FLIGHT)
    report.none_of("refusals", receivers.refusals)
    report.none_of("accounts that do not add up", [str(each) for each in history.accounts if each[1]])
    report.exactly("rows in the account", history.accounts[-1][0] if history.accounts else 0, len(rows))
    report.at_most("median opening", median(history.openings or [0.0]), OPENING, " s")
    states = Counter(f"{row.channel} {row.state}" for row in rows)
    report.figures.update(
        kills=len(history.deaths), alerts=len(apis.begun), events=len(events), rows=len(rows),
        arrivals=len(receivers.arrivals), repeats=len(repeats),
        said_to_be_a_repeat=sum(each.flagged for each in receivers.arrivals), openings=len(history.openings),
        slowest_opening=f"{max(history.openings, default=0.0):.2f} s",
        where_rows_ended=dict(sorted(states.items())),
    )  # fmt: skip


class Findings:
    """Everything that there is to compare."""

    def __init__(
        self, rows: Sequence[OutboxRow], events: Sequence[EventRow], episodes: Sequence[EpisodeRow],
        receivers: Receivers,
    ) -> None:  # fmt: skip
        self._rows, self._events, self._episodes, self._receivers = rows, events, episodes, receivers
        self._by_id = {row.id: row for row in rows}
        self._by_key: dict[tuple[str, str], list[OutboxRow]] = defaultdict(list)
        for row in sorted(rows, key=lambda each: each.id):
            self._by_key[row.channel, key_of(row)].append(row)
        self._arrived: dict[tuple[str, str], list[Arrival]] = defaultdict(list)
        for arrival in receivers.arrivals:
            self._arrived[arrival.channel, arrival.key].append(arrival)

    def untold(self, apis: Apis) -> set[str]:
        """APIs that failed, and had no alert that began and ended."""
        kinds = ("fired", "resolved")
        seen = {(e.kind, e.notice.get("labels", {}).get("api")) for e in self._events}
        return {api for api in apis.begun if not {(kind, api) for kind in kinds} <= seen}

    def without_rows(self) -> Iterator[str]:
        """Events of which some channel has no row, though nothing held them back."""
        there = {(row.event_id, row.channel) for row in self._rows}
        for event in self._events:
            for channel in CHANNELS:
                if not event.suppressed_by and (event.event_id, channel) not in there:
                    yield f"{event.kind} {event.event_id} on {channel}"

    def nowhere(self) -> Iterator[str]:
        """Rows that came to no end that was promised."""
        for row in self._rows:
            carrier, hops = row, 0
            while carrier.state is RowState.DIGESTED and carrier.told_in in self._by_id and hops < 10:
                # A beginning is told in its end, and both perhaps in a digest.
                carrier, hops = self._by_id[carrier.told_in], hops + 1
            needless = carrier.state in (RowState.SUPPRESSED, RowState.DEAD) and carrier.reason
            if carrier.state is not RowState.DELIVERED and not needless:
                yield f"{row.kind} {row.id} on {row.channel}: {carrier.state} {carrier.reason}"

    def never_arrived(self) -> Iterator[str]:
        """Messages of which fewer came than were delivered by the store's word."""
        for (channel, key), rows in self._by_key.items():
            delivered = [row for row in rows if row.state is RowState.DELIVERED]
            if len(self._arrived.get((channel, key), ())) < len(delivered):
                yield f"{key} on {channel}"

    def unknown(self) -> Iterator[str]:
        """Messages without a row: somebody was told of what had not been kept."""
        return (f"{key} on {channel}" for channel, key in self._arrived if not self._by_key.get((channel, key)))

    def out_of_order(self) -> Iterator[str]:
        """Alerts whose beginning came, or came again, after their end, on one channel."""
        spans: dict[tuple[str, str], dict[NoticeKind, list[float]]] = defaultdict(lambda: defaultdict(list))
        for row in self._rows:
            if row.episode and len(self._by_key[row.channel, key_of(row)]) == 1:
                spans[row.channel, row.episode][row.kind] += [
                    each.at for each in self._arrived.get((row.channel, key_of(row)), ())
                ]
        for (channel, episode), seen in spans.items():
            fired, resolved = seen[NoticeKind.FIRED], seen[NoticeKind.RESOLVED]
            if fired and resolved and max(fired) >= min(resolved):
                yield f"{episode} on {channel}"

    def incidents(self) -> Iterator[str]:
        """Keys with more incidents than the alert had episodes, and incidents that nobody closed."""
        episodes = Counter(f"understudy-development-{each.fingerprint}" for each in self._episodes)
        for key, count in Counter(each.key for each in self._receivers.pager.incidents).items():
            if count > episodes[key]:
                yield f"{key}: {count} for {episodes[key]} episodes"
        for each in self._receivers.pager.open:
            rows = [row for row in self._rows if row.channel == "pager" and row.notice.dedup_key == each.key]
            if rows and rows[0].kind is NoticeKind.FLAPPING_STARTED:
                continue  # of an alert about the service itself: open until it has been quiet for half an hour
            said = ", ".join(f"{row.kind} {row.state} {row.reason}".strip() for row in reversed(rows))
            yield f"{each.key} is open: {said}; {len(each.events)} triggers"

    def repeats(self, deaths: Sequence[Death]) -> Iterator[tuple[str, int | None]]:
        """Messages that came again, each with the kill that explains it: the row was not finished then."""
        for (channel, key), arrivals in self._arrived.items():
            rows = self._by_key.get((channel, key), [])
            # Where an alert had several episodes, one of their messages is no repeat of another's.
            for before, after in list(pairwise(arrivals))[max(0, len(rows) - 1) :]:
                between = (number for number, death in enumerate(deaths) if before.at <= death.at <= after.at)
                fitting = (number for number in between if any(row.id in deaths[number].pending for row in rows))
                yield f"{key} on {channel}", next(fitting, None)

    def unflagged(self) -> Iterator[str]:
        """Repeats that a reader cannot know to be some; PagerDuty joins them to the incident."""
        for (channel, key), arrivals in self._arrived.items():
            further = arrivals[max(1, len(self._by_key.get((channel, key), ()))) :]
            if channel != "pager" and not all(each.flagged for each in further):
                yield f"{key} on {channel}"
