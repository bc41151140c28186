"""O monitor de desempenho: os nomes do documento, tal como o Understudy os tem."""

from understudy import PerformanceMonitor, get_performance_monitor

__all__ = ["PerformanceMonitor", "get_performance_monitor"]
