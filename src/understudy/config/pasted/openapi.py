"""Reads an OpenAPI 3 document (JSON) into a proposed API."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from .proposal import Proposal, proposed
from .request import Pasted, PasteError, Said

_ = Said
#: Paths that are there to be asked, best first.
_ASKED: Final = ("health", "healthz", "status", "ping", "version", "info", "timezone", "countries")
_SCHEMES: Final = {"bearer": "bearer", "basic": "basic"}
#: Longest address, and longest value that is put into one, characters.
_LONGEST: Final = 4096


def read_openapi(document: Mapping[str, Any]) -> Proposal:
    """The API that a document describes.

    Raises:
        PasteError: it is another version, or names no full address.
    """
    version = document.get("openapi")
    if not isinstance(version, str) or not version.startswith("3."):
        if "swagger" in document:
            raise PasteError(_("this is Swagger 2.0: convert it to OpenAPI 3, or paste a curl line"))
        raise PasteError(_("the JSON is no OpenAPI document: it has no key openapi with a version 3"))
    base = _server(document)
    kind, name = _security(document)
    path = _harmless(document)
    found = proposed(Pasted(base))
    own = _title(document) or found.name
    variable = re.sub(r"\W+", "_", own).upper() + "_KEY" if kind != "none" else ""
    notes = [] if kind == "none" else [_("the document holds no key; add it")]
    if not path:
        notes.append(_("no path can be asked without parameters; add one that shows whether the API works"))
    rapid = found.auth == "rapidapi"
    return dataclasses.replace(
        found,
        name=own,
        base_url=base.rstrip("/"),
        health_path=path,
        auth="rapidapi" if rapid else kind,
        auth_name="" if rapid else name,
        variable=found.variable if rapid else variable,
        notes=(*(note for note in found.notes if not rapid), *notes),
    )


def _server(document: Mapping[str, Any]) -> str:
    """The address of the first server, with the defaults of its variables put in."""
    servers = document.get("servers")
    first = servers[0] if isinstance(servers, list) and servers and isinstance(servers[0], dict) else {}
    url = first.get("url")
    if not isinstance(url, str) or not url:
        raise PasteError(_("servers[0].url is missing: the document does not say where the API is"))
    variables = first.get("variables")
    for name, each in variables.items() if isinstance(variables, dict) else ():
        usual = each.get("default", "") if isinstance(each, dict) else None
        if isinstance(usual, str | int | float) and max(len(url), len(str(usual))) <= _LONGEST:
            url = url.replace(f"{{{name}}}", str(usual))
    source = document.get("externalDocs")
    try:
        if "://" not in url and isinstance(source, dict) and isinstance(source.get("url"), str):
            url = urljoin(source["url"], url)
        parts = urlsplit(url)
    except ValueError:
        parts = None
    if parts is None or "://" not in url or "{" in url or len(url) > _LONGEST:
        raise PasteError(_("servers[0].url is {url}, which is no full address", url=url[:80]))
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def _security(document: Mapping[str, Any]) -> tuple[str, str]:
    """How the key is sent, and under which name."""
    components = document.get("components")
    schemes = components.get("securitySchemes") if isinstance(components, dict) else None
    if not isinstance(schemes, dict):
        return "none", ""
    wanted = document.get("security")
    asked = [name for each in wanted if isinstance(each, dict) for name in each] if isinstance(wanted, list) else []
    for scheme in [schemes.get(name) for name in asked] + list(schemes.values()):
        if not isinstance(scheme, dict):
            continue
        if scheme.get("type") == "apiKey" and scheme.get("in") in ("header", "query"):
            name = scheme.get("name")
            return str(scheme["in"]), name if isinstance(name, str) else ""
        way = scheme.get("scheme")
        if scheme.get("type") == "http" and isinstance(way, str) and way.lower() in _SCHEMES:
            return _SCHEMES[way.lower()], ""
        if scheme.get("type") in ("oauth2", "openIdConnect"):
            return "bearer", ""
    return "none", ""


def _harmless(document: Mapping[str, Any]) -> str:
    """A path that a GET may ask without any parameter, the most telling one."""
    found = list(_plain_paths(document))
    rated = [(next((n for n, word in enumerate(_ASKED) if word in path.lower()), len(_ASKED)), path) for path in found]
    return min(rated, key=lambda each: (each[0], len(each[1])))[1] if rated else ""


def _plain_paths(document: Mapping[str, Any]) -> Iterator[str]:
    paths = document.get("paths")
    for path, item in paths.items() if isinstance(paths, dict) else ():
        get = item.get("get") if isinstance(item, dict) else None
        if not isinstance(get, dict) or "{" in path or not path.startswith("/"):
            continue
        given = [*_list(item.get("parameters")), *_list(get.get("parameters"))]
        if not any(isinstance(each, dict) and (each.get("required") or "$ref" in each) for each in given):
            yield path


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _title(document: Mapping[str, Any]) -> str:
    info = document.get("info")
    title = info.get("title") if isinstance(info, dict) else ""
    title = title if isinstance(title, str) else ""
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:40].removesuffix("_api")
