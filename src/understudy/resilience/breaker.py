"""The circuit breaker of one (API, operation), and of one hub (resilience rule R2)."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from understudy.core.clock import Clock
from understudy.core.errors import BreakerOpen
from understudy.core.types import Mode, Verdict

from .breaker_judge import Judge, is_failure
from .breaker_options import BreakerOptions
from .breaker_state import BreakerState, BreakerView
from .breaker_window import Window

_FORCED = frozenset((BreakerState.FORCED_OPEN, BreakerState.FORCED_CLOSED, BreakerState.OBSERVE))
#: States in which a call needs no permit.
_ADMITTING = frozenset((BreakerState.CLOSED, BreakerState.FORCED_CLOSED, BreakerState.OBSERVE))

#: What `on_transition` is told as the new state when a breaker that only observes would have opened.
WOULD_OPEN = "would_open"
#: Failed active checks, with no real success among them, that open a closed breaker.
FAILED_CHECKS = 3
#: A permit is lost this long after the attempt's own limit has passed, s.
LEASE_MARGIN = 5.0
#: Doublings beyond this cannot matter: the cap is long reached, and the power must not overflow.
_MOST_DOUBLINGS = 62


class Permit:
    """Leave for one attempt on a half-open breaker. What is not released in time is taken as lost."""

    __slots__ = ("_breaker", "expires", "generation", "in_panic")

    def __init__(self, breaker: Breaker, generation: int, expires: float, in_panic: bool = False) -> None:
        self._breaker: Breaker | None = breaker
        self.generation = generation
        #: Monotonic moment at which the lease ends.
        self.expires = expires
        #: Given although the wait was not over; its failure does not lengthen the next wait.
        self.in_panic = in_panic

    def release(self, verdict: Verdict) -> None:
        """Tell how the attempt ended. Only the first call counts; a stale permit changes nothing."""
        breaker, self._breaker = self._breaker, None
        if breaker is not None:
            breaker.released(self, verdict)

    def renew(self) -> None:
        """Start the lease again: the attempt has just shown a sign of life."""
        if self._breaker is not None:
            self.expires = max(self.expires, self._breaker.lease_end())


class Breaker:
    """Decides whether an (API, operation) may be called, from the outcomes of its attempts.

    Every method is one synchronous step on the owning loop. All waits are monotonic; a process that
    was suspended finds itself re-evaluated at first use. `on_transition(breaker, old, new, cause)`
    runs after each change of state; a breaker that only observes reports `would_open` as `new`.
    """

    __slots__ = (
        "_actor", "_cause", "_clock", "_closed_since", "_done", "_expires", "_factor", "_failed_checks", "_given",
        "_rest", "_judge", "_n", "_on_transition", "_opened", "_out", "_reason", "_resume", "_rng", "_since",
        "attempt_timeout", "closed", "free_probe", "generation", "name", "options", "standby", "state", "would_open",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        options: BreakerOptions,
        clock: Clock,
        rng: random.Random,
        *,
        attempt_timeout: float = 10.0,
        on_transition: Callable[[Breaker, str, str, str], None] | None = None,
    ) -> None:
        self.name = name
        self.options = options
        #: Limit of one attempt, s; a permit's lease is five seconds longer.
        self.attempt_timeout = attempt_timeout
        #: Another API could serve: trip sooner, and wait less when no free probe tells of recovery.
        self.standby = False
        #: A probe that costs nothing ends an open phase early.
        self.free_probe = False
        self.state = BreakerState.CLOSED
        #: Grows with each transition; results of an older generation reach statistics only.
        self.generation = 0
        #: True when a call needs no permit: the only thing that the hot path reads.
        self.closed = True
        #: A breaker that only observes would be open now.
        self.would_open = False
        self._clock = clock
        self._rng = rng
        self._on_transition = on_transition
        now = clock.monotonic()
        self._since = self._closed_since = self._opened = now
        self._judge = Judge(options)
        self._failed_checks = 0
        self._n = 0
        self._factor = 1.0
        self._rest: float | None = None
        self._cause = ""
        self._out: list[Permit] = []
        self._given = 0
        self._done = 0
        self._resume = BreakerState.CLOSED
        self._expires: float | None = None
        self._reason = ""
        self._actor = ""

    # -- outcomes of attempts -------------------------------------------------------------------

    def settle(self, batch: Sequence[float]) -> None:
        """Count attempts in their order, and open when they say so.

        Args:
            batch: seconds of each attempt; a minus sign says failure (`-0.0` included), `-inf` a
                failure without a duration. What follows the attempt that trips reaches statistics only.
        """
        if not batch or not self.closed or self.options.mode is Mode.OFF:
            return
        now = self._clock.monotonic()
        if min(batch) > 0 and max(batch) < self.options.slow_call and not self.would_open:
            self._judge.successes(len(batch), now)
            self._failed_checks = 0
            return
        for seconds in batch:
            if not is_failure(seconds):
                self._failed_checks = 0
                self._recover(now)
            else:
                self._done = 0
            cause = self._judge.count(seconds, now, self.options, standby=self.standby)
            if cause and self._trip(cause, now):
                return

    def gave_up(self) -> None:
        """A caller gave up on an attempt after the time that makes it slow: nobody's failure, but slow."""
        if not self.closed or self.options.mode is Mode.OFF:
            return
        now = self._clock.monotonic()
        cause = self._judge.gave_up(now, self.options)
        if cause:
            self._trip(cause, now)

    def _recover(self, now: float) -> None:
        """While only observing: end the episode when a real breaker would have closed by now."""
        if self.would_open and now >= self._opened + self._wait():
            self._done += 1
            if self._done >= self.options.half_open_successes:
                self.would_open = False
                self._closed_since = now
                self._forget()

    def _trip(self, cause: str, now: float) -> bool:
        """Open, or say once per episode that it would have; whether counting ends with this."""
        if self.state is BreakerState.FORCED_CLOSED:
            return False
        if self.state is BreakerState.OBSERVE or self.options.mode is Mode.OBSERVE:
            self._done = 0
            if not self.would_open:
                self._draw(self._decayed(now) + 1, now)
                self.would_open, self._cause = True, cause
                self._tell(self.state, WOULD_OPEN, cause)
            return False
        self._open(self._decayed(now) + 1, cause, now)
        return True

    # -- admission ------------------------------------------------------------------------------

    def blocked(self) -> str:
        """Why `admit` would refuse now; the empty string when it would not. Changes nothing."""
        if self.closed:
            return ""
        now = self._clock.monotonic()
        state = self.state
        if state is BreakerState.FORCED_OPEN:
            if self._expires is None or now < self._expires:
                return f"forced open by {self._actor}: {self._reason}"
            if self._resume is BreakerState.CLOSED:
                return ""
            state = BreakerState.OPEN
        if state is BreakerState.OPEN:
            left = self._opened + self._wait() - now
            return f"open for another {left:.1f} s: {self._cause}" if left > 0 else ""
        if any(permit.expires <= now for permit in self._out):
            return "probe_lost"
        if len(self._out) >= self.options.half_open_concurrent or any(permit.in_panic for permit in self._out):
            # A call in panic goes alone, however many trials are allowed: the API was not due for any.
            return f"half-open: {len(self._out)} trial in flight"
        return "" if self._given < self.options.half_open_permits else "half-open: no permit left"

    def admit(self) -> Permit | None:
        """Let an attempt start: None when it needs no permit, else the permit that it must release.

        Raises:
            BreakerOpen: no attempt may start now.
        """
        return None if self.closed else self._try(self._clock.monotonic())

    def _try(self, now: float) -> Permit | None:
        self._look(now)
        if self.closed:
            return None
        if self.state is BreakerState.OPEN and now >= self._opened + self._wait():
            self._half_open("wait elapsed", now)
        if self.state is not BreakerState.HALF_OPEN or self.blocked():
            raise self._refusal()
        return self._permit()

    def panic(self) -> Permit:
        """Let one attempt start although the wait is not over, because no other API is left.

        The attempt becomes the half-open trial; its failure reopens for the rest of the same wait.

        Raises:
            BreakerOpen: half-open already, or forced open.
        """
        now = self._clock.monotonic()
        self._look(now)
        if self.closed:
            return Permit(self, self.generation, now)  # closed in the meantime: there is nothing to prove
        if self.state is not BreakerState.OPEN:
            raise self._refusal()
        early = now < self._opened + self._wait()
        self._half_open("panic" if early else "wait elapsed", now)
        return self._permit(early)

    def released(self, permit: Permit, verdict: Verdict) -> None:
        """Take a permit's verdict; called by `Permit.release`, once."""
        now = self._clock.monotonic()
        self._look(now)
        if permit.generation != self.generation or permit not in self._out:
            return
        self._out.remove(permit)
        if verdict is Verdict.NEUTRAL:
            self._given -= 1
        elif verdict is Verdict.SUCCESS:
            self._done += 1
            if self._done >= min(self.options.half_open_successes, self.options.half_open_permits):
                self._close("trials succeeded", now)
        elif permit.in_panic:
            self._move(BreakerState.OPEN, "trial failed in panic", now)
        else:
            self._open(self._n + 1, "trial failed", now)

    def lease_end(self) -> float:
        """When a lease that starts now ends, monotonic seconds."""
        return self._clock.monotonic() + self.attempt_timeout + LEASE_MARGIN

    def _permit(self, in_panic: bool = False) -> Permit:
        permit = Permit(self, self.generation, self.lease_end(), in_panic)
        self._out.append(permit)
        self._given += 1
        return permit

    def _refusal(self) -> BreakerOpen:
        after = self._retry_after(self._clock.monotonic())
        wait = "" if after is None else f", next try in {after:.1f} s"
        why = self._reason or self._cause
        return BreakerOpen(f"{self.name}: the breaker is {self.state}{wait}: {why}", after, self.state.value, why)

    # -- other news -----------------------------------------------------------------------------

    def check(self, ok: bool, unhealthy_after: int = FAILED_CHECKS) -> None:
        """Take the result of an active check.

        A good one ends an open phase early, for trials; `unhealthy_after` bad ones with no real success
        among them open a closed breaker.
        """
        now = self._clock.monotonic()
        self._look(now)
        if self.state is BreakerState.OPEN:
            if ok:
                self._half_open("check succeeded", now)
        elif self.closed and self.options.mode is not Mode.OFF:
            self._failed_checks = 0 if ok else self._failed_checks + 1
            if self._failed_checks >= unhealthy_after:
                self._trip(f"{self._failed_checks} failed checks", now)

    def tick(self) -> None:
        """Let time pass: lost leases, expired forced states. Once a second is enough."""
        self._look(self._clock.monotonic())

    # -- the operator ---------------------------------------------------------------------------

    def force(self, state: str, *, reason: str, actor: str, expires_in: float | None = None) -> None:
        """Set the state by hand, until `unforce`, `reset` or `expires_in` seconds have passed.

        Raises:
            ValueError: not a state that can be forced, no reason, no actor, or an expiry that is over.
        """
        if state not in _FORCED:
            allowed = ", ".join(sorted(_FORCED))
            raise ValueError(f"a breaker can be forced to {allowed}; found {str(state)!r}. To close it, reset it")
        if not reason.strip() or not actor.strip():
            raise ValueError("forcing a breaker needs a reason and an actor, for whoever finds it later")
        if expires_in is not None and not expires_in > 0:
            raise ValueError(f"expires_in must be more than 0 seconds, found {expires_in!r}")
        now = self._clock.monotonic()
        self._look(now)
        if self.state is BreakerState.HALF_OPEN:
            self._rest = 0.0  # trials were due: they are due again when the force ends
        if self.state not in _FORCED:
            self._resume = BreakerState.CLOSED if self.closed else BreakerState.OPEN
        self._reason, self._actor = reason, actor
        self._expires = None if expires_in is None else now + expires_in
        self._move(BreakerState(state), f"forced by {actor}: {reason}", now)

    def unforce(self) -> None:
        """End a forced state: back to closed, or to the open phase that it interrupted."""
        if self.state in _FORCED:
            self._unforce("force lifted", self._clock.monotonic())

    def reset(self) -> None:
        """Closed, with nothing remembered; attempts under way reach statistics only."""
        self._n = 0
        self._cause = self._reason = self._actor = ""
        self._expires = None
        now = self._clock.monotonic()
        if self.state is BreakerState.CLOSED:
            self.generation += 1
            self._forget()
            self.would_open = False
            self._since = self._closed_since = now
        else:
            self._close("reset", now)

    def reconfigure(self, options: BreakerOptions) -> None:
        """Go on under other options; state and counts survive unless the window's shape changes.

        A breaker that may no longer act on its statistics closes.
        """
        before, self.options = self.options, options
        if (before.window, before.buckets) != (options.window, options.buckets):
            self._judge.window = Window(options.window, options.buckets)
        if options.mode is Mode.ENFORCE:
            if self.state is not BreakerState.OBSERVE:
                self.would_open = False
        elif self.state in (BreakerState.OPEN, BreakerState.HALF_OPEN):
            self._close(f"mode {options.mode}", self._clock.monotonic())
        elif options.mode is Mode.OFF:
            self._resume = BreakerState.CLOSED
            self.would_open = False

    def view(self) -> BreakerView:
        """The breaker as it stands."""
        now = self._clock.monotonic()
        window = self._judge.window
        window.forget(now)
        half_open = self.state is BreakerState.HALF_OPEN
        return BreakerView(
            state=self.state,
            generation=self.generation,
            opened_count=self._decayed(now),
            retry_after=self._retry_after(now),
            since_at=self._clock.time() - (now - self._since),
            last_cause=self._cause,
            failures=window.failures,
            calls=window.calls,
            slow=window.slow + window.waited,
            permits_left=max(0, self.options.half_open_permits - self._given) if half_open else 0,
            reason=self._reason,
            actor=self._actor,
            would_open=self.would_open,
        )

    def export_state(self) -> dict[str, Any] | None:
        """What a restart must not forget, as plain values (epoch seconds); None while there is nothing.

        Not that it is forced: that is a person's word, and kept as one (`directions`).
        """
        now = self._clock.monotonic()
        offset = self._clock.time() - now
        n = self._decayed(now)
        state = self._resume if self.state in _FORCED else self.state
        if state is BreakerState.CLOSED and not n:
            return None
        trial_at = round(self._opened + self._wait() + offset, 3)
        return {"state": state.value, "n": n, "cause": self._cause, "trial_at": trial_at}

    def import_state(self, kept: Mapping[str, Any]) -> None:
        """Take over what `export_state` gave; a trial that was due meanwhile is due at once."""
        now = self._clock.monotonic()
        offset = self._clock.time() - now
        was_open = BreakerState(kept["state"]) in (BreakerState.OPEN, BreakerState.HALF_OPEN)
        if was_open and self.options.mode is Mode.ENFORCE:
            self._open(kept["n"], kept["cause"], now, max(0.0, kept["trial_at"] - offset - now))
        else:
            self._n = kept["n"]

    # -- transitions ----------------------------------------------------------------------------

    def _look(self, now: float) -> None:
        """Do what has become due by time alone."""
        if self._expires is not None and now >= self._expires:
            self._unforce("force expired", now)
        elif self.state is BreakerState.HALF_OPEN and any(permit.expires <= now for permit in self._out):
            self._open(self._n, "probe_lost", now)

    def _unforce(self, cause: str, now: float) -> None:
        self._expires, self._reason, self._actor = None, "", ""
        if self._resume is BreakerState.CLOSED or self.options.mode is not Mode.ENFORCE:
            self._close(cause, now)
        else:
            self._move(BreakerState.OPEN, cause, now)

    def _open(self, n: int, cause: str, now: float, wait: float | None = None) -> None:
        self._draw(n, now, wait)
        self._cause = cause
        self._move(BreakerState.OPEN, cause, now)

    def _half_open(self, cause: str, now: float) -> None:
        self._move(BreakerState.HALF_OPEN, cause, now)

    def _close(self, cause: str, now: float) -> None:
        self._closed_since = now
        self._move(BreakerState.CLOSED, cause, now)

    def _draw(self, n: int, now: float, wait: float | None = None) -> None:
        """Fix what the length of a new wait depends on; `wait` is the rest of one that was drawn before."""
        jitter = self.options.jitter
        self._n, self._opened, self._rest = n, now, wait
        self._factor = 1.0 + jitter * (2.0 * self._rng.random() - 1.0)

    def _wait(self) -> float:
        """Length of the current wait, s. A standby that comes or goes meanwhile changes it."""
        if self._rest is not None:
            return self._rest
        options = self.options
        cap = options.open_cap
        if self.standby and not self.free_probe:
            cap = min(cap, options.open_cap_with_standby)
        doublings = min(max(0, self._n - 1), _MOST_DOUBLINGS)
        return min(cap, options.open_for * 2.0**doublings) * self._factor

    def _decayed(self, now: float) -> int:
        """How often it opened lately: closed time takes one after the other back."""
        if self.state is not BreakerState.CLOSED or self.would_open:
            return self._n
        return max(0, self._n - int((now - self._closed_since) / self.options.decay))

    def _move(self, new: BreakerState, cause: str, now: float) -> None:
        old = self.state
        if old is new:
            return
        if new is not BreakerState.OPEN:
            self._n = self._decayed(now)
        self.state = new
        self.closed = new in _ADMITTING
        self.generation += 1
        self._since = now
        self._out.clear()
        self._forget()
        self.would_open = False
        self._tell(old, new.value, cause)

    def _forget(self) -> None:
        """Start counting anew."""
        self._judge = Judge(self.options)
        self._failed_checks = self._given = self._done = 0

    def _tell(self, old: BreakerState, new: str, cause: str) -> None:
        if self._on_transition is not None:
            self._on_transition(self, old.value, new, cause)

    def _retry_after(self, now: float) -> float | None:
        if self.closed:
            return 0.0
        if self.state is BreakerState.OPEN:
            return max(0.0, self._opened + self._wait() - now)
        return None if self._expires is None else max(0.0, self._expires - now)


__all__ = ["WOULD_OPEN", "Breaker", "BreakerOptions", "BreakerState", "BreakerView", "Permit"]
