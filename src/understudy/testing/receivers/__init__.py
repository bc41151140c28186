"""Local stand-ins for notification services, as strict as the services and as unreliable as told."""

from __future__ import annotations

from .base import DROP_AFTER, DROP_BEFORE, GARBAGE, HANG, SLOW, Fault, Received, Receiver, Reply, redirect, status

__all__ = [
    "DROP_AFTER",
    "DROP_BEFORE",
    "GARBAGE",
    "HANG",
    "SLOW",
    "Fault",
    "Received",
    "Receiver",
    "Reply",
    "redirect",
    "status",
]
