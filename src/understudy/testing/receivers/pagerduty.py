"""A local PagerDuty: Events API v2, as developer.pagerduty.com describes it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .base import Received, Receiver, Reply, as_json
from .shapes import text, unknown, url

#: A key that the receiver knows unless it is told others.
ROUTING_KEY = "0123456789abcdef" * 2
MAX_EVENT = 512_000
_SEVERITIES = ("critical", "warning", "error", "info")
_EVENT = frozenset(("routing_key", "event_action", "dedup_key", "payload", "links", "images", "client", "client_url"))
_PAYLOAD = frozenset(("summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"))


@dataclass(slots=True)
class Incident:
    """What a person sees: one for each key between its trigger and its resolution."""

    key: str
    state: str = "triggered"
    events: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def severity(self) -> str:
        """That of the newest trigger."""
        return str(self.events[-1]["payload"]["severity"])

    @property
    def summary(self) -> str:
        """That of the first trigger."""
        return str(self.events[0]["payload"]["summary"])


class PagerDutyReceiver(Receiver):
    """Keeps incidents as PagerDuty does: a repeated trigger joins the open one, what is closed stays closed."""

    def __init__(self, *keys: str, **options: Any) -> None:
        super().__init__(**options)
        self.keys = set(keys or (ROUTING_KEY,))
        self.accepted: list[Mapping[str, Any]] = []
        self.incidents: list[Incident] = []

    @property
    def open(self) -> list[Incident]:
        """Incidents that are not resolved."""
        return [each for each in self.incidents if each.state != "resolved"]

    def answer(self, request: Received) -> Reply:
        """As `Receiver.answer`."""
        if (request.method, request.path) != ("POST", "/v2/enqueue"):
            return self.refuse("no such address", as_json(404, {"status": "Not Found"}))
        if len(request.body) > MAX_EVENT:
            return self.refuse("the event is too large", as_json(413, {"status": "Request Entity Too Large"}))
        try:
            event = request.json()
        except ValueError:
            event = None
        if not isinstance(event, dict):
            return self.refuse("not JSON", _invalid("Unrecognized object", "JSON parse error"))
        errors = faults(event)
        if errors:
            return self.refuse("; ".join(errors), _invalid("invalid event", *errors))
        if event["routing_key"] not in self.keys:
            return self.refuse("unknown routing key", _invalid("invalid key", "invalid routing key"))
        return self._accept_event(event)

    def _accept_event(self, event: Mapping[str, Any]) -> Reply:
        self.accepted.append(event)
        key = str(event.get("dedup_key") or f"made-{len(self.accepted)}")
        incident = next((each for each in self.open if each.key == key), None)
        if event["event_action"] == "trigger":
            if incident is None:
                incident = Incident(key)
                self.incidents.append(incident)
            incident.events.append(event)
        elif incident is not None:  # an unknown or closed key is accepted and dropped
            incident.state = "acknowledged" if event["event_action"] == "acknowledge" else "resolved"
        return as_json(202, {"status": "success", "message": "Event processed", "dedup_key": key})


def faults(event: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with an event, in words like the service's own."""
    errors = unknown(event, _EVENT)
    key = event.get("routing_key")
    if not isinstance(key, str) or len(key) != 32:
        errors.append("Length of 'routing_key' is incorrect (should be 32 characters)")
    action = event.get("event_action")
    if action not in ("trigger", "acknowledge", "resolve"):
        errors.append("'event_action' is invalid (must be one of: 'trigger', 'acknowledge', 'resolve')")
    errors += text(event, "dedup_key", 255, required=action != "trigger")
    errors += text(event, "client", 1024)
    for index, link in enumerate(event.get("links", ())):
        errors += url(link, "href", f"links[{index}].") + unknown(link, frozenset(("href", "text")), f"links[{index}].")
    for index, image in enumerate(event.get("images", ())):
        errors += url(image, "src", f"images[{index}].", ("https",))
    if action == "trigger":
        errors += _payload_faults(event.get("payload"))
    return errors


def _payload_faults(payload: Any) -> list[str]:
    if not isinstance(payload, dict):
        return ["'payload' is missing or blank"]
    errors = unknown(payload, _PAYLOAD, "payload.")
    errors += text(payload, "summary", 1024, "payload.", required=True)
    errors += text(payload, "source", 100_000, "payload.", required=True)
    if payload.get("severity") not in _SEVERITIES:
        errors.append(
            "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')"
        )
    for name in ("component", "group", "class"):
        errors += text(payload, name, 100_000, "payload.")
    if "timestamp" in payload:
        try:
            dt.datetime.fromisoformat(str(payload["timestamp"]))
        except ValueError:
            errors.append("'payload.timestamp' is not a time in ISO 8601")
    if not isinstance(payload.get("custom_details", {}), dict):
        errors.append("'payload.custom_details' is no object")
    return errors


def _invalid(what: str, *errors: str) -> Reply:
    message = "Event object is invalid" if what == "invalid event" else "Event object format is unrecognized"
    return as_json(400, {"status": what, "message": message, "errors": list(errors)})
