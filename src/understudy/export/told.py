"""Numbers of alerts and notifications for `/metrics`: what fires, how fast it was found, whether people were told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from understudy.core.durations import Durations

from .prometheus_text import Family, Labels

Rows = Sequence[tuple[Labels, float | Durations]]

_P = "understudy_"
ACTIVE = Family(_P + "alerts_active", "gauge", "Alerts that fire or recover, by rule and severity.")
EVALUATION = Family(_P + "alert_evaluation_duration_seconds", "histogram", "Seconds that evaluating all rules took.")
DETECTION = Family(
    _P + "alert_detection_delay_seconds", "histogram", "Seconds from what happened to the alert that tells of it."
)
NOTIFICATIONS = Family(_P + "notifications", "counter", "Attempts to deliver, by channel and how they ended.")
DELIVERY = Family(
    _P + "notification_delivery_seconds", "histogram", "Seconds from noticing to the channel's acceptance."
)
PENDING = Family(_P + "outbox_pending", "gauge", "Messages that wait to be delivered, by channel.")
OLDEST = Family(_P + "outbox_oldest_age_seconds", "gauge", "Age of the oldest message that waits; 0 when none does.")


def alert_numbers(
    firing: Iterable[tuple[str, str]], evaluation: Durations, detection: Durations
) -> list[tuple[Family, Rows]]:
    """The families of alerts; `firing` holds the rule and the severity of each."""
    counted = Counter(firing)
    return [
        (ACTIVE, [((("rule", rule), ("severity", level)), count) for (rule, level), count in sorted(counted.items())]),
        (EVALUATION, [((), evaluation)]),
        (DETECTION, [((), detection)]),
    ]


def notification_numbers(
    results: Mapping[tuple[str, str], int],
    delivery: Mapping[str, Durations],
    pending: Mapping[str, int],
    oldest_age: float,
) -> list[tuple[Family, Rows]]:
    """The families of notifications: `results` by channel and result, the others by channel."""
    return [
        (
            NOTIFICATIONS,
            [((("channel", name), ("result", result)), count) for (name, result), count in sorted(results.items())],
        ),
        (DELIVERY, [((("channel", name),), durations) for name, durations in sorted(delivery.items())]),
        (PENDING, [((("channel", name),), count) for name, count in sorted(pending.items())]),
        (OLDEST, [((), max(0.0, oldest_age))]),
    ]
