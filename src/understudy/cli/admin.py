"""`understudy admin create | list | password | remove | setup-token`: accounts, also while a service is running."""

from __future__ import annotations

import asyncio
import getpass
import secrets
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

from understudy.core.accounts import ROLES, SETUP_VALID, Account
from understudy.core.audit import AuditEntry
from understudy.core.clock import SYSTEM_CLOCK, Clock
from understudy.core.text import Texts

from .exits import FAILED, USAGE, Stop
from .options import HELP, config_option, environment_option, examples, json_option, override_option
from .screen import Screen, safe

if TYPE_CHECKING:
    from understudy.storage.direct import Direct

_clock: Clock = SYSTEM_CLOCK


def admin_commands(_: Texts, kind: type[TyperCommand], group: type[TyperGroup]) -> typer.Typer:
    """The commands about accounts, in one language."""
    app = typer.Typer(
        cls=group, no_args_is_help=True, context_settings=HELP,
        help=_("Make, list and remove accounts; give new passwords."),
    )  # fmt: skip
    for add in (_create, _list, _password, _remove, _setup_token):
        add(app, _, kind)
    return app


def _kept(config: Path | None, override: list[str], environment: str | None) -> Direct:
    from understudy.config import load
    from understudy.storage.direct import Direct

    return Direct(load(config, overrides=override, environment=environment).settings.storage)


def _run(work: Callable[[], Awaitable[Any]]) -> Any:
    async def done() -> Any:
        return await work()

    return asyncio.run(done())


def _new_password(_: Texts, name: str, from_stdin: bool) -> str:
    """A good password from the terminal, twice, or the first line of standard input."""
    from understudy.web.auth.passwords import WeakPassword, check

    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif not sys.stdin.isatty():
        raise Stop(USAGE, _("no terminal to ask for the password; give it on standard input with --password-stdin"))
    else:
        password = getpass.getpass(_("Password, at least 12 characters: "))
        if getpass.getpass(_("Again: ")) != password:
            raise Stop(USAGE, _("the two passwords differ"))
    try:
        check(password, name)
    except WeakPassword as weak:
        raise Stop(USAGE, str(weak)) from None
    return password


async def _hashed(password: str) -> str:
    from understudy.web.auth.passwords import Passwords

    return await Passwords().hashed(password)


async def _note(kept: Direct, action: str, name: str, after: dict[str, Any] | None = None) -> None:
    await kept.audit.append(AuditEntry(_clock.time(), "command line", action, name, after=after))


async def make_account(kept: Direct, name: str, role: str, password: str) -> bool:
    """Keep a new account and enter that into the audit log; False when the name is taken."""
    now = _clock.time()
    made = Account(secrets.token_hex(8), name, role, await _hashed(password), now, now)
    if not await kept.accounts.add(made):
        return False
    await _note(kept, "account.created", name, {"role": role})
    return True


async def _find(kept: Direct, _: Texts, name: str) -> Account:
    for each in await kept.accounts.accounts():
        if each.name.casefold() == name.casefold():
            return each
    raise Stop(USAGE, _("there is no account named {name}", name=safe(name)))


def _create(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(
        _, "understudy admin create ana", "understudy admin create bea --role viewer --password-stdin < password.txt"
    )

    @app.command("create", help=_("Make an account; the first one is best an administrator."), epilog=shown, cls=kind)
    def command(
        name: str = typer.Argument(help=_("The name to sign in with.")),
        role: str = typer.Option("admin", "--role", help="viewer, operator, admin"),
        from_stdin: bool = typer.Option(False, "--password-stdin", help=_("Read the password from standard input.")),
        config: Path | None = config_option(_),
        override: list[str] = override_option(_),
        environment: str | None = environment_option(_),
    ) -> None:
        name = name.strip()
        if role not in ROLES:
            raise Stop(USAGE, _("{option} takes {values}", option="--role", values=", ".join(ROLES)))
        if not 1 <= len(name) <= 64 or not name.isprintable():
            raise Stop(USAGE, _("a name has 1 to 64 printable characters"))
        kept = _kept(config, override, environment)
        password = _new_password(_, name, from_stdin)

        if not _run(lambda: make_account(kept, name, role, password)):
            raise Stop(FAILED, _("an account named {name} is there already", name=safe(name)))
        Screen(_).line(_("{name} may sign in as {role}", name=safe(name), role=role), "good")


def _list(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    @app.command("list", help=_("Show the accounts."), epilog=examples(_, "understudy admin list"), cls=kind)
    def command(
        config: Path | None = config_option(_),
        override: list[str] = override_option(_),
        environment: str | None = environment_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        kept = _kept(config, override, environment)
        found = _run(kept.accounts.accounts)
        screen = Screen(_, plain=as_json)
        if as_json:
            import json

            told = [{"name": each.name, "role": each.role, "disabled": each.disabled} for each in found]
            screen.console.print(json.dumps(told, ensure_ascii=False), soft_wrap=True)
            return
        table = screen.table(_("name"), _("role"), _("shut out because"))
        for each in found:
            table.add_row(safe(each.name), each.role, safe(each.disabled))
        screen.console.print(table)


def _password(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy admin password ana")

    @app.command(
        "password", help=_("Give an account a new password and let it in again; its sessions end."), epilog=shown,
        cls=kind,
    )  # fmt: skip
    def command(
        name: str = typer.Argument(help=_("The name of the account.")),
        from_stdin: bool = typer.Option(False, "--password-stdin", help=_("Read the password from standard input.")),
        config: Path | None = config_option(_),
        override: list[str] = override_option(_),
        environment: str | None = environment_option(_),
    ) -> None:
        kept = _kept(config, override, environment)
        found = _run(lambda: _find(kept, _, name))
        password = _new_password(_, found.name, from_stdin)

        async def work() -> None:
            now = _clock.time()
            changed = replace(found, password=await _hashed(password), password_at=now, disabled="")
            await kept.accounts.change(changed)
            await kept.accounts.end_all(found.id)
            await _note(kept, "account.password", found.name)

        _run(work)
        Screen(_).line(_("{name} has a new password; its sessions have ended", name=safe(found.name)), "good")


def _remove(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    @app.command(
        "remove", help=_("Forget an account with its sessions and tokens."),
        epilog=examples(_, "understudy admin remove bea"), cls=kind,
    )  # fmt: skip
    def command(
        name: str = typer.Argument(help=_("The name of the account.")),
        config: Path | None = config_option(_),
        override: list[str] = override_option(_),
        environment: str | None = environment_option(_),
    ) -> None:
        kept = _kept(config, override, environment)
        found = _run(lambda: _find(kept, _, name))

        async def work() -> bool:
            if not await kept.accounts.remove(found.id):
                return False
            await _note(kept, "account.removed", found.name)
            return True

        if not _run(work):
            raise Stop(FAILED, _("{name} is the last administrator who may sign in", name=safe(found.name)))
        Screen(_).line(_("{name} is removed", name=safe(found.name)), "good")


def _setup_token(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    @app.command(
        "setup-token", help=_("Print a new one-time token, to make the first administrator in a browser."),
        epilog=examples(_, "understudy admin setup-token"), cls=kind,
    )  # fmt: skip
    def command(
        config: Path | None = config_option(_),
        override: list[str] = override_option(_),
        environment: str | None = environment_option(_),
    ) -> None:
        from understudy.web.auth.tickets import new_setup

        kept = _kept(config, override, environment)
        if _run(kept.accounts.accounts):
            raise Stop(FAILED, _("there are accounts already; understudy admin create makes more"))
        text, digest = new_setup()
        _run(lambda: kept.accounts.offer_setup(digest, _clock.time() + SETUP_VALID))
        screen = Screen(_)
        screen.line(text)
        screen.line(_("enter it at /setup of the running service within 30 minutes"), "quiet")
