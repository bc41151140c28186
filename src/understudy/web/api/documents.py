"""What the REST API says of itself: the index, the OpenAPI document, and the page for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from understudy.web.auth.permissions import Permission
from understudy.web.declared import Field, Gives, Param
from understudy.web.endpoint import Table, endpoint
from understudy.web.http import Answer, Request, dumped
from understudy.web.kinds import Schema
from understudy.web.openapi import PLACES, Operation, body_example, document, operations
from understudy.web.pages.rendering import page
from understudy.web.schemas import OBJECT, TEXT, TEXTS, obj

if TYPE_CHECKING:
    from understudy.app import Understudy


async def index(app: Understudy, request: Request) -> Answer:
    """Where to begin: the version, the documents, and every path that the asker may use."""
    from understudy.web.table import ROUTES

    paths = dict.fromkeys(each.path for each in operations(ROUTES, request.who.may))
    told = {"name": "Understudy", "version": app.version, "openapi": "/api/openapi.json", "docs": "/api/docs"}
    return Answer(dumped({**told, "paths": list(paths)}))


async def openapi(app: Understudy, request: Request) -> Answer:
    """The API as an OpenAPI 3.1 document: what the asker may use, and no more."""
    from understudy.web.table import ROUTES

    return Answer(dumped(document(ROUTES, request.who.may, app.version)))


async def documents(app: Understudy, request: Request) -> Answer:
    """The same as a page, with an example of each endpoint for curl and for Python."""
    from understudy.web.table import ROUTES

    groups: dict[str, list[dict[str, Any]]] = {}
    for each in operations(ROUTES, request.who.may):
        groups.setdefault(each.tag, []).append(_shown(each, _origin(app, request)))
    return page(app, request, "api_docs.html", at="settings", groups=sorted(groups.items()))


def _origin(app: Understudy, request: Request) -> str:
    """The address that examples use: the public one, or the one that was asked."""
    public = app.notifications.options.public_url if app.keeping is not None else ""
    return public.rstrip("/") or f"http://{request.headers.get('host', '127.0.0.1:8080')}"


def _shown(each: Operation, origin: str) -> dict[str, Any]:
    path = each.path
    for name in each.places:
        path = path.replace(f"{{{name}}}", quote(PLACES.get(name, ("", name))[1], safe=""))
    query = {param.name: param.example for param in each.declared.query or () if param.example is not None}
    body = body_example(each.declared) if each.declared.body is not None else None
    return {
        "method": each.method,
        "path": each.path,
        "anchor": f"{each.method}{each.path}".replace("/", "-").replace("{", "").replace("}", "").lower(),
        "summary": written(each.summary),
        "description": written(each.description),
        "needs": str(each.endpoint.needs),
        "places": [(name, "string", True, written(PLACES.get(name, ("", ""))[0])) for name in each.places],
        "query": [_row(named, named.schema()) for named in each.declared.query or ()],
        "body": [_row(named, named.kind.schema()) for named in each.declared.body or ()],
        "gives": [(gives.status, gives.content_type, gives.about) for gives in each.declared.gives],
        "problems": each.statuses,
        "curl": _curl(each.method, f"{origin}{path}", query, body),
        "python": _python(each.method, path, query, body, origin),
    }  # fmt: skip


def _row(named: Param | Field, schema: Schema) -> tuple[str, str, bool, list[tuple[bool, str]]]:
    return named.name, kind_word(schema), named.required, written(named.about)


def written(text: str) -> list[tuple[bool, str]]:
    """A text in pieces: what stands between backticks is code."""
    return [(bool(number % 2), piece) for number, piece in enumerate(text.split("`")) if piece]


def kind_word(schema: Schema) -> str:
    """A schema in a few words."""
    kind = schema.get("type", "")
    told = " | ".join(kind) if isinstance(kind, list) else str(kind)
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"] if each is not None and each != "")
    low, high = schema.get("minimum"), schema.get("maximum")
    return (
        f"{told} {low:g}–{high:g}" if told in ("integer", "number") and low is not None and high is not None else told
    )


def _curl(method: str, url: str, query: dict[str, Any], body: dict[str, Any] | None) -> str:
    lines = ['curl -sS -H "Authorization: Bearer $UNDERSTUDY_TOKEN"']
    if method != "GET":
        lines[0] += f" -X {method}"
    if body is not None:
        lines.append(f"-H 'Content-Type: application/json' -d {_quoted(json.dumps(body, ensure_ascii=False))}")
    lines.append(_quoted(url + (f"?{urlencode(query)}" if query else "")))
    return " \\\n  ".join(lines)


def _quoted(text: str) -> str:
    """A text as one word of a POSIX shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def _python(method: str, path: str, query: dict[str, Any], body: dict[str, Any] | None, origin: str) -> str:
    arguments = [repr(method), repr(path)]
    if query:
        arguments.append(f"query={query!r}")
    if body is not None:
        arguments.append(f"body={body!r}")
    return (
        "from understudy.clients.api import Client\n\n"
        f"async with Client({origin!r}, token=token) as client:\n"
        f"    print(await client.ask({', '.join(arguments)}))"
    )


_INDEX: Final = obj(name=TEXT, version=TEXT, openapi=TEXT, docs=TEXT, paths=TEXTS)

ROUTES: Table = {
    ("GET", "/api"): endpoint(index, Permission.READ, gives=Gives(_INDEX), tag="Documents"),
    ("GET", "/api/openapi.json"): endpoint(openapi, Permission.READ, gives=Gives(OBJECT), tag="Documents"),
    ("GET", "/api/docs"): endpoint(
        documents, Permission.READ, gives=Gives({"type": "string"}, content_type="text/html"), tag="Documents"
    ),
}
