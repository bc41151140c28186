"""Tests of rules, as promtool has them: series in, expected alerts and notices out.

A document holds rules under test and tests. Time begins at 0 with each test; a step of a series is one
`interval` long, and rules are judged at the end of each. What is expected `at` a time is looked for after the last
judgement that is not later::

    interval = "10s"

    [rules.odds_fail]
    metric = "error_rate"
    operator = ">"
    threshold = 20
    for = 20

    [[tests]]
    name = "an outage of one minute"

    [[tests.series]]
    labels = { api = "odds" }
    success = "100x3 0x6 100x12"
    failure = "0x3 100x6 0x12"
    latency = "0.2x21"

    [[tests.expect]]
    at = "2m"
    alerts = [{ rule = "odds_fail", labels = { api = "odds" }, severity = "warning" }]

`success`, `failure` and `neutral` are calls per step, `latency` the seconds of each success. `[[tests.gauges]]`
(`metric`, `labels`, `values`) are numbers of the present, `[[tests.events]]` (`at`, `event`, `labels`, `active`) begin
and end what rules of kind `event` wait for. `notices` of a test, where it is there, is everything that is told, in
order: `{ at = "1m", rule = "odds_fail", kind = "fired" }`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from math import ceil, isfinite
from typing import Any, Final

from understudy.core.errors import UnderstudyError
from understudy.core.notices import NoticeKind, Severity

from .metrics import EVENTS, METRICS
from .model import LABELS, Labels, Rule, Subject
from .notation import NotationError, series
from .past import PastBucket, PastSeries, PastSource
from .ports import Signal
from .rule_tests import Alert, Expectation, RuleTest, Suite, Told
from .rules import RuleError, rule_from

#: Tests begin on a Monday, at midnight UTC, so that windows of the week and the day can be counted on.
BEGIN: Final = 1_767_571_200.0
#: Most tests in a file, and most parts of each kind in a test.
MOST_TESTS: Final = 1000
MOST_PARTS: Final = 1000
#: Longest interval and latest time, s.
LONGEST: Final = 366 * 86400.0
_PIECE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d|w)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_COUNTS = ("success", "failure", "neutral")
_KINDS = tuple(each.value for each in NoticeKind)
_SEVERITIES = tuple(each.value for each in Severity)


class RuleTestError(UnderstudyError, ValueError):
    """A file of tests cannot be used; `faults` holds every reason, each with its place."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


def read(document: Mapping[str, Any], configured: Iterable[Rule] = ()) -> Suite:
    """The tests of a document. Its own rules take the place of configured ones of the same name.

    Raises:
        RuleTestError: with everything that is wrong with it.
    """
    return _Reader().suite(document, configured)


class _Reader:
    """Reads a document, and gathers what is wrong with it."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def suite(self, document: Mapping[str, Any], configured: Iterable[Rule]) -> Suite:
        self._keys(document, "", ("interval", "rules", "tests"))
        rules = {rule.name: rule for rule in configured} | self._rules(document.get("rules", {}))
        interval = self._seconds(document.get("interval", 10.0), "interval")
        tests = [
            self._test(each, f"tests[{place}]", interval, rules)
            for place, each in enumerate(self._list(document, "tests", "tests", MOST_TESTS))
        ]
        if not tests:
            self.faults.append("tests: expected at least one [[tests]]")
        if self.faults:
            raise RuleTestError(self.faults)
        return Suite(tuple(rules.values()), tuple(tests))

    def _rules(self, tables: Any) -> dict[str, Rule]:
        found: dict[str, Rule] = {}
        if not isinstance(tables, Mapping):
            self.faults.append("rules: expected tables such as [rules.NAME]")
            return found
        for name, doc in tables.items():
            try:
                found[name] = rule_from({**doc, "name": name} if isinstance(doc, Mapping) else {}, "test")
            except RuleError as error:
                self.faults += [f"rules.{name}: {fault}" for fault in error.faults]
        return found

    # -- one test ---------------------------------------------------------------------------------

    def _test(self, doc: Any, place: str, interval: float, rules: Mapping[str, Rule]) -> RuleTest:
        doc = self._table(doc, place)
        known = ("name", "interval", "series", "gauges", "events", "expect", "notices")
        self._keys(doc, place, known)
        name = doc.get("name", place)
        if not isinstance(name, str) or not name:
            self.faults.append(f"{place}.name: expected a text")
        if "interval" in doc:
            interval = self._seconds(doc["interval"], f"{place}.interval")
        interval = max(interval, 0.001)
        parts = {part: self._list(doc, part, f"{place}.{part}", MOST_PARTS) for part in ("series", "gauges", "events")}
        groups, steps = self._series(parts["series"], f"{place}.series", interval)
        gauges, longest = self._gauges(parts["gauges"], f"{place}.gauges", interval, groups)
        signals = [self._signal(each, f"{place}.events[{n}]") for n, each in enumerate(parts["events"])]
        expected = [
            self._expectation(each, f"{place}.expect[{n}]", rules)
            for n, each in enumerate(self._list(doc, "expect", f"{place}.expect", MOST_PARTS))
        ]
        notices: tuple[Told, ...] | None = None
        if "notices" in doc:
            told = self._list(doc, "notices", f"{place}.notices", MOST_PARTS)
            notices = tuple(self._told(each, f"{place}.notices[{n}]", rules) for n, each in enumerate(told))
        if not expected and notices is None:
            self.faults.append(
                f"{place}: expects nothing; say what fires with [[tests.expect]], or what is told with notices"
            )
        times = [*(each.at for each in expected), *(each.at for each in notices or ())]
        end = max([steps * interval, longest * interval, *times, *(each.at - BEGIN for each in signals)])
        return RuleTest(
            str(name), interval, PastSource(groups, gauges), tuple(sorted(signals, key=lambda each: each.at)),
            tuple(sorted(expected, key=lambda each: each.at)), notices, ceil(end / interval - 1e-9) * interval,
        )  # fmt: skip  # as the fields stand

    def _series(
        self, docs: Sequence[Any], place: str, interval: float
    ) -> tuple[dict[Subject, list[tuple[Labels, list[PastSeries]]]], int]:
        groups: dict[Subject, list[tuple[Labels, list[PastSeries]]]] = {}
        longest = 0
        for number, each in enumerate(docs):
            where = f"{place}[{number}]"
            doc = self._table(each, where)
            self._keys(doc, where, ("labels", "latency", *_COUNTS))
            labels = self._labels(doc.get("labels", {}), f"{where}.labels")
            counts = {name: self._values(doc, name, where, whole=True) for name in _COUNTS}
            latency = self._values(doc, "latency", where)
            length = max(map(len, (*counts.values(), latency)))
            longest = max(longest, length)
            made = PastSeries([_bucket(counts, latency, step, interval) for step in range(length)], _weighted)
            entries = groups.setdefault(_subject(labels), [])
            if any(labels == theirs for theirs, _ in entries):
                self.faults.append(f"{where}.labels: there is a series with these labels already")
            entries.append((labels, [made]))
        return groups, longest

    def _gauges(
        self,
        docs: Sequence[Any],
        place: str,
        interval: float,
        groups: dict[Subject, list[tuple[Labels, list[PastSeries]]]],
    ) -> tuple[Any, int]:
        found: dict[tuple[str, tuple[tuple[str, str], ...]], list[float | None]] = {}
        for number, each in enumerate(docs):
            where = f"{place}[{number}]"
            doc = self._table(each, where)
            self._keys(doc, where, ("metric", "labels", "values"))
            metric = doc.get("metric")
            known = METRICS.get(metric) if isinstance(metric, str) else None
            gauges = [name for name, metric in METRICS.items() if metric.read is None]
            if known is None or known.read is not None:
                self.faults.append(f"{where}.metric: expected one of {', '.join(gauges)}, found {metric!r:.60}")
            labels = self._labels(doc.get("labels", {}), f"{where}.labels")
            entries = groups.setdefault(_subject(labels), [])
            if all(labels != theirs for theirs, _ in entries):
                entries.append((labels, []))
            found[str(metric), tuple(sorted(labels.items()))] = self._values(doc, "values", where)

        def gauge(metric: str, subject: Subject, labels: Labels, at: float) -> float | None:
            values = found.get((metric, tuple(sorted(labels.items()))))
            step = round((at - BEGIN) / interval) - 1
            return values[min(step, len(values) - 1)] if values and step >= 0 else None

        return gauge, max(map(len, found.values()), default=0)

    def _signal(self, doc: Any, place: str) -> Signal:
        doc = self._table(doc, place)
        self._keys(doc, place, ("at", "event", "labels", "active"))
        event, active = doc.get("event"), doc.get("active", True)
        if event not in EVENTS:
            self.faults.append(f"{place}.event: expected one of {', '.join(EVENTS)}, found {event!r:.60}")
        if not isinstance(active, bool):
            self.faults.append(f"{place}.active: expected true or false")
        labels = self._labels(doc.get("labels", {}), f"{place}.labels")
        return Signal(str(event), labels, bool(active), BEGIN + self._seconds(doc.get("at"), f"{place}.at"))

    def _expectation(self, doc: Any, place: str, rules: Mapping[str, Rule]) -> Expectation:
        doc = self._table(doc, place)
        self._keys(doc, place, ("at", "rule", "alerts"))
        rule = self._rule(doc.get("rule"), f"{place}.rule", rules) if "rule" in doc else ""
        alerts = []
        for number, each in enumerate(self._list(doc, "alerts", f"{place}.alerts", MOST_PARTS)):
            where = f"{place}.alerts[{number}]"
            alert = self._table(each, where)
            self._keys(alert, where, ("rule", "labels", "severity"))
            named = self._rule(alert.get("rule", rule or None), f"{where}.rule", rules)
            severity = alert.get("severity", "")
            if severity and severity not in _SEVERITIES:
                self.faults.append(f"{where}.severity: expected {', '.join(_SEVERITIES)}, found {severity!r:.60}")
            alerts.append(Alert(named, self._labels(alert.get("labels", {}), f"{where}.labels"), str(severity)))
        return Expectation(self._seconds(doc.get("at"), f"{place}.at"), tuple(alerts), rule)

    def _told(self, doc: Any, place: str, rules: Mapping[str, Rule]) -> Told:
        doc = self._table(doc, place)
        self._keys(doc, place, ("at", "rule", "kind", "labels"))
        kind = doc.get("kind")
        if kind not in _KINDS:
            self.faults.append(f"{place}.kind: expected one of {', '.join(_KINDS)}, found {kind!r:.60}")
        labels = self._labels(doc["labels"], f"{place}.labels") if "labels" in doc else None
        rule = self._rule(doc.get("rule"), f"{place}.rule", rules)
        return Told(self._seconds(doc.get("at"), f"{place}.at"), rule, str(kind), labels)

    # -- small parts ------------------------------------------------------------------------------

    def _rule(self, name: Any, place: str, rules: Mapping[str, Rule]) -> str:
        if not isinstance(name, str) or name not in rules:
            self.faults.append(
                f"{place}: no rule under test is named {name!r:.60}; there are {', '.join(rules) or 'none'}"
            )
        return str(name)

    def _labels(self, found: Any, place: str) -> dict[str, str]:
        if not isinstance(found, Mapping) or not all(isinstance(value, str) for value in found.values()):
            self.faults.append(f'{place}: expected a table of texts, such as {{ api = "odds" }}')
            return {}
        for name in found.keys() - set(LABELS):
            self.faults.append(f"{place}.{name}: expected one of {', '.join(LABELS)}")
        return dict(found)

    def _values(self, doc: Mapping[str, Any], name: str, place: str, *, whole: bool = False) -> list[float | None]:
        text = doc.get(name)
        if text is None:
            return []
        if not isinstance(text, str):
            self.faults.append(f'{place}.{name}: expected a series such as "100x10 0x5"')
            return []
        try:
            values = series(text)
        except NotationError as error:
            self.faults.append(f"{place}.{name}, column {error.position + 1}: {error}")
            return []
        for value in values if whole else ():
            if value is not None and (value < 0 or value != int(value)):
                self.faults.append(f"{place}.{name}: expected whole numbers from 0 on, found {value:g}")
                return []
        return values

    def _seconds(self, found: Any, place: str) -> float:
        if isinstance(found, int | float) and not isinstance(found, bool) and isfinite(found) and 0 <= found <= LONGEST:
            return float(found)
        if isinstance(found, str):
            pieces = _PIECE.findall(found)
            if pieces and "".join(amount + unit for amount, unit in pieces) == found:
                seconds = sum(float(amount) * _UNITS[unit] for amount, unit in pieces)
                if seconds <= LONGEST:
                    return seconds
            if found == "0":
                return 0.0
        self.faults.append(f'{place}: expected a time such as 90, "90s" or "1m30s", found {found!r:.60}')
        return 1.0

    def _table(self, found: Any, place: str) -> Mapping[str, Any]:
        if isinstance(found, Mapping):
            return found
        self.faults.append(f"{place}: expected a table")
        return {}

    def _list(self, doc: Mapping[str, Any], key: str, place: str, most: int) -> list[Any]:
        found = doc.get(key, [])
        if isinstance(found, list) and len(found) <= most:
            return found
        self.faults.append(f"{place}: expected a list of at most {most}")
        return []

    def _keys(self, doc: Mapping[str, Any], place: str, known: Sequence[str]) -> None:
        for key in doc:
            if key not in known:
                self.faults.append(f"{place + '.' if place else ''}{key}: unknown key; known are {', '.join(known)}")


def _subject(labels: Mapping[str, str]) -> Subject:
    """What kind of thing a label set is about: the narrowest that it names."""
    kinds: tuple[Subject, ...] = ("key", "api", "route", "hub")
    return next((kind for kind in kinds if kind in labels), "all")


def _bucket(
    counts: Mapping[str, Sequence[float | None]], latency: Sequence[float | None], step: int, interval: float
) -> PastBucket:
    def of(values: Sequence[float | None]) -> float | None:
        return values[step] if step < len(values) else None

    ok, failed, neutral = (int(of(counts[name]) or 0) for name in _COUNTS)
    seconds = of(latency) if ok else None
    return PastBucket(
        BEGIN + step * interval, BEGIN + (step + 1) * interval, ok + failed + neutral, ok, failed,
        (seconds or 0.0) * ok, seconds, seconds, (seconds, ok) if seconds is not None else None,
    )  # fmt: skip  # as the fields stand


def _weighted(durations: Sequence[tuple[float, int] | None]) -> Any:
    """Nearest-rank quantiles of steps in each of which every success took equally long."""
    known = sorted(each for each in durations if each is not None)
    total = sum(times for _, times in known)

    def quantile(share: float) -> float | None:
        rank, seen = max(1, ceil(share * total - 1e-9)), 0
        for seconds, times in known:
            seen += times
            if seen >= rank:
                return seconds
        return None

    return quantile
