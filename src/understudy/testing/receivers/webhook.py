"""A local receiver of Standard Webhooks 1.0 (standardwebhooks.com), or of Alertmanager's bodies."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Literal

from .base import Received, Receiver, Reply
from .shapes import unknown

#: How far the time of an attempt may lie from ours, s: against old requests played again.
TOLERANCE = 300
MAX_BODY = 20_000
_ALERTMANAGER = frozenset(
    ("version", "groupKey", "truncatedAlerts", "truncated", "status", "receiver", "groupLabels", "commonLabels",
     "commonAnnotations", "externalURL", "alerts")
)  # fmt: skip


class WebhookReceiver(Receiver):
    """Verifies each request by the secrets it knows, and takes each id once; `repeats` counts the others."""

    def __init__(
        self, *secrets: str, body: Literal["standard", "alertmanager"] = "standard", path: str = "/hook", **options: Any
    ) -> None:
        super().__init__(**options)
        self.secrets = secrets
        self.path, self._body = path, body
        self.accepted: list[Mapping[str, Any]] = []
        self.repeats = 0
        self._ids: set[str] = set()

    @property
    def url(self) -> str:
        """Where to post."""
        return self.base + self.path

    def answer(self, request: Received) -> Reply:
        """As `Receiver.answer`."""
        if (request.method, request.path) != ("POST", self.path):
            return self.refuse("no such address", Reply(404))
        if len(request.body) > MAX_BODY:
            return self.refuse("the body is too large", Reply(413))
        if (why := self._unverified(request)) is not None:
            return self.refuse(why, Reply(401, why.encode()))
        try:
            document = request.json()
        except ValueError:
            return self.refuse("not JSON", Reply(400))
        errors = standard_faults(document) if self._body == "standard" else alertmanager_faults(document)
        if errors:
            return self.refuse("; ".join(errors), Reply(422, "; ".join(errors).encode()))
        name = request.headers.get("webhook-id", "")
        if name and name in self._ids:
            self.repeats += 1
            return Reply(204)
        self._ids.add(name)
        self.accepted.append(document)
        return Reply(204)

    def _unverified(self, request: Received) -> str | None:
        """Why the request may not be ours; None when it is."""
        name, stamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
        if not self.secrets:
            return None
        if not name or "." in name:
            return "no usable webhook-id"
        if not stamp.isdigit() or abs(int(stamp) - self._clock.time()) > TOLERANCE:
            return "no usable webhook-timestamp"
        given = [each.removeprefix("v1,") for each in request.headers.get("webhook-signature", "").split(" ")]
        content = f"{name}.{stamp}.".encode() + request.body
        for secret in self.secrets:
            key = base64.b64decode(secret.removeprefix("whsec_"))
            expected = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
            if any(hmac.compare_digest(expected, each) for each in given):
                return None
        return "no signature matches"


def standard_faults(document: Any) -> list[str]:
    """What is wrong with a body of Standard Webhooks."""
    if not isinstance(document, dict):
        return ["not an object"]
    errors = unknown(document, frozenset(("type", "timestamp", "data", "truncated")))
    kind = document.get("type")
    if not isinstance(kind, str) or not all(part.replace("_", "").isalnum() for part in kind.split(".")):
        errors.append("type: words joined by full stops")
    if not _is_time(document.get("timestamp")):
        errors.append("timestamp: a time in ISO 8601")
    if not isinstance(document.get("data"), dict):
        errors.append("data: an object")
    return errors


def alertmanager_faults(document: Any) -> list[str]:
    """What is wrong with a body of Alertmanager's webhooks, version 4."""
    if not isinstance(document, dict):
        return ["not an object"]
    errors = unknown(document, _ALERTMANAGER)
    if document.get("version") != "4" or document.get("status") not in ("firing", "resolved"):
        errors.append("version, status: 4, firing or resolved")
    alerts = document.get("alerts")
    for alert in alerts if isinstance(alerts, list) else ():
        texts = [*alert.get("labels", {}).values(), *alert.get("annotations", {}).values()]
        if not all(isinstance(each, str) for each in texts) or not alert.get("labels", {}).get("alertname"):
            errors.append("labels, annotations: texts, and an alertname")
        if not _is_time(alert.get("startsAt")) or not _is_time(alert.get("endsAt")):
            errors.append("startsAt, endsAt: times")
    return errors if alerts else [*errors, "alerts: at least one"]


def _is_time(value: Any) -> bool:
    try:
        return dt.datetime.fromisoformat(str(value)).tzinfo is not None
    except ValueError:
        return False
