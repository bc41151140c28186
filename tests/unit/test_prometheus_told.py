"""Alerts and notifications on the page of /metrics, read back by Prometheus' own parsers."""

from __future__ import annotations

import pytest
from test_prometheus import HOSTILE, labels, make, read

from understudy.core.durations import Durations
from understudy.export.prometheus import Exposition
from understudy.export.told import alert_numbers, notification_numbers


def page(*families) -> Exposition:
    app, _ = make()
    given = {"version": "1", "started_at": app.started_at, "clock": app.clock}
    return Exposition(app.fallback, app.monitor, extra=lambda: families, **given)


def durations(*seconds: float) -> Durations:
    found = Durations()
    for each in seconds:
        found.add(each)
    return found


@pytest.mark.parametrize("style", ["text", "openmetrics"])
async def test_what_fires_is_counted_by_rule_and_severity(style):
    firing = [("api_down", "critical"), ("api_down", "critical"), (HOSTILE, "warning")]
    found = await read(page(*alert_numbers(firing, durations(0.002, 0.3), durations(4000.0))), style)
    assert found["understudy_alerts_active", labels(rule="api_down", severity="critical")] == 2
    assert found["understudy_alerts_active", labels(rule=HOSTILE, severity="warning")] == 1
    name = "understudy_alert_evaluation_duration_seconds"
    assert found[f"{name}_bucket", labels(le="0.0025")] == 1
    assert found[f"{name}_bucket", labels(le="+Inf")] == found[f"{name}_count", labels()] == 2
    assert found[f"{name}_sum", labels()] == pytest.approx(0.302)
    delay = "understudy_alert_detection_delay_seconds_bucket"
    assert (found[delay, labels(le="3600.0")], found[delay, labels(le="+Inf")]) == (0, 1)


@pytest.mark.parametrize("style", ["text", "openmetrics"])
async def test_deliveries_are_counted_by_channel(style):
    results = {("ops", "delivered"): 3, ("ops", "retry"): 1, (HOSTILE, "rejected"): 2}
    numbers = notification_numbers(results, {HOSTILE: durations(0.2)}, {"ops": 4, HOSTILE: 0}, 12.5)
    found = await read(page(*numbers), style)
    assert found["understudy_notifications_total", labels(channel="ops", result="delivered")] == 3
    assert found["understudy_notifications_total", labels(channel=HOSTILE, result="rejected")] == 2
    assert found["understudy_notification_delivery_seconds_count", labels(channel=HOSTILE)] == 1
    assert found["understudy_outbox_pending", labels(channel="ops")] == 4
    assert found["understudy_outbox_oldest_age_seconds", labels()] == 12.5


@pytest.mark.parametrize("style", ["text", "openmetrics"])
async def test_where_nothing_has_happened_yet_the_page_can_be_read(style):
    numbers = [*alert_numbers([], durations(), durations()), *notification_numbers({}, {}, {}, -1.0)]
    found = await read(page(*numbers), style)
    assert found["understudy_outbox_oldest_age_seconds", labels()] == 0
    assert found["understudy_alert_evaluation_duration_seconds_count", labels()] == 0
