"""The rules in force with where each comes from, when it fired last and what it costs people; and versions compared."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from understudy.alerts.backtest import worth_a_proposal
from understudy.alerts.model import Rule
from understudy.alerts.noise import Noise, budget
from understudy.alerts.rules import rule_to_doc

if TYPE_CHECKING:
    from understudy.app import Understudy

#: What rules cost people is counted over so long, s: 30 days.
SPAN: Final = 30 * 86400.0


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule. `firing` and `pending` count its alerts now; `noise` is that of 30 days, None without an episode."""

    rule: Rule
    origin: str
    firing: int = 0
    pending: int = 0
    failing: bool = False
    last_fired_at: float | None = None
    noise: Noise | None = None

    @property
    def noisy(self) -> bool:
        """Whether another version of it is worth a try."""
        return self.noise is not None and worth_a_proposal(self.noise)

    @property
    def state(self) -> str:
        """disabled, failing, firing, pending or quiet."""
        if not self.rule.enabled:
            return "disabled"
        if self.failing:
            return "failing"
        return "firing" if self.firing else "pending" if self.pending else "quiet"

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "rule": rule_to_doc(self.rule),
            "origin": self.origin,
            "version": self.rule.version,
            "state": self.state,
            "firing": self.firing,
            "pending": self.pending,
            "last_fired_at": self.last_fired_at,
            "noisy": self.noisy,
            "noise": self.noise.as_dict() if self.noise is not None else None,
        }


@dataclass(frozen=True, slots=True)
class RulesView:
    """Every rule, those that fire first. `problems` are stored ones that cannot be used."""

    rules: tuple[RuleLine, ...]
    problems: Mapping[str, str]

    @classmethod
    async def of(cls, app: Understudy) -> RulesView:
        """The rules as they stand.

        Raises:
            StoreUnavailable: what they did cannot be read now.
        """
        now, book = app.clock.time(), app.alerts.rules
        episodes, events = await app.alerts.past(now - SPAN, now)
        costs = budget(episodes, events, now - SPAN, now)
        fired: dict[str, float] = {}
        for each in episodes:
            fired[each.rule] = max(fired.get(each.rule, 0.0), each.started_at)
        active = Counter((each.rule, each.phase == "pending") for each in app.alerts.active())
        failing = set(app.alerts.failing)
        lines = [
            RuleLine(
                rule, book.origin(rule.name), active[rule.name, False], active[rule.name, True], rule.name in failing,
                fired.get(rule.name), costs.get(rule.name),
            )
            for rule in book.rules()
        ]  # fmt: skip  # one rule
        lines.sort(key=lambda each: (-each.firing, -each.pending, not each.rule.enabled, each.rule.name))
        return cls(tuple(lines), dict(book.problems))

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"rules": [each.as_dict() for each in self.rules], "problems": dict(self.problems)}


def compared(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Lines of two versions: ("same" | "gone" | "new", line)."""
    words = {"  ": "same", "- ": "gone", "+ ": "new"}
    for line in difflib.ndiff(list(before), list(after)):
        if line[:2] in words:
            yield words[line[:2]], line[2:]
