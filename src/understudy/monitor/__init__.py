"""How is each API doing: recording, windows, percentiles, trends, comparison, system metrics."""

from .monitor import PerformanceMonitor

__all__ = ["PerformanceMonitor"]
