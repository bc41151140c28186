"""Who asks, and whether they may: every request passes here between the table of endpoints and its handler."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import re
from collections import OrderedDict
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from understudy.core.accounts import Account, Session, Token
from understudy.core.errors import StoreUnavailable
from understudy.web.http import Answer, Denied, Problem, Request, Scope
from understudy.web.live.hub import doubt

from . import csrf
from .exposure import is_loopback
from .passwords import Passwords
from .patience import Patience
from .permissions import NOBODY, Identity, Permission, Role, of_loopback
from .process import Process
from .tickets import form_token, read_token, session_digest, token_digest

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.keeping import Keeping

_log = logging.getLogger("understudy.web")

#: What is known of accounts is looked up again after this long, s: another service, or the command line, may have
#: changed it.
FRESH: Final = 5.0
#: While the store is away, whoever it knew stays known for this long after it last said so, s: that is when people
#: have most to look at and to do, and nobody can be signed out in a store that cannot be written either.
AWAY: Final = 3600.0
#: Whether there is an account at all is looked up again after this long, s.
_ANY: Final = 2.0
#: A use of a session or token is noted this often, s.
_NOTED: Final = 60.0
#: After the password was given, what hurts most may be done for this long, s.
PROVED: Final = 600.0
#: Sessions that are remembered.
_MOST: Final = 10_000
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_SIGN_IN: Final = {"WWW-Authenticate": 'Bearer realm="understudy"'}
#: What an account may be; one that is something else, as a later version may keep it, may do nothing.
_ROLES: Final = frozenset(Role)
#: What a token that is restricted to some APIs may ask without naming one.
_OF_NO_API: Final = ("/api/me",)
#: The live stream looks at each topic by itself.
_LIVE: Final = re.compile(r"/live(/snapshot|/[^/]+/topics)?")
#: All that anybody may do in a service that only shows.
_SHOWN: Final = frozenset({Permission.PUBLIC, Permission.READ})
_ONLY_SHOWN: Final = "this service only shows, as it was started with --read-only; nothing can be changed here"


class _Known(NamedTuple):
    """A session as the store had it: not asked again before `until`, and told by the store at `told` (monotonic)."""

    until: float
    told: float
    session: Session
    account: Account


class _Tokens(NamedTuple):
    """All tokens, likewise."""

    until: float
    told: float
    tokens: dict[str, Token]
    accounts: dict[str, Account]


_NO_TOKENS: Final = _Tokens(-inf, -inf, {}, {})


class Gate:
    """Knows sessions and tokens. One for each running service; what it remembers is dropped at every change."""

    def __init__(self, app: Understudy, process: Process) -> None:
        self._app = app
        self.process = process
        self._any: bool | None = None
        self._any_until = 0.0
        self._sessions: OrderedDict[str, _Known] = OrderedDict()
        self._tokens = _NO_TOKENS
        self._noted: OrderedDict[str, float] = OrderedDict()
        self._key = b""
        self.passwords = Passwords()
        self.patience = Patience(app.clock)

    # -- whether anybody must sign in -----------------------------------------------------------------

    async def guarded(self) -> bool:
        """Whether people must sign in: always where others can reach the service, else once there is an account."""
        exposure = self.process.exposure
        if exposure.open and exposure.local:
            return False
        return not exposure.local or await self.has_accounts()

    async def has_accounts(self) -> bool:
        """Whether there is an account. It stays true once it was: a store that is lost opens nothing."""
        keeping = self._app.keeping
        if self._any or keeping is None:
            return bool(self._any)
        now = self._app.clock.monotonic()
        if now >= self._any_until:
            try:
                self._any = bool(await keeping.accounts.accounts())
            except StoreUnavailable:
                if self._any is None:
                    raise Problem(503, "accounts cannot be read now", {"Retry-After": "5"}) from None
            self._any_until = now + _ANY
        return bool(self._any)

    def changed(self) -> None:
        """Accounts, sessions or tokens changed: what is remembered of them is dropped."""
        self._any_until = 0.0
        self._sessions.clear()
        self._tokens = _NO_TOKENS
        doubt(self._app)

    def forget(self, digest: str) -> None:
        """Drop what is remembered of one session: it is what the store says, and nothing while that is away."""
        self._sessions.pop(digest, None)
        doubt(self._app)

    # -- who asks --------------------------------------------------------------------------------------

    async def identify(self, request: Request) -> Identity:
        """Who asks, as of now; streams ask again while they last.

        Raises:
            Problem: 400, 401 for what they say of themselves and is not so; 503 while accounts cannot be read.
        """
        who = await self._identified(request)
        return replace(who, permissions=who.permissions & _SHOWN) if self.process.read_only else who

    async def _identified(self, request: Request) -> Identity:
        if not await self.guarded():
            return of_loopback(request.client) if is_loopback(request.client) or not request.client else NOBODY
        said, cookie = request.headers.get("authorization"), request.cookies.get(self.cookie(request), "")
        if said is not None and cookie:
            raise Problem(400, "send a session or a token, not both")
        keeping = self._app.keeping
        if keeping is None or (said is None and not cookie):
            return NOBODY
        try:
            if said is not None:
                return await self._bearer(keeping, request, said)
            return await self._session(keeping, request, cookie)
        except StoreUnavailable:
            raise Problem(503, "accounts cannot be read now", {"Retry-After": "5"}) from None

    def cookie(self, request: Request) -> str:
        """The name of the session's cookie: browsers send the longer one over TLS to this very host only."""
        return "__Host-us" if request.scheme == "https" else "us"

    async def _session(self, keeping: Keeping, request: Request, cookie: str) -> Identity:
        digest = session_digest(cookie)
        now, fresh = self._app.clock.time(), self._app.clock.monotonic()
        known = self._sessions.get(digest)
        if known is None or fresh >= known.until:
            known = await self._looked_up(keeping, digest, fresh, known)
            if known is None:
                self._sessions.pop(digest, None)
                return NOBODY
            self._sessions[digest] = known
            if len(self._sessions) > _MOST:
                self._sessions.popitem(last=False)
        session, account = known.session, known.account
        if session.ended(now) or account.disabled or account.role not in _ROLES:
            return NOBODY
        if self._note(digest, now):
            keeping.accounts.seen(digest, now)
        role = Role(account.role)
        return Identity(
            account.name, role.permissions, "session", role, session.name, form_token(cookie), account.id,
            proved_until=session.proved_at + PROVED,
        )  # fmt: skip

    @staticmethod
    async def _looked_up(keeping: Keeping, digest: str, fresh: float, known: _Known | None) -> _Known | None:
        """The session as the store has it now; while it is away, as it had it."""
        try:
            session = await keeping.accounts.session(digest) if digest else None
            accounts = {each.id: each for each in await keeping.accounts.accounts()} if session is not None else {}
        except StoreUnavailable:
            if known is None or fresh >= known.told + AWAY:
                raise
            return known._replace(until=fresh + FRESH)
        account = accounts.get(session.account) if session is not None else None
        return None if session is None or account is None else _Known(fresh + FRESH, fresh, session, account)

    async def _known_tokens(self, keeping: Keeping, fresh: float) -> _Tokens:
        """All tokens, likewise."""
        if fresh < self._tokens.until:
            return self._tokens
        try:
            tokens = {each.id: each for each in await keeping.accounts.tokens()}
            accounts = {each.id: each for each in await keeping.accounts.accounts()}
            self._tokens = _Tokens(fresh + FRESH, fresh, tokens, accounts)
        except StoreUnavailable:
            if fresh >= self._tokens.told + AWAY:
                raise
            self._tokens = self._tokens._replace(until=fresh + FRESH)
        return self._tokens

    async def _bearer(self, keeping: Keeping, request: Request, said: str) -> Identity:
        kind, _, text = said.partition(" ")
        ticket = read_token(text.strip()) if kind.lower() == "bearer" and len(text) < 500 else None
        if ticket is None:
            raise Problem(401, "send a token of this service as Authorization: Bearer us_…", _SIGN_IN)
        now, fresh = self._app.clock.time(), self._app.clock.monotonic()
        _, _, tokens, accounts = await self._known_tokens(keeping, fresh)
        token = tokens.get(ticket.id)
        digest = token_digest(await self.key(), ticket)
        good = hmac.compare_digest(digest, token.digest if token is not None else digest[::-1])
        owner = accounts.get(token.account) if token is not None else None
        if token is None or owner is None or not good or token.ended(now) or owner.disabled or owner.role not in _ROLES:
            raise Problem(401, "the token is not known, has expired or was revoked", _SIGN_IN)
        if token.ips and not _within(request.client, token.ips):
            raise Problem(401, "the token may not be used from this address", _SIGN_IN)
        if self._note(token.id, now):
            keeping.accounts.used(token.id, now, request.client)
        scopes = {Permission(each) for each in token.scopes} & Role(owner.role).permissions
        return Identity(
            f"{owner.name} (token {token.name})", frozenset(scopes | {Permission.PUBLIC}), "token", None, token.id,
            account=owner.id, apis=token.apis,
        )  # fmt: skip

    def token_of(self, scope: Scope) -> str:
        """The token that a request comes with, where it is known to be a right one; nothing is looked up for it."""
        said = next((value for name, value in scope["headers"] if name.lower() == b"authorization"), b"")
        ticket = read_token(said[7:].decode("latin-1").strip()) if said[:7].lower() == b"bearer " else None
        token = self._tokens.tokens.get(ticket.id) if ticket is not None else None
        good = token is not None and ticket is not None and hmac.compare_digest(
            token_digest(self._key, ticket), token.digest
        )  # fmt: skip
        return f"token {ticket.id}" if good and ticket is not None else ""

    def _note(self, key: str, now: float) -> bool:
        """Whether a use is to be noted: not more often than once a minute."""
        if now - self._noted.get(key, -_NOTED) < _NOTED:
            return False
        self._noted[key] = now
        self._noted.move_to_end(key)
        if len(self._noted) > _MOST:
            self._noted.popitem(last=False)
        return True

    async def key(self) -> bytes:
        """What tokens are digested with: the service's secret key, or one of our own that the store keeps.

        Raises:
            StoreUnavailable: it cannot be read or kept now.
        """
        if not self._key:
            from .keys import service_key

            self._key = await service_key(self._app)
        return self._key

    # -- whether they may ------------------------------------------------------------------------------

    async def admit(self, request: Request, needs: Permission) -> Answer | None:
        """Say who asks in `request.who`; None when they may, else the way to the sign-in.

        Raises:
            Problem: 401, 403 when they may not.
        """
        try:
            request.who = await self.identify(request)
        except Problem:
            if needs is not Permission.PUBLIC:
                raise
            return None  # what everybody may see does not depend on who says what of himself
        who = request.who
        if not who.may(needs):
            if who.via == NOBODY.via:
                return await self._to_sign_in(request)
            if self.process.read_only:
                raise Problem(403, _ONLY_SHOWN)
            raise Denied(needs)
        if self.process.read_only and request.method not in _SAFE and request.path.startswith("/act/"):
            raise Problem(403, _ONLY_SHOWN)  # signed links of messages need no account, and act all the same
        if needs is not Permission.PUBLIC and who.apis:
            _check_apis(request, who)
        if request.method not in _SAFE and who.via == "session":
            await csrf.check(request, request.cookies[self.cookie(request)])
        return None

    async def admit_metrics(self, request: Request) -> Answer | None:
        """As `admit` for `/metrics`: a scraper on this machine needs no token."""
        host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
        if is_loopback(request.client) and is_loopback(host) and not request.forwarded:
            return None
        return await self.admit(request, Permission.READ)

    async def _to_sign_in(self, request: Request) -> Answer:
        """Browsers are led to the page where people sign in; programs are told what to send."""
        page = "text/html" in request.headers.get("accept", "")[:1000] and not request.path.startswith("/api/")
        if not page or request.method not in ("GET", "HEAD"):
            raise Problem(401, "sign in first: send a token as Authorization: Bearer us_…", _SIGN_IN)
        if not await self.has_accounts():
            return Answer(b"", 303, "text/plain", {"Location": "/setup"})
        wanted = request.raw_path.decode("latin-1") + (f"?{request.query_text}" if request.query_text else "")
        to = "/login" if wanted == "/" else f"/login?next={quote(wanted, safe='/')}"
        return Answer(b"", 303, "text/plain", {"Location": to})


def _within(client: str, allowed: tuple[str, ...]) -> bool:
    try:
        address = ipaddress.ip_address(client)
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in ipaddress.ip_network(each, strict=False) for each in allowed)
    except ValueError:
        return False


def _check_apis(request: Request, who: Identity) -> None:
    """A token that is restricted to some APIs sees nothing of others: it may ask only where the path names one."""
    free = request.path in _OF_NO_API or _LIVE.fullmatch(request.path)
    if not free and request.parts.get("api") not in who.apis:
        raise Problem(403, f"this token is for the APIs {', '.join(who.apis)}; ask at a path that names one of them")
