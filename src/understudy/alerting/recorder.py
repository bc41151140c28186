"""Lets the monitor measure the channels, too: notifications are calls to third-party APIs like others."""

from __future__ import annotations

from understudy.monitor import PerformanceMonitor
from understudy.notifications.planning import MEASURED_AS


class MonitorRecorder:
    """A `notifications.ports.Recorder`: each send counts under the name `channel:NAME`."""

    def __init__(self, monitor: PerformanceMonitor) -> None:
        self._monitor = monitor

    def record(self, channel: str, seconds: float, ok: bool, reason: str) -> None:
        """As `Recorder.record`."""
        if ok:
            self._monitor.record_request_success(f"{MEASURED_AS}{channel}", max(0.0, seconds))
        else:
            self._monitor.record_request_failure(f"{MEASURED_AS}{channel}", reason, max(0.0, seconds))
