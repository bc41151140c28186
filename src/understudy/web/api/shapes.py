"""Schemas of what several answers hold: each says the same as the `as_dict` of the value that it names."""

from __future__ import annotations

from typing import Final

from understudy.alerts.incident_notes import IncidentNote
from understudy.alerts.noise import Noise
from understudy.alerts.ports import EpisodeRow, EventRow
from understudy.alerts.shown import AlertView
from understudy.channels.conformance import Measure
from understudy.core.events import Event
from understudy.core.status import ApiRow, RouteRow, Status
from understudy.core.types import Explanation
from understudy.monitor.history import SeriesHistory
from understudy.monitor.instances import Instance
from understudy.monitor.requests import ErrorGroup, RequestEntry
from understudy.monitor.summary import LastError
from understudy.monitor.system import SystemSnapshot
from understudy.notifications.message import Card, NotificationResult
from understudy.notifications.ports import Attempt
from understudy.resilience.breaker_state import BreakerView
from understudy.resilience.directions import Direction
from understudy.storage.health import StoreHealth
from understudy.web.schemas import (
    FLAG,
    NUMBER,
    OBJECT,
    TEXT,
    TEXTS,
    TIME,
    WHOLE,
    Lazy,
    array,
    mapping,
    maybe,
    obj,
    view,
)
from understudy.web.views.alerts import Touched
from understudy.web.views.anatomy import Anatomy

MAYBE_WHOLE: Final = {"type": ["integer", "null"]}
MAYBE_TIME: Final = {"type": ["number", "null"], "description": "epoch seconds"}

EVENT: Final = view(Event, detail=OBJECT)
BREAKER: Final = view(BreakerView, "Breaker")
DIRECTION: Final = view(Direction)
DIRECTION_LEFT: Final = view(Direction, "DirectionLeft", left=NUMBER)
ALERT: Final = view(AlertView)
TOUCHED: Final = view(Touched, "TouchedRoute")
OPEN_ALERT: Final = view(AlertView, "OpenAlert", touched=array(TOUCHED))
EPISODE: Final = view(EpisodeRow, "Episode", lasted=NUMBER)
EPISODE_SHORT: Final = obj(labels=mapping(TEXT), severity=TEXT, started_at=TIME, resolved_at=MAYBE_TIME)
HAPPENED: Final = view(EventRow, "AlertEvent", notice=OBJECT, trace=OBJECT)
NOTE: Final = view(IncidentNote)
NOISE: Final = view(Noise)
ANATOMY: Final = view(
    Anatomy,
    heat=obj(bounds=array({"type": "number"}), rows=array(array(WHOLE))),
    whole=obj(success_rate=NUMBER, p50=NUMBER, p95=NUMBER, p99=NUMBER),
)
HISTORY: Final = view(SeriesHistory, "History", ("series",), kind=TEXT, name=TEXT)
REQUEST: Final = view(RequestEntry, "Request", record=OBJECT, responses=mapping(OBJECT))
ERROR_GROUP: Final = view(ErrorGroup)
DECISION: Final = view(Explanation, "Decision")
ATTEMPT: Final = view(Attempt, "DeliveryAttempt", n=WHOLE)
#: A row of the outbox with its attempts, and as a dead letter.
_ROW: Final[dict[str, Lazy]] = {
    "id": TEXT, "event_id": TEXT, "channel": TEXT, "kind": TEXT, "severity": TEXT, "state": TEXT, "created_at": TIME,
    "detected_at": TIME, "deadline_at": MAYBE_TIME, "not_before_at": MAYBE_TIME, "attempts": WHOLE, "reason": TEXT,
    "told_in": TEXT, "instead_of": TEXT, "ambiguous": FLAG, "title": TEXT,
}  # fmt: skip
DELIVERY: Final = obj(**_ROW, plain=FLAG, log=array(ATTEMPT))
DEAD_LETTER: Final = obj(**_ROW, rule=TEXT, fingerprint=TEXT, episode=TEXT, recipients_left=WHOLE)
RESULT: Final = view(NotificationResult, "Notified")
MEASURED: Final = view(Measure, "MeasuredPart", fits=FLAG)
CARD: Final = view(Card, "Message")
_TOLD_ON: Final[dict[str, Lazy]] = {
    "channel": TEXT,
    "known": FLAG,
    "suppressed_by": TEXT,
    "priority": WHOLE,
    "language": TEXT,
}
_TRACE: Final = array(obj(policy=TEXT, matched=FLAG, refused_by=TEXT))
ROUTING: Final = obj(policies=TEXTS, escalation=TEXT, channels=array(obj(**_TOLD_ON)), trace=_TRACE)
IMAGINED: Final = obj(
    policies=TEXTS, escalation=TEXT, channels=array(obj(**_TOLD_ON, message=maybe(CARD))), trace=_TRACE, rule=TEXT,
    kind=TEXT, severity=TEXT, at=TIME, labels=mapping(TEXT), suppressed_by=TEXT, until=MAYBE_TIME,
    steps=array(obj(at=TIME, targets=TEXTS, repeat={"type": "number"})),
)  # fmt: skip

_KEY: Final = obj(
    key=TEXT, state=TEXT, reason=TEXT, release_after=NUMBER, in_flight=WHOLE, remaining=MAYBE_WHOLE, pressure=NUMBER
)
_QUOTA: Final = obj(
    key=TEXT, object=TEXT, window=NUMBER, limit=NUMBER, remaining=MAYBE_WHOLE, reset_after=NUMBER, source=TEXT,
    per_second=NUMBER,
)  # fmt: skip
STANDING: Final = obj(
    priority=WHOLE, route=TEXT, hub=TEXT, price=NUMBER, enabled=FLAG, state=TEXT, hold=NUMBER, hold_reason=TEXT,
    in_flight=WHOLE, drain=maybe(DIRECTION_LEFT), checks_paused=maybe(DIRECTION_LEFT), forced=maybe(DIRECTION_LEFT),
    reliability=NUMBER, expected_latency=NUMBER, breaker=mapping(BREAKER), keys=array(_KEY), quota=array(_QUOTA),
    bulkhead=maybe(obj(limit=WHOLE, active=WHOLE, waiting=WHOLE)), budget=obj(left=NUMBER),
)  # fmt: skip
ROUTE_STANDING: Final = obj(
    mode=TEXT, deadline=NUMBER, lead={"type": ["string", "null"]},
    standbys=array(obj(api=TEXT, gate=TEXT, detail=TEXT, cost=NUMBER, terms=mapping(NUMBER))), apis=TEXTS,
    fallbacks=WHOLE, failures=WHOLE, pin=maybe(DIRECTION_LEFT),
)  # fmt: skip
HEALTH_CHECK: Final = obj(
    health=TEXT, age=NUMBER, ok={"type": ["boolean", "null"]}, seconds=NUMBER, status=MAYBE_WHOLE, reason=TEXT,
    series=array(obj(age=NUMBER, ok={"type": ["boolean", "null"]}, seconds=NUMBER)), probes_today=WHOLE,
    skipped=TEXT, mode=TEXT, cost=NUMBER,
)  # fmt: skip
COUNTERS: Final = obj(
    fallbacks=array(obj(**{"from": TEXT, "to": TEXT, "reason": TEXT, "calls": WHOLE})), exhausted=mapping(WHOLE),
    breaker_transitions=array(obj(breaker=TEXT, to=TEXT, count=WHOLE)),
)  # fmt: skip
LAST_ERROR: Final = view(LastError)

STORE: Final = view(StoreHealth, details=OBJECT)
KEPT: Final[dict[str, Lazy]] = {
    "instance": TEXT, "store": STORE, "roles": mapping(WHOLE), "flushed_at": MAYBE_TIME,
    "requests_only_counted": WHOLE, "requests_dropped": WHOLE, "acts_waiting": WHOLE,
    "instances": array(view(Instance)),
}  # fmt: skip
_ALERTS_TOLD: Final = obj(counts=mapping(WHOLE), firing=array(ALERT), channels=WHOLE, waiting=WHOLE, problems=TEXTS)
STATUS: Final = view(
    Status, apis=array(view(ApiRow)), routes=array(view(RouteRow)), system=view(SystemSnapshot, "System"),
    events=array(EVENT), keeping=maybe(obj(**KEPT)), alerts=maybe(_ALERTS_TOLD),
)  # fmt: skip
