"""Keeps what evaluations change, in order, and hands the rows on: also while the store is away.

With the store there, a change is committed before anybody is told: no transition without its rows. While it
is away, people are told from memory, and everything is committed in one when it comes back; events that the
store knows already, and their rows, are left out then.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from understudy.core.errors import StoreUnavailable
from understudy.core.lease import Lease
from understudy.core.outbox import OutboxRow

from .ports import AlertStore, Change, EpisodeRow, EventRow

_log = logging.getLogger("understudy.alerts")

#: Events that are held for the store; beyond that the oldest are dropped, which is told.
MOST_WAITING: Final = 20_000
#: Events of one transaction, so that the store is not busy with it for long.
_AT_ONCE: Final = 500


class Accept(Protocol):
    """Delivers rows; see `notifications.manager.NotificationManager.accept`."""

    def __call__(self, rows: Sequence[OutboxRow], *, kept: bool = True) -> None:
        """Deliver them at once. `kept`: the store has them; else it will be told of them later."""


class Keeper:
    """One for each manager. `lease` answers the lease to write under, None where there are no roles."""

    def __init__(self, store: AlertStore, lease: Callable[[], Lease | None], accept: Accept) -> None:
        self._store = store
        self._lease = lease
        self._accept = accept
        self._states: dict[str, Any] = {}
        self._episodes: dict[str, EpisodeRow] = {}
        self._events: list[EventRow] = []
        self._rows: list[OutboxRow] = []
        self._signals: list[int] = []
        self._at = 0.0
        #: Why the store does not take anything now, and events that were never kept because of it.
        self.problem = ""
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """Events that the store does not have yet."""
        return len(self._events)

    async def keep(self, change: Change) -> None:
        """Keep a change and tell people.

        Raises:
            LeaseLost: another instance evaluates by now; nothing of it was kept, and nobody told.
        """
        if not self.problem:
            try:
                for part in _parts(change):
                    self._accept(await self._store.commit(part, self._lease()))
                return
            except StoreUnavailable as problem:
                _log.warning("alerts cannot be kept now, and are told all the same: %s", problem)
                self.problem = str(problem)
        self._put_by(change)
        self._accept(change.rows, kept=False)

    async def again(self) -> None:
        """Bring what was put by into the store, if there is anything.

        Raises:
            LeaseLost: another instance evaluates by now: what was put by is its business, and forgotten here.
        """
        if not self.problem:
            return
        put_by = Change(
            self._at, self._states, tuple(self._episodes.values()), tuple(self._events), tuple(self._rows),
            tuple(self._signals),
        )  # fmt: skip
        try:
            for part in _parts(put_by):
                await self._store.commit(part, self._lease())
        except StoreUnavailable as problem:
            self.problem = str(problem)
            return
        self._accept(self._rows)
        _log.warning("alerts are kept again; %d events had waited for it", len(self._events))
        self.forget()

    async def part(self) -> None:
        """Another instance evaluates by now: what people were told here is still recorded, the states are its own."""
        if not self.problem:
            return
        told = Change(self._at, {}, (), tuple(self._events), tuple(self._rows), tuple(self._signals))
        try:
            for part in _parts(told):
                await self._store.commit(part)
        except StoreUnavailable as problem:
            self.problem = str(problem)
            return
        self._accept(self._rows)
        self.forget()

    def forget(self) -> None:
        """Nothing waits any more."""
        self._states, self._episodes, self._events, self._rows, self._signals = {}, {}, [], [], []
        self.problem = ""

    def _put_by(self, change: Change) -> None:
        self._at = change.at
        self._states.update(change.states)
        self._episodes.update({row.episode: row for row in change.episodes})
        self._events.extend(change.events)
        self._rows.extend(change.rows)
        self._signals.extend(change.signals)
        if (over := len(self._events) - MOST_WAITING) > 0:
            self.dropped += over
            gone = {event.event_id for event in self._events[:over]}
            del self._events[:over]
            self._rows = [row for row in self._rows if row.event_id not in gone]


def _parts(change: Change) -> list[Change]:
    """A change in transactions of a bearable length. All that is about one alert is in the same one."""
    if len(change.events) <= _AT_ONCE:
        return [change] if change else []
    by_alert: dict[str, list[EventRow]] = {name: [] for name in change.states}
    for event in change.events:
        by_alert.setdefault(event.fingerprint, []).append(event)
    groups: list[list[str]] = [[]]
    count = 0
    for name, events in by_alert.items():
        if count and count + len(events) > _AT_ONCE:
            groups.append([])
            count = 0
        groups[-1].append(name)
        count += len(events)
    place = {name: number for number, names in enumerate(groups) for name in names}
    whose = {event.event_id: event.fingerprint for event in change.events}
    episodes: list[list[EpisodeRow]] = [[] for _ in groups]
    for episode in change.episodes:
        episodes[place.get(episode.fingerprint, 0)].append(episode)
    rows: list[list[OutboxRow]] = [[] for _ in groups]
    for row in change.rows:
        rows[place.get(whose.get(row.event_id, ""), 0)].append(row)
    return [
        Change(
            change.at,
            {name: change.states[name] for name in names if name in change.states},
            tuple(episodes[number]),
            tuple(event for name in names for event in by_alert[name]),
            tuple(rows[number]),
            change.signals if number == 0 else (),
        )
        for number, names in enumerate(groups)
    ]
