"""Alerts, rules and deliveries in the reader's words, for templates: `w.value("error_rate", 12.5)`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from understudy.config.sentences import said
from understudy.core.text import Texts
from understudy.notifications import wording, words
from understudy.web.views.alerts import Touched

#: The order in which labels are told.
_LABELS: Final = ("api", "route", "hub", "operation", "key", "environment")


@dataclass(frozen=True, slots=True)
class Words:
    """What an alert is called, measured and compared with, in one language."""

    _: Texts

    def rule(self, name: str) -> str:
        """What a rule is called."""
        return wording.rule_word(self._, name)

    def metric(self, name: str) -> str:
        """What a metric is called."""
        return wording.metric_word(self._, name)[0]

    def value(self, metric: str, value: float | None) -> str:
        """A value with its unit."""
        unit = wording.metric_word(self._, metric)[1]
        if unit == "flag" and value is not None:
            return self._("yes") if value else self._("no")
        return wording.quantity(self._, value, unit)

    def compared(self, metric: str, operator: str, threshold: float | None) -> str:
        """What a value is compared with, as `above 5 %`; empty where nothing is."""
        if threshold is None or not operator:
            return ""
        return wording.compared(self._, operator, self.value(metric, threshold))

    def about(self, labels: Mapping[str, str]) -> str:
        """What it is about: the names alone where they say it, the label beside what is less usual."""
        hub = () if labels.get("api") else ("hub",)
        known = [labels[name] for name in (*_LABELS[:2], *hub) if labels.get(name)]
        others = [f"{name}={value}" for name, value in labels.items() if name not in _LABELS[:3] and value]
        return ", ".join([*known, *others]) or self._("everything")

    def touched(self, routes: Iterable[Touched]) -> str:
        """The routes that something has a part in."""
        told = [
            self._("{route} (leads, {others} in reserve)", route=each.route, others=each.others) if each.leads
            else self._("{route} (standby)", route=each.route)
            for each in routes
        ]  # fmt: skip  # one line for each
        return ", ".join(told)

    def event(self, kind: str) -> str:
        """What happened."""
        return words.event_word(self._, kind)

    def suppressed(self, reason: str) -> str:
        """What keeps it from being told; empty where nothing does."""
        return words.suppressed_word(self._, reason) if reason else ""

    def result(self, result: str) -> str:
        """How an attempt to deliver ended."""
        return words.result_word(self._, result)

    def state(self, state: str) -> str:
        """Where a message stands in the outbox."""
        known = {
            "pending": self._("waits"), "delivered": self._("delivered"), "digested": self._("told in another message"),
            "suppressed": self._("not told on purpose"), "dead": self._("given up"), "discarded": self._("discarded"),
        }  # fmt: skip
        return known.get(state, state)

    def reason(self, reason: str) -> str:
        """Why something ended or is told now."""
        return wording.reason_word(self._, reason) if reason else ""

    def severity(self, severity: str) -> str:
        """How bad it is."""
        return wording.severity_word(self._, severity)

    def fault(self, sentence: str) -> str:
        """A fault of a rule or a setting."""
        return said(sentence, self._)

    def duration(self, seconds: float | None) -> str:
        """How long something lasts."""
        return "–" if seconds is None else wording.duration(self._, seconds)

    def kind(self, kind: str) -> str:
        """What kind of rule it is."""
        known = {
            "threshold": self._("Threshold"), "expression": self._("Expression"), "burn_rate": self._("Burn rate"),
            "event": self._("Event"), "no_traffic": self._("No traffic"),
        }  # fmt: skip
        return known.get(kind, kind)

    def origin(self, origin: str) -> str:
        """Where a rule comes from."""
        known = {
            "default": self._("Default"), "file": self._("Configuration file"), "api": self._("Edited here"),
            "code": self._("Program"),
        }  # fmt: skip
        return known.get(origin, origin)

    def handled(self, alert: Any, sent: int | None = None) -> str:
        """What people did about an alert, or what keeps it back; empty where nothing is to be said.

        `sent` is how many messages there are of it, where that is known: without a channel nobody is told.
        """
        if alert.acknowledged_by:
            return self._("{who} has it", who=alert.acknowledged_by)
        if alert.snoozed_until is not None:
            return self._("snoozed until {time}", time=wording.moment(alert.snoozed_until))
        if alert.suppressed_by:
            return self._("not told: {reason}", reason=self.suppressed(alert.suppressed_by))
        if alert.told and sent == 0:
            return self._("nobody told")
        return self._("told") if alert.told else ""
