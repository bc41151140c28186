"""Whoever tells resilience how the APIs are doing keeps the same promises."""

from __future__ import annotations

import pytest

from understudy import PerformanceMonitor
from understudy.testing import FakeClock, HealthViewContract, MemoryHealth


class TestMonitor(HealthViewContract):
    @pytest.fixture
    def health(self) -> PerformanceMonitor:
        return PerformanceMonitor(FakeClock())


class TestInMemory(HealthViewContract):
    @pytest.fixture
    def health(self) -> MemoryHealth:
        return MemoryHealth()
