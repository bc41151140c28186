"""Changing rules: the same acts for pages and the REST API, each under a version and in the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from understudy.alerts.model import Rule
from understudy.alerts.ports import Document
from understudy.alerts.rules import rule_to_doc
from understudy.core.audit import AuditEntry
from understudy.core.errors import UnknownName

if TYPE_CHECKING:
    from understudy.app import Understudy


async def newest_of(app: Understudy, name: str) -> Document | None:
    """The newest version that was kept, also one that deletes; None where the rule was never changed here."""
    try:
        found = await app.alerts.rules.versions(name)
    except UnknownName:
        return None
    return found[0] if found else None


async def keep(
    app: Understudy, rule: Rule, who: str, *, comment: str, expected: int | None, before: Document | None
) -> Rule:
    """Put a rule in force as a new version; `before` is the newest one as it was read.

    Raises:
        RuleError: with everything that is wrong with it.
        VersionConflict: `expected` is not the newest version.
        StoreUnavailable: it could not be kept. Nothing has changed after any of these.
    """
    kept = await app.alerts.rules.put(rule, actor=who, comment=comment, expected=expected)
    await _audit(app, who, "rule.put", rule.name, before, rule_to_doc(kept))
    return kept


async def drop(app: Understudy, name: str, who: str, *, before: Document | None) -> Rule | None:
    """Forget what was changed here; answers the rule of the file or the program that counts again, if there is one.

    Raises:
        UnknownName, RuleError, StoreUnavailable: as `RuleBook.delete`.
    """
    below = await app.alerts.rules.delete(name, actor=who)
    await _audit(app, who, "rule.deleted", name, before, None)
    return below


async def _audit(
    app: Understudy, who: str, action: str, name: str, before: Document | None, after: Mapping[str, Any] | None
) -> None:
    if app.keeping is not None:
        was = dict(before.doc) if before is not None and before.doc is not None else None
        await app.keeping.acted(AuditEntry(app.clock.time(), who, action, name, was, after))
