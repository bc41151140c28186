"""The test kit: fakes and contract suites for programs that use Understudy, and for Understudy itself."""

from .clock import FakeClock

__all__ = ["FakeClock"]
