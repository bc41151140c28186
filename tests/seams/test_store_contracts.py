"""Whatever keeps history, requests, state, acts, roles, alerts and what must be sent keeps the same promises."""

from __future__ import annotations

import asyncio

import pytest
from stores import copied, fake_clock, opened, upkeep_of

from understudy.storage import StorageOptions
from understudy.storage.sqlite_schema import prepare
from understudy.testing import (
    AccountStoreContract,
    AlertStoreContract,
    AuditLogContract,
    DeltaStoreContract,
    DocumentStoreContract,
    FakeClock,
    LeaseStoreContract,
    OutboxStoreContract,
    RequestStoreContract,
    RollupStoreContract,
    StateStoreContract,
)


@pytest.fixture
def clock() -> FakeClock:
    return fake_clock()


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    path = tmp_path_factory.mktemp("template") / "understudy.db"
    prepare(path)
    return path


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def opened_store(request, clock, tmp_path):
    if request.param == "sqlite":
        options = copied(request.getfixturevalue("template"), tmp_path)
    elif request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        options = server.options(server.emptied(), readers=1)
    else:
        options = StorageOptions(url="memory:")
    async with opened(options, clock) as store:
        yield store


@pytest.fixture
def upkeep(opened_store, clock):
    return upkeep_of(opened_store, clock)


@pytest.fixture
def pass_time(clock, opened_store):
    async def later(seconds: float) -> None:
        clock.tick(seconds)
        if opened_store.health().kind == "postgresql":
            await asyncio.sleep(seconds)  # it reckons by the time of its server

    return later


class TestRollups(RollupStoreContract):
    @pytest.fixture
    def store(self, opened_store):
        return opened_store.rollups


class TestDeltas(DeltaStoreContract):
    @pytest.fixture
    def store(self, opened_store):
        return opened_store.rollups

    @pytest.fixture
    def deltas(self, opened_store):
        return opened_store.deltas


class TestRequests(RequestStoreContract):
    @pytest.fixture
    def requests(self, opened_store):
        return opened_store.requests


class TestState(StateStoreContract):
    @pytest.fixture
    def state(self, opened_store):
        return opened_store.state


class TestAudit(AuditLogContract):
    @pytest.fixture
    def audit(self, opened_store):
        return opened_store.audit


class TestLeases(LeaseStoreContract):
    @pytest.fixture
    def leases(self, opened_store):
        return opened_store.leases

    @pytest.fixture
    def now(self, clock):
        return clock.monotonic


class TestAlerts(AlertStoreContract):
    @pytest.fixture
    def alerts(self, opened_store):
        return opened_store.alerts

    @pytest.fixture
    def outbox(self, opened_store):
        return opened_store.outbox

    @pytest.fixture
    def leases(self, opened_store):
        return opened_store.leases


class TestOutbox(OutboxStoreContract):
    @pytest.fixture
    def outbox(self, opened_store):
        return opened_store.outbox


class TestDocuments(DocumentStoreContract):
    @pytest.fixture
    def documents(self, opened_store):
        return opened_store.documents


class TestAccounts(AccountStoreContract):
    @pytest.fixture
    def accounts(self, opened_store):
        return opened_store.accounts
