"""Asks a running service over HTTP, with the standard library only."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from understudy.core.text import Texts

from .exits import FAILED, UNAVAILABLE, USAGE, Stop

#: Longest wait for an answer, s; largest answer, bytes.
TIMEOUT, MAX_ANSWER = 10.0, 64 * 1024 * 1024
#: Longest reason of a refusal that is repeated, characters.
MAX_REASON = 300


class ServiceClient:
    """The JSON API of one service; every fault ends in a `Stop` with one clear line."""

    def __init__(self, url: str, text: Texts, timeout: float = TIMEOUT) -> None:
        self._text = text
        self._timeout = timeout
        self.url = url.rstrip("/")
        try:
            parts = urlsplit(self.url)
            self._host, self._port = parts.hostname or "", parts.port
        except ValueError:
            parts, self._host, self._port = urlsplit(""), "", None
        if not self._host or parts.scheme not in ("http", "https"):
            raise Stop(USAGE, text("{url} is no URL of a service; it looks like http://127.0.0.1:8080", url=url))
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._path = parts.path

    def get(self, path: str, **query: Any) -> Any:
        """The JSON answer of a GET."""
        return self._parsed(self.fetch(path, **query))

    def fetch(self, path: str, **query: Any) -> bytes:
        """The body of a GET."""
        return self._asked("GET", path, query, None)

    def send(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        """The JSON answer of a request that changes something, with a JSON body."""
        body = None if content is None else json.dumps(content).encode()
        return self._parsed(self._asked(method, path, {}, body))

    def _asked(self, method: str, path: str, query: Mapping[str, Any], body: bytes | None) -> bytes:
        _ = self._text
        wanted = urlencode({name: value for name, value in query.items() if value is not None}, errors="replace")
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = self._kind(self._host, self._port, timeout=self._timeout)
        try:
            connection.request(method, f"{self._path}{path}{'?' if wanted else ''}{wanted}", body, headers)
            response = connection.getresponse()
            answered = response.read(MAX_ANSWER)
        except ConnectionRefusedError:
            message = _("no service listens at {url}; start one with: understudy run", url=self.url)
            raise Stop(UNAVAILABLE, message) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise Stop(UNAVAILABLE, _("{url} does not answer: {reason}", url=self.url, reason=reason)) from None
        finally:
            connection.close()
        if response.status >= 400:
            content = self._parsed(answered)
            detail = content.get("detail", response.reason) if isinstance(content, dict) else response.reason
            raise Stop(FAILED, _("{url} refused: {reason}", url=self.url, reason=str(detail)[:MAX_REASON]))
        return answered

    def _parsed(self, body: bytes) -> Any:
        try:
            return json.loads(body)
        except ValueError:
            raise Stop(FAILED, self._text("{url} is not an Understudy service", url=self.url)) from None


def part(name: str) -> str:
    """A name as one part of a path, whatever is in it."""
    return quote(name, safe="", errors="replace")
