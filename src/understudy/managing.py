"""APIs, routes and channels that people edit while the service runs: checked, kept in versions, in force at once.

Part of the composition root. The files stay the base: an edited entry goes over the one of its name, and when it is
taken away that one is in force again. Several services on one store follow each other within seconds.
"""

from __future__ import annotations

import asyncio
import dataclasses
import difflib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .config.faults import Fault, Origin, dotted
from .config.managed import SECTIONS, Edited, ManagedTree, Unfit, Writing, masked
from .config.sealing import LEAST_KEY, Sealer, key_beside
from .config.written import as_written, secrets_of
from .core.audit import AuditEntry
from .core.clock import Clock, pause
from .core.errors import ConfigError, NotActive, StoreUnavailable, UnderstudyError, UnknownName
from .resilience.roster import check_name

if TYPE_CHECKING:
    from .alerts.ports import Document, DocumentStore
    from .app import Understudy
    from .config.loader import Loaded
    from .connectivity import CheckResult

_log = logging.getLogger("understudy.managing")

#: How often a service looks what others on the same store have edited, s.
FOLLOWED_EVERY: Final = 2.0
#: Rounds of leaving out stored entries that cannot be used.
_ROUNDS: Final = 5

KINDS: Final = tuple(SECTIONS)


class Refused(UnderstudyError):
    """What was entered cannot be used; `faults` tells everything that is wrong, each with its place."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(fault_text(each) for each in faults))
        self.faults = faults

    def as_dicts(self) -> list[dict[str, str]]:
        """The faults, JSON-ready."""
        return [
            {"path": dotted(each.path), "expected": each.expected, "found": each.found, "hint": each.hint}
            for each in self.faults
        ]


class SecretRefused(UnderstudyError):
    """Whoever entered a secret may edit everything else, and no secrets."""


def fault_text(fault: Fault) -> str:
    """One fault on one line: where, what was expected, what was found, what to do."""
    found = f", found {fault.found}" if fault.found else ""
    hint = f"; {fault.hint}" if fault.hint else ""
    return f"{dotted(fault.path)}: {fault.expected}{found}{hint}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One API, route or channel as it is in force. `values` are those of a file, secrets as their marks.

    `origin` is file or database; `version` 0 where nobody has edited it. `overrides`: the configuration has one of
    that name, too, which is in force again when this one is taken away. `problem` says why a stored one is not.
    """

    kind: str
    name: str
    values: Mapping[str, Any]
    origin: str
    version: int = 0
    overrides: bool = False
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON-ready values."""
        return {**dataclasses.asdict(self), "values": dict(self.values)}


@dataclass(frozen=True, slots=True)
class Version:
    """One stored version. `values` is None where it took the entry away; `changes` tells what differs from before."""

    version: int
    at: float
    actor: str
    comment: str
    values: Mapping[str, Any] | None
    changes: tuple[Mapping[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON-ready values."""
        return dataclasses.asdict(self)


class Managing:
    """Edited settings of one running service.

    `read` loads the whole configuration with edited entries over it; `change` takes in what a function loads, after
    another has kept it (`Reloader.change`); `another` builds an application for a live test.
    """

    def __init__(
        self,
        app: Understudy,
        documents: DocumentStore,
        current: Callable[[], Loaded],
        read: Callable[[ManagedTree], Loaded],
        change: Callable[[Callable[[], Loaded], Callable[[], Awaitable[None]]], Awaitable[Loaded]],
        another: Callable[..., Understudy],
    ) -> None:
        self._app, self._documents = app, documents
        self._current, self._read, self._change, self._another = current, read, change, another
        self._clock: Clock = app.clock
        self._made_sealer: Sealer | None = None
        self.tree = ManagedTree((), self._sealer)
        #: Stored entries that cannot be used, by kind and name, each with the reason.
        self.problems: dict[tuple[str, str], str] = {}
        self._versions: dict[tuple[str, str], int] = {}

    # -- life -------------------------------------------------------------------------------------

    async def take_up(self) -> None:
        """Put what is stored in force; entries that cannot be used are left out, and told.

        Raises:
            StoreUnavailable: it cannot be read now.
        """
        await self._follow(at_start=True)

    async def run(self) -> None:
        """Follow what other services on the same store edit, until cancelled."""
        storage = self._app.settings.storage if self._app.settings is not None else None
        late = False
        while storage is not None and storage.shared:
            await pause(self._clock, FOLLOWED_EVERY)
            try:
                await self._follow()
                late = False
            except StoreUnavailable as problem:
                if not late:
                    _log.info("settings that others edit are taken in later: %s", problem)
                late = True

    async def _follow(self, *, at_start: bool = False) -> None:
        stored = [each for kind in KINDS for each in await self._documents.newest(kind)]
        versions = {(each.kind, each.name): each.version for each in stored}
        if versions == self._versions:
            return
        entries, problems = [], {}
        for each in stored:
            try:
                entries.append(Edited.stored(each.kind, each.name, each.version, each.doc or {}))
            except ValueError as problem:
                problems[each.kind, each.name] = str(problem)
        tree = dataclasses.replace(self.tree, entries=tuple(entries))
        await self._adopt(tree, problems)
        self._versions = versions
        if not at_start:
            _log.info("settings that were edited on another instance are in force")

    async def _adopt(self, tree: ManagedTree, problems: dict[tuple[str, str], str]) -> None:
        """Put a tree in force, or as much of it as can be used."""
        for _ in range(_ROUNDS):
            try:
                await self._change(lambda tree=tree: self._read(tree), self._taking(tree))  # type: ignore[misc]  # mypy sees no type in a default
                break
            except ConfigError as error:
                bad = {(str(f.path[0]), str(f.path[1])): f for f in error.faults if len(f.path) > 1}
                bad = {place: f for place, f in bad.items() if tree != tree.without({place})}
                if not bad:
                    raise
                for (section, name), fault in bad.items():
                    kind = next(kind for kind, each in SECTIONS.items() if each == section)
                    problems[kind, name] = fault_text(fault)
                    _log.error("the stored %s %s cannot be used: %s", kind, name, fault_text(fault))
                tree = tree.without(set(bad))
        self.problems = problems

    def _taking(self, tree: ManagedTree) -> Callable[[], Awaitable[None]]:
        async def taken() -> None:
            self.tree = tree

        return taken

    # -- reading ----------------------------------------------------------------------------------

    def entries(self, kind: str) -> list[Entry]:
        """Every entry of a kind: those that are in force, and stored ones that cannot be."""
        loaded = self._current()
        names = dict.fromkeys(getattr(loaded.settings, _section(kind)))
        names |= dict.fromkeys(name for of, name in self.problems if of == kind)
        return [self._entry(kind, name) for name in names]

    def entry(self, kind: str, name: str) -> Entry:
        """The entry that is in force under this name.

        Raises:
            UnknownName: there is none.
        """
        known = [each.name for each in self.entries(kind)]
        if name not in known:
            near = difflib.get_close_matches(name[:200], known, n=1)
            raise UnknownName(kind, name, near[0] if near else "")
        return self._entry(kind, name)

    def _entry(self, kind: str, name: str) -> Entry:
        loaded, section = self._current(), _section(kind)
        stored = self._stored(kind, name)
        problem = self.problems.get((kind, name), "")
        options = getattr(loaded.settings, section).get(name)
        values = as_written(options, (section, name)) if options is not None else {}
        if stored is None:
            return Entry(kind, name, values, "file", self._versions.get((kind, name), 0), problem=problem)
        below = (section, name) in loaded.overridden
        return Entry(kind, name, masked(dict(stored.values)), "database", stored.version, below)

    def _stored(self, kind: str, name: str) -> Edited | None:
        return next((each for each in self.tree.entries if (each.kind, each.name) == (kind, name)), None)

    async def versions(self, kind: str, name: str) -> list[Version]:
        """Every version that people have stored, the newest first.

        Raises:
            UnknownName: nobody has ever stored one.
            StoreUnavailable: they cannot be read now.
        """
        _section(kind)
        found = await self._documents.versions(kind, name)
        if not found:
            self.entry(kind, name)
            return []
        shown = [_shown(each) for each in found]
        earlier: list[Mapping[str, Any] | None] = [*shown[1:], None]
        return [
            Version(each.version, each.at, each.actor, each.comment, now, tuple(changes(before or {}, now or {})))
            for each, now, before in zip(found, shown, earlier, strict=True)
        ]

    # -- changing ---------------------------------------------------------------------------------

    async def check(self, kind: str, name: str, values: Mapping[str, Any]) -> list[dict[str, str]]:
        """Everything that is wrong with an entry, as it would be refused; empty when it could be stored."""
        try:
            await self.must_fit(kind, name, values)
        except Refused as refused:
            return refused.as_dicts()
        return []

    async def must_fit(self, kind: str, name: str, values: Mapping[str, Any], *, secrets: bool = True) -> None:
        """Refuse what `put` would refuse by itself; nothing is stored.

        Raises:
            Refused, SecretRefused: as `put`.
        """
        await self._loaded(self._written(kind, name, values, secrets=secrets))

    async def put(
        self, kind: str, name: str, values: Mapping[str, Any], *, actor: str, comment: str = "",
        expected: int | None = None, secrets: bool = True, trusted: bool = False,
    ) -> Entry:  # fmt: skip
        """Store an entry and put it in force; answers it as it is then.

        A secret is given as it is, or as the mark that `entry` shows where it stays. `expected` is the version that
        was edited, 0 for none. Without `secrets` no new secret may be among the values. `trusted` entries may lead
        anywhere: for what code puts, never for what people enter.

        Raises:
            Refused: something is wrong with it; nothing has changed.
            SecretRefused: it holds a new secret; nothing has changed.
            VersionConflict: somebody else has stored one meanwhile; nothing has changed.
            StoreUnavailable: it cannot be kept now; nothing has changed.
        """
        entry = self._written(kind, name, values, trusted=trusted, secrets=secrets)
        return await self._store(kind, name, entry, actor, comment, expected)

    async def remove(
        self, kind: str, name: str, *, actor: str, comment: str = "", expected: int | None = None
    ) -> Entry | None:
        """Take an edited entry away; the one of the configuration is in force again, and answered.

        Raises:
            UnknownName: there is none.
            NotActive: nobody has edited it: it stands in the configuration.
            Refused: something else needs it; nothing has changed.
            VersionConflict, StoreUnavailable: as `put`.
        """
        if self._stored(kind, name) is None and (kind, name) not in self.problems:
            self.entry(kind, name)
            raise NotActive(f"the {kind} {name} stands in the configuration, and is taken away there")
        await self._store(kind, name, None, actor, comment, expected)
        try:
            return self.entry(kind, name)
        except UnknownName:
            return None

    async def revert(
        self, kind: str, name: str, version: int, *, actor: str, comment: str = "", expected: int | None = None
    ) -> Entry | None:
        """Store an earlier version again, as a new one.

        Raises:
            UnknownName: there is no such entry or version.
            Refused, VersionConflict, StoreUnavailable: as `put`.
        """
        _section(kind)
        found = next((each for each in await self._documents.versions(kind, name) if each.version == version), None)
        if found is None:
            raise UnknownName(f"version of the {kind} {name}", str(version))
        comment = comment or f"version {version} again"
        if found.doc is None:
            return await self.remove(kind, name, actor=actor, comment=comment, expected=expected)
        entry = Edited.stored(kind, name, version, found.doc)
        return await self._store(kind, name, entry, actor, comment, expected)

    async def test(self, name: str, values: Mapping[str, Any] | None = None) -> CheckResult:
        """Ask an API one harmless question: as it is in force, or as it would be with these values.

        Raises:
            UnknownName: there is no such API.
            Refused: these values cannot be used.
        """
        if values is None:
            return (await self._app.check([name]))[0]
        loaded = await self._loaded(self._written("api", name, values))
        trial = self._another(loaded.settings, clock=self._clock)
        try:
            return (await trial.check([name]))[0]
        finally:
            await trial.stop(0.0)

    async def _store(
        self, kind: str, name: str, entry: Edited | None, actor: str, comment: str, expected: int | None
    ) -> Entry:
        before = self._stored(kind, name)
        number = self._versions.get((kind, name), 0) + 1
        planned = None if entry is None else dataclasses.replace(entry, version=number)

        async def keep() -> None:
            document = None if entry is None else entry.document()
            stored = await self._documents.put(kind, name, document, actor=actor, comment=comment, expected=expected)
            made = None if entry is None else dataclasses.replace(entry, version=stored.version)
            self.tree = self.tree.replaced(made, kind, name)
            self.problems.pop((kind, name), None)
            if made is None:
                self._versions.pop((kind, name), None)
            else:
                self._versions[kind, name] = stored.version

        try:
            await self._change(lambda: self._read(self.tree.replaced(planned, kind, name)), keep)
        except ConfigError as error:
            raise Refused(error.faults) from None
        if self._app.keeping is not None:
            was = masked(dict(before.values)) if before is not None else None
            now = masked(dict(entry.values)) if entry is not None else None
            action = f"settings.{kind}.{'put' if entry is not None else 'removed'}"
            after = {"comment": comment, "values": now}
            await self._app.keeping.acted(AuditEntry(self._clock.time(), actor, action, name, was, after))
        return Entry(kind, name, {}, "") if entry is None else self._entry(kind, name)

    async def _loaded(self, entry: Edited) -> Loaded:
        """The whole configuration with this entry; nothing is stored, and nothing is in force."""
        tree = self.tree.replaced(entry, entry.kind, entry.name)
        try:
            return await asyncio.to_thread(self._read, tree)
        except ConfigError as error:
            raise Refused(error.faults) from None

    def _written(
        self, kind: str, name: str, values: Mapping[str, Any], *, trusted: bool = False, secrets: bool = True
    ) -> Edited:
        section = _section(kind)
        try:
            check_name(name)
        except ValueError as error:
            raise Refused((Fault((section,), _ENTERED, str(error)),)) from None
        options = getattr(self._current().settings, section).get(name)
        known = secrets_of(options) if options is not None else {}
        leads = as_written(options, (section, name)) if options is not None else {}
        writing = Writing(
            kind, name, stored=self._stored(kind, name), known=known, leads=leads, sealer=self._sealer
        )  # fmt: skip
        try:
            made = writing.entry(values, trusted=trusted)
        except Unfit as unfit:
            raise Refused(unfit.faults) from None
        except OSError as error:
            said = f"a secret cannot be stored: {error.strerror or error}"
            raise Refused((Fault((section, name), _ENTERED, said),)) from None
        if writing.fresh and not secrets:
            raise SecretRefused("only an administrator may enter secrets; leave the ones that are there as they are")
        return made

    # -- the key ----------------------------------------------------------------------------------

    def _sealer(self) -> Sealer:
        """What seals secrets: with the service's secret key, or with one in a file beside the database.

        Raises:
            OSError: there is no key that all services on the store would have.
        """
        if self._made_sealer is None:
            self._made_sealer = Sealer(self._key())
        return self._made_sealer

    def _key(self) -> bytes:
        settings = self._current().settings
        secret = settings.service.secret_key
        if secret is not None and len(secret.reveal()) >= LEAST_KEY:
            return secret.reveal().encode()
        if settings.storage.kind == "sqlite":
            return key_beside(Path(settings.storage.path))
        raise OSError(f"set service.secret_key (DASHBOARD_SECRET_KEY) to a text of {LEAST_KEY} characters or more")


_ENTERED: Final = Origin("database", "what was entered")


def _section(kind: str) -> str:
    if kind not in SECTIONS:
        raise UnknownName("kind of settings", kind)
    return SECTIONS[kind]


def _shown(document: Document) -> Mapping[str, Any] | None:
    """What a stored version says; None where it took the entry away."""
    values = (document.doc or {}).get("values")
    return masked(dict(values)) if isinstance(values, Mapping) else None


def changes(before: Any, after: Any, at: tuple[str | int, ...] = ()) -> list[dict[str, Any]]:
    """What differs between two tables, by dotted path; a value that is not there is None."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = dict.fromkeys((*before, *after))
        return [each for name in names for each in changes(before.get(name), after.get(name), (*at, name))]
    return [] if before == after else [{"path": dotted(at), "before": before, "after": after}]


__all__ = ["KINDS", "Entry", "Managing", "Refused", "SecretRefused", "Version", "changes", "fault_text"]
