"""Alerts and edited documents in plain dictionaries: the reference for the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from understudy.alerts.ports import Change, Document, EpisodeQuery, EpisodeRow, EventRow, Signal
from understudy.core.clock import Clock
from understudy.core.errors import VersionConflict
from understudy.core.lease import Lease
from understudy.core.outbox import OutboxRow

from .agreed import MOST_SIGNALS, SUPERSEDED, expected_is
from .memory_outbox import MemoryOutbox


class MemoryAlerts:
    """An `AlertStore` in memory; `outbox` takes the rows of a change, `fence` refuses a lease that was taken over."""

    def __init__(self, outbox: MemoryOutbox, fence: Callable[[Lease], None]) -> None:
        self._outbox = outbox
        self._fence = fence
        self._states: dict[str, str] = {}
        self._episodes: dict[str, EpisodeRow] = {}
        self._events: dict[str, EventRow] = {}
        self._signals: dict[int, tuple[str, Signal]] = {}
        self._numbers = count(1)

    async def states(self) -> dict[str, dict[str, Any]]:
        """As `alerts.ports.AlertStore.states`."""
        return {name: json.loads(doc) for name, doc in self._states.items()}

    async def commit(self, change: Change, lease: Lease | None = None) -> list[OutboxRow]:
        """As `alerts.ports.AlertStore.commit`."""
        if lease is not None:
            self._fence(lease)
        # What cannot be kept is refused here, before anything is.
        states = {name: None if doc is None else json.dumps(doc) for name, doc in change.states.items()}
        for name, doc in states.items():
            if doc is None:
                self._states.pop(name, None)
            else:
                self._states[name] = doc
        for episode in change.episodes:
            if episode.resolved_at is None:
                self._supersede(episode, change.at)
            self._episodes[episode.episode] = episode
        for event in change.events:
            self._events.setdefault(event.event_id, event)
        for number in change.signals:
            self._signals.pop(number, None)
        return self._outbox.put(change.rows)

    def _supersede(self, by: EpisodeRow, at: float) -> None:
        for each in self.open_episodes():
            if each.fingerprint == by.fingerprint and each.episode != by.episode:
                self._episodes[each.episode] = replace(each, resolved_at=at, reason=SUPERSEDED)

    def open_episodes(self) -> list[EpisodeRow]:
        """Episodes that have not ended."""
        return [each for each in self._episodes.values() if each.resolved_at is None]

    async def episodes(self, query: EpisodeQuery, limit: int) -> list[EpisodeRow]:
        """As `alerts.ports.AlertStore.episodes`."""
        found = [each for each in self._episodes.values() if _asked(each, query)]
        return sorted(found, key=lambda each: each.episode, reverse=True)[:limit]

    async def events(
        self, *, episode: str = "", event_id: str = "", start: float | None = None,
        end: float | None = None, limit: int = 1000,
    ) -> list[EventRow]:  # fmt: skip
        """As `alerts.ports.AlertStore.events`."""
        found = [
            each
            for each in self._events.values()
            if episode in ("", each.episode)
            and event_id in ("", each.event_id)
            and (start is None or each.at >= start)
            and (end is None or each.at < end)
        ]
        return sorted(found, key=lambda each: each.at)[:limit]

    async def post(self, signals: Sequence[Signal], instance: str) -> None:
        """As `alerts.ports.AlertStore.post`."""
        for signal in signals:
            self._signals[next(self._numbers)] = (instance, signal)
        for number in list(self._signals)[: max(0, len(self._signals) - MOST_SIGNALS)]:
            del self._signals[number]

    async def posted(self, limit: int) -> list[tuple[int, str, Signal]]:
        """As `alerts.ports.AlertStore.posted`."""
        return [(number, *found) for number, found in list(self._signals.items())[:limit]]

    async def forget(self, before: float, limit: int) -> int:
        """As `alerts.ports.AlertStore.forget`."""
        old = [each for each in self._episodes.values() if each.resolved_at is not None and each.resolved_at < before]
        gone = sorted(each.episode for each in old)[:limit]
        self._drop(gone)
        stray = [each for each in self._events.values() if each.at < before and each.episode not in self._episodes]
        for event in sorted(stray, key=lambda each: each.at)[:limit]:
            del self._events[event.event_id]
        return len(gone)

    def trim(self, most: int) -> None:
        """Keep at most so many episodes that ended, the newest: memory is all there is."""
        ended = sorted(each.episode for each in self._episodes.values() if each.resolved_at is not None)
        self._drop(ended[: max(0, len(ended) - most)])

    def _drop(self, episodes: Collection[str]) -> None:
        """Leave out episodes, with their events."""
        gone = set(episodes)
        for each in gone:
            del self._episodes[each]
        if gone:
            self._events = {name: event for name, event in self._events.items() if event.episode not in gone}


class MemoryDocuments:
    """A `DocumentStore` in memory."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._documents: dict[tuple[str, str], list[Document]] = {}

    async def put(
        self, kind: str, name: str, doc: Mapping[str, Any] | None, *, actor: str, comment: str = "",
        expected: int | None = None,
    ) -> Document:  # fmt: skip
        """As `alerts.ports.DocumentStore.put`."""
        known = self._documents.get((kind, name), [])
        newest = known[-1].version if known else 0
        if not expected_is(expected, newest, deleted=not known or known[-1].doc is None):
            raise VersionConflict(f"the {kind} {name}", expected or 0, newest)
        settled = None if doc is None else json.loads(json.dumps(doc))
        made = Document(kind, name, newest + 1, round(self._clock.time() * 1000) / 1000, actor, settled, comment)
        self._documents.setdefault((kind, name), []).append(made)
        return made

    async def newest(self, kind: str) -> list[Document]:
        """As `alerts.ports.DocumentStore.newest`."""
        found = [each[-1] for (of, _), each in self._documents.items() if of == kind]
        return sorted((each for each in found if each.doc is not None), key=lambda each: each.name)

    async def versions(self, kind: str, name: str) -> list[Document]:
        """As `alerts.ports.DocumentStore.versions`."""
        return self._documents.get((kind, name), [])[::-1]


def _asked(row: EpisodeRow, query: EpisodeQuery) -> bool:
    """Whether an episode is among what was asked for; a span is touched by what fired at any time in it."""
    return (
        (not query.rules or row.rule in query.rules)
        and query.fingerprint in ("", row.fingerprint)
        and all(row.labels.get(name) == value for name, value in query.labels.items())
        and (not query.severities or row.peak in query.severities)
        and (query.open is None or query.open == (row.resolved_at is None))
        and (query.end is None or row.started_at < query.end)
        and (query.start is None or row.resolved_at is None or row.resolved_at >= query.start)
        and (not query.before or row.episode < query.before)
    )
