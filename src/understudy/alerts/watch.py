"""Asks the rules about all subjects, or about those that something has just happened to, and passes on what matters.

What matters is little: a breach, an error, and every alert that is not inactive. Verdicts that say the same as
the last time about subjects without an alert never leave this module.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Final

from .evaluate import Evaluator, Look
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

    def use(self, rules: Iterable[Rule]) -> None:
        """Go on with these rules; what they find is told afresh."""
        self._evaluator = Evaluator(rules)
        self._sweeper = Sweeper(self._evaluator)
        self.forget()

    def forget(self) -> None:
        """What was passed on last was not taken in, or by somebody else: all that matters is told afresh."""
        self._seen.clear()
        self._fresh.clear()

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """The kinds of subject that any rule is about."""
        return self._sweeper.subjects

    def rules(self) -> dict[str, Rule]:
        """The rules that are evaluated, by name."""
        return {name: each.rule for name, each in self._evaluator.compiled.items()}

    # -- rounds -----------------------------------------------------------------------------------

    async def everything(self, at: float, breath: Callable[[], Awaitable[None]]) -> list[Judged]:
        """Look at every subject; `breath` is awaited between two of them, for the loop to get its turn."""
        found: list[Judged] = []
        seen: dict[_Key, tuple[Plan, Memory]] = {}
        for subject in self._sweeper.subjects:
            for labels in self.source.subjects(subject):
                key = (subject, *labels.values())
                seen[key] = self._known(key, subject, labels)
                self._sweep(subject, labels, at, seen[key], found)
                await breath()
        self._seen = seen
        return found

    def some(self, touched: Iterable[tuple[Subject, Labels]], at: float) -> list[Judged]:
        """Look at these subjects only."""
        found: list[Judged] = []
        for subject, labels in touched:
            if subject in self._sweeper.subjects:
                key = (subject, *labels.values())
                known = self._seen[key] = self._known(key, subject, labels)
                self._sweep(subject, labels, at, known, found)
        return found

    def standing(self, at: float, judged: Collection[str]) -> list[Judged]:
        """Look at each alert that stands, but for those that were looked at in this round already."""
        found = self._settled(at)
        judged = {*judged, *(fingerprint(each.rule.name, each.labels) for each in found)}
        looks: dict[_Key, Look] = {}
        for name, state in self._alerts().items():
            compiled = self._evaluator.compiled.get(state.rule)
            if name in judged or compiled is None or not state.watched:
                continue
            subject = compiled.rule.subject
            labels = self._labels(subject, state.labels)
            key = (subject, *labels.values())
            look = looks.get(key)
            if look is None:
                look = looks[key] = Look(self.source, subject, labels, at)
            verdict = compiled.judge(look, self._signal(compiled.rule, labels))
            if key not in self._seen and verdict.finding is Finding.NO_DATA:
                continue  # the subject is no more: not a word about it, and its alert ends
            found.append(Judged(compiled.rule, state.labels, verdict))
        return found

    @staticmethod
    def _labels(subject: Subject, labels: Labels) -> Labels:
        """Those that the source knows the subject by; the store may have put them in another order."""
        first = () if subject == "all" else ("api", "key") if subject == "key" else (subject,)
        return {**{name: labels[name] for name in first if name in labels}, **labels}

    def _known(self, key: _Key, subject: Subject, labels: Labels) -> tuple[Plan, Memory]:
        return self._seen.get(key) or (self._sweeper.plan(subject, labels), Memory())

    def _sweep(
        self, subject: Subject, labels: Labels, at: float, known: tuple[Plan, Memory], found: list[Judged]
    ) -> None:
        plan, memory = known
        for rule, verdict in self._sweeper.sweep(self.source, subject, labels, at, plan, memory):
            if rule.kind == "event" and (signal := self._signal(rule, labels)) is not None:
                verdict = self._evaluator.judge(rule, self.source, labels, at, signal)  # noqa: PLW2901 - knows more
            if self._matters(rule, labels, verdict) and not self._unsettled(rule, labels, verdict, at):
                found.append(self._judged(rule, labels, verdict))

    def _judged(self, rule: Rule, labels: Labels, verdict: Verdict) -> Judged:
        return Judged(rule, labels, verdict, self.facts(rule, labels) if verdict.finding is Finding.BREACH else {})

    def _unsettled(self, rule: Rule, labels: Labels, verdict: Verdict, at: float) -> bool:
        """Whether a breach is so new that the API's breaker may still speak first."""
        if not self._settle or rule.subject != "api" or rule.metric not in _JUDGED_BY_BREAKERS:
            return False
        if verdict.finding is not Finding.BREACH:
            return False
        key = fingerprint(rule.name, labels)
        state = self._alerts().get(key)
        if state is not None and state.watched:
            return False
        wait = SETTLED if verdict.samples >= rule.min_samples else SETTLED_FEW
        _, _, due = self._fresh.setdefault(key, (rule, labels, at + wait))
        return at < due

    def _settled(self, at: float) -> list[Judged]:
        """The breaches that are no longer new and still there."""
        found = []
        for key, (rule, labels, due) in list(self._fresh.items()):
            if at < due:
                continue
            del self._fresh[key]
            verdict = self._evaluator.judge(rule, self.source, labels, at)
            if verdict.finding is Finding.BREACH:
                found.append(Judged(rule, labels, verdict))
        return found

    def _matters(self, rule: Rule, labels: Labels, verdict: Verdict) -> bool:
        return verdict.finding in _TELLING or fingerprint(rule.name, labels) in self._alerts()

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
                if self._matters(rule, signal.labels, verdict):
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
