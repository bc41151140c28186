"""Tells people of reports that were made by themselves, on the channels that their schedules name."""

from __future__ import annotations

from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.notifications.manager import NotificationManager
from understudy.reports import digest
from understudy.reports.model import Report
from understudy.reports.schedule import ReportSchedule


class ReportTeller:
    """A `reports.schedule.Deliverer` whose reports become deliveries like every other: kept first, then sent."""

    def __init__(self, notifications: NotificationManager) -> None:
        self._notifications = notifications

    async def deliver(self, name: str, schedule: ReportSchedule, report: Report) -> None:
        """Tell of a report; of one that comes again after a crash nobody is told twice.

        Raises:
            StoreUnavailable: it was not kept, and nobody is told.
        """
        options = self._notifications.options
        notice = Notice(
            event_id=f"report-{name}-{report.kind}-{report.start:.0f}-{report.end:.0f}",
            kind=NoticeKind.MESSAGE,
            severity=Severity.INFO,
            at=report.made_at,
            title=digest.title(report),
            content=digest.content(report, options.public_url, schedule.api),
            facts=digest.facts(report),
        )
        await self._notifications.tell(notice, schedule.channels)
