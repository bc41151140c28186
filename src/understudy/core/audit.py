"""The audit log: who did what, in a chain of hashes that shows any row that was changed, added or taken out.

Pure functions; whoever keeps the log satisfies `AuditLog`. What could be taken off without a trace is
the end of the chain, so keep `AuditRecord.hash` of the newest row elsewhere when that matters.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from .secrets import MASK, Secret

#: What the first row has for the hash of the row before.
GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One administrative act. `at` is epoch seconds, kept to the millisecond.

    `action` is dotted (`config.reload`), `object` what it was done to; `before` and `after` are JSON-ready
    values without secrets (a `Secret` is masked). `actor` is a user, a token's name, or `system`.
    """

    at: float
    actor: str
    action: str
    object: str = ""
    before: Any = None
    after: Any = None
    ip: str = ""


class AuditRecord(NamedTuple):
    """An entry in its place in the chain; `seq` counts from 1 without a gap."""

    seq: int
    entry: AuditEntry
    prev_hash: str
    hash: str


class AuditLog(Protocol):
    """Keeps the chain; there is no way to change or remove a row."""

    async def append(self, entry: AuditEntry) -> AuditRecord:
        """Keep an act at the end of the chain; returns when it is safe on disk.

        Raises:
            StoreUnavailable: it was not kept, or, where the store itself went away, may not have been.
        """

    async def read(self, limit: int = 100, before: int | None = None) -> list[AuditRecord]:
        """Rows, newest first; those in front of number `before` when it is given.

        Raises:
            StoreUnavailable: the store cannot be read now.
        """

    async def verify(self) -> str:
        """The first fault of the whole chain, in words; the empty text when there is none.

        Raises:
            StoreUnavailable: the store cannot be read now.
        """


def canonical(value: Any) -> str:
    """A value as the one text that stands for it: what is stored, and what is hashed."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_plain)


def chain_hash(seq: int, entry: AuditEntry, prev_hash: str) -> str:
    """The hash of a row: of everything in it, and of the row before."""
    told = [
        seq, milliseconds(entry.at), entry.actor, entry.ip, entry.action, entry.object, entry.before, entry.after,
        prev_hash,
    ]  # fmt: skip
    return hashlib.sha256(canonical(told).encode("utf-8", "surrogatepass")).hexdigest()


def follow(last: tuple[int, str] | None, entry: AuditEntry) -> AuditRecord:
    """The row that `entry` becomes behind the last one (its number and hash)."""
    before, prev_hash = last if last is not None else (0, GENESIS)
    settled = AuditEntry(
        milliseconds(entry.at) / 1000, entry.actor, entry.action, entry.object,
        json.loads(canonical(entry.before)), json.loads(canonical(entry.after)), entry.ip,
    )  # fmt: skip
    return AuditRecord(before + 1, settled, prev_hash, chain_hash(before + 1, settled, prev_hash))


def first_fault(records: Iterable[AuditRecord]) -> str:
    """What is wrong with a chain that is read from its beginning; the empty text when nothing is."""
    seq, prev_hash = 0, GENESIS
    for record in records:
        if record.seq != seq + 1:
            return f"row {seq + 1} of the audit log is missing"
        if record.prev_hash != prev_hash:
            return f"row {record.seq} of the audit log does not follow the row before it"
        if record.hash != chain_hash(record.seq, record.entry, prev_hash):
            return f"row {record.seq} of the audit log was changed"
        seq, prev_hash = record.seq, record.hash
    return ""


def milliseconds(at: float) -> int:
    """Epoch seconds as they are kept."""
    return round(at * 1000)


def _plain(value: object) -> str:
    if isinstance(value, Secret):
        return MASK
    raise TypeError(f"the audit log keeps JSON-ready values only, not {type(value).__name__}")
