"""The names of the original document, with their parameters, exist as the real things."""

from __future__ import annotations

import inspect

import pytest

import understudy

RULE = [
    "name", "metric", "threshold", "operator", "severity", "description", "cooldown_seconds", "escalation_threshold",
]  # fmt: skip
PROMISED = [
    ("load_production_config", []),
    ("get_performance_monitor", []),
    ("get_fallback_manager", []),
    ("PerformanceMonitor.record_request_start", ["name"]),
    ("PerformanceMonitor.record_request_success", ["name", "response_time"]),
    ("PerformanceMonitor.record_request_failure", ["name", "error"]),
    ("PerformanceMonitor.get_performance_summary", []),
    ("FallbackManager.register_api", ["name", "priority", "route", "operation"]),
    ("FallbackManager.execute_with_fallback", ["name", "operation", "fallback_operation"]),
    ("ProductionConfig.get_notification_channels", []),
    ("get_notification_manager", []),
    ("NotificationMessage", ["title", "content", "severity", "priority", "fields", "channels"]),
    ("NotificationManager.send_notification", ["message"]),
    (
        "setup_email_notifications",
        ["smtp_server", "smtp_port", "username", "password", "from_email", "to_emails"],
    ),
    ("setup_slack_notifications", ["webhook_url"]),
    ("setup_discord_notifications", ["webhook_url"]),
    ("setup_telegram_notifications", ["bot_token", "chat_id"]),
    ("get_alert_manager", []),
    ("add_custom_alert_rule", RULE),
    ("AlertManager.add_custom_alert_rule", RULE),
    ("AlertManager.add_callback", ["function"]),
]


def find(dotted: str) -> object:
    thing: object = understudy
    for part in dotted.split("."):
        thing = getattr(thing, part)
    return thing


@pytest.mark.parametrize(("name", "parameters"), PROMISED, ids=[name for name, _ in PROMISED])
def test_the_name_takes_its_promised_parameters_in_their_order(name, parameters):
    accepted = [p for p in inspect.signature(find(name)).parameters if p != "self"]
    assert accepted[: len(parameters)] == parameters or set(parameters) <= set(accepted)


@pytest.mark.parametrize(
    "name",
    [
        "FallbackManager.execute_with_fallback", "NotificationManager.send_notification", "add_custom_alert_rule",
        "AlertManager.add_custom_alert_rule",
    ],
)  # fmt: skip
def test_what_the_document_awaits_is_awaited(name):
    assert inspect.iscoroutinefunction(find(name))


def test_the_getters_give_the_one_process_wide_instance():
    try:
        assert understudy.get_fallback_manager() is understudy.current().fallback
        assert understudy.get_performance_monitor() is understudy.current().monitor
        assert understudy.get_notification_manager() is understudy.current().notifications
        assert understudy.get_alert_manager() is understudy.current().alerts
    finally:
        understudy.reset()


def test_the_configuration_of_the_document_can_be_built_directly():
    assert understudy.ProductionConfig(log_format="json").log_format == "json"
