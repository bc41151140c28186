"""What becomes of alerts and deliveries, in words: phases, events, what keeps a notice back, how an attempt ended.

A word that is not here is shown as it came: a service may be newer than its reader.
"""

from __future__ import annotations

from understudy.core.text import Texts


def phase_word(_: Texts, phase: str) -> str:
    """Where an alert is."""
    return {
        "inactive": _("quiet"),
        "pending": _("pending"),
        "firing": _("firing"),
        "recovering": _("recovering"),
    }.get(phase, phase)


def event_word(_: Texts, kind: str) -> str:
    """What happened to an alert."""
    return {
        "fired": _("fired"),
        "escalated": _("got worse"),
        "downgraded": _("got better"),
        "reminder": _("reminder"),
        "step": _("next step"),
        "acked": _("acknowledged"),
        "unacked": _("not acknowledged any more"),
        "snoozed": _("snoozed"),
        "resolved": _("resolved"),
        "flapping_started": _("began to flap"),
        "flapping_ended": _("stopped flapping"),
        "digest": _("digest"),
        "test": _("test"),
        "message": _("message"),
    }.get(kind, kind)


def suppressed_word(_: Texts, reason: str) -> str:
    """What kept a notice back; who or what exactly stands behind the colon."""
    word, colon, detail = reason.partition(":")
    said = {
        "maintenance": _("maintenance"),
        "silence": _("a silence"),
        "inhibition": _("another alert"),
        "mute": _("a mute timing"),
        "acknowledged": _("it was acknowledged"),
        "snoozed": _("it was snoozed"),
        "flapping": _("flapping"),
        "cooldown": _("the cooldown"),
        "untold": _("its beginning was not told"),
        "below the channel's min_severity": _("milder than this channel wants"),
    }.get(word, word)
    return f"{said} ({detail.strip()})" if colon and detail.strip() else said


def result_word(_: Texts, result: str) -> str:
    """How an attempt to deliver ended."""
    return {
        "delivered": _("delivered"),
        "retry": _("again later"),
        "degraded": _("again as plain text"),
        "degrade": _("again as plain text"),
        "rejected": _("refused"),
        "suppressed": _("not told on purpose"),
    }.get(result, result)
