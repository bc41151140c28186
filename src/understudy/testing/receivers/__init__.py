"""Local stand-ins for notification services, as strict as the services and as unreliable as told."""

from __future__ import annotations

from .base import DROP_AFTER, DROP_BEFORE, GARBAGE, HANG, SLOW, Fault, Received, Receiver, Reply, redirect, status
from .opsgenie import OpsgenieReceiver
from .pagerduty import PagerDutyReceiver
from .smtp import Mail, SmtpFault, SmtpReceiver
from .webhook import WebhookReceiver

__all__ = [
    "DROP_AFTER",
    "DROP_BEFORE",
    "GARBAGE",
    "HANG",
    "SLOW",
    "Fault",
    "Mail",
    "OpsgenieReceiver",
    "PagerDutyReceiver",
    "Received",
    "Receiver",
    "Reply",
    "SmtpFault",
    "SmtpReceiver",
    "WebhookReceiver",
    "redirect",
    "status",
]
