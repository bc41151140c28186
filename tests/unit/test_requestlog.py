"""What is kept of single calls: every failure and fallback, a fair sample of successes, a storm only as a number."""

from __future__ import annotations

import dataclasses
import random

import pytest

from understudy.app import Understudy
from understudy.core.errors import BadResponse
from understudy.core.types import AttemptRecord, Attribution, Explanation, OutcomeClass
from understudy.monitor.requestlog import MOST_GROUPS, MOST_WAITING, OF_ONE_ERROR, RESERVOIR, RequestLog
from understudy.testing import FakeClock


class Kept:
    """Stands for a store: remembers what it was given."""

    def __init__(self) -> None:
        self.entries = []
        self.groups = []

    async def append(self, entries, groups) -> None:
        self.entries += entries
        self.groups += groups


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def kept():
    return Kept()


@pytest.fixture
async def app(clock, kept):
    async with Understudy.build(clock=clock, seed=1) as app:
        app.monitor.request_log = RequestLog(kept, clock, random.Random(1), "here")
        yield app


async def answer():
    return 1


async def ask(app, lead, standby=answer):
    app.fallback.register_api("lead", priority=1, route="odds", operation=lead)
    app.fallback.register_api("standby", priority=2, route="odds", operation=standby)
    return await app.fallback.execute_with_fallback("lead", lead)


def raising(error):
    async def operation():
        raise error

    return operation


async def test_a_fallback_is_kept_with_its_decision_record_and_the_leads_error(app, kept):
    await ask(app, raising(BadResponse("lead answered 404", status=503, headers={"Server": "x", "Set-Cookie": "s=1"})))
    await app.monitor.request_log.stop()
    (entry,) = kept.entries
    assert (entry.outcome, entry.route, entry.api, entry.instance) == ("fallback", "odds", "standby", "here")
    assert entry.error == "BadResponse: lead answered 404"
    assert entry.record["attempts"][0]["api"] == "lead"
    assert entry.responses == {"lead": {"status": 503, "headers": {"Server": "x", "Set-Cookie": "********"}}}
    assert entry.fingerprint


async def test_a_call_that_nobody_served_is_kept(app, kept):
    with pytest.raises(Exception, match="lead"):
        await ask(app, raising(ValueError("no")), raising(ValueError("neither")))
    await app.monitor.request_log.stop()
    assert [entry.outcome for entry in kept.entries] == ["failed"]
    assert kept.groups[0].count == 1
    assert kept.groups[0].api == "lead"


def failed(error: BaseException, at: float = 1000.0) -> tuple[Explanation, str, dict[str, BaseException]]:
    """A call that failed on its only API, as the pipeline tells it."""
    attempt = AttemptRecord("lead", "", 0.0, 0.2, OutcomeClass.PROVIDER, Attribution.PROVIDER)
    record = Explanation("id", "odds", at, 0.2, "failed", "", "", (), (attempt,), 30.0, 1)
    return record, "GET /odds", {"lead": error}


async def test_errors_that_differ_in_numbers_only_are_one_group(clock, kept):
    log = RequestLog(kept, clock, random.Random(1))
    for number in range(3):
        log.take(*failed(ValueError(f"request {number} refused after 0x{number:08x}"), at=number))
    await log.stop()
    (group,) = kept.groups
    assert (group.count, group.first_at, group.last_at) == (3, 0.2, 2.2)
    assert {entry.fingerprint for entry in kept.entries} == {group.fingerprint}


async def test_errors_of_different_words_are_different_groups(clock, kept):
    log = RequestLog(kept, clock, random.Random(1))
    log.take(*failed(ValueError("refused")))
    log.take(*failed(ValueError("too slow")))
    await log.stop()
    assert len(kept.groups) == 2


async def test_a_storm_is_counted_and_only_its_beginning_kept_each_minute(clock, kept):
    log = RequestLog(kept, clock, random.Random(1))
    for _ in range(2):
        for number in range(500):
            log.take(*failed(ValueError(f"down {number}")))
        await clock.advance(61)
    await log.stop()
    assert len(kept.entries) == 2 * OF_ONE_ERROR
    assert sum(group.count for group in kept.groups) == 1000
    assert log.only_counted == 1000 - 2 * OF_ONE_ERROR


async def test_errors_of_endless_kinds_cannot_fill_memory(clock, kept):
    log = RequestLog(kept, clock, random.Random(1))
    letters = random.Random(2)
    for _ in range(5000):
        log.take(*failed(ValueError("".join(letters.choices("ghijklmnopqrstuvwxyz", k=9)))))
    await log.stop()
    assert len(kept.entries) == MOST_WAITING
    assert log.dropped == 5000 - MOST_WAITING
    assert sum(group.count for group in kept.groups) == 5000
    assert len(kept.groups) == MOST_GROUPS + 1


async def test_successes_are_sampled_fairly(app, kept, clock):
    log = app.monitor.request_log
    for _ in range(400):
        await app.fallback.call("alone", answer)
    await log.stop()
    assert len(kept.entries) == RESERVOIR
    assert {entry.outcome for entry in kept.entries} == {"success"}


async def test_calls_that_were_given_up_are_sampled_and_are_no_kind_of_error(clock, kept):
    log = RequestLog(kept, clock, random.Random(1))
    record, endpoint, causes = failed(ValueError("no matter"))
    for _ in range(400):
        log.take(dataclasses.replace(record, outcome="cancelled"), endpoint, causes)
    await log.stop()
    assert [entry.outcome for entry in kept.entries] == ["cancelled"] * RESERVOIR
    assert kept.groups == []


async def test_secrets_in_errors_and_headers_are_masked(app, kept):
    canary = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"
    await ask(
        app,
        raising(
            BadResponse(f"denied: Authorization: Bearer {canary}", status=500, headers={"X-Echo": f"Bearer {canary}"})
        ),
    )
    await app.monitor.request_log.stop()
    assert canary not in repr(kept.entries)
    assert canary not in repr(kept.groups)
