"""How each API stands for a call right now: gates, costs, reserves; and the booking of outcomes."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from understudy.core.clock import Clock
from understudy.core.types import Attribution, Candidate, Mode, OutcomeClass, Verdict

from .breaker import BreakerState
from .call import Attempt, Call
from .error_rows import causes
from .keys import Key
from .outcome import LocalNetworkDetector, Outcome, local_network
from .ports import HealthView
from .registry import Api, Binding, Route
from .selection import Standing, rank

#: An attempt needs at least this, or half its median, to be worth starting, s.
LEAST_TIME = 0.05
#: The reserve for the next API is at most this share of what remains.
RESERVE_SHARE = 0.4
RESERVE_MEDIANS = 4.0
RESERVE_LEAST = 0.1
#: A call that only a half-open API could serve waits that long for its trials to end, looking every so often, s.
TRIAL_WAIT = 2.0
TRIAL_LOOK = 0.025
#: Calls that wait for the same hold come back spread over this share of it, never earlier.
HOLD_JITTER = 0.1
#: Above this many calls a second half-open probes and slow start are rationed.
BUSY = 10.0
#: Share of traffic that may go to a half-open API on a busy route.
PROBE_SHARE = 0.1
#: After closing, a busy route sends an API only part of its share for this long, s (Envoy's slow start).
SLOW_START = 60.0
#: What the record says of a half-open API that this call tries, and of one that it leaves to others.
TRIAL = "half-open: this call is one of its trials"
FIRST_CALL = "unproven: it has never served, and this call may show what it is worth"
SPARED_TRIAL = "half-open: its few trials go to other calls"

#: The gate of the APIs that a person has said shall not stand in.
NOT_PINNED = "not_pinned"
#: Gates that may open again while an attempt runs; the empty one is open.
_PASSING = frozenset({"", "breaker_open", "hub_open", "hold", "keys", "rate_limited", "bulkhead_full"})

GetBinding = Callable[[Api, Route], Binding]


class Gatekeeper:
    """Answers, for one call and one moment, which API may serve it, and books what came of it."""

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        health: HealthView,
        local: LocalNetworkDetector,
        apis: Mapping[str, Api],
        binding: GetBinding,
        rate: Callable[[Call], float],
        emit: Callable[..., None],
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._health = health
        self._local = local
        self._apis = apis
        self._rate = rate
        self._emit = emit
        self.binding = binding
        #: Time at which the breaker of a binding last closed, for slow start.
        self.closed_at: dict[tuple[str, str], float] = {}

    def p50(self, api: Api) -> float | None:
        """The API's median of the last minutes, seconds."""
        return self._health.p50(api.name)

    def among(self, call: Call, name: str) -> Binding:
        """The binding of one of the call's own APIs, one that was removed meanwhile included."""
        return self.binding(next(api for api in call.apis if api.name == name), call.route)

    def least_time(self, api: Api) -> float:
        """An attempt that has less time than this could not finish, seconds."""
        return max(LEAST_TIME, 0.5 * (self.p50(api) or 0.0))

    def barred(self, api: Api, now: float) -> bool:
        """Whether an API that a call was about to ask again has been taken out, or asked to rest, meanwhile."""
        return api.removed or not api.options.enabled or api.drain is not None or api.hold_until > now

    def network_down(self) -> bool:
        """Whether the failures of the last seconds say that our own network reaches nobody."""
        return self._local.suspected()

    # -- gates ----------------------------------------------------------------------------------

    def rank(self, call: Call, now: float) -> list[Candidate]:
        """All APIs of the call, best first, gated ones last."""
        route = call.route
        standings = [self._standing(call, api, now) for api in call.apis]
        if not standings:
            return []
        ranked = rank(standings, call.policy.mode, route.incumbent or call.apis[0].name, self._rng)
        eligible = {candidate.api for candidate in ranked if not candidate.gate}
        hubs = {api.hub for api in call.apis if api.name in eligible}
        for api in call.apis:
            self.binding(api, route).breaker.standby = bool(eligible - {api.name})
            api.hub.breaker.standby = bool(hubs - {api.hub})
        return self._probe_first(call, ranked, len(eligible), now)

    def standings(self, route: Route, now: float) -> list[Candidate]:
        """How the APIs of a route stand for an ordinary call; changes nothing."""
        call = self._ordinary(route, now)
        standings = [self._standing(call, api, now) for api in call.apis]
        return rank(standings, route.options.mode, route.incumbent, self._rng)

    def eligible(self, route: Route, now: float) -> set[str]:
        """The APIs of a route that could serve an ordinary call; as `standings` says it, without their order."""
        call = self._ordinary(route, now)
        return {api.name for api in call.apis if not self.gate(call, api, now)[0]}

    @staticmethod
    def _ordinary(route: Route, now: float) -> Call:
        return Call(route, _AnyCall(), now, now + route.options.deadline, apis=list(route.apis))

    def _probe_first(self, call: Call, ranked: list[Candidate], eligible: int, now: float) -> list[Candidate]:
        """A free half-open permit goes to the next safe call, whatever the cost; nothing goes before a pinned lead."""
        pin = call.route.pinned()
        led = pin is not None and ranked[0].api == pin.api and not ranked[0].gate
        if led and self.among(call, ranked[0].api).breaker.closed:
            return ranked
        busy = self._rate(call) > BUSY
        for place, candidate in enumerate(ranked):
            if candidate.gate or call.total:
                break
            binding = self.among(call, candidate.api)
            if binding.breaker.closed:
                continue
            if eligible > 1 and (call.critical or not call.source.safe_again(binding.api)):
                continue
            if busy and eligible > 1 and self._rng.random() >= PROBE_SHARE:
                continue
            return [replace(candidate, detail=TRIAL), *ranked[:place], *ranked[place + 1 :]]
        steady, on_trial, gated = [], [], []
        for candidate in ranked:
            if candidate.gate:
                gated.append(candidate)
            elif self.among(call, candidate.api).breaker.closed:
                steady.append(candidate)
            else:
                on_trial.append(replace(candidate, detail=SPARED_TRIAL))
        return [*self._newcomer_first(call, steady, now), *on_trial, *gated]

    def _newcomer_first(self, call: Call, steady: list[Candidate], now: float) -> list[Candidate]:
        """An API that never served, and is neither less preferred nor dearer than the best, gets one call a minute.

        Its assumed latency might keep it out for ever; this call shows the real one.
        """
        if call.total or call.critical or len(steady) < 2:
            return steady
        best = self.among(call, steady[0].api).api
        for place, candidate in enumerate(steady):
            api = self.among(call, candidate.api).api
            if not api.unproven(now) or not call.source.safe_again(api):
                continue
            if self._priority(call, api) > self._priority(call, best) or api.price > best.price:
                continue
            return [replace(candidate, detail=FIRST_CALL), *steady[:place], *steady[place + 1 :]]
        return steady

    @staticmethod
    def _priority(call: Call, api: Api) -> int:
        """The API that the caller named leads its own calls."""
        if not call.home:
            return api.options.priority
        return 1 if api.name == call.home else max(2, api.options.priority)

    def _standing(self, call: Call, api: Api, now: float) -> Standing:
        gate, detail = self.gate(call, api, now)
        standing = Standing(api.name, self._priority(call, api), gate, detail)
        if gate:
            return standing
        pin = call.route.pinned()
        standing.pinned = pin is not None and pin.api == api.name
        standing.spared = not standing.pinned and self._starts_slowly(call, api, now)
        standing.latency = api.score.latency(now)
        standing.reliability = api.score.reliability(now)
        standing.price = api.price
        standing.pressure = api.keys.pressure() if api.uses_keys else 0.0
        standing.load = api.in_flight / api.bulkhead.limit if api.bulkhead is not None else 0.0
        standing.domain_failed = api.hub.name in call.failed_hubs
        return standing

    def _starts_slowly(self, call: Call, api: Api, now: float) -> bool:
        closed_at = self.closed_at.get((api.name, call.route.operation))
        if closed_at is None or len(call.apis) < 2 or call.total:
            return False
        age = now - closed_at
        if age >= SLOW_START:
            del self.closed_at[api.name, call.route.operation]
            return False
        if self._rate(call) <= BUSY:
            return False
        return self._rng.random() >= max(0.1, age / SLOW_START)

    def warming(self, call: Call, now: float) -> bool:
        """Whether an API has only part of its share yet: then each call is drawn for itself, and none goes by plan."""
        if len(call.apis) < 2 or self._rate(call) <= BUSY:
            return False
        closed = (self.closed_at.get((api.name, call.route.operation)) for api in call.apis)
        return any(at is not None and now - at < SLOW_START for at in closed)

    def gate(self, call: Call, api: Api, now: float) -> tuple[str, str]:
        """The first reason why `api` cannot serve `call` now, and a word on it; empty strings when it can."""
        if api.removed or not api.options.enabled:
            return "disabled", ""
        if api.drain is not None:
            return "drained", f"{api.drain.reason} ({api.drain.actor})"
        pin = call.route.pinned()
        if pin is not None and pin.only and pin.api != api.name:
            return NOT_PINNED, f"only {pin.api} serves: {pin.reason} ({pin.actor})"
        reason = call.source.gate(api)
        if reason:
            return reason, ""
        if api.name in call.spent:
            return call.spent[api.name], ""
        if api.name not in call.tries and len(call.tries) >= call.policy.max_apis:
            return "max_apis", ""
        ceiling = call.policy.max_price
        if ceiling is not None and api.price > ceiling:
            return "price", f"{api.price:g} is over {ceiling:g} for 1,000 calls"
        return self._protected(call, api, now)

    def _protected(self, call: Call, api: Api, now: float) -> tuple[str, str]:
        binding = self.binding(api, call.route)
        for breaker, gate in ((binding.breaker, "breaker_open"), (api.hub.breaker, "hub_open")):
            why = breaker.blocked()
            if why and breaker.state is BreakerState.FORCED_OPEN:
                return "forced_open", why
            if why:
                return gate, why if gate == "breaker_open" else f"{api.hub.name}: {why}"
        if api.hold_until > now:
            return "hold", f"{api.hold_until - now:.1f} s: {api.hold_reason}"
        if api.uses_keys:
            reason = api.keys.usable(now, call.critical)
            if reason == "rate":
                return "rate_limited", f"{api.keys.release_after(call.critical) or 0.0:.2f} s"
            if reason:
                return "keys", reason
        if self._line_full(call, api, now):
            return "bulkhead_full", f"{api.bulkhead.waiting if api.bulkhead is not None else 0} waiting"
        remaining = call.deadline_at - now
        if remaining < self.least_time(api):
            return "deadline", f"{remaining * 1000:.0f} ms left"
        return "", ""

    def _line_full(self, call: Call, api: Api, now: float) -> bool:
        """Whether the line at the bulkhead is full, or so long that its end would leave no time for another API."""
        bulkhead = api.bulkhead
        if bulkhead is None or bulkhead.active < bulkhead.limit or bulkhead.options.mode is not Mode.ENFORCE:
            return False
        if bulkhead.waiting >= bulkhead.options.max_waiting:
            return True
        wait = bulkhead.waiting * (self.p50(api) or 0.0) / bulkhead.limit
        remaining = call.deadline_at - now
        return wait > remaining - self._kept(call, self._standbys(call, api), remaining)

    def others(self, call: Call, api: Api, now: float) -> int:
        """How many other APIs could serve this call now, and may still be tried in it."""
        free = sum(
            other is not api and other.name not in call.tries and not self.gate(call, other, now)[0]
            for other in call.apis
        )
        return min(free, max(0, call.policy.max_apis - len(call.tries)))

    def reserve(self, call: Call, api: Api, now: float) -> float:
        """Time kept for the next API, so that a slow first one cannot eat it all, seconds.

        Four medians and a tenth of a second, not one median: half of all answers take longer than that.
        """
        if not call.source.safe_elsewhere(api):
            return 0.0
        standbys = [other for other in self._standbys(call, api) if self.gate(call, other, now)[0] in _PASSING]
        return self._kept(call, standbys, call.deadline_at - now)

    def _standbys(self, call: Call, api: Api) -> list[Api]:
        return [other for other in call.apis if other is not api and other.name not in call.tries]

    def _kept(self, call: Call, standbys: list[Api], remaining: float) -> float:
        now = self._clock.monotonic()
        medians = [self.p50(other) or other.score.latency(now) for other in standbys]
        if not medians:
            return 0.0
        return min(RESERVE_MEDIANS * min(medians) + RESERVE_LEAST, RESERVE_SHARE * remaining)

    def release_after(self, call: Call, now: float) -> float | None:
        """Seconds until the first held API is free, when that is short enough to be waited for."""
        waits = []
        for api in call.apis:
            if api.name in call.spent:
                continue
            gate, _ = self.gate(call, api, now)
            longest = api.options.retry.max_wait
            if gate == "hold":
                waits.append((api.hold_until - now, longest, HOLD_JITTER))
            elif gate == "breaker_open" and self.binding(api, call.route).breaker.state is BreakerState.HALF_OPEN:
                # Its trial is under way, and its outcome is near: better awaited than refused.
                if call.trial_wait < TRIAL_WAIT:
                    call.trial_wait += TRIAL_LOOK
                    waits.append((TRIAL_LOOK, longest, 0.0))
            elif gate in ("keys", "rate_limited"):
                after = api.keys.release_after(call.critical)
                if after is not None:
                    waits.append((after, longest, HOLD_JITTER if gate == "keys" else 0.0))
        fitting = [(wait, jitter) for wait, longest, jitter in waits if wait <= longest]
        if not fitting:
            return None
        wait, jitter = min(fitting)
        spread = wait * (1.0 + jitter * self._rng.random())
        return spread if spread < call.deadline_at - now else wait

    # -- booking --------------------------------------------------------------------------------

    def local_network(self, call: Call, api: Api, error: BaseException, outcome: Outcome) -> Outcome:
        """The outcome, made *local* when many unrelated hosts cannot be reached at the same time.

        The call still goes on to an API whose host was not among them: if it answers, our network works.
        """
        host = _host_of(error) if outcome.kind in (OutcomeClass.CONNECT, OutcomeClass.TLS) else ""
        if not host or not self._local.connect_failed(host, api.hub.name):
            return outcome
        if self._reached_since(self._local.since):
            self._local.connected()
            return outcome
        if self._local.begins():
            self._emit("network.local", api=api.name, hosts=sorted(self._local.hosts()), reason=outcome.reason)
        unreached = self._local.hosts()
        onward = any(
            other.name not in call.tries and urlsplit(other.options.base_url).hostname not in unreached
            for other in call.apis
        )
        return local_network(outcome, onward=onward)

    def book(self, binding: Binding, outcome: Outcome, seconds: float, generation: int) -> None:
        """Tell the series how an attempt ended; a failure is judged by the breaker at once.

        `generation` is the breaker's when the attempt was admitted: what comes later than a
        transition reaches statistics only.
        """
        series = binding.series
        api = binding.api
        if outcome.status is not None or (api.is_http and outcome.verdict is Verdict.SUCCESS):
            self._local.connected()
        late = generation != binding.breaker.generation
        if outcome.verdict is Verdict.SUCCESS:
            if late:
                binding.aside(lambda: series.succeeded(seconds))
            else:
                series.succeeded(seconds)
            return
        if outcome.verdict is Verdict.NEUTRAL:
            binding.neutral(outcome, seconds)
            return
        now = self._clock.monotonic()
        api.failed_at = now

        def record() -> None:
            series.failed(seconds, outcome.kind, outcome.attribution, outcome.reason, outcome.status)

        if outcome.attribution is Attribution.HUB:
            binding.aside(record)
            self._hub_failed(api, seconds, now)
        elif late:
            binding.aside(record)
        else:
            record()
            series.drain()

    def _hub_failed(self, api: Api, seconds: float, now: float) -> None:
        hub = api.hub
        for member in hub.apis:  # their successes so far came first, and must be counted first
            for binding in member.bindings.values():
                binding.series.drain()
        hub.failed_at = now
        hub.breaker.settle([-seconds])

    def _reached_since(self, moment: float) -> bool:
        """Whether any API has answered over HTTP since then: our own network works."""
        for api in self._apis.values():
            if api.is_http:
                for binding in api.bindings.values():
                    binding.series.drain()
                if api.score.last_success_at is not None and api.score.last_success_at >= moment:
                    return True
        return False


def _host_of(error: BaseException) -> str:
    """The host that could not be reached, where the error, ours or a library's, names it; else empty."""
    for link in causes(error):
        host = getattr(link, "host", "")
        if isinstance(host, str) and host:
            return host
    return ""


class _AnyCall:
    """A call that every API could serve: for showing how a route stands."""

    endpoint = ""
    part = False
    replayable = True
    repeated = False

    def safe_again(self, api: Api) -> bool:
        return True

    def safe_elsewhere(self, api: Api) -> bool:
        return True

    def settle(self, api: Api, key: Key | None, outcome: Outcome) -> None:
        """Nothing was taken."""

    def gate(self, api: Api) -> str:
        return "" if api.is_http or api.operation is not None or not api.route else "no_operation"

    async def attempt(self, attempt: Attempt) -> tuple[Any, Outcome]:
        raise AssertionError("only ranked, never run")

    def prepared(self, api: Api) -> bool:
        return False

    def refused(self, api: Api, value: Any, outcome: Outcome) -> BaseException:
        raise AssertionError("only ranked, never run")

    async def discard(self, value: Any) -> None:
        """Nothing is ever held."""
