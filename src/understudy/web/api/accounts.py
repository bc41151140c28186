"""Who asks, and accounts, sessions and tokens over JSON: `/api/me…` for oneself, `/api/admin/…` for all."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING

from understudy.core.accounts import ROLES
from understudy.core.errors import StoreUnavailable
from understudy.web import accounts as told
from understudy.web.auth import acts
from understudy.web.auth.permissions import NOBODY, Permission
from understudy.web.declared import Field, Gives
from understudy.web.endpoint import Handler, Table, endpoint
from understudy.web.http import Answer, Problem, Request, dumped
from understudy.web.kinds import Choice, Lasting, Listed, Text
from understudy.web.schemas import TEXT, array, obj, view
from understudy.web.views.accounts import AccountView, MeView, SessionView, TokenView

if TYPE_CHECKING:
    from understudy.app import Understudy

_TAG = "Accounts"


def accounting(handler: Handler) -> Handler:
    """The handler, with refusals made into answers."""

    @wraps(handler)
    async def asked(app: Understudy, request: Request) -> Answer:
        try:
            return await handler(app, request)
        except acts.Refused as error:
            headers = {"Retry-After": str(error.wait)} if error.wait else {}
            more = {"field": error.field} if error.field else {}
            raise Problem(error.status, str(error), headers, code=error.code, **more) from None
        except StoreUnavailable as error:
            raise Problem(503, str(error), {"Retry-After": "5"}) from None

    return asked


def check_person(request: Request) -> None:
    """Raise `Refused` unless a person is signed in: a token has no password and no sessions."""
    if request.who.via != "session":
        raise acts.Refused("session", "this needs a person who is signed in, not a token", status=403)


# -- oneself --------------------------------------------------------------------------------------------


@accounting
async def sign_in(app: Understudy, request: Request) -> Answer:
    """Begin a session: the answer's cookie stands for it. Programs do better with a token.

    What changes something also needs an `Origin` that is this service's own, or `Sec-Fetch-Site: same-origin`.
    """
    content = await request.json_object()
    session = await acts.sign_in(app, request, _WHO.of(content), _PASSWORD.of(content))
    return Answer(b"", 204, cookies=(acts.session_cookie(request, session),))


@accounting
async def sign_out(app: Understudy, request: Request) -> Answer:
    """End the session that asks; nothing happens where there is none."""
    await request.json_object()
    await acts.sign_out(app, request)
    return Answer(b"", 204, cookies=(acts.session_cookie(request, ""),))


async def me(app: Understudy, request: Request) -> Answer:
    """Who asks, and what they may do."""
    if request.who is NOBODY:
        raise Problem(401, "nobody is signed in", {"WWW-Authenticate": 'Bearer realm="understudy"'})
    return Answer(dumped(MeView.of(request.who).as_dict()))


@accounting
async def change_password(app: Understudy, request: Request) -> Answer:
    """Change one's own password.

    Every session of the account ends; this browser gets a new one.
    """
    check_person(request)
    content = await request.json_object()
    session = await acts.change_own_password(app, request, _OLD.of(content), _NEW.of(content))
    return Answer(b"", 204, cookies=(acts.session_cookie(request, session),))


@accounting
async def confirm(app: Understudy, request: Request) -> Answer:
    """Give the password once more: for ten minutes what hurts most may be done."""
    check_person(request)
    await acts.prove(app, request, _PASSWORD.of(await request.json_object()))
    return Answer(b"", 204)


@accounting
async def my_sessions(app: Understudy, request: Request) -> Answer:
    """One's own sessions."""
    check_person(request)
    found = await told.sessions(app, request.who, request.who.account)
    return Answer(dumped({"sessions": [each.as_dict() for each in found]}))


@accounting
async def my_tokens(app: Understudy, request: Request) -> Answer:
    """One's own tokens."""
    check_person(request)
    found = await told.tokens(app, request.who.account)
    return Answer(dumped({"tokens": [each.as_dict() for each in found]}))


@accounting
async def add_token(app: Understudy, request: Request) -> Answer:
    """A new token; its text is in this answer and never told again."""
    check_person(request)
    acts.check_proved(app, request)
    content = await request.json_object()
    made, text = await acts.add_token(
        app, request, _TOKEN_NAME.of(content), _SCOPES.of(content), apis=_APIS.of(content), ips=_IPS.of(content),
        lasting=_LASTING.of(content),
    )  # fmt: skip
    shown = next(each for each in await told.tokens(app, request.who.account) if each.id == made.id)
    return Answer(dumped({**shown.as_dict(), "token": text}), 201)


@accounting
async def end_session(app: Understudy, request: Request) -> Answer:
    """End a session: one's own; an administrator also another's."""
    check_person(request)
    await acts.end_session(app, request, request.parts["session"])
    return Answer(b"", 204)


@accounting
async def remove_token(app: Understudy, request: Request) -> Answer:
    """Revoke a token: one's own; an administrator also another's."""
    check_person(request)
    await acts.remove_token(app, request, request.parts["token"])
    return Answer(b"", 204)


# -- everybody ------------------------------------------------------------------------------------------


@accounting
async def all_accounts(app: Understudy, request: Request) -> Answer:
    """All accounts."""
    return Answer(dumped({"accounts": [each.as_dict() for each in await told.accounts(app)]}))


@accounting
async def add_account(app: Understudy, request: Request) -> Answer:
    """A new account."""
    acts.check_proved(app, request)
    content = await request.json_object()
    made = await acts.add(app, request, _NAME.of(content), _ROLE.of(content), _NEW.of(content))
    return Answer(dumped(AccountView.of(made).as_dict()), 201)


@accounting
async def change_account(app: Understudy, request: Request) -> Answer:
    """Change an account's role or password, or shut it out: `disabled` says why, empty lets it in. Its sessions end."""
    acts.check_proved(app, request)
    content, account = await request.json_object(), request.parts["account"]
    await acts.change(
        app, request, account, role=_OPTIONAL_ROLE.of(content), password=_OPTIONAL_NEW.of(content),
        disabled=_DISABLED.of(content),
    )  # fmt: skip
    shown = next((each for each in await told.accounts(app) if each.id == account), None)
    if shown is None:
        raise Problem(404, "the account was removed meanwhile")
    return Answer(dumped(shown.as_dict()))


@accounting
async def remove_account(app: Understudy, request: Request) -> Answer:
    """Forget an account with its sessions and tokens."""
    acts.check_proved(app, request)
    await acts.remove(app, request, request.parts["account"])
    return Answer(b"", 204)


@accounting
async def all_sessions(app: Understudy, request: Request) -> Answer:
    """Everybody's sessions."""
    found = await told.sessions(app, request.who)
    return Answer(dumped({"sessions": [each.as_dict() for each in found]}))


@accounting
async def all_tokens(app: Understudy, request: Request) -> Answer:
    """Everybody's tokens."""
    return Answer(dumped({"tokens": [each.as_dict() for each in await told.tokens(app)]}))


_SECRET = Text(1024, 1, name=True)
_OLD = Field("old", _SECRET, "The password until now.", required=True)
_NEW = Field("new", _SECRET, "A password of at least 12 characters.", required=True)
_PASSWORD = Field("password", _SECRET, "One's own password.", required=True)
_WHO = Field("name", Text(1024, 1, name=True), "The name of the account.", required=True)
_NAME = Field("name", Text(acts.NAME, 1), "What they sign in with.", required=True)
_ROLE = Field("role", Choice(ROLES), "What the account may do.", required=True)
_DISABLED = Field("disabled", Text(500), "Why it is shut out; empty lets it in again.")
_TOKEN_NAME = Field("name", Text(acts.NAME, 1), "What it is for.", required=True)
_SCOPES = Field(
    "scopes", Listed(Choice(tuple(map(str, acts.SCOPES))), len(acts.SCOPES), 1), "What it may do.", required=True
)
_APIS = Field("apis", Listed(Text(200, 1, name=True), 100), "The only APIs that it may ask of; none: all.", ())
_IPS = Field("ips", Listed(Text(50, 1), 50), "Addresses and networks that may use it; none: all.", ())
_LASTING = Field("expires_in", Lasting(), "How long it may be used; without it for ever.")
_OPTIONAL_ROLE = Field("role", Choice(ROLES), "What the account may do.")
_OPTIONAL_NEW = Field("new", _SECRET, "A password of at least 12 characters.")

_NONE = Gives({}, 204, "Done.")
_SESSIONS = Gives(obj(sessions=array(view(SessionView))))
_TOKENS = Gives(obj(tokens=array(view(TokenView))))
_ACCOUNT = view(AccountView)
_MADE = view(TokenView, "NewToken", token=TEXT)

ROUTES: Table = {
    ("POST", "/api/login"): endpoint(
        sign_in, Permission.PUBLIC, body=(_WHO, _PASSWORD), gives=_NONE, problems=(404, 503), tag=_TAG
    ),
    ("POST", "/api/logout"): endpoint(sign_out, Permission.PUBLIC, body=(), gives=_NONE, problems=(404, 503), tag=_TAG),
    ("GET", "/api/me"): endpoint(me, Permission.PUBLIC, gives=Gives(view(MeView)), problems=(401,), tag=_TAG),
    ("POST", "/api/me/password"): endpoint(
        change_password, Permission.READ, body=(_OLD, _NEW), gives=_NONE, problems=(404, 422, 503), tag=_TAG
    ),
    ("POST", "/api/me/confirm"): endpoint(
        confirm, Permission.READ, body=(_PASSWORD,), gives=_NONE, problems=(404, 422, 503), tag=_TAG
    ),
    ("GET", "/api/me/sessions"): endpoint(
        my_sessions, Permission.READ, gives=_SESSIONS, problems=(404, 503), tag=_TAG
    ),
    ("DELETE", "/api/me/sessions/{session}"): endpoint(
        end_session, Permission.READ, gives=_NONE, problems=(404, 503), tag=_TAG
    ),
    ("GET", "/api/me/tokens"): endpoint(my_tokens, Permission.READ, gives=_TOKENS, problems=(404, 503), tag=_TAG),
    ("POST", "/api/me/tokens"): endpoint(
        add_token, Permission.READ, body=(_TOKEN_NAME, _SCOPES, _APIS, _IPS, _LASTING), gives=Gives(_MADE, 201),
        problems=(404, 422, 503), tag=_TAG,
    ),
    ("DELETE", "/api/me/tokens/{token}"): endpoint(
        remove_token, Permission.READ, gives=_NONE, problems=(404, 503), tag=_TAG
    ),
    ("GET", "/api/admin/accounts"): endpoint(
        all_accounts, Permission.ADMIN, gives=Gives(obj(accounts=array(_ACCOUNT))), problems=(404, 503), tag=_TAG
    ),
    ("POST", "/api/admin/accounts"): endpoint(
        add_account, Permission.ADMIN, body=(_NAME, _ROLE, _NEW), gives=Gives(_ACCOUNT, 201),
        problems=(404, 409, 422, 503), tag=_TAG,
    ),
    ("PATCH", "/api/admin/accounts/{account}"): endpoint(
        change_account, Permission.ADMIN, body=(_OPTIONAL_ROLE, _OPTIONAL_NEW, _DISABLED), gives=Gives(_ACCOUNT),
        problems=(404, 409, 422, 503), tag=_TAG,
    ),
    ("DELETE", "/api/admin/accounts/{account}"): endpoint(
        remove_account, Permission.ADMIN, gives=_NONE, problems=(404, 409, 503), tag=_TAG
    ),
    ("GET", "/api/admin/sessions"): endpoint(
        all_sessions, Permission.ADMIN, gives=_SESSIONS, problems=(404, 503), tag=_TAG
    ),
    ("DELETE", "/api/admin/sessions/{session}"): endpoint(
        end_session, Permission.ADMIN, gives=_NONE, problems=(404, 503), tag=_TAG
    ),
    ("GET", "/api/admin/tokens"): endpoint(all_tokens, Permission.ADMIN, gives=_TOKENS, problems=(404, 503), tag=_TAG),
    ("DELETE", "/api/admin/tokens/{token}"): endpoint(
        remove_token, Permission.ADMIN, gives=_NONE, problems=(404, 503), tag=_TAG
    ),
}  # fmt: skip
