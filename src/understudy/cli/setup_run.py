"""`understudy setup`: the menu, and the same without a terminal from options alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from understudy.config.pasted import PasteError, propose
from understudy.config.sources import real_environment
from understudy.config.templates import env_template
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.text import Texts

from .exits import FAILED, INTERRUPTED, OK, USAGE, Stop
from .faults import said
from .screen import Screen, complain, safe
from .service import install, unit_for
from .setup_ask import Ask
from .setup_draft import Draft, forget_draft, kept_draft, write_private
from .setup_files import Target
from .setup_steps import Session, where

#: The steps in their order, as they are kept in a draft.
_STEPS: Final = ("environment", "storage", "apis", "routes", "channels", "thresholds")


@dataclass(frozen=True, slots=True)
class SetupOptions:
    """The command line of `setup`."""

    config: Path | None = None
    non_interactive: bool = False
    dry_run: bool = False
    yes: bool = False
    template: bool = False
    fresh: bool = False
    test: bool = False
    environment: str | None = None
    host: str | None = None
    port: int | None = None
    storage: str | None = None
    apis: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    success_rate: float | None = None
    response_time: float | None = None
    error_rate: float | None = None
    service: str = ""


def setup(screen: Screen, options: SetupOptions) -> int:
    """Gather, show, write; the exit code."""
    target = Target(options.config or Path("understudy.toml"))
    if not target.folder.is_dir():
        raise Stop(USAGE, screen.text("there is no folder {folder}", folder=where(target.folder)))
    given = _given(screen.text, options)  # files that options name are meant from here
    # What the configuration names without a full path, as the store's file, lies beside it.
    with contextlib.chdir(target.folder):
        return _set_up(screen, target, given, options)


def _set_up(screen: Screen, target: Target, given: Draft, options: SetupOptions) -> int:
    if options.template:
        return _template(screen, target, overwrite=options.yes)
    if options.non_interactive:
        return _without_questions(screen, target, given, options)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Stop(USAGE, screen.text("there is no terminal to ask in; setup --non-interactive takes options alone"))
    return _with_questions(screen, target, given, options)


# -- from options ------------------------------------------------------------------------------------


def _given(text: Texts, options: SetupOptions) -> Draft:
    """What the options say already."""
    draft = Draft(unit=options.service)
    single = {
        ("environment",): options.environment,
        ("service", "host"): options.host,
        ("service", "port"): options.port,
        ("storage", "url"): options.storage,
        ("alerts", "success_rate"): options.success_rate,
        ("alerts", "response_time"): options.response_time,
        ("alerts", "error_rate"): options.error_rate,
    }
    draft.settings = {path: value for path, value in single.items() if value is not None}
    for each in options.variables:
        name, equals, value = each.partition("=")
        found = value if equals else real_environment().get(name)
        if not name.isidentifier() or found is None:
            raise Stop(USAGE, text("{option} takes NAME=VALUE, or a NAME of the environment", option="--variable"))
        draft.variables[name] = found
    for pasted in options.apis:
        _paste(text, draft, pasted)
    for route in options.routes:
        name, equals, names = route.partition("=")
        apis = [each.strip() for each in names.split(",") if each.strip()]
        if not equals or not name.strip() or not apis:
            raise Stop(USAGE, text("{option} takes NAME=API,API with the lead first", option="--route"))
        draft.tables["routes", name.strip()] = {"apis": apis, "mode": "priority"}
    return draft


def _paste(text: Texts, draft: Draft, pasted: str) -> None:
    """`curl …`, or `NAME=curl …` where the name is to be another one; `@FILE` reads it from there."""
    head, equals, rest = pasted.partition("=")
    name, source = (head.strip(), rest) if equals and head.strip().isidentifier() else ("", pasted)
    try:
        if source.startswith("@"):
            source = Path(source[1:]).read_text(encoding="utf-8")
        found = propose(source)
    except PasteError as error:
        raise Stop(USAGE, f"--api: {error.said.shown(text)}") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "UTF-8"
        raise Stop(
            USAGE, text("{file} cannot be read: {reason}", file=safe(source[1:]), reason=reason.lower())
        ) from None
    for note in found.notes:
        complain(f"{name or found.name}: {note.shown(text)}")
    if found.key is not None:
        draft.variables.setdefault(found.variable, found.key.reveal())
    draft.tables["apis", name or found.name] = found.table(
        f"env:{found.variable}" if found.variable and not found.keyless else ""
    )


def _without_questions(screen: Screen, target: Target, draft: Draft, options: SetupOptions) -> int:
    loaded = target.loaded(draft)  # raises every fault
    for warning in loaded.warnings:
        complain(said(warning, screen.text))
    if options.test and not _tested(screen, Session(screen, Ask(screen.text), target, draft), send=False):
        return FAILED
    changes = target.changes(draft)
    overwritten = [each.file.name for each in changes if each.before is not None]
    summary(screen, target, draft)
    if options.dry_run:
        screen.line(screen.text("nothing was written"), "quiet")
        return OK
    if overwritten and not options.yes:
        names = ", ".join(overwritten)
        message = screen.text(
            "{files} would change: --yes changes them and keeps copies, --dry-run only shows", files=names
        )
        raise Stop(FAILED, message)
    _write(screen, target, draft)
    return _installed(screen, target, draft, overwrite=options.yes)


def _template(screen: Screen, target: Target, *, overwrite: bool) -> int:
    """`.env.template`: every variable with a sentence, no secret."""
    file = target.folder / ".env.template"
    if file.exists() and not overwrite and file.read_text(encoding="utf-8", errors="replace") != env_template():
        raise Stop(FAILED, screen.text("{file} is there already and differs; --yes replaces it", file=where(file)))
    write_private(file, env_template(), 0o644)
    screen.line(screen.text("written: {file}", file=where(file)), "good")
    return OK


# -- with questions ----------------------------------------------------------------------------------


def _with_questions(screen: Screen, target: Target, given: Draft, options: SetupOptions) -> int:
    _ = screen.text
    target.loaded(Draft())  # a configuration with faults is mended first; says all of them
    session = Session(screen, Ask(_), target, given)
    try:
        draft = None if options.fresh else kept_draft(target.folder)
        if draft and session.ask.yes(_("A setup was begun here and not finished. Go on with it?")):
            draft.settings |= given.settings
            draft.tables |= given.tables
            draft.variables |= given.variables
            session.draft = draft
            _ask_again(session)
        return _menu(session, options)
    except (KeyboardInterrupt, EOFError):
        if not session.draft or options.dry_run:
            return INTERRUPTED
        session.draft.keep(target.folder)
        complain(_("stopped; nothing was written, and understudy setup goes on from here (keys are asked for again)"))
        return INTERRUPTED


def _ask_again(session: Session) -> None:
    """The secrets of a draft, which are never kept with it."""
    for name in list(session.draft.missing):
        session.need(name, session.text("{variable} (kept in .env, not shown)", variable=name))


def _menu(session: Session, options: SetupOptions) -> int:
    from . import setup_admin, setup_apis, setup_channels, setup_steps

    _, draft = session.text, session.draft
    titles = {
        "environment": _("Environment and address"),
        "storage": _("Storage"),
        "apis": _("APIs"),
        "routes": _("Routes: who stands in for whom"),
        "channels": _("Notification channels"),
        "thresholds": _("Alert thresholds"),
        "test": _("Test connectivity"),
        "admin": _("First administrator"),
        "unit": _("Run in the background (systemd)"),
        "write": _("Write and finish"),
    }
    steps: dict[str, Callable[[Session], None]] = {
        "environment": setup_steps.environment,
        "storage": setup_steps.storage,
        "apis": setup_apis.apis,
        "routes": setup_steps.routes,
        "channels": setup_channels.channels,
        "thresholds": setup_steps.thresholds,
        "admin": setup_admin.first_admin,
        "unit": setup_steps.unit,
    }
    session.screen.line(_("Understudy setup"), "name")
    session.screen.line(_("Nothing is written before the end; Ctrl-C keeps what was answered."), "quiet")
    while True:
        following = next((step for step in _STEPS if step not in draft.done), "write")
        choices = [(step, f"{title} ✓" if step in draft.done else title) for step, title in titles.items()]
        chosen = session.ask.one(_("What next?"), choices, following, numbered=True)
        if chosen == "test":
            _test(session)
        elif chosen == "write":
            code = _finish(session, options)
            if code is not None:
                return code
        else:
            steps[chosen](session)
            draft.finish(chosen)


def _test(session: Session) -> None:
    """Entry 7: everything in one table."""
    loaded = session.loaded()
    if loaded is None:
        return
    send = bool(loaded.settings.channels) and session.ask.yes(
        session.text("Send each channel a real test message too?"), default=False
    )
    _tested(session.screen, session, send=send)


def _tested(screen: Screen, session: Session, *, send: bool) -> bool:
    from .setup_checks import show, try_everything

    loaded = session.loaded()
    return loaded is not None and show(screen, asyncio.run(try_everything(screen, loaded.settings, send=send)))


def _finish(session: Session, options: SetupOptions) -> int | None:
    """Show what would be written and write it; None to go back to the menu."""
    _, screen, target, draft = session.text, session.screen, session.target, session.draft
    loaded = session.loaded()
    if loaded is None:
        return None
    for warning in loaded.warnings:
        screen.line(f"▲ {safe(said(warning, _), 400)}", "degraded")
    summary(screen, target, draft)
    if options.dry_run:
        screen.line(_("nothing was written"), "quiet")
        return OK
    if not session.ask.yes(_("Write this?")):
        return None
    _write(screen, target, draft)
    if session.admin is not None:
        from .setup_admin import create

        create(session, session.admin)
    return _installed(screen, target, draft, overwrite=False)


# -- both --------------------------------------------------------------------------------------------


def summary(screen: Screen, target: Target, draft: Draft) -> None:
    """What will change, line by line; secrets are masked."""
    _ = screen.text
    changes = target.changes(draft)
    for change in changes:
        note = _("new, mode {mode}", mode=f"{change.mode:o}") if change.before is None else _("changes; a copy is kept")
        screen.line(f"{where(change.file)}  ({note})", "name")
        for line in change.difference():
            if not line.startswith(("---", "+++", "@@")):
                style = "good" if line.startswith("+") else "bad" if line.startswith("-") else "quiet"
                screen.line(f"  {safe(line, 400)}", style)
    if not changes:
        screen.line(_("Everything is as it was; nothing has to be written."), "quiet")


def _write(screen: Screen, target: Target, draft: Draft) -> None:
    _ = screen.text
    for change in target.changes(draft):
        backup = change.write(SYSTEM_CLOCK)
        screen.line(_("written: {file}", file=where(change.file)), "good")
        if backup is not None:
            screen.line(_("the file as it was: {file}", file=where(backup)), "quiet")
    if target.too_open():
        os.chmod(target.dotenv, 0o600)  # noqa: PTH101 - a path of ours
        screen.line(_(".env is now for its owner only (mode 600)"), "quiet")
    forget_draft(target.folder)


def _installed(screen: Screen, target: Target, draft: Draft, *, overwrite: bool) -> int:
    """The unit, where one was wanted; then what to do next."""
    _ = screen.text
    if draft.unit:
        port = target.loaded(Draft()).settings.service.port
        return install(screen, unit_for(draft.unit, target.file, port, _), start=True, overwrite=overwrite)
    config = "" if target.file.name == "understudy.toml" else f" -c {target.file.name}"
    screen.line(_("Next, in {folder}: {command}", folder=target.folder, command=f"understudy run{config}"), "name")
    return OK
