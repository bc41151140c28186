"""Pages of other sites must not act with a reader's session: where a request that changes something must come from."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from understudy.web.http import Problem, Request

from .tickets import is_form_token

_FORM: Final = "application/x-www-form-urlencoded"
_KINDS: Final = (_FORM, "application/json")
#: The field of a form, and the header of a script, that binds it to its session.
_FIELD, _HEADER = "form_token", "x-form-token"


async def check(request: Request, session: str) -> None:
    """Let a request of a signed-in browser through when one of our own pages made it.

    Browsers say where a request comes from (`Sec-Fetch-Site`, and `Origin`, which the guard has compared with our
    host). Those too old to say it are known by the token of the form, and a token that is sent must be right.

    Raises:
        Problem: 403 for a request that no page of ours made, 415 for a kind of body that forms of other sites send.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and kind not in _KINDS:
        raise Problem(415, "send application/json, or a form of our own pages")
    token = request.headers.get(_HEADER)
    if token is None and kind == _FORM:
        token = _field(await request.body())
    if token is not None and not is_form_token(session, token):
        raise Problem(403, "this form belongs to a session that is over; load the page again")
    site = request.headers.get("sec-fetch-site")
    if site == "same-origin" or (site is None and "origin" in request.headers) or token is not None:
        return
    raise Problem(403, "requests that change something must come from a page of this service")


def _field(body: bytes) -> str | None:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=200)
    except ValueError:
        return None
    return next((value for name, value in pairs if name == _FIELD), None)
