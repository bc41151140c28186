"""Is it them or me? What the failures of the last minutes are attributed to, beside how everything else does.

The attribution itself is made where each attempt ends (resilience rule R1); here it is only counted, and held
against what can be seen from outside: the keys, the other APIs of the hub, the other hubs, our own machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

from understudy.core.types import Attribution, OutcomeClass
from understudy.monitor.summary import Snapshot
from understudy.resilience.breaker_state import BreakerState
from understudy.resilience.registry import Api

from .apis import NOW, registered

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Fewer failures than this may be chance: the sentence says so.
FEW: Final = 5
#: Below this share of failures an API is fine, percent.
FINE: Final = 1.0
#: Where calls have just shown that it does not work: however many succeeded before, it is not fine.
_TRIPPED: Final = frozenset({BreakerState.OPEN, BreakerState.HALF_OPEN})
#: A neighbour with at least this share of failures fails as well, percent.
FAILING: Final = 20.0
#: Failures of one cause from this share on decide the sentence.
_MOST: Final = 0.5
#: Failures in which nothing of the API was heard: where other hubs are silent too, it may be our own network.
_UNREACHED: Final = (
    OutcomeClass.CONNECT, OutcomeClass.TLS, OutcomeClass.TIMEOUT, OutcomeClass.LOST, OutcomeClass.LOCAL,
)  # fmt: skip
#: Other hubs that are shown beside it, the busiest.
_HUBS: Final = 5
#: Decision records that are looked at for the keys.
_RECORDS: Final = 1000
#: The event loop is late when it waits this long for its turn, s.
LATE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Side:
    """One thing that can be held against the API: requests of five minutes, failures among them, and its state."""

    kind: str
    name: str
    requests: int = 0
    failures: int = 0
    state: str = ""

    @property
    def success_rate(self) -> float | None:
        """Percent; None without requests."""
        return 100.0 * (1.0 - self.failures / self.requests) if self.requests else None

    @property
    def fails(self) -> bool:
        """Whether so much of it fails that it is in trouble itself."""
        return self.requests > 0 and 100.0 * self.failures / self.requests >= FAILING

    def as_dict(self) -> dict[str, Any]:
        """The side as JSON-ready values."""
        return {**{each.name: getattr(self, each.name) for each in fields(self)}, "success_rate": self.success_rate}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who is to blame, in one word: `kind` is idle, fine, few, mixed, or an attribution (provider, hub, key …).

    `share` is the part of the failures that speaks for it, percent; `spread` how many other hubs fail as well,
    of how many that were asked; `sure` whether there are enough failures to say so.
    """

    kind: str
    sure: bool
    share: float
    requests: int
    failures: int
    spread: tuple[int, int]
    causes: Mapping[str, int]
    classes: Mapping[str, int]
    sides: tuple[Side, ...]

    def as_dict(self) -> dict[str, Any]:
        """The verdict as JSON-ready values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        more = {"spread": list(self.spread), "causes": dict(self.causes), "classes": dict(self.classes)}
        return {**values, **more, "sides": [side.as_dict() for side in self.sides]}

    @classmethod
    def of(cls, app: Understudy, name: str) -> Verdict:
        """What the last five minutes say of an API. Raises UnknownName."""
        api = registered(app, name)
        seen = app.monitor.snapshot(name, NOW)
        neighbours, hubs = _others(app, api)
        down = app.fallback.gates.network_down()
        sides = (
            Side("api", name, seen.successes + seen.failures, seen.failures),
            *_keys(app, api),
            *([replace(neighbours, state=api.hub.breaker.view().state.value)] if neighbours.name else []),
            *hubs[:_HUBS],
            *_ours(app, down=down),
        )
        failing = sum(hub.fails for hub in hubs)
        tripped = any(binding.breaker.state in _TRIPPED for binding in api.bindings.values())
        return judge(seen, failing, sum(hub.requests > 0 for hub in hubs), sides, network_down=down, tripped=tripped)


def judge(
    seen: Snapshot, failing: int, asked: int, sides: Sequence[Side], *, network_down: bool, tripped: bool = False
) -> Verdict:
    """The verdict on what was counted; `failing` of `asked` other hubs fail as well, `tripped`: its breaker opened."""
    causes = {cause: count for cause, count in seen.errors_by_attribution.items() if count}
    rated = seen.successes + seen.failures
    kind, share = _kind(seen, causes, failing, asked, network_down=network_down, tripped=tripped)
    return Verdict(
        kind, seen.failures >= FEW, share, rated, seen.failures, (failing, asked), causes,
        dict(seen.errors_by_class), tuple(sides),
    )  # fmt: skip


def _kind(
    seen: Snapshot, causes: Mapping[str, int], failing: int, asked: int, *, network_down: bool, tripped: bool
) -> tuple[str, float]:
    if network_down:
        return Attribution.LOCAL, 100.0
    if not seen.total:
        return "idle", 0.0
    if not seen.failures or ((seen.error_rate or 0.0) < FINE and not tripped):
        return "fine", seen.success_rate or 0.0
    ours = causes.get(Attribution.LOCAL, 0) + causes.get(Attribution.SELF, 0)
    if ours >= _MOST * seen.failures:
        return Attribution.LOCAL, 100.0 * ours / seen.failures
    reach = sum(seen.errors_by_class.get(outcome, 0) for outcome in _UNREACHED)
    if asked >= 2 and failing > asked / 2 and reach >= _MOST * seen.failures:
        return "everywhere", 100.0 * failing / asked
    cause, count = max(causes.items(), key=lambda pair: pair[1], default=("", 0))
    if count >= _MOST * seen.failures:
        return cause, 100.0 * count / seen.failures
    return "mixed", 100.0 * count / seen.failures


def _others(app: Understudy, api: Api) -> tuple[Side, list[Side]]:
    """The other APIs of the hub as one side, and each other hub, the busiest first."""
    sums: dict[str, list[int]] = {}
    for other in app.fallback.roster.apis.values():
        if other is api:
            continue
        seen = app.monitor.snapshot(other.name, NOW)
        known = sums.setdefault(other.hub.name, [0, 0])
        known[0] += seen.successes + seen.failures
        known[1] += seen.failures
    mine = sums.pop(api.hub.name, None)
    hubs = [Side("hub", name, rated, failed) for name, (rated, failed) in sums.items() if rated]
    hubs.sort(key=lambda side: -side.requests)
    return (Side("neighbours", api.hub.name, mine[0], mine[1]) if mine else Side("neighbours", "")), hubs


def _keys(app: Understudy, api: Api) -> list[Side]:
    """Each key, with the attempts of the decision records that are kept: all failures, a sample of the rest."""
    if not api.uses_keys or all(key.secret is None for key in api.keys):
        return []
    since = app.clock.time() - 300.0
    tried: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for record in app.fallback.decisions(_RECORDS):
        if record.at < since:
            break
        for attempt in record.attempts:
            if attempt.api == api.name and attempt.key:
                tried[attempt.key] += 1
                failed[attempt.key] += attempt.outcome.value != "success"
    return [
        Side("key", each["key"], tried[each["key"]], failed[each["key"]], each["state"]) for each in api.keys.view()
    ]


def _ours(app: Understudy, *, down: bool) -> list[Side]:
    """Our own network, and our own process."""
    lag = app.system.read().loop_lag_p99
    return [
        Side("network", "", state="down" if down else "ok"),
        Side("process", "", state="late" if lag is not None and lag > LATE else "ok"),
    ]
