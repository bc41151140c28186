"""The store as the application sees it: one port for each kind of thing that is kept, and how it is doing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from understudy.alerts.ports import AlertStore, DocumentStore
from understudy.core.accounts import AccountStore
from understudy.core.audit import AuditLog
from understudy.core.lease import Lease
from understudy.monitor.ports import DeltaStore, RequestStore, RollupStore
from understudy.notifications.ports import OutboxStore
from understudy.resilience.ports import StateStore

if TYPE_CHECKING:
    from understudy.cluster.ports import LeaseStore

    from .health import StoreHealth


class Store(Protocol):
    """Everything that is kept. `open_store` makes one; `close` ends it."""

    @property
    def alone(self) -> bool:
        """Whether no other application can use it while this one does."""

    @property
    def rollups(self) -> RollupStore:
        """History."""

    @property
    def deltas(self) -> DeltaStore:
        """What other processes report."""

    @property
    def requests(self) -> RequestStore:
        """The request log."""

    @property
    def state(self) -> StateStore:
        """Small facts that survive a restart."""

    @property
    def audit(self) -> AuditLog:
        """The audit log."""

    @property
    def leases(self) -> LeaseStore:
        """Who holds which role."""

    @property
    def alerts(self) -> AlertStore:
        """Alerts, their episodes and what happened to them."""

    @property
    def outbox(self) -> OutboxStore:
        """What must still be sent, and what was."""

    @property
    def documents(self) -> DocumentStore:
        """Rules, silences and whatever else people edit, with every version."""

    @property
    def accounts(self) -> AccountStore:
        """Who may sign in."""

    def health(self) -> StoreHealth:
        """How it is doing; cheap, from any thread."""

    async def upkeep(self, lease: Lease | None = None) -> None:
        """One round of what has to be done every few seconds: closing, moving, forgetting, making room.

        What only one of several services may do is done under `lease`; without it, it is left out on
        PostgreSQL. Long work is done in short steps, so this may take minutes.

        Raises:
            StoreUnavailable: it stopped half way, harmlessly.
            LeaseLost: another instance has taken the role over.
        """

    async def close(self, timeout: float = 5.0) -> None:
        """Write what waits, for at most `timeout` seconds, and end every thread."""
