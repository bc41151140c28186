"""A believable past: the rollups that a service would have kept of many APIs over many days.

APIs come in groups, one route each. The standbys of a route take over what a lead in trouble cannot
serve, so a route's calls, its fallbacks and the numbers of its APIs agree. Every coarser bucket is the
sum of its finer ones, as the service itself adds them up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from understudy.monitor.rollup import TIERS, SeriesName

from .past_shapes import NOBODY, NOTHING, Example, Shapes, Tail, extremes, unpacked
from .past_weather import Episode, Nature, State, group_outages, merged, nature, state_at, troubles

HOUR, DAY = 3600, 86400
#: APIs of one route; fewer when there are few.
_GROUP, _SMALL_GROUP = 20, 5

#: Buckets of one series in one tier: the start and the columns of the row behind it, in order of time.
Buckets = list[tuple[int, Tail]]


@dataclass(frozen=True, slots=True)
class PastOptions:
    """What is made: `end` is the epoch second at which it ends; ten-second and minute rows reach back so far."""

    apis: int
    days: int
    seed: int
    end: int
    keep_10s: int = 2 * DAY
    keep_1m: int = 30 * DAY

    @property
    def start(self) -> int:
        """Epoch second at which it begins: a full hour."""
        return (self.end - self.days * DAY) // HOUR * HOUR

    @property
    def together(self) -> int:
        """APIs of one group."""
        return _SMALL_GROUP if self.apis <= 100 else _GROUP

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return -(-self.apis // self.together)

    def numbers(self, group: int) -> range:
        """The numbers of the APIs in a group."""
        return range(group * self.together, min(self.apis, (group + 1) * self.together))


@dataclass(frozen=True, slots=True)
class GroupPast:
    """What is kept of one group: rows by series and tier, and the troubles that its APIs had."""

    rows: Mapping[SeriesName, Mapping[int, Buckets]]
    natures: Sequence[Nature]
    troubles: Sequence[Sequence[Episode]]
    route: str


def group_past(options: PastOptions, group: int, told: Callable[[int], object] = lambda _: None) -> GroupPast:
    """The past of one group; `told` hears after each day that was made how many API days that were."""
    making = _Making(options, group)
    done = 0
    for hour in range(options.start, options.end, HOUR):
        making.hour(hour)
        if (hour - options.start) // DAY > done:
            done += 1
            told(len(making.apis))
    told((options.days - done) * len(making.apis))
    rows = {series.name: series.tiers for series in (*making.apis, making.route)}
    return GroupPast(rows, [api.nature for api in making.apis], [api.troubles for api in making.apis],
                     making.route.name.name)  # fmt: skip


class _Series:
    """The buckets of one series, and its open hour and day."""

    def __init__(self, name: SeriesName, options: PastOptions) -> None:
        self.name = name
        self.tiers: dict[int, Buckets] = {tier: [] for tier in TIERS}
        self._end = options.end
        self._hour = NOTHING
        self._day: list[Example] = []

    def lay(self, steps: range, examples: Sequence[Example], *, kept: bool) -> None:
        """Lay down an hour, given in steps of ten seconds or a minute; only the hour itself unless `kept`."""
        self._hour = _sum(examples)
        if not kept:
            return
        self._keep(steps.step, steps, examples)
        if steps.step < TIERS[1]:
            many = TIERS[1] // steps.step
            minutes = [_sum(examples[place : place + many]) for place in range(0, len(examples), many)]
            self._keep(TIERS[1], steps[::many], minutes)

    def close(self, start: int) -> None:
        """Keep the hour that began at `start`, and the day if it is over too."""
        self._keep(HOUR, (start,), (self._hour,))
        self._day.append(self._hour)
        if (start + HOUR) % DAY == 0:
            self._keep(DAY, (start + HOUR - DAY,), (_sum(self._day),))
            self._day = []

    def _keep(self, tier: int, starts: Sequence[int], examples: Sequence[Example]) -> None:
        # A bucket without traffic is not kept, nor one that is not over.
        last = self._end - tier
        self.tiers[tier] += [
            (ts, each.tail) for ts, each in zip(starts, examples, strict=True) if each.packed and ts <= last
        ]


class _Api(_Series):
    """One API of the group."""

    def __init__(
        self, nature: Nature, troubles: Sequence[Episode], options: PastOptions, rng: Random, *, alone: bool
    ) -> None:
        super().__init__(SeriesName("api", nature.name), options)
        self.nature = nature
        self.troubles = troubles
        self._rng = rng
        self._shapes = Shapes(nature, rng, alone=alone)

    def states(self, steps: range) -> list[State]:
        """What it is in, at each step of an hour."""
        near = [each for each in self.troubles if each.start < steps.stop and each.end > steps.start]
        return [state_at(near, at) for at in steps] if near else ["well"] * len(steps)

    def examples(self, steps: range, states: Sequence[State]) -> list[Example]:
        """What it does by itself at each step of an hour."""
        load = self.nature.load(steps.start + HOUR / 2)
        if states.count("well") == len(states):
            return self._rng.choices(self._shapes.pool("well", load, steps.step), k=len(states))
        return [self._rng.choice(self._shapes.pool(state, load, steps.step)) for state in states]

    def standby(self, calls: int) -> Example:
        """What it adds for calls of others."""
        return self._shapes.standby(calls)


class _Making:
    """The group while its past is made, hour after hour."""

    def __init__(self, options: PastOptions, group: int) -> None:
        self._options = options
        rng = Random(f"{options.seed}/{group}")
        numbers = options.numbers(group)
        shared = group_outages(options.start, options.end, rng)
        self.route = _Series(SeriesName("route", f"sim_route_{group:03d}"), options)
        self.apis: list[_Api] = []
        for place, number in enumerate(numbers):
            own = troubles(options.start, options.end, rng)
            # What a group shares takes down its first half, so that somebody is left.
            both = merged(own, shared if place < len(numbers) // 2 else ())
            self.apis.append(_Api(nature(number, rng), both, options, rng, alone=len(numbers) == 1))

    def hour(self, start: int) -> None:
        """One hour of everybody."""
        options = self._options
        fine = start >= (options.end - options.keep_10s) // HOUR * HOUR
        kept = start >= (options.end - options.keep_1m) // HOUR * HOUR
        step = TIERS[0] if fine else TIERS[1]
        steps = range(start, min(start + HOUR, options.end - step + 1), step)
        states = [api.states(steps) for api in self.apis]
        own = [api.examples(steps, each) for api, each in zip(self.apis, states, strict=True)]
        extra = self._extra(own, states)
        for api, examples in zip(self.apis, own, strict=True):
            both = [_both(each, extra.get((api, place))) for place, each in enumerate(examples)]
            api.lay(steps, both, kept=kept)
        self.route.lay(steps, self._calls(own, extra), kept=kept)
        for series in (*self.apis, self.route):
            series.close(start)

    def _extra(self, own: Sequence[Sequence[Example]], states: Sequence[Sequence[State]]) -> dict[_Place, Example]:
        """What each API takes over for others, by API and step."""
        calls: dict[_Place, int] = {}
        for number, examples in enumerate(own):
            for place, each in enumerate(examples):
                if each.rescued:
                    others = [*range(number + 1, len(own)), *range(number)]
                    able = next((other for other in others if states[other][place] == "well"), others[0])
                    key = (self.apis[able], place)
                    calls[key] = calls.get(key, 0) + each.rescued
        return {(api, place): api.standby(times) for (api, place), times in calls.items()}

    @staticmethod
    def _calls(own: Sequence[Sequence[Example]], extra: Mapping[_Place, Example]) -> list[Example]:
        """The calls of the route at each step."""
        rescued: dict[int, list[Example]] = {}
        for (_, place), each in extra.items():
            rescued.setdefault(place, []).append(each)
        found = []
        for place, examples in enumerate(zip(*own, strict=True)):
            more = rescued.get(place, ())
            total = sum([each.calls for each in examples]) + sum([each.packed for each in more])
            found.append(_whole(total, *extremes([*examples, *more])))
        return found


#: An API, and the number of a step within the hour.
_Place = tuple[_Api, int]


def _both(own: Example, extra: Example | None) -> Example:
    return own if extra is None else _whole(own.packed + extra.packed, *extremes([own, extra]))


def _sum(examples: Sequence[Example]) -> Example:
    return _whole(sum([each.packed for each in examples]), *extremes(examples))


def _whole(total: int, low: int, high: int) -> Example:
    """A sum as an example."""
    if not total:
        return NOTHING
    return Example(unpacked(total, low, high).row(0, NOBODY)[2:], total, low, high, 0, 0)
