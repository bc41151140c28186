"""What a reader must know about a message itself: that it is late, may be a repeat, stands in, is a drill."""

from __future__ import annotations

from understudy.core.legible import line
from understudy.core.text import texts

from .wording import clock_time, duration


def late(language: str, detected_at: float, at: float, cause: str = "", zone: str = "") -> str:
    """The message comes at `at` (epoch seconds), long after the thing was noticed; `cause` says why."""
    _ = texts(language)
    times = {
        "detected": clock_time(detected_at, at, zone),
        "delivered": clock_time(at, detected_at, zone),
        "delay": duration(_, max(0.0, at - detected_at)),
    }
    if cause:
        return _("Late by {delay}: detected {detected}, sent {delivered}; {cause}.", **times, cause=line(cause))
    return _("Late by {delay}: detected {detected}, sent {delivered}.", **times)


def repeat(language: str) -> str:
    """An earlier attempt ended without an answer."""
    _ = texts(language)
    return _("This may be a repeat: it is not known whether an earlier attempt arrived.")


def stand_in(language: str, channel: str) -> str:
    """Sent here because the channel that it was meant for does not work."""
    _ = texts(language)
    return _("Sent here because the channel {channel} does not work now.", channel=line(channel))


def merged(language: str, *, unsure: bool = False) -> str:
    """Both the beginning and the end of an alert, as neither could be sent before; `unsure`: or may have been."""
    _ = texts(language)
    if unsure:
        return _("This stands for beginning and end: it is not known whether an earlier message about it arrived.")
    return _("The alert fired and ended before either could be sent; this message stands for both.")


def plain(language: str, reason: str) -> str:
    """The service refused the message in its rich form."""
    _ = texts(language)
    return _("Shown as plain text: the service refused the formatted message ({reason}).", reason=line(reason))


def template(language: str, error: str) -> str:
    """The user's own template could not be used."""
    _ = texts(language)
    return _("Your template could not be used, so this is the standard message: {error}", error=line(error))


def drill(language: str) -> tuple[str, str]:
    """The message belongs to a drill: the word for its titles, and what it means."""
    _ = texts(language)
    return _("DRILL"), _("This is a drill: nothing is wrong, and nothing is to be done.")
