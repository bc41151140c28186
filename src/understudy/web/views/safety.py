"""The security self-check: what is as it should be, and what is not, found out from the running service."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from understudy.core.accounts import Account, Token
from understudy.core.errors import StoreUnavailable
from understudy.core.text import Texts
from understudy.web.auth.exposure import is_loopback

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.keeping import Keeping
    from understudy.web.auth.process import Process

#: A token that was not used for this long is probably needed no more, s.
UNUSED = 90 * 86400.0
#: Failed sign-ins are counted over this long, s, in so many of the newest acts.
_RECENT, _ACTS = 86400.0, 500
#: That many failed sign-ins are worth a look.
_MANY = 20


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `state` is good, warning or bad; `advice` is empty where nothing is to do."""

    code: str
    state: str
    title: str
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class SafetyView:
    """All checks, the worst first; `GET /api/admin/security`."""

    checks: tuple[Check, ...]

    @classmethod
    async def of(cls, app: Understudy, process: Process, _: Texts) -> Self:
        """Look at everything, in the words of a language."""
        found = [*_reach(app, process, _), *_process(_), *_secrets(app, process, _)]
        if app.keeping is not None:
            found += await _kept(app, app.keeping, process, _)
        order = {"bad": 0, "warning": 1, "good": 2}
        return cls(tuple(sorted(found, key=lambda each: order[each.state])))

    def count(self, state: str) -> int:
        """How many checks ended so."""
        return sum(each.state == state for each in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        counts = {state: self.count(state) for state in ("bad", "warning", "good")}
        return {"counts": counts, "checks": [asdict(each) for each in self.checks]}


def _reach(app: Understudy, process: Process, _: Texts) -> Iterator[Check]:
    """From where the service is reached, and whether others on the way can read along."""
    exposure = process.exposure
    title = _("Who can reach it")
    if exposure.local:
        yield Check("reach", "good", title, _("Only this machine: it listens on {host}.", host=exposure.host))
    else:
        yield Check("reach", "good", title, _("Others, who must sign in: it listens on {host}.", host=exposure.host))
    title = _("Encryption on the way")
    if exposure.local or exposure.tls:
        found = _("Nothing leaves this machine.") if exposure.local else _("The service speaks TLS.")
        yield Check("tls", "good", title, found)
    elif is_loopback(exposure.host):
        yield Check("tls", "good", title, _("A proxy on this machine is in front; it must speak TLS."))
    else:
        yield Check(
            "tls",
            "bad",
            title,
            _("Passwords and tokens cross the network in the clear."),
            _("Set service.tls_certificate and service.tls_key, or put a proxy with TLS in front."),
        )
    title = _("Signing in")
    if exposure.open:
        yield Check(
            "sign_in",
            "bad",
            title,
            _("It was started with {option}: nobody has to sign in.", option="--insecure-no-auth"),
            _("Start it without that option."),
        )
    service = getattr(app.settings, "service", None)
    if not exposure.local and service is not None and service.report_token is None:
        yield Check(
            "report_token",
            "good",
            _("Reports of other processes"),
            _("Only this machine may report: no report_token is set."),
        )
    allowed = getattr(service, "allow_networks", ())
    if allowed:
        yield Check(
            "allow_networks",
            "warning",
            _("Addresses that people enter"),
            _("They may lead into {networks}.", networks=", ".join(map(str, allowed))),
            _("Leave only networks in service.allow_networks that hold nothing to protect."),
        )
    else:
        yield Check(
            "allow_networks", "good", _("Addresses that people enter"), _("They may lead to the internet only.")
        )


def _process(_: Texts) -> Iterator[Check]:
    if hasattr(os, "geteuid"):
        root = os.geteuid() == 0
        yield Check(
            "user",
            "warning" if root else "good",
            _("The user that it runs as"),
            _("It runs as root.") if root else _("It runs without special rights."),
            _("Give it a user of its own; it needs no rights but those on its folder.") if root else "",
        )


def _secrets(app: Understudy, process: Process, _: Texts) -> Iterator[Check]:
    """The secret key, what is left of templates, and who may read the files."""
    key = getattr(getattr(app.settings, "service", None), "secret_key", None)
    title = _("Secret key")
    if key is None:
        yield Check(
            "secret_key", "good", title, _("None is set; the service made one of its own and keeps it in the store.")
        )
    elif len(key.reveal()) < 16:
        yield Check(
            "secret_key",
            "warning",
            title,
            _("The one that is set is too short and is not used."),
            _("Set DASHBOARD_SECRET_KEY to at least 16 random characters."),
        )
    else:
        yield Check("secret_key", "good", title, _("It is set, and long enough."))
    loaded = process.loaded()
    if loaded is None:
        return
    told = [each for each in loaded.warnings if each]
    yield Check(
        "warnings",
        "warning" if told else "good",
        _("The configuration"),
        "; ".join(told) if told else _("It has no warnings."),
    )
    # Files of settings name where secrets are; these hold the secrets themselves.
    secret = [each for each in loaded.files if each.suffix != ".toml" and each.is_file()]
    open_files = [each.name for each in secret if _others_read(each)]
    yield Check(
        "files",
        "warning" if open_files else "good",
        _("Files with secrets"),
        _("Others on this machine can read {files}.", files=", ".join(open_files))
        if open_files
        else _("Only their owner can read them."),
        _("chmod 600 them.") if open_files else "",
    )


async def _kept(app: Understudy, keeping: Keeping, process: Process, _: Texts) -> list[Check]:
    """Accounts, tokens, the store's file and the audit log."""
    title, now = _("The store"), app.clock.time()
    try:
        accounts, tokens = await keeping.accounts.accounts(), await keeping.accounts.tokens()
        fault = await keeping.audit.verify()
        acts = await keeping.audit.read(_ACTS)
    except StoreUnavailable as error:
        return [Check("store", "bad", title, str(error))]
    found = [*_accounts(accounts, process, now, _), *_tokens(tokens, now, _)]
    health = keeping.store.health()
    if health.kind == "sqlite":
        path = Path(health.where)
        readable = path.is_file() and _others_read(path)
        found.append(
            Check(
                "store",
                "warning" if readable else "good",
                title,
                _("Others on this machine can read {file}.", file=path.name)
                if readable
                else _("Only its owner can read it."),
                _("chmod 600 it.") if readable else "",
            )
        )
    found.append(
        Check("audit", "bad", _("Audit log"), fault, _("Keep a copy of the store, and find out who could write to it."))
        if fault
        else Check("audit", "good", _("Audit log"), _("The chain of hashes holds from its first act to its last."))
    )
    failed = sum(each.entry.action == "login.failed" and each.entry.at > now - _RECENT for each in acts)
    found.append(
        Check(
            "failed",
            "warning" if failed >= _MANY else "good",
            _("Failed sign-ins"),
            _.plural("{count} in the last day.", "{count} in the last day.", failed),
            _("The audit log tells from where.") if failed >= _MANY else "",
        )
    )
    return found


def _accounts(accounts: list[Account], process: Process, now: float, _: Texts) -> Iterator[Check]:
    title = _("Accounts")
    admins = [each for each in accounts if each.role == "admin" and not each.disabled]
    if not accounts:
        yield Check(
            "accounts",
            "warning",
            title,
            _("There is none: whoever uses this machine sees everything and may operate."),
            _("Make the first administrator: understudy admin create NAME"),
        )
    elif len(admins) == 1:
        yield Check(
            "accounts",
            "warning",
            title,
            _("There is only one administrator."),
            _("Make a second one, for the day when the first cannot be reached."),
        )
    else:
        yield Check("accounts", "good", title, _("{count} administrators may sign in.", count=len(admins)))
    never = [each.name for each in accounts if not each.signed_in_at and each.created_at < now - UNUSED]
    if never:
        yield Check(
            "unused",
            "warning",
            _("Unused accounts"),
            _("Never signed in: {names}", names=", ".join(never[:10])),
            _("Remove those that nobody needs."),
        )


def _tokens(tokens: list[Token], now: float, _: Texts) -> Iterator[Check]:
    valid = [each for each in tokens if not each.ended(now)]
    title = _("API tokens")
    if not valid:
        yield Check("tokens", "good", title, _("There is none."))
        return
    for code, names, found, advice in (
        (
            "endless",
            [each.name for each in valid if not each.expires_at],
            _("They never expire: {names}"),
            _("Make new ones that do, and revoke these."),
        ),
        (
            "unused_tokens",
            [each.name for each in valid if max(each.used_at, each.created_at) < now - UNUSED],
            _("Not used for 90 days: {names}"),
            _("Revoke those that nobody needs."),
        ),
        (
            "mighty",
            [each.name for each in valid if "admin" in each.scopes],
            _("They may administer: {names}"),
            _("Give a program only what it needs."),
        ),
    ):
        if names:
            yield Check(code, "warning", title, found.format(names=", ".join(names[:10])), advice)
    if all(each.expires_at and "admin" not in each.scopes for each in valid):
        yield Check("tokens", "good", title, _.plural("{count} is valid.", "{count} are valid.", len(valid)))


def _others_read(path: Path) -> bool:
    """Whether others than the owner may read a file; never known on systems without such rights."""
    if os.name != "posix":
        return False
    try:
        return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except OSError:
        return False
