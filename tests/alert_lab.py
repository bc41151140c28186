"""One rule, one API, and a clock: what the alert engine tells while findings go in, second by second."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from itertools import count
from typing import Any

from understudy.alerts import acts
from understudy.alerts.context import Context
from understudy.alerts.engine import evaluate
from understudy.alerts.identity import fingerprint
from understudy.alerts.model import Finding, Level, Rule, Verdict
from understudy.alerts.ports import EpisodeRow, EventRow, Signal
from understudy.alerts.silences import Silence, Silences
from understudy.alerts.standing import Standing
from understudy.alerts.state import AlertState
from understudy.alerts.tick import Judged, Result, Telling
from understudy.core.matchers import parse_list
from understudy.core.notices import Severity

BEGINS = 1_800_000_000.0
LADDER = (Level(Severity.WARNING, 20.0), Level(Severity.CRITICAL, 40.0))
#: Two levels, at once, and nothing that would get in the way of what a test is about.
PLAIN = Rule("errors", metric="error_rate", levels=LADDER, keep_firing_for=60.0, cooldown=0.0, reminder=0.0)
API = {"api": "odds"}


class Lab:
    """An engine whose store is JSON text, as a real one's is."""

    def __init__(self, rule: Rule = PLAIN, *others: Rule, **context: Any) -> None:
        numbers = count(1)
        self.rule, self.now = rule, BEGINS
        self.context = Context(ids=lambda: f"E{next(numbers):025d}", **context)
        self.context.set_rules([rule, *others])
        self.standing = Standing(self.context)
        self.documents: dict[str, str] = {}
        self.tellings: list[Telling] = []
        self.events: list[EventRow] = []
        self.signals: list[Signal] = []
        self.episodes: dict[str, EpisodeRow] = {}

    # -- findings ---------------------------------------------------------------------------------------------

    def find(self, *judged: Judged, after: float = 1.0, complete: bool = True) -> list[str]:
        """One evaluation, `after` seconds after the last one; answers what is told."""
        self.now += after
        return self.take(evaluate(judged, self.standing, self.now, self.context, complete=complete))

    def each_second(self, verdict: Verdict, seconds: float, rule: Rule | None = None) -> list[str]:
        judged = Judged(rule or self.rule, API, verdict)
        return [kind for _ in range(int(seconds)) for kind in self.find(judged)]

    def breach(self, level: int = 0, seconds: float = 1, **extra: Any) -> list[str]:
        return self.each_second(Verdict(Finding.BREACH, level, level, 30.0 + 20 * level), seconds, **extra)

    def ok(self, seconds: float = 1, **extra: Any) -> list[str]:
        return self.each_second(Verdict(Finding.OK, value=1.0), seconds, **extra)

    def deadband(self, seconds: float = 1, held: int = 0) -> list[str]:
        return self.each_second(Verdict(Finding.DEADBAND, -1, held, 19.0), seconds)

    def blank(self, seconds: float = 1) -> list[str]:
        return self.each_second(Verdict(Finding.NO_DATA, reason="insufficient"), seconds)

    def error(self, seconds: float = 1) -> list[str]:
        return self.each_second(Verdict(Finding.ERROR, reason="not a number"), seconds)

    def wait(self, seconds: float) -> list[str]:
        """Time goes by, in which nothing is found of anything."""
        return self.find(after=seconds, complete=False)

    # -- what people do -----------------------------------------------------------------------------------------

    def do(self, act: Any, *values: Any, **named: Any) -> list[str]:
        return self.take(act(self.standing, self.state.fingerprint, *values, self.now, self.context, **named))

    def acknowledge(self, **named: Any) -> list[str]:
        return self.do(acts.acknowledge, actor="ana", **named)

    def unacknowledge(self) -> list[str]:
        return self.do(acts.unacknowledge, actor="ana")

    def snooze(self, seconds: float) -> list[str]:
        return self.do(acts.snooze, self.now + seconds, actor="ana")

    def resolve(self, **named: Any) -> list[str]:
        return self.do(acts.resolve, actor="ana", **named)

    def silence(self, seconds: float, match: str = "api=odds", *, starts: float = 0.0, **named: Any) -> None:
        begins = self.now + starts
        fresh = Silence(
            parse_list(match), begins, begins + seconds, reason="planned", author="ana",
            id=f"s{len(self.context.silences.items) + 1}", **named,
        )  # fmt: skip
        self.context.silences = Silences((*self.context.silences.items, fresh))
        self.context.changed()

    def edit(self, **changes: Any) -> None:
        self.rule = replace(self.rule, **changes)
        self.context.set_rules([self.rule])

    # -- the process ---------------------------------------------------------------------------------------------

    def restart(self, outage: float = 0.0) -> None:
        """Another process goes on with what was kept."""
        self.now += outage
        self.standing = Standing(self.context)
        assert self.standing.load({key: json.loads(text) for key, text in self.documents.items()}, self.now) == []

    def take(self, result: Result) -> list[str]:
        change = result.change()
        for key, document in change.states.items():
            if document is None:
                self.documents.pop(key, None)
            else:
                self.documents[key] = json.dumps(document)
        self.standing.take(result)
        self.tellings += result.tellings
        self.events += change.events
        self.signals += result.signals
        self.episodes |= {row.episode: row for row in change.episodes}
        return [said(each) for each in result.tellings]

    # -- what there is to see ---------------------------------------------------------------------------------------

    @property
    def state(self) -> AlertState:
        return self.standing.states[fingerprint(self.rule.name, API)]

    @property
    def phase(self) -> str:
        found = self.standing.states.get(fingerprint(self.rule.name, API))
        return found.phase.value if found is not None else "inactive"

    @property
    def timeline(self) -> list[str]:
        """All events: their kind, and what suppressed them."""
        return [each.kind + (f" ({each.suppressed_by})" if each.suppressed_by else "") for each in self.events]


def said(telling: Telling) -> str:
    return f"{telling.notice.kind.value}:{telling.notice.severity.value}"


def kinds(found: Iterable[str]) -> list[str]:
    return [each.partition(":")[0] for each in found]
