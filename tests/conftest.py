"""What every test shares."""

from __future__ import annotations

import gc

import pytest
from hypothesis import HealthCheck, settings

from servers import pgbouncer, postgres

__all__ = ["pgbouncer", "postgres"]

# How quickly examples are made says something of the machine, not of what is tested.
settings.register_profile("untimed", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take long, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """What was collected lives to the end: looked through again and again, it would stop tests for long."""
    gc.collect()
    gc.freeze()
