"""Every clock keeps the same promises."""

from __future__ import annotations

import pytest

from understudy.core.clock import SystemClock
from understudy.testing import ClockContract, FakeClock


class TestSystem(ClockContract):
    @pytest.fixture
    def clock(self) -> SystemClock:
        return SystemClock()


class TestFake(ClockContract):
    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()
