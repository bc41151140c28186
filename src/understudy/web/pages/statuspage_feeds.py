"""The status page for other programs: Atom, RSS, and badges. Every text is escaped, whoever wrote it."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from typing import Final

from understudy.core.text import Texts
from understudy.web.views.status_page import ANNOUNCED, DAY, PublicNotice, StatusPageView

#: Colours of badges: dark enough for white letters, told apart without colours by their words.
_COLOURS: Final = {
    "ok": "#00706b", "degraded": "#8f4f00", "down": "#a70d24", "maintenance": "#4134b2", "unknown": "#5d6675",
}  # fmt: skip
#: Width of a letter of the badge's font, in hundredths of a pixel; generous, as its text is stretched to fit.
_LETTER: Final = 660
_HEIGHT: Final = 20


def badge_word(_: Texts, state: str) -> str:
    """A state in one or two words."""
    return {
        "ok": _("working"),
        "degraded": _("partly working"),
        "down": _("not working"),
        "maintenance": _("maintenance"),
    }.get(state, _("no data"))


def badge(title: str, word: str, state: str) -> str:
    """A badge of two halves; its letters are text, so that it can be read aloud."""
    title = _plain(title)
    left, right = _width(title), _width(word)
    middle, whole = left + right / 2, left + right
    label = escape(f"{title}: {word}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole:.0f}" height="{_HEIGHT}" '
        f'role="img" aria-label="{label}">'
        f"<title>{label}</title>"
        f'<rect width="{whole:.0f}" height="{_HEIGHT}" rx="3" fill="#3d454f"/>'
        f'<path d="M{left:.0f} 0h{right - 3:.0f}a3 3 0 0 1 3 3v{_HEIGHT - 6}a3 3 0 0 1-3 3h-{right - 3:.0f}z" '
        f'fill="{_COLOURS.get(state, _COLOURS["unknown"])}"/>'
        f'<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{left / 2:.1f}" y="14" textLength="{left - 12:.0f}">{escape(title)}</text>'
        f'<text x="{middle:.1f}" y="14" textLength="{right - 12:.0f}">{escape(word)}</text></g></svg>'
    )


def _width(text: str) -> float:
    return max(24.0, len(text) * _LETTER / 100 + 12)


def told(_: Texts, notice: PublicNotice) -> tuple[str, str]:
    """Heading and text of a notice; those that come from alerts have words of ours only."""
    names = ", ".join(notice.components)
    if notice.title:
        return notice.title, notice.text
    if notice.kind == "maintenance":
        return _("Maintenance: {names}", names=names), _("Planned work; short interruptions are possible.")
    if notice.ends_at is not None:
        return _("Resolved: {names}", names=names), _("It worked badly or not at all, and works again.")
    return _("Incident: {names}", names=names), _("It works badly or not at all; we know, and work on it.")


def atom(view: StatusPageView, _: Texts, address: str) -> str:
    """Incidents and maintenance as Atom."""
    entries = "".join(
        f"<entry><id>{escape(address)}#{escape(each.id)}</id><title>{_xml(told(_, each)[0])}</title>"
        f'<updated>{_iso(_changed(each, view))}</updated><link href="{escape(address)}#{escape(each.id)}"/>'
        f"<content>{_xml(_body(_, each))}</content></entry>"
        for each in view.notices
    )  # fmt: skip
    newest = max([_changed(each, view) for each in view.notices], default=view.at)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
        f"<id>{escape(address)}</id><title>{_xml(view.title)}</title><updated>{_iso(newest)}</updated>"
        f'<link href="{escape(address)}"/><link rel="self" href="{escape(address)}/atom.xml"/>'
        f"<author><name>{_xml(view.title)}</name></author>{entries}</feed>\n"
    )


def rss(view: StatusPageView, _: Texts, address: str) -> str:
    """The same as RSS 2.0."""
    items = "".join(
        f'<item><guid isPermaLink="false">{escape(each.id)}</guid><title>{_xml(told(_, each)[0])}</title>'
        f"<link>{escape(address)}#{escape(each.id)}</link><description>{_xml(_body(_, each))}</description>"
        f"<pubDate>{format_datetime(datetime.fromtimestamp(_changed(each, view), UTC))}</pubDate></item>"
        for each in view.notices
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0"><channel>'
        f"<title>{_xml(view.title)}</title><link>{escape(address)}</link>"
        f"<description>{_xml(view.text or view.title)}</description>{items}</channel></rss>\n"
    )


def _body(_: Texts, notice: PublicNotice) -> str:
    text = told(_, notice)[1]
    spans = []
    if notice.starts_at is not None:
        spans.append(_("From {time} UTC", time=minute(notice.starts_at)))
    if notice.ends_at is not None:
        spans.append(_("until {time} UTC", time=minute(notice.ends_at)))
    return " ".join(each for each in (text, ", ".join(notice.components) and f"({', '.join(notice.components)})",
                                      " ".join(spans)) if each)  # fmt: skip


def _changed(notice: PublicNotice, view: StatusPageView) -> float:
    """When it last changed, always the same for the same notice: at its end where that is past, else at its beginning,
    and of what is still to come, when it began to be announced."""
    if notice.ends_at is not None and notice.ends_at <= view.at:
        return notice.ends_at
    if notice.starts_at is None:
        return view.at // DAY * DAY
    return notice.starts_at if notice.starts_at <= view.at else min(notice.starts_at - ANNOUNCED, view.at // DAY * DAY)


def minute(at: float) -> str:
    """A time to the minute, UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"


def _iso(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _xml(text: str) -> str:
    """Text as XML can carry it: escaped, and without signs that no XML may hold."""
    return escape(_plain(text))


def _plain(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable() or sign in "\n\t")
