"""Forms of our own pages: read strictly, answered with a redirect (post, redirect, get)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

from .http import Answer, Problem, Request

_KIND: Final = "application/x-www-form-urlencoded"
#: Most fields of one form.
_MOST: Final = 200
#: The field that binds a form to its session.
FORM_TOKEN: Final = "form_token"


async def form(request: Request, *known: str, picks: str = "") -> dict[str, str]:
    """The fields of a posted form; line ends as people type them become plain ones.

    With `picks`, fields whose names begin with it are known, too: the boxes of a list that were ticked.

    Raises:
        Problem: 415 for another kind of body, 422 for a field that is not known or stands twice.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _KIND:
        raise Problem(415, "this takes a form of our own pages")
    raw = await request.body()
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST, errors="strict")
    except ValueError:
        raise Problem(400, "the form cannot be read") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        picked = bool(picks) and name.startswith(picks)
        # What stands in several groups of a list may be ticked in each.
        if (name in found and not picked) or (name not in known and name != FORM_TOKEN and not picked):
            raise Problem(422, f"the form may have these fields, each once: {', '.join(known)}")
        found[name] = value.replace("\r\n", "\n")
    return found


def safe_path(wanted: str) -> str:
    """A path of ours that a redirect may lead to; home for anything else.

    It begins with exactly one slash and holds no backslash, no control character and no encoded slash, so that
    no browser takes it for another host's address.
    """
    plain = unquote(wanted)
    good = (
        wanted.startswith("/")
        and not wanted.startswith("//")
        and len(wanted) <= 2000
        and wanted.isascii()
        and not any(sign in wanted or sign in plain for sign in "\\\r\n\t\0")
        and not plain.startswith("//")
        and "%2f" not in wanted.lower()
        and wanted.isprintable()
    )
    return wanted if good else "/"


def back_to(path: str, *, cookies: Sequence[str] = ()) -> Answer:
    """A redirect to a page of ours after a form was taken."""
    return Answer(b"", 303, "text/plain", {"Location": safe_path(path)}, cookies=tuple(cookies))


def path_of(*parts: str, **query: str) -> str:
    """A path of ours of these parts, which may hold anything: `path_of("alerts", "rules", "a/b", done="kept")`."""
    path = "/" + "/".join(quote(part, safe="") for part in parts)
    return f"{path}?{urlencode(query)}" if query else path


def see(*parts: str, **query: str) -> Answer:
    """A redirect to `path_of` these parts after a form was taken; names in it may hold slashes."""
    return Answer(b"", 303, "text/plain", {"Location": path_of(*parts, **query)})
