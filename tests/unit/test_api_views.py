"""Who is to blame, what won a comparison, an API over time, how long a quota lasts: pure judgements."""

from __future__ import annotations

from typing import Any

import pytest

from understudy.core.types import OutcomeClass
from understudy.monitor.history import Span
from understudy.monitor.rollup import Bucket
from understudy.monitor.summary import Snapshot
from understudy.web.views.anatomy import made
from understudy.web.views.compared import winner
from understudy.web.views.verdict import judge


def seen(
    ok: int = 0, failed: int = 0, causes: dict[str, int] | None = None, classes: dict[str, int] | None = None
) -> Snapshot:
    rated = ok + failed
    numbers: dict[str, Any] = dict.fromkeys(("response_time", "p50", "p95", "p99"))
    return Snapshot(
        api="fx", window="5m", at=0.0, covered=300.0, total=rated, successes=ok, failures=failed, neutral=0,
        seconds=0.0, failed_seconds=0.0, success_rate=100.0 * ok / rated if rated else None,
        error_rate=100.0 * failed / rated if rated else None, requests_per_minute=rated / 5.0,
        errors_by_class=classes or {}, errors_by_attribution=causes or {}, **numbers,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("snapshot", "others", "down", "kind"),
    [
        (seen(), (0, 0), False, "idle"),
        (seen(ok=1000, failed=5, causes={"provider": 5}), (0, 0), False, "fine"),
        (seen(ok=50, failed=50, causes={"provider": 40, "key": 10}), (0, 5), False, "provider"),
        (seen(ok=50, failed=50, causes={"hub": 50}), (0, 5), False, "hub"),
        (seen(ok=50, failed=50, causes={"key": 50}), (0, 5), False, "key"),
        (seen(ok=50, failed=50, causes={"quota": 26, "provider": 24}), (0, 5), False, "quota"),
        (seen(ok=50, failed=50, causes={"caller": 50}), (0, 5), False, "caller"),
        (seen(ok=50, failed=50, causes={"local": 20, "self": 10, "provider": 20}), (0, 5), False, "local"),
        (seen(ok=50, failed=50, causes={"provider": 50}), (0, 5), True, "local"),
        (seen(ok=50, failed=51, causes={"provider": 17, "key": 17, "quota": 17}), (0, 5), False, "mixed"),
        (seen(failed=9, causes={"provider": 9}, classes={"connect": 9}), (3, 5), False, "everywhere"),
        # Others fail as well, but this one answers with errors of its own: that is not our network.
        (seen(failed=9, causes={"provider": 9}, classes={"provider": 9}), (3, 5), False, "provider"),
        (seen(failed=9, causes={"provider": 9}, classes={"timeout": 9}), (1, 5), False, "provider"),
        (seen(failed=9, causes={"provider": 9}, classes={"timeout": 9}), (1, 1), False, "provider"),
        (seen(ok=1, failed=9), (0, 0), False, "mixed"),
    ],
)
def test_failures_are_blamed_on_whoever_caused_most_of_them(
    snapshot: Snapshot, others: tuple[int, int], down: bool, kind: str
) -> None:
    assert judge(snapshot, *others, (), network_down=down).kind == kind


def test_an_api_whose_breaker_opened_is_not_fine_however_many_calls_succeeded_before() -> None:
    snapshot = seen(ok=306, failed=3, causes={"provider": 3})
    assert judge(snapshot, 0, 0, (), network_down=False).kind == "fine"
    assert judge(snapshot, 0, 0, (), network_down=False, tripped=True).kind == "provider"


def test_few_failures_are_called_few() -> None:
    assert not judge(seen(failed=4, causes={"provider": 4}), 0, 0, (), network_down=False).sure
    assert judge(seen(failed=5, causes={"provider": 5}), 0, 0, (), network_down=False).sure


@pytest.mark.parametrize(
    ("measure", "values", "high", "won"),
    [
        ("p95", (0.2, 0.1, 0.3), False, 1),
        ("p95", (0.1, 0.101), False, None),
        ("p95", (None, 0.1), False, None),
        ("p95", (None, 0.1, 0.5), False, 1),
        ("success_rate", (99.0, 99.9), True, 1),
        ("success_rate", (100.0, 100.0), True, None),
        ("success_rate", (100.0, 99.99), True, 0),
        ("quota_left", (10.0, 80.0), True, 1),
        ("cost_per_thousand", (0.0, 1.0), False, 0),
        ("cost_per_thousand", (0.0, 0.0), False, None),
    ],
)
def test_the_better_value_wins_when_it_is_clearly_better(
    measure: str, values: tuple[float | None, ...], high: bool, won: int | None
) -> None:
    assert winner(measure, values, high=high)[0] == won


def test_a_span_is_told_point_by_point_with_gaps_classes_and_histograms() -> None:
    busy = Bucket()
    for seconds in (0.010, 0.010, 0.100):
        busy.add_one(seconds)
    busy.n += 4
    busy.err = 3
    busy.classes = {
        (False, OutcomeClass.TIMEOUT.value): 1, (False, OutcomeClass.PROVIDER.value): 1,
        (True, OutcomeClass.CANCELLED.value): 1,
    }  # fmt: skip
    found = made("fx", Span(100, 130, 100, 10, 10, ()), {110: busy})
    assert found.at == (100, 110, 120)
    assert found.requests == (None, 7.0, None)
    assert found.per_second == (None, 0.7, None)
    assert found.success_rate[1] == pytest.approx(50.0)
    # A failure without a class is not lost; what nobody failed at is no failure.
    assert {name: values[1] for name, values in found.failures.items()} == {"timeout": 1.0, "server": 1.0, "other": 1.0}
    assert (found.total, found.failed, found.neutral) == (7, 3, 1)
    assert sum(map(sum, found.heat.rows)) == 3
    assert [sum(column) for column in zip(*found.heat.rows, strict=True)] == [0, 3, 0]
    assert found.heat.bounds[0] < 0.0115
    assert 0.100 <= found.heat.bounds[-1] < 0.150


def test_a_span_without_anything_is_all_gaps() -> None:
    found = made("fx", Span(100, 130, 100, 10, 10, ()), {})
    assert found.requests == (None, None, None)
    assert (found.total, found.heat.most, found.rate, dict(found.failures)) == (0, 0, None, {})
