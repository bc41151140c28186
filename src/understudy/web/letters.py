"""What people do about messages: try a channel, decide about what was given up. Each is entered into the audit log.

Pages and endpoints call the same functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from understudy.core.audit import AuditEntry
from understudy.notifications.shown import TestResult

if TYPE_CHECKING:
    from understudy.app import Understudy

Decision = Literal["replay", "discard"]
#: What the audit log calls each decision.
_ENTERED: Final = {"replay": "notification.replayed", "discard": "notification.discarded"}


async def tried(app: Understudy, who: str, channel: str) -> TestResult:
    """Send a test through one channel.

    Raises:
        UnknownName: there is no such channel.
        StoreUnavailable: nothing was sent.
    """
    result = await app.notifications.test(channel, actor=who)
    await noted(app, who, "notification.tested", channel, {"state": result.state})
    return result


async def decided(app: Understudy, who: str, decision: Decision, row: str, reason: str = "") -> None:
    """Try one dead letter again, or throw it away.

    Raises:
        UnknownName: there is no such dead letter.
        StoreUnavailable: nothing was changed.
    """
    if decision == "replay":
        await app.notifications.replay(row, actor=who, reason=reason)
    else:
        await app.notifications.discard(row, actor=who, reason=reason)
    await noted(app, who, _ENTERED[decision], row, {"reason": reason} if reason else None)


async def decided_all(app: Understudy, who: str, decision: Decision, channel: str = "", reason: str = "") -> int:
    """The same for every dead letter, or every one of a channel, that is there now; how many those were.

    Raises:
        StoreUnavailable: those that were not reached yet are as they were.
    """
    number = await app.notifications.decide_all(decision == "replay", channel=channel, actor=who, reason=reason)
    after: dict[str, Any] = {"rows": number} | ({"reason": reason} if reason else {})
    await noted(app, who, f"{_ENTERED[decision]}_all", channel, after)
    return number


async def noted(app: Understudy, who: str, action: str, about: str, after: Any = None) -> None:
    """Enter an act into the audit log, where there is one."""
    if app.keeping is not None:
        await app.keeping.acted(AuditEntry(app.clock.time(), who, action, about, None, after))
