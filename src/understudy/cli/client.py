"""Asks a running service over HTTP, with the standard library only."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlencode, urlsplit

from understudy.core.text import Texts

from .exits import FAILED, UNAVAILABLE, USAGE, Stop

#: Longest wait for an answer, s; largest answer, bytes.
TIMEOUT, MAX_ANSWER = 10.0, 64 * 1024 * 1024


class ServiceClient:
    """The JSON API of one service; every fault ends in a `Stop` with one clear line."""

    def __init__(self, url: str, text: Texts) -> None:
        self._text = text
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
        _ = self._text
        wanted = urlencode({name: value for name, value in query.items() if value is not None})
        connection = self._kind(self._host, self._port, timeout=TIMEOUT)
        try:
            connection.request("GET", f"{self._path}{path}?{wanted}", headers={"Accept": "application/json"})
            response = connection.getresponse()
            body = response.read(MAX_ANSWER)
        except ConnectionRefusedError:
            message = _("no service listens at {url}; start one with: understudy run", url=self.url)
            raise Stop(UNAVAILABLE, message) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise Stop(UNAVAILABLE, _("{url} does not answer: {reason}", url=self.url, reason=reason)) from None
        finally:
            connection.close()
        if response.status >= 400:
            content = self._parsed(body)
            detail = content.get("detail", response.reason) if isinstance(content, dict) else response.reason
            raise Stop(FAILED, _("{url} refused: {reason}", url=self.url, reason=str(detail)[:300]))
        return body

    def _parsed(self, body: bytes) -> Any:
        try:
            return json.loads(body)
        except ValueError:
            raise Stop(FAILED, self._text("{url} is not an Understudy service", url=self.url)) from None
