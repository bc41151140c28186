"""A local Opsgenie: the Alert API, as docs.opsgenie.com describes it. It takes requests and works on them later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from .base import Received, Receiver, Reply, as_json
from .shapes import text, unknown

API_KEY = "not-a-real-key-of-opsgenie"
_ALERT = frozenset(
    ("message", "alias", "description", "responders", "visibleTo", "actions", "tags", "details", "entity", "source",
     "priority", "user", "note")
)  # fmt: skip
_LENGTHS = {"alias": 512, "description": 15_000, "entity": 512, "source": 100, "user": 100, "note": 25_000}
_ACTIONS = {"close": "closed", "acknowledge": "acked", "unacknowledge": "open"}


@dataclass(slots=True)
class Alert:
    """What a person sees; `count` is how often it was created while it was open."""

    alias: str
    message: str
    priority: str
    document: Mapping[str, Any]
    state: str = "open"
    count: int = 1
    notes: list[str] = field(default_factory=list)


class OpsgenieReceiver(Receiver):
    """`slowness` looks at a request say that it is not known yet; `jsm` puts all under the path of its API."""

    def __init__(self, key: str = API_KEY, *, slowness: int = 0, jsm: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.key, self.slowness = key, slowness
        self._prefix = "/jsm/ops/integration/v2/alerts" if jsm else "/v2/alerts"
        self._jsm = jsm
        self.alerts: list[Alert] = []
        self._looks: dict[str, int] = {}
        self._verdicts: dict[str, dict[str, Any]] = {}

    @property
    def open(self) -> list[Alert]:
        """Alerts that are not closed."""
        return [each for each in self.alerts if each.state != "closed"]

    def answer(self, request: Received) -> Reply:
        """As `Receiver.answer`."""
        if request.headers.get("authorization") != f"GenieKey {self.key}":
            return self.refuse("not authorised", as_json(401, {"message": "Could not authenticate", "took": 0.0}))
        path = request.target.partition("?")[0]
        if not path.startswith(self._prefix):
            return self.refuse("no such address", as_json(404, {"message": "Not Found"}))
        steps = [unquote(each) for each in path.removeprefix(self._prefix).split("/") if each]
        if request.method == "GET" and len(steps) == 2 and steps[0] == "requests" and not self._jsm:
            return self._looked_up(steps[1])
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return self.refuse("not JSON", as_json(415, {"message": "Content-Type must be application/json"}))
        try:
            document = request.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            return self.refuse("not JSON", as_json(400, {"message": "Body is not processable"}))
        if request.method == "POST" and not steps:
            return self._created(document)
        if len(steps) == 2 and request.query.get("identifierType") == "alias":
            return self._changed(request.method, steps[0], steps[1], document)
        return self.refuse("no such address", as_json(404, {"message": "Not Found"}))

    def _created(self, document: dict[str, Any]) -> Reply:
        if errors := faults(document):
            return self._unprocessable(errors)
        alias = str(document.get("alias") or f"made-{len(self.alerts)}")
        known = self._of(alias)
        if known is None:
            priority = str(document.get("priority", "P3"))
            self.alerts.append(Alert(alias, str(document["message"]), priority, document))
        else:
            known.count += 1
        return self._taken("Created alert", "Create", alias)

    def _changed(self, method: str, alias: str, action: str, document: dict[str, Any]) -> Reply:
        known = self._of(alias)
        if method == "PUT" and action == "priority" and not self._jsm:
            if document.get("priority") not in ("P1", "P2", "P3", "P4", "P5") or len(document) != 1:
                return self._unprocessable({"priority": "Priority should be one of P1, P2, P3, P4, P5"})
            if known is not None:
                known.priority = document["priority"]
        elif method == "POST" and action in _ACTIONS and not (self._jsm and action == "unacknowledge"):
            allowed = frozenset(("user", "source", "note"))
            lengths = [fault for name in allowed for fault in text(document, name, _LENGTHS[name])]
            if errors := unknown(document, allowed) + lengths:
                return self._unprocessable(dict(each.split(": ", 1) for each in errors))
            if known is not None:
                known.state = _ACTIONS[action]
                known.notes.append(str(document.get("note", "")))
        else:
            return self.refuse("no such action", as_json(404, {"message": "Not Found"}))
        if known is None:
            return self._taken("Alert does not exist", action.title(), alias, success=False)
        return self._taken(f"{action.title()} done", action.title(), alias)

    def _of(self, alias: str) -> Alert | None:
        return next((each for each in self.open if each.alias == alias), None)

    def _taken(self, status: str, action: str, alias: str, *, success: bool = True) -> Reply:
        name = f"request-{len(self._verdicts) + 1}"
        self._verdicts[name] = {
            "success": success, "isSuccess": success, "action": action, "status": status, "alias": alias,
            "alertId": f"id-of-{alias}" if success else "", "integrationId": "", "processedAt": "2026-01-01T00:00:00Z",
        }  # fmt: skip
        return as_json(202, {"result": "Request will be processed", "took": 0.1, "requestId": name})

    def _looked_up(self, name: str) -> Reply:
        self._looks[name] = self._looks.get(name, 0) + 1
        verdict = self._verdicts.get(name)
        if verdict is None or self._looks[name] <= self.slowness:
            return as_json(404, {"message": "Request not found. It might not be processed, yet."})
        return as_json(200, {"data": verdict, "took": 0.1, "requestId": name})

    def _unprocessable(self, errors: Mapping[str, str]) -> Reply:
        message = "Request body is not processable. Please check the errors."
        return self.refuse(str(errors), as_json(422, {"message": message, "errors": errors, "took": 0.0}))


def faults(document: Mapping[str, Any]) -> dict[str, str]:
    """Everything that is wrong with an alert, by field."""
    found = unknown(document, _ALERT) + text(document, "message", 130, required=True)
    for name, most in _LENGTHS.items():
        found += text(document, name, most)
    if document.get("priority", "P3") not in ("P1", "P2", "P3", "P4", "P5"):
        found.append("priority: should be one of P1, P2, P3, P4, P5")
    tags = document.get("tags", [])
    if not isinstance(tags, list) or len(tags) > 20 or any(not isinstance(t, str) or len(t) > 50 for t in tags):
        found.append("tags: at most 20, of 50 characters each")
    responders = document.get("responders", [])
    keys = ({"type", "id"}, {"type", "name"}, {"type", "username"})
    if not isinstance(responders, list) or len(responders) > 50 or any(set(each) not in keys for each in responders):
        found.append("responders: at most 50, each with a type and an id, name or username")
    details = document.get("details", {})
    if not isinstance(details, dict) or any(not isinstance(value, str) for value in details.values()):
        found.append("details: an object of texts")
    elif sum(len(name) + len(value) for name, value in details.items()) > 8_000:
        found.append("details: more than 8000 characters in total")
    return dict(each.split(": ", 1) for each in found)
