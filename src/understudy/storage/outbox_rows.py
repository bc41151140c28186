"""Rows of the outbox, notices and attempts: from values to columns and back."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from typing import Any

from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.core.outbox import OutboxRow, RowState
from understudy.notifications.ports import Attempt

from .packing import clean, document, ms, pack, unpack


def columns_of(row: OutboxRow) -> dict[str, Any]:
    """Everything of a row but its notice."""
    return {
        "id": row.id,
        "event_id": row.event_id,
        "channel": row.channel,
        "kind": row.kind.value,
        "severity": row.severity.value,
        "created_ms": ms(row.created_at),
        "detected_ms": ms(row.detected_at),
        "fingerprint": row.fingerprint,
        "episode": row.episode,
        "pager": int(row.pager),
        "owner": row.owner,
        "token": row.token,
        "leased_ms": ms(row.leased_until),
        **changeable_columns(row),
    }


def changeable_columns(row: OutboxRow) -> dict[str, Any]:
    """What a settlement may change; see `agreed.CHANGEABLE`."""
    return {
        "destination": clean(row.destination),
        "priority": row.priority,
        "deadline_ms": ms(row.deadline_at),
        "not_before_ms": ms(row.not_before_at),
        "recipients": document(list(row.recipients)),
        "state": row.state.value,
        "attempts": row.attempts,
        "plain": int(row.plain),
        "ambiguous": int(row.ambiguous),
        "reason": clean(row.reason),
        "told_in": row.told_in,
        "group_key": row.group,
        "instead_of": row.instead_of,
    }


def packed_notices(rows: Iterable[OutboxRow]) -> list[dict[str, Any]]:
    """The notices of rows; that of one event for several channels is packed once."""
    packed: dict[int, bytes] = {}
    found = []
    for row in rows:
        key = id(row.notice)
        if key not in packed:
            packed[key] = pack(row.notice.as_dict())
        found.append({"id": row.id, "notice": packed[key]})
    return found


def row_of(row: Any) -> OutboxRow:
    """A row with its notice, as it was read."""
    return OutboxRow(
        id=row.id,
        event_id=row.event_id,
        channel=row.channel,
        destination=row.destination,
        kind=NoticeKind(row.kind),
        severity=Severity(row.severity),
        priority=row.priority,
        created_at=row.created_ms / 1000,
        detected_at=row.detected_ms / 1000,
        deadline_at=row.deadline_ms / 1000,
        notice=_notice(row),
        fingerprint=row.fingerprint,
        episode=row.episode,
        pager=bool(row.pager),
        not_before_at=row.not_before_ms / 1000,
        recipients=tuple(json.loads(row.recipients)),
        state=RowState(row.state),
        attempts=row.attempts,
        plain=bool(row.plain),
        ambiguous=bool(row.ambiguous),
        reason=row.reason,
        told_in=row.told_in,
        group=row.group_key,
        instead_of=row.instead_of,
        owner=row.owner,
        token=row.token,
        leased_until=row.leased_ms / 1000,
    )


def _notice(row: Any) -> Notice:
    if row.notice is not None:
        try:
            return Notice.from_dict(unpack(row.notice))
        except (ValueError, TypeError, KeyError, zlib.error):
            pass  # a damaged page: the row must not keep those behind it from being sent
    return Notice(
        row.event_id, NoticeKind(row.kind), Severity(row.severity), row.detected_ms / 1000,
        title="what this said was lost when the store was damaged", fingerprint=row.fingerprint, episode=row.episode,
    )  # fmt: skip


def attempt_columns(attempt: Attempt, token: int) -> dict[str, Any]:
    """An attempt that was made under a token."""
    since = attempt.since_detected
    return {
        "row_id": attempt.row,
        "token": token,
        "channel": attempt.channel,
        "number": attempt.number,
        "at_ms": ms(attempt.at),
        "result": attempt.result,
        "took_us": round(attempt.seconds * 1e6),
        "status": attempt.status,
        "error": clean(attempt.error),
        "response": clean(attempt.response),
        "provider_id": clean(attempt.provider_id),
        "sent_bytes": attempt.sent_bytes,
        "since_detected_us": None if since is None else round(since * 1e6),
        "recipient": clean(attempt.recipient),
    }


def attempt_of(row: Any) -> Attempt:
    """An attempt, as it was read."""
    since = row.since_detected_us
    return Attempt(
        row=row.row_id,
        channel=row.channel,
        number=row.number,
        at=row.at_ms / 1000,
        result=row.result,
        seconds=row.took_us / 1e6,
        status=row.status,
        error=row.error,
        response=row.response,
        provider_id=row.provider_id,
        sent_bytes=row.sent_bytes,
        since_detected=None if since is None else since / 1e6,
        recipient=row.recipient,
    )
