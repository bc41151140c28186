"""Asks the rules about all subjects, or about those that something has just happened to, and passes on what matters.

What matters is little: a breach, an error, and every alert that is not inactive. Verdicts that say the same as
the last time about subjects without an alert never leave this module, nor do those about alerts that fire as before,
but for some of them in turns, so that the value that is shown follows.

A round goes through everything in pieces, between which single subjects may be looked at, and signals be taken in:
what such a look finds takes the place of what the round had found of the same alert before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Final

from .evaluate import Compiled, Evaluator, Look
from .identity import fingerprint
from .model import Finding, Labels, Rule, Subject, Verdict
from .ports import MetricSource, Signal
from .state import AlertState
from .sweep import Memory, Plan, Sweeper
from .tick import Judged

#: Findings that matter also where there is no alert yet.
_TELLING: Final = frozenset((Finding.BREACH, Finding.ERROR))
#: Share of successes and failures of an API: what its breaker judges, too.
_JUDGED_BY_BREAKERS: Final = frozenset(("success_rate", "error_rate"))
#: A ladder sees an outage at its third failure, the breaker at its fifth. *API down* is to be told of it, and
#: nothing else, so a breach of such a ladder that is new must still be there that much later, s: longer where so
#: few calls show it that the breaker may be waiting for the next ones.
SETTLED: Final = 1.0
SETTLED_FEW: Final = 5.0
#: Of alerts that fire as before, so many are judged in each round for the sake of their value.
FRESH_VALUES: Final = 100
_Key = tuple[str, ...]


class Watch:
    """The rules in force over one source. `alerts` are the states that are not forgotten, by fingerprint.

    `settle`: a breach that a breaker may tell of, too, must last a moment; not where looks are farther apart than that.
    """

    def __init__(
        self, source: MetricSource, alerts: Callable[[], Mapping[str, AlertState]], *, settle: bool = True
    ) -> None:
        self.source = source
        #: What is told beside a breach of a rule about a subject: name to text.
        self.facts: Callable[[Rule, Labels], Mapping[str, str]] = _no_facts
        self._alerts = alerts
        self._settle = settle
        self._evaluator = Evaluator(())
        self._sweeper = Sweeper(self._evaluator)
        self._seen: dict[_Key, tuple[Plan, Memory]] = {}
        self._signals: dict[tuple[str, _Key], Signal] = {}
        #: Breaches that are new, with the moment from which on they count.
        self._fresh: dict[str, tuple[Rule, Labels, float]] = {}
        #: What the round that goes on now has found so far, by fingerprint.
        self._found: dict[str, Judged] = {}
        #: Of alerts that fire as before: where they stand in `_seen` and `_signals`, and their turn.
        self._places: dict[str, tuple[_Key, tuple[str, _Key], int]] = {}
        self._turn, self._turns = 0, 1

    def use(self, rules: Iterable[Rule]) -> None:
        """Go on with these rules; what they find is told afresh."""
        self._evaluator = Evaluator(rules)
        self._sweeper = Sweeper(self._evaluator)
        self.forget()

    def forget(self) -> None:
        """What was passed on last was not taken in, or by somebody else: all that matters is told afresh."""
        self._seen.clear()
        self._fresh.clear()
        self._found.clear()
        self._places.clear()

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """The kinds of subject that any rule is about."""
        return self._sweeper.subjects

    def rules(self) -> dict[str, Rule]:
        """The rules that are evaluated, by name."""
        return {name: each.rule for name, each in self._evaluator.compiled.items()}

    # -- rounds -----------------------------------------------------------------------------------

    async def everything(self, at: float, breath: Callable[[], Awaitable[None]]) -> None:
        """Look at every subject; `breath` is awaited between two of them, for the loop to get its turn.

        What was found is in `gathered`.
        """
        self._found = {}
        seen: set[_Key] = set()
        for subject in self._sweeper.subjects:
            for labels in self.source.subjects(subject):
                key = (subject, *labels.values())
                seen.add(key)
                self._found.update(self._sweep(subject, labels, at, self._known(key, subject, labels)))
                await breath()
        for key in self._seen.keys() - seen:
            del self._seen[key]

    def some(self, touched: Iterable[tuple[Subject, Labels]], at: float) -> list[Judged]:
        """Look at these subjects only."""
        found: dict[str, Judged] = {}
        for subject, labels in touched:
            if subject in self._sweeper.subjects:
                key = (subject, *labels.values())
                found.update(self._sweep(subject, labels, at, self._known(key, subject, labels)))
        return list(found.values())

    def gathered(self) -> list[Judged]:
        """What a round has found that still holds."""
        found, self._found = self._found, {}
        return list(found.values())

    async def standing(
        self, at: float, breath: Callable[[], Awaitable[None]], steady: Collection[str] = ()
    ) -> set[str]:
        """Look at each alert that stands, but for those that the round has found something of already.

        Those of `steady`, which fire as before, have their turns; answered are those of them that were left out.
        """
        self._settled(at)
        left_out: set[str] = set()
        looks: dict[_Key, Look] = {}
        self._turn, self._turns = self._turn + 1, len(steady) // FRESH_VALUES + 1
        for name, state in list(self._alerts().items()):
            if name in self._found:
                continue
            if name in steady and state.due_at > at and self._may_wait(name):
                left_out.add(name)
                continue
            compiled = self._evaluator.compiled.get(state.rule)
            if compiled is not None and state.watched:
                self._stand(name, state, compiled, at, looks)
                await breath()
        if len(self._places) > 2 * len(self._alerts()) + FRESH_VALUES:
            self._places.clear()
        return left_out

    def _stand(self, name: str, state: AlertState, compiled: Compiled, at: float, looks: dict[_Key, Look]) -> None:
        """Judge an alert by itself."""
        rule = compiled.rule
        labels = self._labels(rule.subject, state.labels)
        key = (rule.subject, *labels.values())
        look = looks.get(key)
        if look is None:
            look = looks[key] = Look(self.source, rule.subject, labels, at)
        verdict = compiled.judge(look, self._signal(rule, labels))
        if key not in self._seen and verdict.finding is Finding.NO_DATA:
            return  # the subject is no more: not a word about it, and its alert ends
        self._found[name] = Judged(rule, state.labels, verdict)
        if name not in self._places:
            self._places[name] = (key, (rule.event, _key(labels)), len(self._places))

    def _may_wait(self, name: str) -> bool:
        """Whether a change of this alert's verdict would be seen, and its turn is another round's."""
        place = self._places.get(name)
        if place is None or (place[0] not in self._seen and place[1] not in self._signals):
            return False
        return (place[2] + self._turn) % self._turns != 0

    @staticmethod
    def _labels(subject: Subject, labels: Labels) -> Labels:
        """Those that the source knows the subject by; the store may have put them in another order."""
        first = () if subject == "all" else ("api", "key") if subject == "key" else (subject,)
        return {**{name: labels[name] for name in first if name in labels}, **labels}

    def _known(self, key: _Key, subject: Subject, labels: Labels) -> tuple[Plan, Memory]:
        known = self._seen.get(key)
        if known is None:
            known = self._seen[key] = (self._sweeper.plan(subject, labels), Memory())
        return known

    def _sweep(self, subject: Subject, labels: Labels, at: float, known: tuple[Plan, Memory]) -> dict[str, Judged]:
        """What is new of a subject, by fingerprint; what a round had found of it before is out of date."""
        found: dict[str, Judged] = {}
        plan, memory = known
        for rule, verdict in self._sweeper.sweep(self.source, subject, labels, at, plan, memory):
            if rule.kind == "event" and (signal := self._signal(rule, labels)) is not None:
                verdict = self._evaluator.judge(rule, self.source, labels, at, signal)  # noqa: PLW2901 - knows more
            name = fingerprint(rule.name, labels)
            self._found.pop(name, None)
            if self._matters(name, rule, verdict) and not self._unsettled(name, rule, labels, verdict, at):
                found[name] = self._judged(rule, labels, verdict)
        return found

    def _judged(self, rule: Rule, labels: Labels, verdict: Verdict) -> Judged:
        return Judged(rule, labels, verdict, self.facts(rule, labels) if verdict.finding is Finding.BREACH else {})

    def _unsettled(self, key: str, rule: Rule, labels: Labels, verdict: Verdict, at: float) -> bool:
        """Whether a breach is so new that the API's breaker may still speak first."""
        if not self._settle or rule.subject != "api" or rule.metric not in _JUDGED_BY_BREAKERS:
            return False
        if verdict.finding is not Finding.BREACH:
            return False
        state = self._alerts().get(key)
        if state is not None and state.watched:
            return False
        wait = SETTLED if verdict.samples >= rule.min_samples else SETTLED_FEW
        _, _, due = self._fresh.setdefault(key, (rule, labels, at + wait))
        return at < due

    def _settled(self, at: float) -> None:
        """Add the breaches that are no longer new and still there."""
        for key, (rule, labels, due) in list(self._fresh.items()):
            if at < due:
                continue
            del self._fresh[key]
            verdict = self._evaluator.judge(rule, self.source, labels, at)
            if verdict.finding is Finding.BREACH:
                self._found[key] = Judged(rule, labels, verdict)

    def _matters(self, name: str, rule: Rule, verdict: Verdict) -> bool:
        if verdict.finding is Finding.NO_DATA and rule.no_data == "alert":
            return True
        return verdict.finding in _TELLING or name in self._alerts()

    # -- signals ----------------------------------------------------------------------------------

    def signalled(self, signal: Signal, at: float) -> list[Judged]:
        """Take in that something began or ended; what the rules about it say."""
        key = (signal.event, _key(signal.labels))
        if signal.active:
            self._signals[key] = signal
        found = []
        for compiled in self._evaluator.compiled.values():
            rule = compiled.rule
            if rule.kind == "event" and rule.event == signal.event and compiled.applies(signal.labels):
                verdict = self._evaluator.judge(rule, self.source, signal.labels, at, signal)
                name = fingerprint(rule.name, signal.labels)
                self._found.pop(name, None)
                if self._matters(name, rule, verdict):
                    found.append(Judged(rule, signal.labels, verdict, _facts(signal)))
        if not signal.active:
            self._signals.pop(key, None)
        return found

    def _signal(self, rule: Rule, labels: Labels) -> Signal | None:
        return self._signals.get((rule.event, _key(labels))) if self._signals and rule.kind == "event" else None


def _no_facts(rule: Rule, labels: Labels) -> Mapping[str, str]:
    return {}


def _key(labels: Labels) -> _Key:
    return tuple(part for pair in sorted(labels.items()) for part in pair)


def _facts(signal: Signal) -> dict[str, str]:
    return {str(name): str(value) for name, value in signal.detail.items()}
