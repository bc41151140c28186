"""One evaluation of all alerts: from verdicts to states, events and notices, without reading or sending anything.

`evaluate` takes what rules found for label sets and answers a `Result`. Whoever calls it keeps `result.change()`
together with the rows that `result.tellings` become, in one transaction, and then hands the result to
`Standing.take`: nothing is changed before. What it needs:

- A verdict for every alert that is `watched` each time, and for others when something other than "good" was found.
- Times that only grow. `timekeeping.Timekeeper` makes them, and says when the wall clock was set
  (`Standing.shifted`).
- `complete=True` when everything was judged, so that alerts whose subject is gone come to an end.

Quiet alerts cost nothing, those that fire as before next to nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from . import correlation, machine
from .announce import Announcer
from .context import INCIDENT, Context, Prepared, identity
from .grouping import Groups
from .identity import fingerprint
from .inhibition import Sources
from .model import Finding, Level, Phase, Rule, Verdict
from .ports import Signal
from .silence_end import remind
from .standing import FAILING, Standing, place
from .state import AlertState
from .tick import Judged, Result

#: An alert whose subject is not judged any more ends after, s.
GONE: Final = 60.0
#: What moves all the time is kept each, s; what is remembered of an alert that has ended is forgotten after, s.
KEPT_EACH: Final = 60.0
FORGOTTEN: Final = 30 * 86400.0


def evaluate(
    judged: Iterable[Judged], standing: Standing, now: float, context: Context, *, complete: bool = False
) -> Result:
    """Evaluate all alerts that something was found of, and those that time alone concerns.

    `now` is in epoch seconds, greater than at the call before: what was evaluated at this time, or a later one,
    is left out.
    """
    tick = Tick(standing, now, context)
    for _ in tick.steps(judged, complete=complete):
        pass
    return tick.result


class Tick:
    """The work of one evaluation. The standing is only read."""

    __slots__ = (
        "_actor", "_changed", "_context", "_inhibits", "_moves", "_now", "_seen", "_sources", "_standing", "_touched",
        "result",
    )  # fmt: skip

    def __init__(self, standing: Standing, now: float, context: Context) -> None:
        self._standing, self._now, self._context = standing, now, context
        self.result = Result(now)
        self._touched: dict[str, tuple[AlertState, Prepared]] = {}
        self._moves: dict[str, list[machine.Move]] = {}
        self._seen: set[str] = set()
        #: Alerts that are others than they were, those of them that inhibit, and whether any does or did.
        self._changed: set[str] = set()
        self._sources, self._inhibits = Sources(context.inhibitors), False
        #: Who did it, where it is a person's act.
        self._actor = ""

    def steps(
        self, judged: Iterable[Judged], steady: Collection[str] = (), *, complete: bool = False
    ) -> Iterator[None]:
        """The whole evaluation, one alert at a time, so that it can be interrupted in between; see `result` then.

        `steady` names alerts of `Standing.steady` whose verdicts are what they were.
        """
        self._seen.update(steady)
        for each in judged:
            self._judge(each)
            yield
        self.correlate()
        self.look(complete=complete)
        yield from self._finishing(complete=complete)

    def judge(self, judged: Judged) -> None:
        """Take in what a rule found for one label set."""
        rule = self._context.rules.get(judged.rule.name)
        if rule is None or not rule.rule.enabled:
            return
        labels = identity(judged.labels)
        key = fingerprint(judged.rule.name, labels)
        self._seen.add(key)
        known, verdict = self._standing.states.get(key), judged.verdict
        if known is None and key not in self._touched:
            if not _matters(verdict, rule):
                return
            state = AlertState(key, rule.rule.name, labels)
        elif known is not None and known.question == rule.question and machine.quiet(known, rule, verdict):
            self._as_before(known, rule, judged)
            return
        else:
            state = self._own(key)
        moves = self._moves.setdefault(key, [])
        if state.question != rule.question and state.question:
            moves += machine.resolve(state, self._now, "rule_changed")
        context = self._context
        # The end of what another question led to is told before this one is asked.
        if not moves:
            state.question, state.rule_version = rule.question, rule.rule.version
            moves += machine.step(
                state, rule, verdict, judged.facts, self._now, context.interval, context.ids, context.counted_each
            )
        self._touched[key] = (state, rule)

    def correlate(self) -> None:
        """Judge incidents of hubs, from how their APIs stand after this evaluation's verdicts."""
        rule, standing = self._context.rules.get(INCIDENT.name), self._standing
        if rule is None or not rule.rule.enabled or not (standing.incidents or any(self._moves.values())):
            return
        failing = [state for key, state in standing.failing.items() if key not in self._touched]
        failing += [state for state, about in self._touched.values() if correlation.tells_of_failing(state, about)]
        for each in correlation.incidents(failing, standing.incidents.values(), rule, self._context.options):
            self._judge(each)

    def look(self, *, complete: bool) -> None:
        """See to the alerts of which nothing was found, but that time or a change around them concerns."""
        standing, context, now = self._standing, self._context, self._now
        rules: Mapping[str, Prepared | None] = context.rules
        for key, (state, touching) in self._touched.items():
            self._note_change(key, state, touching)
        afresh = standing.seen != context.version
        if not (complete or afresh or self._inhibits or standing.due_at <= now):
            return
        for key, state in standing.states.items():
            if key in self._touched:
                continue
            rule = rules.get(state.rule)
            if rule is None or not rule.rule.enabled or (afresh and state.question != rule.question):
                self._orphaned(state, rule)
            elif (
                state.due_at <= now
                or (afresh and (state.waiting or state.noted))
                or (self._inhibits and state.waiting.startswith("inhibition"))
            ):
                self._touched[key] = (self._own(key), rule)
            elif complete and state.watched and key not in self._seen:
                self._missing(state, rule)
            elif state.phase is Phase.INACTIVE and state.resolved_at + FORGOTTEN <= now:
                self._forget(state)
        self.result.version = context.version

    def _finishing(self, *, complete: bool) -> Iterator[None]:
        """Say who is told of what, and what must be kept."""
        groups = Groups(self._context, self._standing.groups, self._now)
        announcer = Announcer(self.result, self._context, self._inhibiting, groups)
        for key, (state, rule) in self._touched.items():
            mark = self.result.mark()
            try:
                announcer.announce(state, rule, self._moves.get(key, []), self._actor)
                self._keep(state)
            except Exception as fault:  # noqa: BLE001 - told below; the others must be evaluated all the same
                self.result.back_to(mark, key)
                self._failed(state, fault)
            yield
        if complete:
            remind(self.result, self._standing, self._now)
        self.result.groups = groups.changed
        self.result.steady -= self._touched.keys()
        self._say_what_fails()

    def tell(self, state: AlertState, rule: Prepared, moves: list[machine.Move], actor: str) -> Result:
        """Say who is told of what somebody did with one alert, and what must be kept."""
        self._touched[state.fingerprint] = (state, rule)
        self._moves[state.fingerprint] = moves
        self._actor = actor
        self.look(complete=False)
        for _ in self._finishing(complete=False):
            pass
        return self.result

    # -- details ----------------------------------------------------------------------------------------------

    def _judge(self, judged: Judged) -> None:
        """`judge`, so that a fault of ours about one alert keeps no other from being evaluated."""
        try:
            self.judge(judged)
        except Exception as fault:  # noqa: BLE001 - told by what `_failed` keeps
            labels = identity(judged.labels)
            key = fingerprint(judged.rule.name, labels)
            self._touched.pop(key, None)
            self._moves.pop(key, None)
            self._failed(AlertState(key, judged.rule.name, labels), fault)

    def _failed(self, state: AlertState, fault: Exception) -> None:
        """An alert stays as it was, with one error more: after some in a row `_say_what_fails` tells people."""
        known = self._standing.states.get(state.fingerprint)
        left = known.copy() if known is not None else AlertState(state.fingerprint, state.rule, state.labels)
        left.errors += 1
        left.reason = f"a fault of Understudy itself: {type(fault).__name__}"
        self.result.states[left.fingerprint] = left
        self.result.faults[left.fingerprint] = fault

    def _own(self, key: str) -> AlertState:
        """A copy of an alert's state that may be changed."""
        touched = self._touched.get(key)
        return touched[0] if touched is not None else self._standing.states[key].copy()

    def _as_before(self, known: AlertState, rule: Prepared, judged: Judged) -> None:
        """It fires as it did: at most its value moves, or something is due."""
        due = known.due_at <= self._now
        if not due:
            self.result.steady.add(known.fingerprint)
        if self._now <= known.evaluated_at or not (due or judged.verdict.value != known.value):
            return
        state = known.copy()
        machine.refresh(state, rule, judged.verdict, judged.facts, self._now)
        if due:
            self._touched[known.fingerprint] = (state, rule)
        else:
            self._keep(state)

    def _note_change(self, key: str, state: AlertState, rule: Prepared) -> None:
        """Whether the alert, as it is now, inhibits others."""
        before = self._standing.states.get(key)
        if before is None or before.phase is not state.phase or before.severity is not state.severity:
            self._changed.add(key)
            labels = rule.labels(state.labels, state.severity)
            inhibits = place(self._sources, state, labels, self._now)
            self._inhibits = self._inhibits or inhibits or key in self._standing.sources

    def _inhibiting(self, key: str, labels: Mapping[str, str]) -> tuple[str, str, float] | None:
        before, now = self._standing.sources, self._now
        own = self._sources if key in self._changed else before
        return before.inhibiting(key, labels, now, self._changed, own) or self._sources.inhibiting(
            key, labels, now, (), own
        )

    def _orphaned(self, known: AlertState, rule: Prepared | None) -> None:
        """Its rule is not there any more, or asks something else."""
        if known.phase is Phase.INACTIVE:
            if rule is None:
                self._forget(known)
            return
        state = known.copy()
        reason = "rule_deleted" if rule is None else "rule_changed" if rule.rule.enabled else "rule_disabled"
        self._moves[state.fingerprint] = machine.resolve(state, self._now, reason)
        # What is left of a rule that is gone: its name and the severity, to tell of the end.
        left = rule or Prepared(Rule(state.rule, levels=(Level(state.severity),)))
        self._touched[state.fingerprint] = (state, left)

    def _missing(self, known: AlertState, rule: Prepared) -> None:
        """Its subject was not judged; if that stays so, it is gone."""
        state = known.copy()
        state.gone_since = min(state.gone_since, self._now)
        if self._now - state.gone_since < GONE:
            self.result.states[state.fingerprint] = state
            return
        state.errors, state.held_until = 0, 0.0
        self._moves[state.fingerprint] = machine.resolve(state, self._now, "subject_gone")
        self._touched[state.fingerprint] = (state, rule)

    def _keep(self, state: AlertState) -> None:
        """Keep what must not be lost at once, the rest now and then; forget what says nothing."""
        before = self._standing.states.get(state.fingerprint)
        if state.phase is Phase.INACTIVE and not (state.number or state.errors or state.held_until):
            if before is not None:
                self._forget(before)
            return
        self.result.states[state.fingerprint] = state
        if state.phase is Phase.INACTIVE and not state.number:
            return
        if before is None or not state.same(before) or self._now - state.saved_at >= KEPT_EACH:
            state.saved_at = self._now
            self.result.documents[state.fingerprint] = state.as_dict()

    def _forget(self, known: AlertState) -> None:
        self.result.states[known.fingerprint] = None
        if known.saved_at:
            self.result.documents[known.fingerprint] = None

    def _say_what_fails(self) -> None:
        """Tell which alerts cannot be evaluated any more, and which can again."""
        known = self._standing.erring
        for key, state in self.result.states.items():
            fails = state is not None and state.errors >= FAILING
            if fails is not (key in known):
                rule = state.rule if state is not None else known[key]
                detail = {"rule": rule, "fingerprint": key, "reason": state.reason if state is not None else ""}
                self.result.signals.append(Signal("rule_evaluation_failing", {}, fails, self._now, detail))


def _matters(verdict: Verdict, rule: Prepared) -> bool:
    """Whether a verdict says anything of an alert that nothing is remembered of."""
    finding = verdict.finding
    return finding in (Finding.BREACH, Finding.ERROR) or (finding is Finding.NO_DATA and rule.rule.no_data == "alert")
