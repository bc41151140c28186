"""Lets a monitor measure the channels: notifications are calls to third-party APIs like others."""

from __future__ import annotations

from understudy.monitor import PerformanceMonitor


class MonitorRecorder:
    """A `notifications.ports.Recorder`: each send counts under the name of its channel.

    In a monitor of the channels' own: what is told of APIs must not depend on how that was told to people.
    """

    def __init__(self, monitor: PerformanceMonitor) -> None:
        self._monitor = monitor

    def record(self, channel: str, seconds: float, ok: bool, reason: str) -> None:
        """As `Recorder.record`."""
        if ok:
            self._monitor.record_request_success(channel, max(0.0, seconds))
        else:
            self._monitor.record_request_failure(channel, reason, max(0.0, seconds))
