"""The alert engine against a model that looks at the whole past each time, and what must hold whatever happens."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import Phase as Stage
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from alert_lab import LADDER, PLAIN, Lab
from understudy.alerts import acts
from understudy.alerts.context import EngineOptions
from understudy.alerts.engine import evaluate
from understudy.alerts.escalation import Escalation, Step
from understudy.alerts.model import Finding, Level, Phase, Rule, Verdict
from understudy.alerts.ports import EventRow
from understudy.alerts.state import AlertState
from understudy.alerts.tick import Judged, Result
from understudy.core.notices import NoticeKind, Severity

FINDINGS = [
    Verdict(Finding.BREACH, 0, 0, 30.0),
    Verdict(Finding.BREACH, 0, 1, 39.0),
    Verdict(Finding.BREACH, 1, 1, 50.0),
    Verdict(Finding.DEADBAND, -1, 0, 19.0),
    Verdict(Finding.DEADBAND, -1, 1, 19.0),
    Verdict(Finding.OK, value=1.0),
    Verdict(Finding.OK, value=1.0),
    Verdict(Finding.NO_DATA),
    Verdict(Finding.ERROR),
]
findings = st.sampled_from(FINDINGS)


class Model:
    """A2 of the specification in the slowest possible way: every question is asked of the whole past."""

    def __init__(self, about: Rule) -> None:
        self.rule = about
        self.past: list[tuple[float, Verdict]] = []
        self.phase, self.level = "inactive", -1
        self.said: list[str] = []
        #: Since when what is in the past counts for the present phase.
        self.begun = 0
        #: Since when it has been good, or within the hysteresis after it was good.
        self.good_from = 0.0

    def lasting(self, meets) -> float | None:
        """For how long findings have met a condition without a break; None where the last one does not.

        Time that ends with "nothing known" stands still.
        """
        total, newest = 0.0, None
        for number in range(len(self.past) - 1, self.begun - 1, -1):
            at, verdict = self.past[number]
            blank = verdict.finding is Finding.NO_DATA
            if not blank and not meets(verdict):
                break
            if newest is not None and self.past[newest][1].finding is not Finding.NO_DATA:
                total += self.past[newest][0] - at
            newest = number
        # What was blank before the first finding that met it does not belong to it.
        while newest is not None and self.past[newest][1].finding is Finding.NO_DATA:
            after = newest + 1
            if after >= len(self.past):
                return None
            if self.past[after][1].finding is not Finding.NO_DATA:
                total -= self.past[after][0] - self.past[newest][0]
            newest = after
        return total if newest is not None else None

    def blank_for(self) -> float:
        at = began = self.past[-1][0]
        for when, verdict in reversed(self.past):
            if verdict.finding is not Finding.NO_DATA:
                break
            began = when
        return at - began

    def find(self, at: float, verdict: Verdict) -> None:
        if verdict.finding is Finding.ERROR:
            return
        self.past.append((at, verdict))
        blank = verdict.finding is Finding.NO_DATA
        breach = verdict.finding is Finding.BREACH
        if self.phase in ("inactive", "pending"):
            if blank:
                if self.phase == "pending" and self.blank_for() > self.rule.window:
                    self.enter("inactive")
                elif self.phase == "inactive":
                    self.begun = len(self.past)
                return
            if not breach:
                self.enter("inactive")
                return
            self.phase = "pending"
            self.up(-1)
            return
        good = verdict.finding is Finding.OK or (blank and self.phase == "recovering")
        if good:
            if self.phase == "firing":
                self.phase, self.good_from = "recovering", at
            if at - self.good_from >= self.rule.keep_firing_for:
                self.said.append("resolved")
                self.enter("inactive")
            return
        if blank:
            return
        self.good_from = at
        if breach:
            self.phase = "firing"
        if not self.up(self.level):
            while self.level > 0:
                left = self.lasting(lambda found: max(found.held, found.level) < self.level)
                if left is None or left < self.rule.keep_firing_for:
                    break
                self.level -= 1
                self.said.append("downgraded")

    def up(self, above: int) -> bool:
        """Go to the worst level above one that has been in breach for long enough."""
        for number in range(len(self.rule.levels) - 1, above, -1):
            wanted = self.rule.levels[number].for_
            lasting = self.lasting(lambda found, number=number: found.level >= number)
            if lasting is not None and lasting >= (self.rule.for_ if wanted is None else wanted):
                self.said.append("escalated" if self.phase == "firing" and self.level >= 0 else "fired")
                self.phase, self.level = "firing", number
                return True
        return False

    def enter(self, phase: str) -> None:
        self.phase, self.level, self.begun = phase, -1, len(self.past)


class AgainstTheModel(RuleBasedStateMachine):
    """Findings in, phase and level out; the same after each step."""

    @initialize(
        for_=st.sampled_from([0.0, 3.0, 10.0]), keep=st.sampled_from([0.0, 5.0, 20.0]),
        upper=st.sampled_from([None, 0.0, 4.0]), window=st.sampled_from([10.0, 60.0]),
    )  # fmt: skip
    def begin(self, for_: float, keep: float, upper: float | None, window: float) -> None:
        levels = (LADDER[0], replace(LADDER[1], for_=upper))
        about = replace(PLAIN, for_=for_, keep_firing_for=keep, levels=levels, window=window)
        # Evaluations that are missed have a test of their own.
        self.lab = Lab(about, options=EngineOptions(flap_changes=50), interval=1000.0)
        self.model = Model(about)

    @rule(found=st.lists(st.tuples(findings, st.integers(1, 3)), min_size=1, max_size=8))
    def find(self, found) -> None:
        for verdict, after in found:
            before = len(self.lab.events)
            self.lab.find(Judged(self.lab.rule, {"api": "odds"}, verdict), after=float(after))
            self.model.find(self.lab.now, verdict)
            said = [each.kind for each in self.lab.events[before:]]
            assert said == self.model.said, (verdict, self.lab.now)
            self.model.said = []

    @rule(verdict=findings, seconds=st.integers(5, 40))
    def hold(self, verdict, seconds) -> None:
        self.find([(verdict, 1)] * seconds)

    @invariant()
    def agree(self) -> None:
        if hasattr(self, "lab"):
            assert self.lab.phase == self.model.phase
            if self.lab.phase in ("firing", "recovering"):
                assert self.lab.state.level == self.model.level


CAUSE = Rule("cause", kind="event", event="api_down", levels=(Level(Severity.CRITICAL),), keep_firing_for=3.0,
             cooldown=0.0, reminder=0.0)  # fmt: skip
EFFECT = replace(
    PLAIN, keep_firing_for=4.0, cooldown=30.0, reminder=20.0, escalation="duty", ack_timeout=50.0, for_=1.0
)
DUTY = Escalation((Step(15.0, ("chat",)), Step(40.0, ("pager",), Severity.CRITICAL, repeat=60.0)))
#: Kinds that may be told while somebody has answered.
ANSWERED = {NoticeKind.ESCALATED, NoticeKind.RESOLVED, NoticeKind.ACKED, NoticeKind.SNOOZED, NoticeKind.UNACKED}
TELLS = {"fired", "escalated", "flapping_ended"}


class Everything(RuleBasedStateMachine):
    """All at once: findings, people, silences, inhibition, flapping, restarts, clocks."""

    def __init__(self) -> None:
        super().__init__()
        self.lab = Lab(
            EFFECT, CAUSE, escalations={"duty": DUTY},
            options=EngineOptions(flap_window=120.0, flap_quiet=60.0, hold=10.0, flap_changes=4),
        )  # fmt: skip
        self.ids: set[str] = set()
        self.told: dict[str, list[str]] = {}

    # -- what happens --------------------------------------------------------------------------------------------

    @rule(found=st.lists(st.tuples(findings, st.sampled_from([FINDINGS[2], FINDINGS[5], FINDINGS[5]])), max_size=6))
    def find(self, found) -> None:
        for effect, cause in found:
            self.tick([Judged(EFFECT, {"api": "odds"}, effect), Judged(CAUSE, {"api": "odds"}, cause)], effect)

    @rule(effect=findings, seconds=st.integers(2, 80))
    def go_on(self, effect, seconds) -> None:
        for _ in range(seconds):
            self.tick([Judged(EFFECT, {"api": "odds"}, effect), Judged(CAUSE, {"api": "odds"}, FINDINGS[5])], effect)

    @rule(seconds=st.sampled_from([1.0, 30.0, 4000.0]))
    def nobody_evaluates(self, seconds) -> None:
        self.lab.restart(seconds)

    @rule()
    def restart(self) -> None:
        before = {key: (state.phase, state.told, state.ack, state.step, state.waiting, state.episode, state.flapping)
                  for key, state in self.lab.standing.states.items() if state.number}  # fmt: skip
        self.lab.restart()
        after = self.lab.standing.states
        for key, found in before.items():
            state = after[key]
            assert found == (
                state.phase, state.told, state.ack, state.step, state.waiting, state.episode, state.flapping,
            )  # fmt: skip

    @rule(seconds=st.sampled_from([-7200.0, -5.0, 5.0, 7200.0]))
    def set_the_clock(self, seconds) -> None:
        before = self.phases()
        self.lab.now += seconds
        self.lab.standing.shifted(seconds)
        # Silences are about the clock on the wall, so they are over or not begun by now.
        self.check(evaluate([], self.lab.standing, self.lab.now + 0.01, self.lab.context), None)
        assert self.phases() == before

    @rule(seconds=st.integers(1, 60), match=st.sampled_from(["api=odds", "severity=warning", "rule=cause"]))
    def silence(self, seconds, match) -> None:
        if len(self.lab.context.silences.items) < 5:
            self.lab.silence(float(seconds), match)

    @precondition(lambda self: self.effect is not None and self.effect.firing)
    @rule(act=st.sampled_from(["acknowledge", "unacknowledge", "snooze", "resolve"]), seconds=st.integers(1, 60))
    def answer(self, act, seconds) -> None:
        assert self.effect is not None
        values = (self.lab.now + seconds,) if act == "snooze" else ()
        found = getattr(acts, act)(
            self.lab.standing, self.effect.fingerprint, *values, self.lab.now, self.lab.context, actor="ana"
        )
        self.check(found, None)
        if act == "resolve":
            assert self.effect.phase is Phase.INACTIVE

    # -- what must hold -------------------------------------------------------------------------------------------

    @property
    def effect(self) -> AlertState | None:
        return next((state for state in self.lab.standing.states.values() if state.rule == EFFECT.name), None)

    def phases(self) -> dict[str, Phase]:
        states = self.lab.standing.states.items()
        return {key: state.phase for key, state in states if state.phase is not Phase.INACTIVE}

    def tick(self, judged: list[Judged], effect: Verdict) -> None:
        self.lab.now += 1
        self.check(evaluate(judged, self.lab.standing, self.lab.now, self.lab.context, complete=True), effect)

    def check(self, result: Result, effect: Verdict | None) -> None:
        before = {key: (state.phase, state.episode, state.ack) for key, state in self.lab.standing.states.items()}
        self.lab.take(result)
        told = {each.notice.event_id for each in result.tellings}
        # Accounting: each event is told or says what suppressed it, and is there once.
        assert told == {each.event_id for each in result.events if not each.suppressed_by}
        assert len(told) == len(result.tellings)
        assert not self.ids & {each.event_id for each in result.events}
        self.ids |= {each.event_id for each in result.events}
        for event in result.events:
            self.once_and_only_if_told(event)
        if effect is not None and effect.finding in (Finding.DEADBAND, Finding.ERROR):
            assert not [each for each in result.events if each.kind == "resolved" and each.rule == EFFECT.name]
        for key, state in self.lab.standing.states.items():
            phase, episode, ack = before.get(key, (Phase.INACTIVE, "", None))
            self.moves_have_events(result, state, phase, episode)
            if ack is not None and state.ack == ack:
                kinds = {each.notice.kind for each in result.tellings if each.notice.fingerprint == key}
                assert kinds <= ANSWERED
        if effect is not None:
            self.nothing_waits_for_nothing()

    def once_and_only_if_told(self, event: EventRow) -> None:
        """The end is told once, and if and only if people know of the episode (but for flapping)."""
        known = self.told.setdefault(event.episode, [])
        if event.kind == "resolved":
            assert "resolved" not in known
            knew = bool(TELLS & set(known))
            assert (not event.suppressed_by) == knew or event.suppressed_by == "flapping"
        if not event.suppressed_by:
            firing = event.kind != "flapping_ended" or event.notice.get("reason") == "firing"
            known.append(event.kind if firing else "calm")

    def moves_have_events(self, result: Result, state: AlertState, phase: Phase, episode: str) -> None:
        mine = [each for each in result.events if each.fingerprint == state.fingerprint]
        began = [each for each in mine if each.kind == "fired" and each.notice.get("nth") == 1]
        ended = [each for each in mine if each.kind == "resolved"]
        was = phase in (Phase.FIRING, Phase.RECOVERING)
        assert len(began) == (state.episode != episode)
        assert len(ended) == ((was and not state.firing) or (was and state.episode != episode))

    def nothing_waits_for_nothing(self) -> None:
        """Where nothing keeps it from being told, people know that it fires, and how bad it is."""
        state, now = self.effect, self.lab.now
        if (
            state is None
            or state.phase is not Phase.FIRING
            or state.ack
            or state.flapping
            or now < state.cooldown_until
        ):
            return
        labels = self.lab.standing.labels(state)
        quiet = self.lab.context.silences.covering("silence", labels, now)
        sources = self.lab.standing.sources
        if quiet or sources.inhibiting(state.fingerprint, labels, now, (), sources):
            return
        assert state.told
        assert state.told_severity is not None and state.told_severity.rank >= state.severity.rank


#: Without the stage that explains a failure, which takes long where each step is many evaluations.
STAGES = (Stage.reuse, Stage.generate, Stage.shrink)
TestAgainstTheModel = AgainstTheModel.TestCase
TestAgainstTheModel.settings = settings(max_examples=40, stateful_step_count=15, deadline=None, phases=STAGES)
TestEverything = Everything.TestCase
TestEverything.settings = settings(max_examples=40, stateful_step_count=20, deadline=None, phases=STAGES)
