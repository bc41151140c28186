"""The REST API as an OpenAPI 3.1 document, made of what endpoints declare; it shows whoever asks what they may use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from inspect import cleandoc
from typing import Any, Final

from .auth.permissions import Permission
from .declared import Declared
from .endpoint import Endpoint, Table
from .kinds import Schema
from .schemas import OBJECT, TEXT, Components, resolved

#: Problems that any endpoint may answer with; those of one that reads a body.
_ALWAYS: Final = (400, 401, 403, 414, 421, 429, 500)
_OF_BODIES: Final = (413, 415, 422)
_WRITES: Final = ("POST", "PUT", "PATCH", "DELETE")
_PROBLEM: Final = "application/problem+json"
#: What stands in the places of paths.
PLACES: Final[Mapping[str, tuple[str, str]]] = {
    "account": ("The id of an account.", "01JDX3ZQ4M8W6T2N0V9K5H7B1C"),
    "alert": ("The episode's id, or the alert's fingerprint for its newest episode.", "01JDX3ZQ4M8W6T2N0V9K5H7B1C"),
    "api": ("The name of an API.", "odds_prime"),
    "call": ("The id of a call.", "01JDX3ZQ4M8W6T2N0V9K5H7B1C"),
    "channel": ("The name of a channel.", "ops"),
    "event": ("The id of an event of an alert.", "01JDX3ZQ4M8W6T2N0V9K5H7B1C"),
    "name": ("The name.", "odds_prime"),
    "route": ("The name of a route.", "odds"),
    "row": ("The id of a row of the outbox.", "01JDX3ZQ4M8W6T2N0V9K5H7B1C"),
    "rule": ("The name of a rule.", "success_rate_low"),
    "session": ("The id of a session, as the list shows it.", "01JDX3ZQ4M8W6T2N0V9K5H7B1C"),
    "silence": ("The id of a silence.", "01JDX3ZQ4M8W6T2N0V9K5H7B1C"),
    "token": ("The id of a token: what stands between us_ and the next _.", "4f2k9x0a"),
    "version": ("The number of a version.", "3"),
}
_ABOUT: Final = (
    "Everything that the dashboard shows and does. Times are epoch seconds, durations seconds, rates percent; null is "
    "what was not measured. Every answer has an X-Request-Id; faults are problems (RFC 9457). Lists come in pages: "
    "`next` of one is `before` of the following, also as a Link header; with format=csv they are files. JSON answers "
    "have an ETag for If-None-Match. RateLimit headers say how many requests are left; 429 and 503 have Retry-After."
)
_SECURITY: Final = {
    "cookie": {
        "type": "apiKey", "in": "cookie", "name": "__Host-us", "description": "The session of somebody who signed in.",
    },
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API token, us_…; it has scopes and may expire."},
}  # fmt: skip
_PROBLEM_SCHEMA: Final[Schema] = {
    "type": "object",
    "description": "What is wrong, and what to do (RFC 9457).",
    "properties": {
        "type": TEXT, "title": TEXT, "status": {"type": "integer"}, "detail": TEXT,
        "request_id": {"type": "string", "description": "Under which the log of the service may say more."},
        "field": {"type": "string", "description": "The parameter or key that is wrong, where it is one."},
    },
    "required": ["type", "title", "status", "detail"],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operation:
    """One endpoint as the documents show it."""

    method: str
    path: str
    endpoint: Endpoint

    @property
    def declared(self) -> Declared:
        """What it says of itself."""
        return self.endpoint.declared

    @property
    def tag(self) -> str:
        """Its heading: declared, or else the first part of the path."""
        first = self.path.removeprefix("/api/").partition("/")[0]
        return self.declared.tag or {"apis": "APIs"}.get(first, first.replace("-", " ").capitalize())

    @property
    def summary(self) -> str:
        """The first paragraph of the handler's docstring."""
        return " ".join(self._told.partition("\n\n")[0].split())

    @property
    def description(self) -> str:
        """The rest of it."""
        return self._told.partition("\n\n")[2].strip()

    @property
    def _told(self) -> str:
        return cleandoc(self.endpoint.handler.__doc__ or "")

    @property
    def places(self) -> tuple[str, ...]:
        """The names of the places in the path."""
        return tuple(re.findall(r"\{(\w+)\}", self.path))

    @property
    def writes(self) -> bool:
        """Whether it may change something, or reads a body."""
        return self.method in _WRITES

    @property
    def statuses(self) -> tuple[int, ...]:
        """Every status that it may answer with a problem."""
        reads = _OF_BODIES if self.declared.body is not None or (self.writes and self.method != "DELETE") else ()
        undeclared = (404, 409, 412, 503) if not self.declared.gives else ()
        return tuple(sorted({*_ALWAYS, *reads, *self.declared.problems, *undeclared}))


def operations(table: Table, may: Callable[[Permission], bool]) -> Iterator[Operation]:
    """The endpoints of the REST API that somebody may use, by path."""
    for (method, path), each in sorted(table.items(), key=lambda item: (item[0][1], item[0][0])):
        if (each.declared.tag or path.startswith("/api/")) and may(each.needs):
            yield Operation(method, path, each)


def document(table: Table, may: Callable[[Permission], bool], version: str) -> dict[str, Any]:
    """The document of the endpoints that somebody may use."""
    components: Components = {"Problem": _PROBLEM_SCHEMA}
    paths: dict[str, Any] = {}
    tags: dict[str, None] = {}
    for each in operations(table, may):
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, components)
        tags[each.tag] = None
    return {
        "openapi": "3.1.0",
        "info": {"title": "Understudy", "version": version, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"cookie": []}, {"bearer": []}],
        "tags": [{"name": name} for name in sorted(tags)],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": _SECURITY,
            "responses": {"Problem": {"description": "A problem.", "content": _content(_PROBLEM, _ref("Problem"))}},
        },
    }


def _operation(each: Operation, components: Components) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": _name(each),
        "tags": [each.tag],
        "summary": each.summary,
        "x-permission": str(each.endpoint.needs),
        "parameters": [*_places(each), *_query(each)],
        "responses": _responses(each, components),
    }
    if each.description:
        found["description"] = each.description
    if each.endpoint.needs is Permission.PUBLIC:
        found["security"] = []
    if body := _body(each):
        found["requestBody"] = body
    return {name: value for name, value in found.items() if value or name in ("security", "responses")}


def _name(each: Operation) -> str:
    """What generated clients call it; the paths of the original document have an endpoint below /api as a namesake."""
    below = each.path.startswith("/api") or each.path.count("/") == 1
    words = re.sub(r"[^a-z0-9]+", "_", each.path.removeprefix("/api").lower()).strip("_")
    return f"{each.method.lower()}_{words or 'index'}{'' if below else '_alias'}"


def _places(each: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name, "in": "path", "required": True, "description": PLACES.get(name, ("", name))[0],
            "schema": {"type": "string", "minLength": 1}, "example": PLACES.get(name, ("", name))[1],
        }
        for name in each.places
    ]  # fmt: skip


def _query(each: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": param.name, "in": "query", "required": param.required, "description": param.about,
            "schema": param.schema(), **({"example": param.example} if param.example is not None else {}),
        }
        for param in each.declared.query or ()
    ]  # fmt: skip


def body_example(declared: Declared) -> dict[str, Any]:
    """A body that is taken: every key that must be there, and those that have an example."""
    return {
        each.name: each.example if each.example is not None else _made_up(each.kind.schema())
        for each in declared.body or ()
        if each.example is not None or each.required
    }


def _made_up(schema: Schema) -> Any:
    """Something that a plain schema takes."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    items = [_made_up(schema.get("items", {}))] if schema.get("minItems") else []
    plain = {"boolean": True, "array": items, "object": {}, "integer": schema.get("minimum", 1), "number": 1.0}
    return plain[kind] if isinstance(kind, str) and kind in plain else "x" * max(1, schema.get("minLength", 1))


def _body(each: Operation) -> dict[str, Any]:
    fields = each.declared.body
    if fields is None:
        undeclared = each.writes and each.method != "DELETE" and not each.declared.gives
        return {"required": False, "content": _content("application/json", OBJECT)} if undeclared else {}
    schema: Schema = {
        "type": "object", "properties": {field.name: field.schema() for field in fields}, "additionalProperties": False,
    }  # fmt: skip
    required = [field.name for field in fields if field.required]
    if required:
        schema["required"] = required
    content = _content("application/json", schema)
    if example := body_example(each.declared):
        content["application/json"]["example"] = example
    return {"required": bool(required), "content": content}


def _responses(each: Operation, components: Components) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for gives in each.declared.gives:
        phrase = HTTPStatus(gives.status).phrase
        one = found.setdefault(str(gives.status), {"description": phrase})
        if gives.about:
            one["description"] = gives.about if one["description"] == phrase else f"{one['description']} {gives.about}"
        if gives.status == 204:
            continue
        content = one.setdefault("content", {}).setdefault(gives.content_type, {})
        content["schema"] = resolved(gives.schema, components)
        if gives.example is not None:
            content["example"] = gives.example
    if not found:
        found["2XX"] = {"description": "What was asked for.", "content": _content("application/json", OBJECT)}
    if each.method == "GET" and "200" in found:
        found["304"] = {"description": "If-None-Match names what is still so."}
    for status in each.statuses:
        found.setdefault(str(status), {"$ref": "#/components/responses/Problem"})
    return found


def _content(kind: str, schema: Schema) -> dict[str, Any]:
    return {kind: {"schema": schema}}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
