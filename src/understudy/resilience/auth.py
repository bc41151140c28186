"""Signs requests in (resilience rule R18): static keys at once, tokens fetched, kept fresh and never shown."""

from __future__ import annotations

import base64
import difflib
import inspect
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus, unquote_plus, urlsplit

from understudy.core.clock import Clock
from understudy.core.errors import OptionError, Rejected
from understudy.core.http import HttpClient, HttpRequest
from understudy.core.secrets import Secret

from .keys import AuthOptions, Key
from .outcome_table import CredentialsFailed
from .presets import load_preset, names, preset_for
from .reason import safe_text
from .tokens import TokenSource, TokenStore

if TYPE_CHECKING:
    from .api import ApiOptions

#: Completes a request after the key was put in; may be a coroutine function (HMAC, SigV4).
SignHook = Callable[[HttpRequest], Awaitable[None] | None]

_TOKEN_KINDS: Final = frozenset({"oauth2_client_credentials", "token_request"})
_PORTS: Final = {"http": 80, "https": 443}


class ForeignOrigin(Rejected):
    """The request goes to another origin than the API's, so it does not get the API's key."""


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an absolute URL.

    Raises:
        ValueError: there is no such thing in `url`.
    """
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not parts.hostname:
        raise ValueError("an absolute http or https URL is expected")
    return scheme, parts.hostname.rstrip("."), parts.port or _PORTS[scheme]


def same_origin(one: str, other: str) -> bool:
    """Whether both URLs have the same scheme, host and port; False when one of them is no URL."""
    try:
        return origin_of(one) == origin_of(other)
    except ValueError:
        return False


def check_base_url(url: str) -> None:
    """Refuse a base URL to which no path can be appended, and keys where everybody reads them; empty is none.

    Raises:
        OptionError: no absolute http or https URL, or one with a query, a fragment or a password.
    """
    if not url:
        return
    try:
        origin_of(url)
    except ValueError:
        raise OptionError("ApiOptions", "base_url", url, "http:// or https:// and a host") from None
    if "@" in urlsplit(url).netloc:
        raise OptionError("ApiOptions", "base_url", "…@…", "no user name and password, which belong into auth")
    if "?" in url or "#" in url:
        # What follows may be a key, and is not shown.
        shown = url.partition("?")[0].partition("#")[0] + "…"
        raise OptionError("ApiOptions", "base_url", shown, "no query and no fragment, as paths are appended to it")
    if not url.isprintable() or " " in url:
        raise OptionError("ApiOptions", "base_url", url, "no spaces and no control characters")


def check_consistent(options: ApiOptions) -> None:
    """Refuse a preset that does not exist, and keys that no request would carry.

    Raises:
        OptionError: one of these.
    """
    if options.preset and load_preset(options.preset) is None:
        nearest = difflib.get_close_matches(options.preset, names(), 1)
        hint = f" (did you mean {nearest[0]!r}?)" if nearest else ""
        raise OptionError("ApiOptions", "preset", options.preset, f"the name of a preset{hint}")
    if options.auth.keys and with_preset(options).kind == "none":
        raise OptionError("AuthOptions", "kind", "none", "how the keys are sent, as no request carries one otherwise")


class Authenticator:
    """Puts the key of one API into its requests, and into no others.

    Raises:
        OptionError: the options name no place for the key, or a key cannot be sent (line breaks).
    """

    def __init__(
        self,
        options: AuthOptions,
        base_url: str,
        http: HttpClient,
        clock: Clock,
        rng: random.Random,
        sign: SignHook | None = None,
    ) -> None:
        self._options = options
        self._base_url = base_url
        self._kind = options.kind
        self._sign = sign
        self._origin = origin_of(base_url) if base_url else None
        #: A URL that begins so is the API's own without a closer look.
        self._prefix = _plain_prefix(base_url)
        self._host = urlsplit(base_url).netloc.rpartition("@")[2]
        _check(options)
        self._name = options.name or ("Authorization" if self._kind != "query" else "")
        bearer = self._kind == "bearer" or (self._kind in _TOKEN_KINDS and self._name == "Authorization")
        self._before = options.prefix or ("Bearer " if bearer else "")
        self._tokens: TokenStore | None = None
        if self._kind in _TOKEN_KINDS:
            self._tokens = TokenStore(TokenSource(options, http, clock), clock, rng)

    def serves(self, options: AuthOptions, base_url: str, sign: SignHook | None) -> bool:
        """Whether it was made for just these."""
        return options == self._options and base_url == self._base_url and sign is self._sign

    # -- signing --------------------------------------------------------------------------------

    def apply_now(self, request: HttpRequest, key: Key) -> bool:
        """Sign the request without waiting; False when `apply` must be awaited instead.

        Raises:
            ForeignOrigin: the request goes to another origin.
        """
        if self._sign is not None:
            return False
        if self._kind == "none":
            return True
        if self._tokens is None:
            self._bind(request)
            if key.secret is not None:
                self._put(request, key.secret.reveal())
            return True
        token = self._tokens.ready(key)
        if token is None:
            return False
        self._bind(request)
        self._put(request, token.reveal())
        return True

    async def apply(self, request: HttpRequest, key: Key) -> None:
        """Sign the request; waits for a token when none is at hand.

        Raises:
            ForeignOrigin: the request goes to another origin.
            CredentialsFailed: no token could be had; the key rests from then on.
        """
        if self._kind != "none" or self._sign is not None:
            self._bind(request)
        if self._tokens is not None:
            try:
                token = await self._tokens.get(key)
            except CredentialsFailed as error:
                key.pool.quarantine(key, str(error), error.retry_after)
                raise
            self._put(request, token.reveal())
        elif self._kind != "none" and key.secret is not None:
            self._put(request, key.secret.reveal())
        if self._sign is not None:
            await self._sign_by_hook(request, key)

    async def _sign_by_hook(self, request: HttpRequest, key: Key) -> None:
        """A hook that fails is no failure of the API: nothing was sent."""
        assert self._sign is not None  # noqa: S101 - asked by the caller; for the type checker
        try:
            signed = self._sign(request)
            if inspect.isawaitable(signed):
                await signed
        except Exception as error:  # noqa: BLE001 - user code, or what it asked for a signature
            secret = key.secret.reveal() if key.secret is not None else ""
            told = safe_text(f"{type(error).__name__}: {error}", (secret,) if secret else ())
            raise CredentialsFailed(f"the signing hook failed: {told}") from None
        self._bind(request)

    async def renew(self, request: HttpRequest, key: Key) -> bool:
        """After a 401: whether the same key may be tried once more, because it now has another token.

        A token that was itself fetched after a 401 a moment ago is not renewed again.
        """
        if self._tokens is None:
            return False
        refused = request.headers.get(self._name, "").removeprefix(self._before)
        try:
            return await self._tokens.renew(key, refused)
        except CredentialsFailed:
            return False

    async def close(self) -> None:
        """End refreshes that are still under way."""
        if self._tokens is not None:
            await self._tokens.close()

    # -- details --------------------------------------------------------------------------------

    def _bind(self, request: HttpRequest) -> None:
        """Refuse to send the key to anybody but the API."""
        url = request.url
        if self._prefix and url.startswith(self._prefix):
            return
        try:
            foreign = self._origin is None or origin_of(url) != self._origin or urlsplit(url).username is not None
        except ValueError:
            foreign = True
        if foreign:
            host = urlsplit(url).hostname if "://" in url else None
            raise ForeignOrigin(f"the key is for {self._host or 'no host'} only, not for {host or 'an unreadable URL'}")

    def _put(self, request: HttpRequest, value: str) -> None:
        headers = request.headers
        match self._kind:
            case "rapidapi":
                headers["X-RapidAPI-Key"] = value
                headers["X-RapidAPI-Host"] = self._host
            case "query":
                head, mark, fragment = request.url.partition("#")
                if self._name in head:
                    head = _without(head, self._name)
                glue = "&" if "?" in head else "?"
                request.url = f"{head}{glue}{quote_plus(self._name)}={quote(value, safe='')}{mark}{fragment}"
            case "basic":
                pair = f"{self._options.username}:{value}".encode()
                headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
            case _:
                headers[self._name] = self._before + value


def _without(url: str, name: str) -> str:
    """The URL without the caller's own parameters of the key's name: of two, an API may take either."""
    path, mark, query = url.partition("?")
    kept = [part for part in query.split("&") if part and unquote_plus(part.partition("=")[0]) != name]
    return path + mark + "&".join(kept) if kept else path


def with_preset(options: ApiOptions) -> AuthOptions:
    """How the API is signed in to: what is configured, completed by what its preset knows."""
    auth, preset = options.auth, preset_for(options)
    if preset is None or not preset.auth_kind:
        return auth
    kind = preset.auth_kind if auth.kind == "none" and auth.keys else auth.kind
    if kind != preset.auth_kind:
        return auth
    return replace(auth, kind=kind, name=auth.name or preset.auth_name, prefix=auth.prefix or preset.auth_prefix)


def _plain_prefix(base_url: str) -> str:
    """`https://host/` where comparing text is as good as comparing origins; else empty."""
    parts = urlsplit(base_url)
    if not base_url or "@" in parts.netloc:
        return ""
    return f"{parts.scheme}://{parts.netloc}/"


def _check(options: AuthOptions) -> None:
    if options.kind in ("header", "query") and not options.name:
        raise OptionError("auth", "name", options.name, f"the {options.kind} that carries the key")
    if options.kind in _TOKEN_KINDS and not options.token_url:
        raise OptionError("auth", "token_url", options.token_url, "the URL where a token is fetched")
    if options.kind == "oauth2_client_credentials" and not options.username:
        raise OptionError("auth", "username", options.username, "the client id")
    if options.kind != "none" and not options.keys:
        raise OptionError("auth", "keys", (), "at least one key")
    for text in (options.name, options.prefix):
        if not text.isprintable() or (text is options.name and " " in text):
            raise OptionError("auth", "name", text, "a header or query name without spaces and line breaks")
    for number, key in enumerate(options.keys, 1):
        _check_secret(key.value, key.alias or f"key{number}")


def _check_secret(secret: Secret, alias: str) -> None:
    """A key with a line break would end the header it is sent in; told without showing it."""
    value = secret.reveal()
    if not value or not value.isascii() or not value.isprintable():
        expected = "a key of printable ASCII characters (check for a line break at its end)"
        raise OptionError("auth", "keys", alias, expected)


__all__ = ["Authenticator", "ForeignOrigin", "SignHook", "check_base_url", "origin_of", "same_origin", "with_preset"]
