"""The processes that report their numbers here: who they are and when they were last heard of."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, fields, replace
from typing import Any

from understudy.core.clock import Clock

#: Processes that are remembered; beyond that the one that was silent longest is forgotten.
MOST = 1000
#: A process that was silent for longer is shown as away, s.
AWAY = 15.0


@dataclass(frozen=True, slots=True)
class Instance:
    """One process. `seen_at` and `first_at` are epoch seconds; `attempts` is what it reported in all.

    `clock_off` is by how much its clock was corrected, s: positive where it is behind ours. `left_out` are rows
    of its that were too old, or lay in the future.
    """

    name: str
    boot: str
    version: str
    address: str
    seq: int = 0
    attempts: int = 0
    first_at: float = 0.0
    seen_at: float = 0.0
    clock_off: int = 0
    left_out: int = 0
    away: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The instance as JSON-ready values."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


class Instances:
    """Remembers who reported; in memory, because a process that lives is heard of again within seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], Instance] = OrderedDict()

    def heard(self, heard: Instance) -> None:
        """A report was taken; `attempts` and `left_out` are those of this report."""
        now = self._clock.time()
        known = self._known.pop((heard.name, heard.boot), None)
        if known is None:
            known = replace(heard, first_at=now, attempts=0, left_out=0)
        self._known[heard.name, heard.boot] = replace(
            heard,
            first_at=known.first_at,
            seen_at=now,
            seq=max(known.seq, heard.seq),
            attempts=known.attempts + heard.attempts,
            left_out=known.left_out + heard.left_out,
        )
        if len(self._known) > MOST:
            self._known.popitem(last=False)

    def all(self) -> list[Instance]:
        """Everybody who was heard of within an hour, by name."""
        now = self._clock.time()
        return [
            replace(each, away=now - each.seen_at > AWAY)
            for each in sorted(self._known.values(), key=lambda each: (each.name, each.first_at))
            if now - each.seen_at < 3600
        ]
