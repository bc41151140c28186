"""Every row of the attribution table (rule R1) through a whole call: breaker, same API, next API, side effects."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from served import breaker, keys, outcomes, served

from understudy.core import errors as our
from understudy.core.types import Mode
from understudy.resilience.outcome import OutcomeRule, SuccessOptions
from understudy.resilience.retry import RetryOptions
from understudy.testing.scripted_http import Answer

MARKER = {"X-RapidAPI-Proxy-Response": "true"}
REFUSED = our.ConnectFailed("refused", stage="refused", host="a")


@dataclass(frozen=True)
class Row:
    """One outcome of the lead, and what must come of a GET that could go to a standby, and of one that could not."""

    name: str
    reply: object
    #: Attempts on the lead when a standby is at hand, who then serves, and failures on the lead's breaker.
    tries: int
    served_by: str
    failures: int
    #: Attempts on the lead when nobody else is there.
    alone: int
    attribution: str


ROWS = [
    Row("success", Answer(200, b"{}"), 1, "a", 0, 1, "none"),
    Row("semantic", Answer(200, b'{"ok": false}'), 1, "b", 1, 2, "provider"),
    Row("connect", REFUSED, 2, "b", 2, 2, "provider"),
    Row("tls", our.ConnectFailed("bad certificate", stage="tls", host="a"), 2, "b", 2, 2, "provider"),
    Row("name", our.ConnectFailed("no such name", stage="dns", host="a"), 2, "b", 2, 2, "provider"),
    Row("pool", our.PoolTimeout("no connection became free"), 2, "nobody", 0, 2, "local"),
    Row("reset", our.ConnectionLost("reset", reused=False), 1, "b", 1, 2, "provider"),
    Row("time-out", our.AttemptTimeout("late"), 1, "b", 1, 1, "provider"),
    *(Row(str(status), status, 2, "b", 2, 2, "provider") for status in (500, 502, 503, 504, 520, 524, 529)),
    Row("408", 408, 1, "b", 1, 2, "provider"),
    Row("hub", Answer(502, headers=MARKER), 1, "b", 0, 1, "hub"),
    Row("rate", Answer(429, headers={"Retry-After": "2"}), 1, "b", 0, 2, "key"),
    Row("rate, long", Answer(429, headers={"Retry-After": "600"}), 1, "b", 0, 1, "key"),
    Row("quota", Answer(429, b'{"message": "You have exceeded the MONTHLY quota"}'), 1, "b", 0, 1, "quota"),
    Row("401", 401, 1, "b", 0, 1, "key"),
    Row("403", 403, 1, "b", 0, 1, "key"),
    Row("402", 402, 1, "b", 0, 1, "key"),
    Row("not subscribed", Answer(404, b'{"message": "You are not subscribed to this API."}'), 1, "b", 0, 1, "key"),
    *(
        Row(str(status), status, 1, "a", 0, 1, "caller")
        for status in (404, 400, 409, 410, 413, 415, 422, 301, 304, 501, 505)
    ),
    Row("cut body", our.BodyBroken("cut", received=3), 1, "b", 1, 2, "provider"),
    Row("huge body", our.BodyTooLarge("over the limit"), 1, "b", 1, 2, "provider"),
]

LEAD = {"preset": "rapidapi", "auth": keys("key-one-1"), "success": SuccessOptions(json="ok != `false`")}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_with_a_standby_at_hand(row: Row):
    async with served({"a": row.reply, "b": 200}, {"a": LEAD, "b": {}}) as (app, http, _):
        if row.served_by == "nobody":
            with pytest.raises(our.PoolTimeout):
                await app.route("r").get("/")
        else:
            answer = await app.route("r").get("/")
            assert answer.api == row.served_by
        assert http.hosts().count("a") == row.tries
        assert breaker(app, "a").view().failures == row.failures
        first = app.fallback.decisions(1)[0].attempts[0]
        assert first.attribution.value == row.attribution
        if isinstance(row.reply, int):
            assert first.status == row.reply and str(row.reply) in first.reason


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_with_nobody_else(row: Row):
    async with served({"a": row.reply}, {"a": LEAD}) as (app, http, _):
        if row.served_by == "a":
            assert (await app.route("r").get("/")).api == "a"
        else:
            with pytest.raises(our.UnderstudyError) as caught:
                await app.route("r").get("/")
            if isinstance(row.reply, (int, Answer)):
                status = row.reply if isinstance(row.reply, int) else row.reply.status
                assert isinstance(caught.value, our.BadResponse) and caught.value.status == status
            else:
                assert type(caught.value) is type(row.reply)
        assert http.hosts() == ["a"] * row.alone


@pytest.mark.parametrize("row", [row for row in ROWS if row.failures == 0], ids=lambda row: row.name)
async def test_what_is_not_the_providers_fault_never_trips_and_never_heals(row: Row):
    apis = {"a": {**LEAD, "preset": "rapidapi"}}
    async with served({"a": [503, 503, 503, 503, 503, *[row.reply] * 20]}, apis) as (app, _, clock):
        if row.name in ("success", "hub"):
            return  # one heals, the other trips its own breaker: tested apart
        route = app.route("r")
        for _ in range(3):
            with pytest.raises(our.UnderstudyError):
                await route.get("/")
        assert breaker(app, "a").state == "open"
        await clock.advance(60)
        generation = breaker(app, "a").generation
        for _ in range(3):
            try:
                await route.get("/", deadline=1.0)
            except our.UnderstudyError:
                pass
        view = breaker(app, "a").view()
        assert view.state == "half_open" and view.permits_left == 3
        assert breaker(app, "a").generation == generation + 1


async def test_a_thousand_answers_that_are_the_callers_fault_leave_the_breaker_closed():
    for status in (400, 404, 422):
        async with served({"a": status, "b": 200}, {"a": {}, "b": {}}) as (app, http, _):
            for _ in range(1000):
                assert (await app.route("r").get("/")).status == status
            assert breaker(app, "a").view().failures == 0 and set(http.hosts()) == {"a"}


async def test_provider_failures_with_callers_faults_between_them_still_trip():
    replies = [reply for _ in range(5) for reply in (404, 503)]
    async with served({"a": replies}, {"a": {"retry": _no_retry()}}) as (app, _, _):
        for _ in range(10):
            try:
                await app.route("r").get("/")
            except our.BadResponse:
                pass
        assert breaker(app, "a").state == "open"


def _no_retry():
    return RetryOptions(mode=Mode.OFF)


async def test_a_spent_key_gives_way_to_the_next_one_before_any_other_api():
    quota = Answer(429, b"You have exceeded the DAILY quota")
    script = {"a": [quota, 401, 200], "b": 200}
    lead = {"auth": keys("key-one-1", "key-two-2", "key-three-3")}
    async with served(script, {"a": lead, "b": {}}) as (app, http, _):
        api = app.fallback.roster.api("a")
        before = api.budget.left()
        answer = await app.route("r").get("/")
        assert http.hosts() == ["a"] * 3
        assert [attempt.key for attempt in answer.explain().attempts] == ["key1", "key2", "key3"]
        assert api.budget.left() >= before


async def test_a_change_of_key_is_no_try_of_the_api():
    script = {"a": [401, 503, 200]}
    async with served(script, {"a": {"auth": keys("key-one-1", "key-two-2")}}) as (app, _http, _):
        answer = await app.route("r").get("/")
        assert outcomes(answer.explain()) == [("a", "key"), ("a", "provider"), ("a", "success")]


async def test_more_keys_than_attempts_end_in_the_refusal_as_an_error():
    async with served({"a": 401}, {"a": {"auth": keys(*(f"key-{n}-{n}" for n in range(6)))}}) as (app, http, _):
        with pytest.raises(our.BadResponse) as caught:
            await app.route("r").get("/")
        assert caught.value.status == 401 and len(http.requests) == 4


async def test_when_all_keys_are_refused_the_api_is_misconfigured_and_left_alone():
    async with served({"a": 401, "b": 200}, {"a": {"auth": keys("key-one-1", "key-two-2")}, "b": {}}) as (app, http, _):
        await app.route("r").get("/")
        answer = await app.route("r").get("/")
        assert http.hosts() == ["a", "a", "b", "b"]
        refused = next(c for c in answer.explain().candidates if c.api == "a")
        assert (refused.gate, refused.detail) == ("keys", "misconfigured")


async def test_a_retry_after_of_a_failing_api_holds_it_also_after_the_last_attempt():
    busy = Answer(503, headers={"Retry-After": "30"})
    async with served({"a": busy, "b": 200}, {"a": {}, "b": {}}, max_attempts=1) as (app, http, clock):
        with pytest.raises(our.BadResponse):
            await app.route("r").get("/")
        answer = await app.route("r").get("/")
        assert answer.api == "b" and http.hosts() == ["a", "b"]
        assert [event.kind for event in app.events.recent() if event.kind.startswith("hold.")] == ["hold.placed"]
        await clock.advance(31)
        assert app.fallback.describe()["apis"]["a"]["hold"] is None


async def test_a_longer_hold_of_another_call_is_not_shortened_by_a_shorter_one():
    replies = [Answer(503, headers={"Retry-After": wait}) for wait in ("300", "2")]
    async with served({"a": replies}, {"a": {"retry": _no_retry()}}) as (app, _, clock):
        for deadline in (1.0, 1.0):
            api = app.fallback.roster.api("a")
            kept = api.hold_until
            api.hold_until = float("-inf")
            with pytest.raises(our.UnderstudyError):
                await app.route("r").get("/", deadline=deadline)
            api.hold_until = max(kept, api.hold_until)
        assert api.hold_until - clock.monotonic() > 290


async def test_a_rule_may_send_one_400_on_and_keep_the_other():
    rules = (
        OutcomeRule("caller", status="400", pattern="too large", next=True),
        OutcomeRule("caller", status="400", pattern="content refused", next=False),
    )
    large, refused = Answer(400, b"too large for this plan"), Answer(400, b"content refused")
    async with served({"a": [large, refused, large], "b": 200}, {"a": {"outcomes": rules}, "b": {}}) as (app, _, _):
        route = app.route("r")
        assert (await route.get("/")).api == "b"
        assert (await route.get("/")).status == 400


async def test_the_callers_answer_is_delivered_when_a_rule_sends_it_on_but_nobody_is_left():
    rule = OutcomeRule("caller", status="404", next=True)
    async with served({"a": Answer(404, b"nothing")}, {"a": {"outcomes": (rule,)}}) as (app, _, _):
        answer = await app.route("r").get("/")
        assert (answer.status, answer.text) == (404, "nothing")
