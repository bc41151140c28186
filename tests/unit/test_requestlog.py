"""What is kept of single calls: every failure and fallback, a fair sample of successes, a storm only as a number."""

from __future__ import annotations

import dataclasses
import random

import pytest

from understudy.app import Understudy
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.errors import BadResponse
from understudy.core.types import AttemptRecord, Attribution, Explanation, OutcomeClass
from understudy.monitor import requestlog
from understudy.monitor.requestlog import (
    KINDS_OF_ALL,
    KINDS_OF_ONE_API,
    MOST_WAITING,
    OF_ALL,
    OF_ONE_ERROR,
    RESERVOIR,
    SAMPLES,
    RequestLog,
)
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


async def storm(log, letters, api="lead", times=5000):
    for _ in range(times):
        record, endpoint, causes = failed(ValueError("".join(letters.choices("ghijklmnopqrstuvwxyz", k=9))))
        attempts = (dataclasses.replace(record.attempts[0], api=api),)
        log.take(dataclasses.replace(record, attempts=attempts), endpoint, {api: causes["lead"]})


async def test_errors_of_endless_kinds_cannot_fill_memory_or_disk_and_are_all_counted(clock, kept):
    log = RequestLog(kept, clock, random.Random(1))
    letters = random.Random(2)
    for _ in range(3):
        await storm(log, letters)
        await log.stop()
    assert len(kept.entries) == KINDS_OF_ONE_API + OF_ONE_ERROR
    assert len({group.fingerprint for group in kept.groups}) == KINDS_OF_ONE_API + 1
    assert {group.api for group in kept.groups} == {"lead"}
    assert sum(group.count for group in kept.groups) == 15_000
    assert (log.only_counted, log.dropped) == (15_000 - len(kept.entries), 0)


async def test_storms_of_many_apis_are_bounded_together_and_hide_no_other_apis_first_failure(clock, kept):
    log = RequestLog(kept, clock, random.Random(1))
    letters = random.Random(2)
    for number in range(100):
        await storm(log, letters, f"api-{number}", 300)
    await storm(log, letters, "quiet", 1)
    await log.stop()
    assert OF_ALL <= len(kept.entries) <= OF_ALL + 101
    assert sum(entry.record["attempts"][0]["api"] == "quiet" for entry in kept.entries) == 1
    assert len({group.fingerprint for group in kept.groups}) <= KINDS_OF_ALL + 101
    assert sum(group.count for group in kept.groups) == 30_001


@pytest.mark.parametrize(
    "first,second",
    [
        ("no such user 17", "no such user 18"),
        ("request req_9aZk3fQ failed", "request req_1bQm8xY failed"),
        ("trace 3f2504e0-4f89-11d3-9a0c-0305e82c3301", "trace aaaabbbb-cccc-dddd-eeee-ffffaaaabbbb"),
        ("at 2026-11-25T10:00:00.123Z", "at 2026-11-26T11:10:00.456Z"),
        ("name 'anna'", "name 'otto'"),
        ("1,234 left", "987 left"),
    ],
)
def test_identifiers_numbers_times_and_quoted_parts_make_no_new_kind_of_error(clock, kept, first, second):
    log = RequestLog(kept, clock, random.Random(1))
    for text in (first, second):
        log.take(*failed(ValueError(text)))
    assert len(log._groups) == 1


@pytest.mark.parametrize(
    "first,second", [("attempt 3:timeout", "attempt 3:refused"), ("port 80 closed", "host 80 gone")]
)
def test_words_beside_numbers_do(clock, kept, first, second):
    log = RequestLog(kept, clock, random.Random(1))
    for text in (first, second):
        log.take(*failed(ValueError(text)))
    assert len(log._groups) == 2


def test_a_long_text_without_an_end_is_looked_through_quickly():
    started = SYSTEM_CLOCK.monotonic()
    for text in ("a" * 300, "a-" * 150, "'" * 300, "1." * 150, "f" * 300, "ab " * 100):
        for _ in range(20):
            requestlog._VARIABLE.sub("?", text)
    assert SYSTEM_CLOCK.monotonic() - started < 1.0


async def test_samples_of_very_many_routes_are_bounded(clock, kept):
    log = RequestLog(kept, clock, random.Random(1))
    record, endpoint, _ = failed(ValueError("no matter"))
    for number in range(1000):
        log.take(dataclasses.replace(record, route=f"r{number}", outcome="success"), endpoint, {})
    await log.stop()
    assert (len(kept.entries), log.dropped) == (SAMPLES, 0)


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


async def test_entries_that_a_slow_store_does_not_take_are_given_up_and_told(clock, kept):
    log = RequestLog(kept, clock, random.Random(1))
    for minute in range(5):
        for number in range(OF_ALL):
            record, endpoint, _ = failed(ValueError("down"))
            attempts = (dataclasses.replace(record.attempts[0], api=f"api-{number}"),)
            log.take(dataclasses.replace(record, attempts=attempts, at=60.0 * minute), endpoint, {})
        await clock.advance(60)
    await log.stop()
    assert (len(kept.entries), log.dropped) == (MOST_WAITING, 5 * OF_ALL - MOST_WAITING)
    assert sum(group.count for group in kept.groups) == 5 * OF_ALL
