"""Tokens that stand for a key: fetched once for all callers, ahead of their end, and kept in memory only."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from typing import Any, Final
from urllib.parse import quote, urlencode

from understudy.core.clock import Clock
from understudy.core.errors import OptionError, TransportError
from understudy.core.http import HttpClient, HttpRequest
from understudy.core.secrets import Secret

from . import conditions as on
from .keys import AuthOptions, Key
from .outcome_table import CredentialsFailed
from .reason import message_of, safe_text
from .retry_after import number, parse_retry_after, server_time

#: Lifetime of a token whose answer tells none, seconds; a 401 ends it sooner.
LIFETIME: Final = 3600.0
LIFETIME_CAP: Final = 30 * 86400.0
#: A token is fetched anew when this share of its life is left, but at most this long before its end.
AHEAD_SHARE: Final = 0.2
AHEAD_CAP: Final = 300.0
#: After a refresh that failed while the old token still lives, the next one comes no sooner; seconds.
AGAIN_AFTER: Final = 5.0
#: A token fetched because of a 401 is not replaced for another 401 before this, seconds.
FORCED_REST: Final = 30.0
FETCH_TIMEOUT: Final = 10.0
_MAX_ANSWER: Final = 64 * 1024


class TokenSource:
    """Fetches one token, by the rules of `oauth2_client_credentials` or `token_request`."""

    def __init__(self, options: AuthOptions, http: HttpClient, clock: Clock) -> None:
        self._options = options
        self._http = http
        self._clock = clock
        self._token = on.query(options.token_path, "auth", "token_path")
        self._expires = on.query(options.expires_path, "auth", "expires_path")
        if "\n" in options.token_url or "\r" in options.token_url:
            raise OptionError("auth", "token_url", "…", "a URL on one line")

    async def fetch(self, key: Key) -> tuple[Secret, float]:
        """A fresh token and its lifetime in seconds.

        Raises:
            CredentialsFailed: the token server did not give one; the text holds no secret.
        """
        secret = key.secret.reveal() if key.secret is not None else ""
        try:
            response = await self._http.send(self._request(secret))
        except TransportError as error:
            told = safe_text(str(error), (secret,))
            raise CredentialsFailed(f"no token for key {key.alias}: {type(error).__name__}: {told}") from None
        try:
            status, headers, body = response.status, response.headers, response.body
        finally:
            await response.close()
        if not 200 <= status < 300:
            told = safe_text(message_of(body), (secret,))
            after = parse_retry_after(headers, self._clock.time())
            raise CredentialsFailed(f"no token for key {key.alias}: HTTP {status} {told}".rstrip(), after)
        parsed = on.parse_json(body, _MAX_ANSWER)
        token = on.search(self._token, parsed)
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise CredentialsFailed(f"no token for key {key.alias}: nothing usable at {self._options.token_path!r}")
        lifetime = self._lifetime(on.search(self._expires, parsed), server_time(headers, self._clock.time()))
        return Secret(token, source=f"token of {key.alias}"), lifetime

    def _lifetime(self, told: Any, now_wall: float) -> float:
        value = number(told) if isinstance(told, str) else told
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            return LIFETIME
        seconds = float(min(value, 1e12))
        if seconds >= 1e9:  # some servers tell the moment instead of the time until then
            seconds -= now_wall
        return min(max(seconds, 1.0), LIFETIME_CAP)

    def _request(self, secret: str) -> HttpRequest:
        options = self._options
        headers = {"Accept": "application/json"}
        if options.kind == "oauth2_client_credentials":
            form = {"grant_type": "client_credentials"}
            if options.scope:
                form["scope"] = options.scope
            pair = f"{quote(options.username, safe='')}:{quote(secret, safe='')}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            return self._sent("POST", options.token_url, headers, urlencode(form).encode())
        url = options.token_url.replace("{key}", quote(secret, safe=""))
        if options.token_method == "GET" or not options.token_body:
            return self._sent(options.token_method, url, headers, None)
        is_json = options.token_body.lstrip()[:1] in ("{", "[")
        headers["Content-Type"] = "application/json" if is_json else "application/x-www-form-urlencoded"
        written = json.dumps(secret)[1:-1] if is_json else quote(secret, safe="")
        return self._sent("POST", url, headers, options.token_body.replace("{key}", written).encode())

    def _sent(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> HttpRequest:
        return HttpRequest(method, url, headers, body, idle_timeout=FETCH_TIMEOUT, max_body=_MAX_ANSWER)


class _Entry:
    """The token of one key. Times are monotonic."""

    __slots__ = ("expires_at", "forced_at", "refresh_at", "task", "token")

    def __init__(self) -> None:
        self.token: Secret | None = None
        self.expires_at = self.refresh_at = self.forced_at = float("-inf")
        self.task: asyncio.Task[Secret] | None = None


class TokenStore:
    """Keeps one token for each key; however many callers wait, one fetch is under way."""

    def __init__(self, source: TokenSource, clock: Clock, rng: random.Random) -> None:
        self._source = source
        self._clock = clock
        self._now = clock.monotonic
        self._rng = rng
        self._entries: dict[Key, _Entry] = {}

    def ready(self, key: Key) -> Secret | None:
        """The token at hand, None when one must be fetched first; begins a refresh when its end is near."""
        entry = self._entries.get(key)
        if entry is None or entry.token is None:
            return None
        now = self._now()
        if now >= entry.expires_at:
            return None
        if now >= entry.refresh_at:
            entry.refresh_at = now + AGAIN_AFTER
            self._fetch(key, entry)
        return entry.token

    async def get(self, key: Key) -> Secret:
        """The token at hand, or the one being fetched; raises `CredentialsFailed`."""
        token = self.ready(key)
        if token is not None:
            return token
        entry = self._entries.setdefault(key, _Entry())
        # Shielded: a caller that gives up must not take the token from those who still wait.
        return await asyncio.shield(self._fetch(key, entry))

    async def renew(self, key: Key, refused: str) -> bool:
        """Replace the token that the API refused; False when it was replaced for that reason a moment ago."""
        entry = self._entries.setdefault(key, _Entry())
        if entry.token is not None and entry.token != Secret(refused):
            return True  # another caller has replaced it in the meantime
        if entry.task is not None and not entry.task.done():
            await asyncio.shield(self._fetch(key, entry))  # it is being replaced already: by another caller, or its age
            return entry.token != Secret(refused)
        now = self._now()
        if now - entry.forced_at < FORCED_REST:
            return False
        entry.forced_at = now
        entry.expires_at = float("-inf")
        await asyncio.shield(self._fetch(key, entry))
        return True

    async def close(self) -> None:
        """Cancel the fetches of the running loop."""
        loop = asyncio.get_running_loop()
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None]
        mine = [task for task in tasks if not task.done() and task.get_loop() is loop]
        for task in mine:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)

    def _fetch(self, key: Key, entry: _Entry) -> asyncio.Task[Secret]:
        """The fetch that is under way on this loop, or a new one."""
        loop = asyncio.get_running_loop()
        task = entry.task
        if task is None or task.done() or task.get_loop() is not loop:
            task = entry.task = loop.create_task(self._run(key, entry))
            task.add_done_callback(_look)
        return task

    async def _run(self, key: Key, entry: _Entry) -> Secret:
        token, lifetime = await self._within_limit(key)
        now = self._now()
        ahead = min(AHEAD_CAP, lifetime * AHEAD_SHARE)
        entry.token = token
        entry.expires_at = now + lifetime
        # Jitter, so that the instances of one fleet do not all come at the same moment.
        entry.refresh_at = entry.expires_at - ahead * (0.5 + 0.5 * self._rng.random())
        return token

    async def _within_limit(self, key: Key) -> tuple[Secret, float]:
        """The fetch, ended when it takes too long as a whole (an answer that drips never idles)."""
        fetch = asyncio.ensure_future(self._source.fetch(key))
        late: list[bool] = []
        timer = self._clock.call_later(FETCH_TIMEOUT, lambda: late.append(fetch.cancel()))
        try:
            return await fetch
        except asyncio.CancelledError:
            if not late:
                raise
            raise CredentialsFailed(f"no token for key {key.alias}: none within {FETCH_TIMEOUT:.0f} s") from None
        finally:
            timer.cancel()
            fetch.cancel()


def _look(task: asyncio.Task[Secret]) -> None:
    """Take note of a failed refresh that nobody waited for; the old token serves on, and the next call tries again."""
    if not task.cancelled():
        task.exception()
