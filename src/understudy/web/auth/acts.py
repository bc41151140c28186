"""What people do with accounts: sign in and out, change passwords, make and end accounts, sessions and tokens.

Pages and the REST API call the same functions. Every act, and every attempt that failed, goes into the audit log.
"""

from __future__ import annotations

import secrets
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from understudy.core.accounts import LONGEST, ROLES, Account, Session, Token
from understudy.core.audit import AuditEntry
from understudy.core.errors import StoreUnavailable, UnderstudyError
from understudy.core.events import Event
from understudy.core.legible import line
from understudy.web.http import Request

from . import passwords
from .exposure import networks
from .permissions import Permission
from .tickets import new_session, new_token, session_digest, setup_digest, token_digest

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.keeping import Keeping

#: Longest name of an account or token, characters, and of what a browser calls itself.
NAME, AGENT = 64, 200
#: How long strangers wait while too many sign in, s.
_CROWDED: Final = 5
#: What a token may be allowed; never to administer accounts: that takes a person and a password.
SCOPES: Final = (
    Permission.READ, Permission.CHANNELS, Permission.ALERTS_WRITE, Permission.ROUTES_WRITE, Permission.NOTIFY_SEND,
    Permission.GATEWAY, Permission.INSPECT, Permission.ADMIN,
)  # fmt: skip


class Refused(UnderstudyError):
    """An act that is not done. `code` tells which reason it is, for translation; `wait` seconds until another try."""

    def __init__(self, code: str, reason: str, *, status: int = 422, field: str = "", wait: int = 0) -> None:
        super().__init__(reason)
        self.code, self.status, self.field, self.wait = code, status, field, wait


def keeping_of(app: Understudy) -> Keeping:
    """What keeps accounts.

    Raises:
        Refused: nothing is kept here.
    """
    if app.keeping is None:
        raise Refused("no_store", "nothing is kept here: this process was started without a store", status=404)
    return app.keeping


async def audit(app: Understudy, request: Request, actor: str, action: str, what: str = "", **more: Any) -> None:
    """Enter an act, with where it came from; `before` and `after` say what changed."""
    entry = AuditEntry(
        app.clock.time(), actor, action, what, more.get("before"), more.get("after"), request.client
    )  # fmt: skip
    await keeping_of(app).acted(entry)


def changed(app: Understudy, request: Request, account: str) -> None:
    """Tell streams and caches that what an account may do is another thing now."""
    request.gate.changed()
    app.events.emit(Event("accounts.changed", app.clock.time(), detail={"account": account}))


# -- signing in and out ---------------------------------------------------------------------------------


async def sign_in(app: Understudy, request: Request, name: str, password: str) -> str:
    """The id of a new session for whoever knows the password; the session that was there before ends.

    Raises:
        Refused: the name or the password is wrong (which one is not told), or it was tried too often.
    """
    keeping, gate = keeping_of(app), request.gate
    account = await _named(keeping, name)
    usual = await _is_usual(keeping, account, request.client)
    keys = (("ip", request.client), ("account", name.casefold()[:NAME], usual))
    _check_patience(request, *keys, usual=usual)
    usable = account is not None and not account.disabled
    kept = account.password if account is not None and usable else ""
    with gate.patience.trying(*keys):
        good = await gate.passwords.verify(kept, password)
    if not good or account is None:
        gate.patience.mistaken(*keys)
        # What was typed as a name may be a password by mistake: only names that exist are told.
        known = line(account.name) if account is not None else "unknown name"
        await audit(app, request, "nobody", "login.failed", known)
        raise Refused("wrong", "the name or the password is wrong", status=401)
    gate.patience.succeeded(*keys)
    if gate.passwords.outdated(account.password):
        account = replace(account, password=await gate.passwords.hashed(password))
        await keeping.accounts.change(account)
    session = await begin(app, request, account)
    await audit(app, request, account.name, "login", account.name)
    return session


def _check_patience(request: Request, *keys: Hashable, usual: bool) -> None:
    """Raise `Refused` when it was tried too often, or, for who is not known at this address, by too many at once."""
    wait = request.gate.patience.wait(*keys)
    if not wait and not usual and request.gate.passwords.crowded:
        wait = _CROWDED
    if wait:
        raise Refused("wait", f"too many attempts; wait {wait} s", status=429, wait=wait)


async def begin(app: Understudy, request: Request, account: Account) -> str:
    """The id of a new session, in the place of the one that the browser may have had."""
    keeping, now = keeping_of(app), app.clock.time()
    session = new_session()
    agent = line(request.headers.get("user-agent", ""))[:AGENT]
    made = Session(session_digest(session), account.id, now, now, now, request.client, agent)
    await keeping.accounts.forget_ended(now)
    await keeping.accounts.begin(made, ends=_own(request))
    keeping.accounts.signed_in(account.id, now)
    request.gate.changed()
    return session


async def sign_out(app: Understudy, request: Request) -> None:
    """End the session that asks."""
    digest = _own(request)
    if digest and request.who.via == "session":
        try:
            await keeping_of(app).accounts.end([digest])
        except StoreUnavailable:
            request.gate.forget(digest)  # it lasts in the store, and is told so, but opens nothing while that is away
            raise
        changed(app, request, request.who.account)
        await audit(app, request, request.who.name, "logout", request.who.name)


async def prove(app: Understudy, request: Request, password: str) -> None:
    """Take the password of whoever is signed in once more; for ten minutes what hurts most may be done.

    Raises:
        Refused: it is wrong, or was tried too often.
    """
    keeping = keeping_of(app)
    account = await _checked(app, request, password)
    await keeping.accounts.prove(_own(request), app.clock.time())
    request.gate.changed()
    await audit(app, request, account.name, "login.confirmed", account.name)


def check_proved(app: Understudy, request: Request) -> None:
    """Raise `Refused` unless the password was given a moment ago."""
    if request.who.via != "session":
        raise Refused("session", "this needs a person who is signed in, not a token", status=403)
    if app.clock.time() >= request.who.proved_until:
        raise Refused("prove", "give your password again first: POST /api/me/confirm", status=403)


async def _checked(app: Understudy, request: Request, password: str) -> Account:
    """The account of whoever asks, when this is its password."""
    keeping, gate = keeping_of(app), request.gate
    account = await by_id(keeping, request.who.account)
    keys = (("ip", request.client), ("confirm", account.id))
    _check_patience(request, *keys, usual=True)
    with gate.patience.trying(*keys):
        good = await gate.passwords.verify(account.password, password)
    if not good:
        gate.patience.mistaken(*keys)
        await audit(app, request, account.name, "login.failed", account.name)
        raise Refused("wrong_password", "the password is wrong", status=403, field="password")
    gate.patience.succeeded(*keys)
    return account


async def _named(keeping: Keeping, name: str) -> Account | None:
    folded = name.casefold()
    return next((each for each in await keeping.accounts.accounts() if each.name.casefold() == folded), None)


async def _is_usual(keeping: Keeping, account: Account | None, ip: str) -> bool:
    """Whether the account is signed in from this address already."""
    return account is not None and any(each.ip == ip for each in await keeping.accounts.sessions(account.id))


def _own(request: Request) -> str:
    return session_digest(request.cookies.get(request.gate.cookie(request), ""))


# -- accounts -------------------------------------------------------------------------------------------


async def set_up(app: Understudy, request: Request, token: str, name: str, password: str) -> str:
    """Make the first administrator with the one-time token of the log, and sign in; the id of the session.

    Raises:
        Refused: the token is wrong or over, an account is there already, or name or password cannot be taken.
    """
    keeping, gate = keeping_of(app), request.gate
    keys = (("setup", request.client),)
    _check_patience(request, *keys, usual=False)
    with gate.patience.trying(*keys):
        made = await new_account(app, request, name, "admin", password)
    if not await keeping.accounts.add_first(made, setup_digest(token), app.clock.time()):
        gate.patience.mistaken(*keys)
        await audit(app, request, "nobody", "setup.failed")
        raise Refused("setup", "the set-up token is wrong, was used, or is older than 30 minutes", field="token")
    changed(app, request, made.id)
    await audit(app, request, made.name, "account.created", made.name, after={"role": "admin", "by": "set-up token"})
    return await begin(app, request, made)


async def new_account(app: Understudy, request: Request, name: str, role: str, password: str) -> Account:
    """An account as it will be kept.

    Raises:
        Refused: the name, role or password cannot be taken.
    """
    name = name.strip()
    if not 1 <= len(name) <= NAME or not name.isprintable() or line(name) != name:
        raise Refused("name", f"a name has 1 to {NAME} printable characters", field="name")
    _check_role(role)
    check_password(password, name)
    now = app.clock.time()
    return Account(secrets.token_hex(8), name, role, await request.gate.passwords.hashed(password), now, now)


def check_password(password: str, name: str) -> None:
    """Raise `Refused` unless a password is good enough."""
    try:
        passwords.check(password, name)
    except passwords.WeakPassword as weak:
        raise Refused(f"password_{weak.code}", str(weak), field="password") from None


async def add(app: Understudy, request: Request, name: str, role: str, password: str) -> Account:
    """A new account.

    Raises:
        Refused: the name is taken, or something cannot be taken.
    """
    made = await new_account(app, request, name, role, password)
    if not await keeping_of(app).accounts.add(made):
        raise Refused("taken", "an account of that name is there already", status=409, field="name")
    request.gate.changed()
    await audit(app, request, request.who.name, "account.created", made.name, after={"role": role})
    return made


async def change(
    app: Understudy, request: Request, account: str, *, role: str | None = None, password: str | None = None,
    disabled: str | None = None,
) -> None:  # fmt: skip
    """Give an account another role or password, or shut it out (`disabled` says why; empty lets it in again).

    Its sessions end, so that nothing goes on with what it might before.

    Raises:
        Refused: there is none, a value cannot be taken, or no administrator would be left; nothing was changed.
    """
    found = await by_id(keeping_of(app), account)
    values: dict[str, Any] = {}
    if role is not None:
        _check_role(role)
        values["role"] = role
    if disabled is not None:
        values["disabled"] = disabled
    if password is not None:
        check_password(password, found.name)
        values |= {"password": await request.gate.passwords.hashed(password), "password_at": app.clock.time()}
    await _change(app, request, found.id, "account.password" if password is not None else "account.changed", **values)


async def change_own_password(app: Understudy, request: Request, old: str, new: str) -> str:
    """Change one's own password: every session ends, and this browser gets a new one; its id."""
    account = await _checked(app, request, old)
    check_password(new, account.name)
    if old == new:
        raise Refused("same", "the new password is the old one", field="password")
    hashed = await request.gate.passwords.hashed(new)
    await _change(app, request, account.id, "account.password", password=hashed, password_at=app.clock.time())
    return await begin(app, request, await by_id(keeping_of(app), account.id))


async def _change(app: Understudy, request: Request, account: str, action: str, **values: Any) -> None:
    keeping = keeping_of(app)
    found = await by_id(keeping, account)
    if not await keeping.accounts.change(replace(found, **values)):
        raise Refused("last", "this is the last administrator who may sign in; make another one first", status=409)
    await keeping.accounts.end_all(found.id)
    changed(app, request, found.id)
    told = {name: value for name, value in values.items() if not name.startswith("password")}
    before = {name: getattr(found, name) for name in told}
    await audit(app, request, request.who.name, action, found.name, before=before or None, after=told or None)


async def remove(app: Understudy, request: Request, account: str) -> None:
    """Forget an account with its sessions and tokens."""
    keeping = keeping_of(app)
    found = await by_id(keeping, account)
    if not await keeping.accounts.remove(found.id):
        raise Refused("last", "this is the last administrator who may sign in; make another one first", status=409)
    changed(app, request, found.id)
    await audit(app, request, request.who.name, "account.removed", found.name, before={"role": found.role})


async def by_id(keeping: Keeping, account: str) -> Account:
    """One account.

    Raises:
        Refused: there is none.
    """
    for each in await keeping.accounts.accounts():
        if each.id == account:
            return each
    raise Refused("gone", "there is no such account", status=404)


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise Refused("role", f"role is one of {', '.join(ROLES)}", field="role")


# -- sessions and tokens --------------------------------------------------------------------------------


async def end_session(app: Understudy, request: Request, name: str) -> None:
    """End one session: one's own, or, for administrators, anybody's."""
    keeping = keeping_of(app)
    mine = "" if request.who.may(Permission.ADMIN) else request.who.account
    found = [each for each in await keeping.accounts.sessions(mine) if each.name == name]
    if not found:
        raise Refused("gone", "there is no such session", status=404)
    await keeping.accounts.end([each.digest for each in found])
    changed(app, request, found[0].account)
    await audit(app, request, request.who.name, "session.ended", name, before={"ip": found[0].ip})


async def end_other_sessions(app: Understudy, request: Request) -> int:
    """End every session of whoever asks but this one; how many."""
    ended = await keeping_of(app).accounts.end_all(request.who.account, but=_own(request))
    changed(app, request, request.who.account)
    await audit(app, request, request.who.name, "session.ended", "all others", after={"count": ended})
    return ended


async def add_token(
    app: Understudy, request: Request, name: str, scopes: Sequence[str], *, apis: Sequence[str] = (),
    ips: Sequence[str] = (), lasting: float | None = None,
) -> tuple[Token, str]:  # fmt: skip
    """A new token and its text, which is shown this once; `lasting` seconds, None for ever.

    Raises:
        Refused: something cannot be taken, or whoever asks may not do himself what the token should.
    """
    keeping, name = keeping_of(app), name.strip()
    if not 1 <= len(name) <= NAME or not name.isprintable() or line(name) != name:
        raise Refused("name", f"a name has 1 to {NAME} printable characters", field="name")
    if not scopes or not set(scopes) <= set(SCOPES):
        raise Refused("scopes", f"scopes is one or several of {', '.join(SCOPES)}", field="scopes")
    if not all(request.who.may(Permission(each)) for each in scopes):
        raise Refused("more", "a token cannot do more than whoever makes it", status=403, field="scopes")
    if lasting is not None and not 0 < lasting <= 10 * 365 * 86400:
        raise Refused("lasting", "a token lasts for at most ten years", field="lasting")
    unknown = [each for each in apis if each not in app.fallback.roster.apis]
    if unknown:
        raise Refused("apis", f"no API is named {line(unknown[0])[:100]!r}", field="apis")
    try:
        allowed = tuple(str(each) for each in networks(ips))
    except ValueError:
        raise Refused("ips", "ips are addresses or networks such as 192.0.2.7 or 10.0.0.0/8", field="ips") from None
    ticket, now = new_token(), app.clock.time()
    digest = token_digest(await request.gate.key(), ticket)
    until = now + lasting if lasting else 0.0
    made = Token(ticket.id, name, request.who.account, digest, tuple(scopes), tuple(apis), allowed, now, until)
    await keeping.accounts.add_token(made)
    request.gate.changed()
    after = {"scopes": list(scopes), "apis": list(apis), "ips": list(allowed), "expires_at": until, "token": made.id}
    await audit(app, request, request.who.name, "token.created", name, after=after)
    return made, ticket.text


async def remove_token(app: Understudy, request: Request, token: str) -> None:
    """Revoke a token: one's own, or, for administrators, anybody's."""
    keeping = keeping_of(app)
    found = next((each for each in await keeping.accounts.tokens() if each.id == token), None)
    if found is None or not (request.who.may(Permission.ADMIN) or found.account == request.who.account):
        raise Refused("gone", "there is no such token", status=404)
    await keeping.accounts.remove_token(token)
    changed(app, request, found.account)
    await audit(app, request, request.who.name, "token.revoked", found.name, before={"token": token})


# -- cookies --------------------------------------------------------------------------------------------


def session_cookie(request: Request, session: str) -> str:
    """The `Set-Cookie` of a session; of an empty one, what takes the cookie away."""
    secure = "; Secure" if request.scheme == "https" else ""
    age = int(LONGEST) if session else 0
    return f"{request.gate.cookie(request)}={session}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}"
