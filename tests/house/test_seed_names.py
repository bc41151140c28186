"""The names of the original document, with their parameters, exist as the real things."""

from __future__ import annotations

import inspect

import pytest

import understudy

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


def test_execution_with_fallback_is_awaited():
    assert inspect.iscoroutinefunction(understudy.FallbackManager.execute_with_fallback)


def test_the_getters_give_the_one_process_wide_instance():
    try:
        assert understudy.get_fallback_manager() is understudy.current().fallback
        assert understudy.get_performance_monitor() is understudy.current().monitor
    finally:
        understudy.reset()


def test_the_configuration_of_the_document_can_be_built_directly():
    assert understudy.ProductionConfig(log_format="json").log_format == "json"
