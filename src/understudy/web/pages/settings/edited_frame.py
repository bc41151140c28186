"""What the pages of edited settings share: words of a kind, addresses, faults in rows, strict fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from understudy.config.faults import Fault, dotted
from understudy.config.managed import SECTIONS
from understudy.config.sentences import said
from understudy.core.text import Texts
from understudy.web.api.alerts import MAX_COMMENT
from understudy.web.api.settings import EDITS
from understudy.web.auth.permissions import Permission
from understudy.web.forms import path_of, see
from understudy.web.http import Answer, Problem, Request
from understudy.web.pages.rendering import language_of

from .edited_text import line_of
from .frame import settings_page

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Most digits of a version's number.
_DIGITS: Final = 9


def titles(_: Texts, kind: str) -> dict[str, str]:
    """The words of a kind: of the tab, of a new one, of the way back."""
    return {
        "api": {"tab": _("APIs"), "new": _("New API"), "all": _("All APIs")},
        "route": {"tab": _("Routes"), "new": _("New route"), "all": _("All routes")},
        "channel": {"tab": _("Channels"), "new": _("New channel"), "all": _("All channels")},
    }[kind]


def address(kind: str, page: str = "", /, **query: str) -> str:
    """The address of a page about a kind. The name of an entry stands in the query: a path cannot hold `..`."""
    return path_of("settings", SECTIONS[kind], *([page] if page else []), **query)


def to(kind: str, page: str = "", /, **query: str) -> Answer:
    """A redirect there after a form was taken."""
    return see("settings", SECTIONS[kind], *([page] if page else []), **query)


def edited_page(app: Understudy, request: Request, kind: str, template: str, /, **values: Any) -> Answer:
    """One page about a kind."""
    words, section = titles(language_of(request), kind), SECTIONS[kind]
    return settings_page(
        app, request, section, values.pop("title", words["tab"]), template=template, kind=kind, section=section,
        kind_words=words, address=address, edits=request.who.may(EDITS[kind]), longest=MAX_COMMENT,
        secrets=request.who.may(Permission.ADMIN), path_of=path_of, **values,
    )  # fmt: skip


def rows(_: Texts, kind: str, name: str, faults: tuple[Fault, ...], text: str = "") -> list[dict[str, Any]]:
    """The faults of an entry in the reader's words, each with its place in the document."""
    found = []
    for each in faults:
        mine = each.path[:2] == (SECTIONS[kind], name) and len(each.path) > 2
        found.append({
            "line": line_of(text, each.path[2:]) if mine else 0,
            "where": dotted(each.path[2:] if mine else each.path),
            "what": said(each.expected, _),
            "found": said(each.found, _),
            "hint": said(each.hint, _),
        })  # fmt: skip
    return found


def count_of(_: Texts, faults: list[dict[str, Any]]) -> str:
    """How many things are wrong, as a sentence."""
    return _.plural(
        "{count} thing is wrong; nothing has changed.", "{count} things are wrong; nothing has changed.", len(faults)
    )


def number(content: Mapping[str, str], name: str) -> int:
    """The number of a version; raises `Problem` for what is none."""
    text = content.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise Problem(422, f"{name} is the number of a version")
    return int(text)


def comment(content: Mapping[str, str]) -> str:
    """Why something is changed; raises `Problem` for what is too long."""
    text = content.get("comment", "").strip()
    if len(text) > MAX_COMMENT or not text.isprintable():
        raise Problem(422, f"comment is a printable text of at most {MAX_COMMENT} characters")
    return text
