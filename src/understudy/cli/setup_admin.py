"""The first administrator, as `understudy setup` makes one: asked for now, made when everything else is written."""

from __future__ import annotations

import asyncio

from understudy.config import load
from understudy.storage.direct import Direct
from understudy.web.auth.passwords import WeakPassword, check

from .admin import make_account
from .screen import complain, safe
from .setup_steps import Admin, Session


def first_admin(session: Session) -> None:
    """Ask for a name and a password, twice."""
    _, ask = session.text, session.ask
    if session.settings().storage.kind == "memory":
        session.screen.line(_("Accounts need a store; entry 2 chooses one."), "degraded")
        return
    wrong = _("a name has 1 to 64 printable characters")
    name = ask.text(
        _("Name to sign in with"), "admin",
        lambda given: "" if given.isprintable() and 1 <= len(given) <= 64 else wrong,
    )  # fmt: skip

    def strong(given: str) -> str:
        try:
            check(given, name)
        except WeakPassword as weak:
            return str(weak)
        return ""

    password = ask.secret(_("Password, at least 12 characters"), strong)
    ask.secret(_("Again"), lambda given: "" if given == password else _("the two passwords differ"))
    session.admin = Admin(name, password)


def create(session: Session, admin: Admin) -> None:
    """Make the account in the store that has just been configured."""
    _ = session.text
    kept = Direct(load(session.target.file, cwd=session.target.folder).settings.storage)
    if asyncio.run(make_account(kept, admin.name, "admin", admin.password)):
        session.screen.line(_("{name} may sign in as {role}", name=safe(admin.name), role="admin"), "good")
    else:
        complain(_("an account named {name} is there already", name=safe(admin.name)))
