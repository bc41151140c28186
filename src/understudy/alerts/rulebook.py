"""The rules that are in force, where each came from, and every version of those that people edit.

A rule comes with the program (`default`), from the configuration (`file`), or was put by hand (`api`) or by the
program around it (`code`). Of several with one name the later in this order counts, until it is deleted; then
the one below it is in force again. Each change makes a new version, and none is ever overwritten.
"""

from __future__ import annotations

import dataclasses
import difflib
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

from understudy.core.errors import StoreUnavailable, UnknownName
from understudy.core.redaction import REDACTOR

from .model import Rule
from .ports import Document, DocumentStore
from .rule_faults import RuleFault, faults_of
from .rules import RuleError, rule_from, rule_to_doc

#: What rules are called among the documents.
KIND: Final = "rule"
_log = logging.getLogger("understudy.alerts")

OnChange = Callable[[str, "Rule | None", "Rule | None"], None]


class RuleBook:
    """All rules by name. Rules of files and defaults are replaced as a whole; the others are documents."""

    def __init__(self, defaults: Iterable[Rule], store: DocumentStore) -> None:
        self._store = store
        self._defaults: dict[str, Rule] = {rule.name: rule for rule in defaults}
        self._below: dict[str, tuple[str, Rule]] = {name: ("default", rule) for name, rule in self._defaults.items()}
        self._edited: dict[str, tuple[str, Rule]] = {}
        #: What code put while the store was away: kept at the next `load`.
        self._unkept: dict[str, tuple[Rule, str, str]] = {}
        #: Documents that cannot be read as rules, each with the reason; the rule below is in force in its place.
        self.problems: dict[str, str] = {}
        #: Told of every rule that comes, changes or goes: name, old, new.
        self.on_change: OnChange = lambda name, old, new: None

    # -- reading ----------------------------------------------------------------------------------

    def rules(self) -> list[Rule]:
        """Every rule, disabled ones included, in the order in which they came to be."""
        return [rule for _, rule in self._all().values()]

    def get(self, name: str) -> Rule:
        """The rule that is in force under this name.

        Raises:
            UnknownName: there is none.
        """
        return self._found(name)[1]

    def origin(self, name: str) -> str:
        """Where it came from: default, file, api or code.

        Raises:
            UnknownName: there is none.
        """
        return self._found(name)[0]

    async def versions(self, name: str) -> list[Document]:
        """Every version that was put by hand or by code, the newest first; each `doc` can be put again as it is.

        Raises:
            UnknownName: there is no rule of that name and never was.
            StoreUnavailable: they cannot be read now.
        """
        found = await self._store.versions(KIND, name)
        if not found:
            self._found(name)
        return [dataclasses.replace(each, doc=_rule_doc(each)) for each in found]

    # -- changing ---------------------------------------------------------------------------------

    async def load(self) -> None:
        """Take in what is stored, and what another instance changed meanwhile. Tells what differs.

        Raises:
            StoreUnavailable: it cannot be read now; everything stays as it is.
        """
        for name, (rule, actor, comment) in list(self._unkept.items()):
            await self._store.put(KIND, name, _document(rule, "code"), actor=actor, comment=comment)
            del self._unkept[name]
        edited: dict[str, tuple[str, Rule]] = {}
        problems: dict[str, str] = {}
        for document in await self._store.newest(KIND):
            try:
                edited[document.name] = _read(document)
            except RuleError as error:
                problems[document.name] = said = REDACTOR.redact(str(error), foreign=True)
                if self.problems.get(document.name) != said:
                    _log.error("A stored rule cannot be used, and the one below it is in force: %s", said)
        self.problems = problems
        self._replace(edited=edited)

    def configured(self, rules: Iterable[Rule], defaults: Iterable[Rule] | None = None) -> None:
        """Replace the rules of the file as a whole, and those of the program where they have changed too."""
        if defaults is not None:
            self._defaults = {rule.name: rule for rule in defaults}
        below = {name: ("default", rule) for name, rule in self._defaults.items()}
        below |= {rule.name: ("file", rule) for rule in rules}
        self._replace(below={name: (origin, self._numbered(rule)) for name, (origin, rule) in below.items()})

    async def put(
        self, rule: Rule, *, actor: str, comment: str = "", expected: int | None = None, origin: str = "api"
    ) -> Rule:
        """Put a rule in force, as a new version; answers it with its number.

        A rule that code puts each time the program starts (`origin` "code") makes a version only when code
        changed it: what people have edited since stays. It is in force at once even while the store is away.

        Raises:
            RuleError: with everything that is wrong with it; nothing has changed.
            VersionConflict: `expected` is not the newest version; nothing has changed.
            StoreUnavailable: it cannot be kept now; nothing has changed.
        """
        if faults := faults_of(rule):
            raise RuleError(rule.name, tuple(faults))
        if origin == "code":
            return await self._put_by_code(rule, actor, comment)
        stored = await self._store.put(
            KIND, rule.name, _document(rule, origin), actor=actor, comment=comment, expected=expected
        )
        return self._put(dataclasses.replace(rule, version=stored.version), origin)

    async def delete(self, name: str, *, actor: str, comment: str = "") -> Rule | None:
        """Take an edited rule out of force; the one below it, of the file or the program, is answered.

        Raises:
            UnknownName: there is none of that name.
            RuleError: nobody put it by hand or by code: it stands in the configuration, or comes with the program.
            StoreUnavailable: it cannot be kept now; nothing has changed.
        """
        origin, _ = self._found(name)
        if name not in self._edited:
            where = "stands in the configuration" if origin == "file" else "comes with the program"
            raise RuleError(name, (RuleFault((), f"{where} and cannot be deleted here", "set enabled = false"),))
        await self._store.put(KIND, name, None, actor=actor, comment=comment)
        self._unkept.pop(name, None)
        self._replace(edited={other: found for other, found in self._edited.items() if other != name})
        below = self._below.get(name)
        return below[1] if below is not None else None

    # -- inside -----------------------------------------------------------------------------------

    def _all(self) -> dict[str, tuple[str, Rule]]:
        return {**self._below, **self._edited}

    def _found(self, name: str) -> tuple[str, Rule]:
        found = self._edited.get(name) or self._below.get(name)
        if found is None:
            near = difflib.get_close_matches(name[:200], list(self._all()), n=1)
            raise UnknownName("rule", name, near[0] if near else "")
        return found

    async def _put_by_code(self, rule: Rule, actor: str, comment: str) -> Rule:
        document = _document(rule, "code")
        try:
            versions = await self._store.versions(KIND, rule.name)
            last = next((each for each in versions if each.doc is not None and each.doc.get("origin") == "code"), None)
            if last is not None and last.doc == document and versions[0].doc is not None:
                # Nothing new from code. What people made of it since is in force, unless it cannot be read.
                origin, found = _read(versions[0])
                return self._put(found, origin)
            stored = await self._store.put(KIND, rule.name, document, actor=actor, comment=comment)
        except StoreUnavailable as error:
            _log.warning("The rule %r is in force, but cannot be kept now: %s", rule.name, error)
            self._unkept[rule.name] = rule, actor, comment
            return self._put(self._numbered(rule), "code")
        return self._put(dataclasses.replace(rule, version=stored.version), "code")

    def _put(self, rule: Rule, origin: str) -> Rule:
        self._replace(edited={**self._edited, rule.name: (origin, rule)})
        return rule

    def _numbered(self, rule: Rule) -> Rule:
        """A rule without a version of the store: one more than the one that it replaces, if it differs."""
        old = self._all().get(rule.name)
        if old is None:
            return rule
        same = dataclasses.replace(rule, version=old[1].version)
        return same if same == old[1] else dataclasses.replace(rule, version=old[1].version + 1)

    def _replace(
        self, *, below: dict[str, tuple[str, Rule]] | None = None, edited: dict[str, tuple[str, Rule]] | None = None
    ) -> None:
        """Swap the rules, then tell which of those in force differ."""
        old = self._all()
        self._below = self._below if below is None else below
        self._edited = self._edited if edited is None else edited
        new = self._all()
        for name in dict.fromkeys((*old, *new)):
            before, after = old.get(name), new.get(name)
            if before is None or after is None or before[1] != after[1]:
                self.on_change(name, before and before[1], after and after[1])


def _document(rule: Rule, origin: str) -> dict[str, Any]:
    return {**rule_to_doc(rule), "origin": origin}


def _rule_doc(document: Document) -> dict[str, Any] | None:
    """The rule in a document, without what is noted beside it."""
    if document.doc is None:
        return None
    return {name: value for name, value in document.doc.items() if name != "origin"}


def _read(document: Document) -> tuple[str, Rule]:
    """The origin and the rule of a document, which a later version of the program may have written."""
    origin = str((document.doc or {}).get("origin", "api"))
    rule = rule_from({**(_rule_doc(document) or {}), "name": document.name}, origin)
    return origin, dataclasses.replace(rule, version=document.version)
