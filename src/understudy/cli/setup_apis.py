"""The questions about APIs: paste, look, change, try, keep."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from understudy.config.pasted import PasteError, Proposal, propose
from understudy.config.sentences import said

from .check import advice, asked
from .screen import complain, safe
from .setup_steps import Session

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def apis(session: Session) -> None:
    """Add APIs until nothing is pasted any more."""
    _, screen = session.text, session.screen
    for name, api in session.settings().apis.items():
        screen.line(f"  {safe(name)}  {safe(api.base_url)}")
    screen.line(_("Paste a curl line, the snippet of RapidAPI's page (Python, JavaScript) or an address."), "quiet")
    while True:
        given = session.ask.pasted(_("API (empty: no further one)"))
        if not given:
            return
        try:
            found = propose(given)
        except PasteError as error:
            complain(error.said.shown(_))
            continue
        one_api(session, found)


def one_api(session: Session, found: Proposal) -> None:
    """Show what was understood, let it be changed, try it, keep it."""
    _, screen, ask = session.text, session.screen, session.ask
    for note in found.notes:
        screen.line(f"▲ {note.shown(_)}", "degraded")
    name = ask.text(_("Name"), found.name, lambda given: "" if given and given.isprintable() else _("a printable name"))
    table = found.table(_key(session, found))
    table["base_url"] = ask.text(_("Base address, which all calls have in common"), found.base_url)
    note = _("(asked now and then; empty: only real calls count)")
    path = ask.text(_("Path that shows whether it works"), found.health_path, _path_check(session), note)
    table.pop("health_check", None)
    if path:
        table["health_check"] = {"path": path}
    before = session.draft.tables.get(("apis", name))
    session.draft.tables["apis", name] = table
    if not _tried(session, name) and not ask.yes(_("Keep it all the same?")):
        session.draft.tables.pop(("apis", name))
        if before is not None:
            session.draft.tables["apis", name] = before


def _path_check(session: Session) -> Callable[[str], str]:
    said = str(session.text("a path that begins with /"))
    return lambda given: "" if given[:1] in ("", "/") else said


def _key(session: Session, found: Proposal) -> str:
    """Where the key will be: `env:NAME`; empty for an API without one."""
    _, ask = session.text, session.ask
    if found.auth == "none" or (found.keyless and not ask.yes(_("Do you have a key for it?"), False)):
        return ""
    known = session.target.environment(session.draft)
    variable = found.variable
    if found.key is not None and known.get(variable, found.key.reveal()) != found.key.reveal():
        variable = _free(variable, known)  # another API's key has that name already
    variable = ask.text(
        _("Variable of .env for its key"), variable,
        lambda given: "" if _VARIABLE.fullmatch(given) else _("letters, digits and _"),
    )  # fmt: skip
    if found.key is not None:
        session.draft.variables[variable] = found.key.reveal()
    else:
        session.need(variable, _("Its key (kept in .env, not shown)"))
    return f"env:{variable}"


def _free(name: str, known: object) -> str:
    taken = set(known) if isinstance(known, dict) else set()
    return next(each for number in range(2, 10_000) if (each := f"{name}_{number}") not in taken)


def _tried(session: Session, name: str) -> bool:
    """Ask the API one question now; whether it did not fail."""
    _, screen = session.text, session.screen
    loaded = session.loaded()
    if loaded is None:
        return False
    if not session.ask.yes(_("Try it now?")):
        return True
    [result] = asyncio.run(asked(screen, loaded.settings, [name], silent=True))
    word = {True: "● " + _("works"), False: "■ " + _("fails"), None: "○ " + _("says nothing")}[result.ok]
    style = {True: "good", False: "bad", None: "quiet"}[result.ok]
    screen.line(f"{word}  {screen.seconds(result.seconds)}  {safe(said(result.message, session.text))}", style)
    if result.answer:
        screen.line(f"  {safe(result.answer, 300)}", "quiet")
    if result.advice:
        screen.line(safe(advice(screen, result), 400), "quiet")
    return result.ok is not False
