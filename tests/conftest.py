"""What every test shares."""

from __future__ import annotations

import pytest

from servers import pgbouncer, postgres

__all__ = ["pgbouncer", "postgres"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take long, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
