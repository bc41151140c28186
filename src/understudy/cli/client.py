"""Asks a running service through the typed client; every fault ends in one clear line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from understudy.clients.api import ApiError, Blocking, NotReached
from understudy.clients.api.asking import TIMEOUT, part
from understudy.config.sources import real_environment
from understudy.core.secrets import Secret
from understudy.core.text import Texts

from .exits import FAILED, UNAVAILABLE, USAGE, Stop
from .options import ASKED

__all__ = ["ServiceClient", "part"]

#: Longest reason of a refusal that is repeated, characters.
MAX_REASON = 300
#: Where the token is looked for when `--token` does not say it.
TOKEN_VARIABLE = "UNDERSTUDY_TOKEN"


class ServiceClient:
    """The JSON API of one service; every fault ends in a `Stop` with one clear line."""

    def __init__(self, url: str, text: Texts, timeout: float = TIMEOUT) -> None:
        self._text = text
        self.url = url.rstrip("/")
        try:
            self._client = Blocking(self.url, token=asked_token(), timeout=timeout)
        except ValueError:
            raise Stop(
                USAGE, text("{url} is no URL of a service; it looks like http://127.0.0.1:8080", url=url)
            ) from None

    def get(self, path: str, **query: Any) -> Any:
        """The JSON answer of a GET."""
        return self._asked(self._client.ask, "GET", path, query=query)

    def fetch(self, path: str, missing: str = "", /, **query: Any) -> bytes:
        """The body of a GET; `missing` says what it means when there is none."""
        body: bytes = self._asked(self._client.fetch, path, missing=missing, **query)
        return body

    def send(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        """The JSON answer of a request that changes something, with a JSON body."""
        return self._asked(self._client.ask, method, path, body=content)

    def _asked(self, function: Callable[..., Any], *arguments: Any, missing: str = "", **options: Any) -> Any:
        _ = self._text
        try:
            return function(*arguments, **options)
        except ApiError as error:
            if error.status == 401:
                hint = _("give an API token with --token or in {name}", name=TOKEN_VARIABLE)
                raise Stop(FAILED, f"{self._refused(error)}; {hint}") from None
            raise Stop(FAILED, missing if error.status == 404 and missing else self._refused(error)) from None
        except NotReached as error:
            if error.refused:
                message = _("no service listens at {url}; start one with: understudy run", url=self.url)
                raise Stop(UNAVAILABLE, message) from None
            if not error.reason:
                raise Stop(FAILED, _("{url} is not an Understudy service", url=self.url)) from None
            message = _("{url} does not answer: {reason}", url=self.url, reason=error.reason[:MAX_REASON])
            raise Stop(UNAVAILABLE, message) from None
        finally:
            self._client.close()

    def _refused(self, error: ApiError) -> str:
        _ = self._text
        return _("{url} refused: {reason}", url=self.url, reason=error.detail[:MAX_REASON])


def asked_token() -> Secret | None:
    """The token of `--token`, or else that of the environment; never shown anywhere."""
    found = real_environment().get(TOKEN_VARIABLE, "").strip()
    return ASKED.get().token or (Secret(found, f"env:{TOKEN_VARIABLE}") if found else None)
