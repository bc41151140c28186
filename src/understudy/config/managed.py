"""APIs, routes and channels that people edit in the dashboard: as they are stored, and merged over the files.

A stored entry replaces the whole table of its name; without one, what the files and variables say is in force again.
Secrets are stored sealed, or as a reference to the secret that stands in the configuration below, and are shown as
their mark only. What people enter may lead out into the internet only, unless it is where the configuration itself
points to.
"""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from understudy.core.errors import UnderstudyError
from understudy.core.reach import Reach
from understudy.core.secrets import Secret

from .faults import Fault, Origin, Path, is_secret
from .sealing import CannotOpen, Sealer
from .tree import Layer, too_deep

#: The section of the configuration for each kind of document.
SECTIONS: Final = {"api": "apis", "route": "routes", "channel": "channels"}
#: Keys of a sealed secret, and of one that stands in the configuration below, by its path there.
_SEALED, _FINGERPRINT, _BELOW = "$sealed", "$fingerprint", "$below"
#: Parts of an entry that lie among secrets and are none.
_PLAIN = frozenset({"alias", "quota_group"})
#: What says where an entry leads; with another of these, no secret goes along.
_WHERE: Final = ("kind", "base_url", "api_base", "url", "urls", "host", "port", "security", "token_url", "region")
#: What only the files may say: it names files, or ways around the guard.
FILES_ONLY: Final = ("allow_private", "ca_file", "proxy")
#: What is said of a secret that would be sent elsewhere, and of a mark that nobody knows.
_MOVED: Final = "leads elsewhere than before, where the secret may not go along: enter it again"
UNKNOWN_MARK: Final = "no secret of that mark is known here: enter the value itself"


class Opened(str):
    """A secret that was stored: its text is meant as it stands, and `env:` or `file:` in it mean nothing."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Edited:
    """One entry as it is stored. `trusted` says that code put it, which may point anywhere."""

    kind: str
    name: str
    version: int
    values: Mapping[str, Any]
    trusted: bool = False

    @property
    def about(self) -> str:
        """What its secrets are bound to."""
        return f"{self.kind}/{self.name}"

    def document(self) -> dict[str, Any]:
        """As it is put into the store."""
        return {"values": copy.deepcopy(dict(self.values)), "trusted": self.trusted}

    @classmethod
    def stored(cls, kind: str, name: str, version: int, document: Mapping[str, Any]) -> Edited:
        """What the store holds.

        Raises:
            ValueError: it is none of our documents.
        """
        values = document.get("values")
        if not isinstance(values, dict):
            raise ValueError(f"the stored {kind} {name} is of another version of the program")  # noqa: TRY004 - as promised
        return cls(kind, name, version, values, document.get("trusted") is True)


def mark(fingerprint: str) -> str:
    """What is shown, and may be sent back, in place of a secret."""
    return f"set (sha256:{fingerprint}…)"


def masked(values: Any) -> Any:
    """The values of a stored entry as they are shown: each secret as its mark."""
    if isinstance(values, dict):
        if _FINGERPRINT in values:
            return mark(str(values[_FINGERPRINT]))
        return {name: masked(below) for name, below in values.items()}
    return [masked(below) for below in values] if isinstance(values, list) else values


@dataclass(frozen=True, slots=True)
class ManagedTree:
    """Everything that is stored, ready to go over the files. `sealer` opens secrets; None where there is no key."""

    entries: tuple[Edited, ...] = ()
    sealer: Callable[[], Sealer] | None = None

    def replaced(self, entry: Edited | None, kind: str, name: str) -> ManagedTree:
        """The same with one entry put in, or taken out."""
        others = tuple(each for each in self.entries if (each.kind, each.name) != (kind, name))
        return dataclasses.replace(self, entries=others if entry is None else (*others, entry))

    def without(self, places: set[tuple[str, str]]) -> ManagedTree:
        """The same without some entries, by section and name."""
        kept = tuple(each for each in self.entries if (SECTIONS[each.kind], each.name) not in places)
        return dataclasses.replace(self, entries=kept)

    def over(self, merged: Layer, faults: list[Fault]) -> tuple[Layer, frozenset[tuple[str, str]]]:
        """The entries as a layer, and the sections and names of what they replace, which `merged` loses."""
        replaced = set()
        service = merged.values.get("service")
        reach = _reach(service.get("allow_networks") if isinstance(service, dict) else ())
        layer = Layer()
        for entry in self.entries:
            section = SECTIONS[entry.kind]
            origin = Origin("database", f"{entry.kind} {entry.name}, version {entry.version}")
            tables = merged.values.get(section)
            below = tables.get(entry.name) if isinstance(tables, dict) else None
            below = below if isinstance(below, dict) else {}
            reading = _Reading(entry, below, origin, self.sealer, faults)
            values = reading.values()
            _keep_inside(entry, values, below, reach, origin, faults)
            if isinstance(tables, dict) and entry.name in tables:
                replaced.add((section, entry.name))
                merged.take_out((section, entry.name))
            layer.put((section, entry.name), values, origin)
        return layer, frozenset(replaced)


class _Reading:
    """The values of one entry with its secrets in place."""

    def __init__(
        self, entry: Edited, below: Mapping[str, Any], origin: Origin, sealer: Callable[[], Sealer] | None,
        faults: list[Fault],
    ) -> None:  # fmt: skip
        self._entry, self._below, self._origin, self._faults = entry, below, origin, faults
        self._sealer = sealer
        #: Where secrets of the configuration stand in the entry.
        self._lent: list[Path] = []

    def values(self) -> dict[str, Any]:
        found = self._opened(dict(self._entry.values), ())
        found = found if isinstance(found, dict) else {}
        # The configuration may lead elsewhere by now, with other secrets, than when it lent them.
        leads = [(_origin_of(_led(found, key)), _origin_of(_led(self._below, key))) for key in _WHERE]
        if any(mine and theirs and mine != theirs for mine, theirs in leads):
            for at in self._lent:
                self._fault(at, _MOVED)
        return found

    def _opened(self, value: Any, at: Path) -> Any:
        if isinstance(value, list):
            return [self._opened(below, (*at, index)) for index, below in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if _BELOW in value:
            return self._of_below(value, at)
        if _SEALED in value:
            return self._unsealed(value, at)
        return {name: self._opened(below, (*at, name)) for name, below in value.items()}

    def _of_below(self, value: dict[str, Any], at: Path) -> Any:
        found: Any = self._below
        for part in value[_BELOW]:
            try:
                found = found[part]
            except (KeyError, IndexError, TypeError):
                self._fault(at, "the configuration holds no such secret any more: enter it again")
                return ""
        self._lent.append(at)
        return found

    def _unsealed(self, value: dict[str, Any], at: Path) -> str:
        if self._sealer is None:
            self._fault(at, "stored secrets cannot be opened here: there is no secret key")
            return ""
        try:
            return Opened(self._sealer().open(str(value[_SEALED]), self._entry.about))
        except (CannotOpen, OSError) as error:
            self._fault(at, str(error))
            return ""

    def _fault(self, at: Path, said: str) -> None:
        self._faults.append(Fault((SECTIONS[self._entry.kind], self._entry.name, *at), self._origin, said))


def _reach(networks: Any) -> Reach:
    try:
        return Reach([str(each) for each in networks or ()])
    except ValueError:
        return Reach()  # told as a fault of its own


def _keep_inside(
    entry: Edited, values: dict[str, Any], below: Mapping[str, Any], reach: Reach, origin: Origin, faults: list[Fault]
) -> None:
    """Let an entry lead only where people may point at; where the configuration itself points to is its own word."""
    if entry.kind == "route" or entry.trusted:
        return
    section: Path = (SECTIONS[entry.kind], entry.name)
    for key in FILES_ONLY:
        if key in values and values[key] != below.get(key):
            faults.append(Fault((*section, key), origin, "may be said in the configuration's files only"))
    same = bool(below) and all(_origin_of(_led(values, key)) == _origin_of(_led(below, key)) for key in _WHERE)
    if same:
        if "allow_private" in below:
            values["allow_private"] = below["allow_private"]
        return
    addresses = [(key, host) for key in ("base_url", "api_base", "url", "host") for host in _hosts(values.get(key))]
    auth = values.get("auth")
    addresses += [("auth", host) for host in _hosts(auth.get("token_url") if isinstance(auth, dict) else None)]
    for key, host in addresses:
        if not reach.permits_host(host):
            said = "leads to this machine or into a private network; the files may allow it: service.allow_networks"
            faults.append(Fault((*section, key), origin, said))
    if entry.kind == "channel":
        # Channels look at what is written only; a name that is allowed here has been looked at above.
        values["allow_private"] = bool(addresses) and any(not Reach().permits_host(host) for _, host in addresses)
    else:
        values["allow_private"] = False


def _hosts(value: Any) -> Iterator[str]:
    """The host of an address, or the value itself where it is one."""
    if not isinstance(value, str) or not value:
        return
    try:
        host = urlsplit(value).hostname if "://" in value else value
    except ValueError:
        return  # told where the address itself is looked at
    if host:
        yield host


def _origin_of(value: Any) -> Any:
    """Scheme and authority of a URL; anything else as it is. What is not said is nothing."""
    if isinstance(value, str) and "://" in value:
        try:
            parts = urlsplit(value)
            return parts.scheme.lower(), (parts.hostname or "").lower(), parts.port
        except ValueError:
            return value
    return value or None


class Unfit(UnderstudyError):
    """What a person entered cannot be stored; `faults` says why, each with its place."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(str(each) for each in faults))
        self.faults = tuple(faults)


class Writing:
    """Makes what a person entered fit for the store.

    A secret may be given as it is, or as the mark of one that this entry has already, stored or in the configuration
    below (`known`: the paths and values of its secrets). A known one stays only while the entry leads where it did.
    """

    def __init__(
        self, kind: str, name: str, *, stored: Edited | None, known: Mapping[Path, Secret], leads: Mapping[str, Any],
        sealer: Callable[[], Sealer],
    ) -> None:  # fmt: skip
        self._kind, self._name, self._sealer = kind, name, sealer
        self._stored = dict(_secrets_in(stored.values)) if stored is not None else {}
        self._known = {value.fingerprint(): path for path, value in known.items()}
        self._leads = leads
        self._faults: list[Fault] = []
        self._moved = False
        #: Whether a secret was given that this entry did not have before.
        self.fresh = False

    def entry(self, values: Mapping[str, Any], *, trusted: bool = False) -> Edited:
        """The entry to store; its version is not known yet.

        Raises:
            Unfit: something in it cannot be stored.
            OSError: there is no key to seal with.
        """
        if too_deep(dict(values)) is not None:
            raise Unfit([Fault((SECTIONS[self._kind], self._name), _ENTERED, "is nested too deeply")])
        plain = json.loads(json.dumps(values, default=str))
        auth = plain.get("auth")
        if self._kind == "api" and isinstance(auth, dict):
            keys = auth.get("keys")
            keys = [keys] if isinstance(keys, str) else keys
            if isinstance(keys, list):
                auth["keys"] = [{"value": key} if isinstance(key, str) else key for key in keys]
        self._moved = any(_origin_of(_led(plain, key)) != _origin_of(_led(self._leads, key)) for key in _WHERE)
        sealed = self._sealed_in(plain, ())
        if self._faults:
            raise Unfit(self._faults)
        return Edited(self._kind, self._name, 0, sealed, trusted)

    def _sealed_in(self, value: Any, at: Path) -> Any:
        if isinstance(value, dict):
            found = {}
            for name, below in value.items():
                if name.startswith("$"):
                    self._fault((*at, name), "unknown key")
                found[name] = self._sealed_in(below, (*at, name))
            return found
        if isinstance(value, list):
            return [self._sealed_in(below, (*at, index)) for index, below in enumerate(value)]
        place: Path = (SECTIONS[self._kind], self._name, *at)
        if isinstance(value, str) and value and is_secret(place) and at[-1] not in _PLAIN and self._kind != "route":
            return self._sealed(value, at)
        return value

    def _sealed(self, text: str, at: Path) -> Any:
        if text.startswith(("env:", "file:")):
            self._fault(at, "expected the value itself: env: and file: may be said in the configuration's files only")
            return ""
        fingerprint = text.removeprefix("set (sha256:").removesuffix("…)")
        if text == mark(fingerprint):
            if fingerprint not in self._stored and fingerprint not in self._known:
                self._fault(at, UNKNOWN_MARK)
                return ""
            if self._moved:
                self._fault(at, _MOVED)
                return ""
            if fingerprint in self._stored:
                return self._stored[fingerprint]
            return {_BELOW: list(self._known[fingerprint]), _FINGERPRINT: fingerprint}
        self.fresh = True
        about = f"{self._kind}/{self._name}"
        return {_SEALED: self._sealer().seal(text, about), _FINGERPRINT: Secret(text).fingerprint()}

    def _fault(self, at: Path, said: str) -> None:
        self._faults.append(Fault((SECTIONS[self._kind], self._name, *at), _ENTERED, said))


_ENTERED: Final = Origin("database", "what was entered")


def _led(values: Mapping[str, Any], key: str) -> Any:
    """What says where an entry leads: of the entry itself, or of how it is signed in to."""
    auth = values.get("auth")
    return auth.get(key) if key == "token_url" and isinstance(auth, Mapping) else values.get(key)


def _secrets_in(values: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The stored secrets of an entry by their fingerprints."""
    if isinstance(values, dict):
        if _FINGERPRINT in values:
            yield str(values[_FINGERPRINT]), values
            return
        values = list(values.values())
    for below in values if isinstance(values, list) else ():
        yield from _secrets_in(below)


__all__ = ["SECTIONS", "Edited", "ManagedTree", "Opened", "Unfit", "Writing", "mark", "masked"]
