"""Local stand-ins for notification services, as strict as the services and as unreliable as told."""

from __future__ import annotations

from .base import DROP_AFTER, DROP_BEFORE, GARBAGE, HANG, SLOW, Fault, Received, Receiver, Reply, redirect, status
from .discord import DiscordReceiver
from .opsgenie import OpsgenieReceiver
from .pagerduty import PagerDutyReceiver
from .slack import SlackReceiver
from .smtp import Mail, SmtpFault, SmtpReceiver
from .telegram import TelegramReceiver
from .webhook import WebhookReceiver

__all__ = [
    "DROP_AFTER",
    "DROP_BEFORE",
    "GARBAGE",
    "HANG",
    "SLOW",
    "DiscordReceiver",
    "Fault",
    "Mail",
    "OpsgenieReceiver",
    "PagerDutyReceiver",
    "Received",
    "Receiver",
    "Reply",
    "SlackReceiver",
    "SmtpFault",
    "SmtpReceiver",
    "TelegramReceiver",
    "WebhookReceiver",
    "redirect",
    "status",
]
