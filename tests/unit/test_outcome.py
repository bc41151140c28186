"""Every row of the attribution table (rule R1), success conditions and outcome rules (R16)."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import ssl
import time

import pytest

from understudy.core import errors as our
from understudy.core.errors import OptionError
from understudy.core.secrets import Secret
from understudy.core.types import Attribution, Verdict
from understudy.core.types import OutcomeClass as C
from understudy.resilience.api import ApiOptions
from understudy.resilience.breaker import BreakerOptions
from understudy.resilience.keys import AuthOptions, KeyOptions
from understudy.resilience.outcome import (
    SUCCESS,
    SUPERSEDED,
    Again,
    Classifier,
    CredentialsFailed,
    LocalNetworkDetector,
    Next,
    Outcome,
    OutcomeRule,
    SuccessOptions,
)
from understudy.resilience.presets import load_preset
from understudy.testing.clock import FakeClock

NOW = 1_800_000_000.0
PLAIN = Classifier(ApiOptions())
HUB = Classifier(ApiOptions(), load_preset("rapidapi"))


def row(outcome: Outcome) -> tuple[object, ...]:
    return outcome.kind, outcome.attribution, outcome.verdict, outcome.again, outcome.next


PROVIDER = (C.PROVIDER, Attribution.PROVIDER, Verdict.FAILURE, Again.SAFE, Next.SAFE)
CALLER = (C.CALLER, Attribution.CALLER, Verdict.NEUTRAL, Again.NO, Next.NO)
KEY = (C.KEY, Attribution.KEY, Verdict.NEUTRAL, Again.NO, Next.ANY)

BY_STATUS = [
    *((status, PROVIDER) for status in (500, 502, 503, 504, 520, 521, 522, 523, 524, 529, 408)),
    *((status, CALLER) for status in (400, 404, 409, 410, 413, 415, 422, 301, 302, 304, 501, 505, 418, 100)),
    (401, KEY),
    (403, KEY),
    (402, (C.BILLING, Attribution.KEY, Verdict.NEUTRAL, Again.NO, Next.ANY)),
    (429, (C.RATE, Attribution.KEY, Verdict.NEUTRAL, Again.ANY, Next.ANY)),
    *((status, (C.SUCCESS, Attribution.NONE, Verdict.SUCCESS, Again.NO, Next.NO)) for status in (200, 201, 204, 206)),
]


@pytest.mark.parametrize(("status", "expected"), BY_STATUS)
def test_a_status_alone(status: int, expected: tuple[object, ...]) -> None:
    assert row(PLAIN.response(status, {}, b"", NOW)) == expected


@pytest.mark.parametrize("status", [401, 402, 403, 429])
def test_refusals_count_as_not_executed_so_any_method_may_go_on(status: int) -> None:
    assert not PLAIN.response(status, {}, b"", NOW).executed


LOST = (C.LOST, Attribution.PROVIDER, Verdict.FAILURE, Again.SAFE, Next.SAFE)
CONNECT = (C.CONNECT, Attribution.PROVIDER, Verdict.FAILURE, Again.ANY, Next.ANY)
TLS = (C.TLS, Attribution.PROVIDER, Verdict.FAILURE, Again.ANY, Next.ANY)
LOCAL = (C.LOCAL, Attribution.LOCAL, Verdict.NEUTRAL, Again.ANY, Next.NO)
TIMEOUT = (C.TIMEOUT, Attribution.PROVIDER, Verdict.FAILURE, Again.NO, Next.SAFE)
BODY = (C.BODY, Attribution.PROVIDER, Verdict.FAILURE, Again.SAFE, Next.SAFE)
GENERIC = PROVIDER
CANCELLED = (C.CANCELLED, Attribution.CALLER, Verdict.NEUTRAL, Again.NO, Next.NO)
SEMANTIC = (C.SEMANTIC, Attribution.PROVIDER, Verdict.FAILURE, Again.ONCE_SAFE, Next.SAFE)
REJECTED = (C.REJECTED, Attribution.SELF, Verdict.NEUTRAL, Again.NO, Next.ANY)

ERRORS = [
    *((our.ConnectFailed("x", stage=stage), CONNECT) for stage in ("dns", "refused", "timeout")),
    (our.ConnectFailed("x", stage="tls"), TLS),
    (our.PoolTimeout("x"), LOCAL),
    (our.ConnectionLost("x", reused=False), LOST),
    (our.ConnectionLost("x", sent=False), (C.LOST, Attribution.PROVIDER, Verdict.FAILURE, Again.ANY, Next.ANY)),
    (our.ConnectionLost("x", reused=True), (C.LOST, Attribution.LOCAL, Verdict.NEUTRAL, Again.FRESH, Next.SAFE)),
    (our.AttemptTimeout("x"), TIMEOUT),
    (our.AttemptTimeout("x", stage="idle"), BODY),
    (our.BodyBroken("x", received=3), BODY),
    (our.TruncatedResponse("x", received=3), (C.BODY, Attribution.PROVIDER, Verdict.FAILURE, Again.NO, Next.NO)),
    (our.BodyTooLarge("x"), SEMANTIC),
    (our.BadResponse("x", status=503), PROVIDER),
    (our.BadResponse("x", status=200), SEMANTIC),
    (our.BreakerOpen("x", 3.0), REJECTED),
    (our.BulkheadFull("x"), REJECTED),
    (our.BudgetSpent("x"), REJECTED),
    (CredentialsFailed("x"), KEY),
    (OptionError("A", "b", 1, "2"), CALLER),
    (asyncio.CancelledError(), CANCELLED),
    (KeyboardInterrupt(), CANCELLED),
    (SystemExit(1), CANCELLED),
    (ConnectionRefusedError(errno.ECONNREFUSED, "no"), CONNECT),
    (socket.gaierror(-2, "Name or service not known"), CONNECT),
    (OSError(errno.EHOSTUNREACH, "no route"), CONNECT),
    (ssl.SSLCertVerificationError("bad"), TLS),
    (ssl.SSLEOFError("the end of a connection that stood"), LOST),
    (OSError(errno.EMFILE, "too many open files"), LOCAL),
    (ConnectionResetError(errno.ECONNRESET, "reset"), LOST),
    (BrokenPipeError(), LOST),
    (TimeoutError(), TIMEOUT),
    (json.JSONDecodeError("x", "", 0), SEMANTIC),
    (ValueError("boom"), GENERIC),
    (ZeroDivisionError(), GENERIC),
    (FileNotFoundError(), GENERIC),
]


@pytest.mark.parametrize(("error", "expected"), ERRORS, ids=lambda value: type(value).__name__)
def test_an_error(error: BaseException, expected: tuple[object, ...]) -> None:
    assert row(PLAIN.error(error, elapsed=0.1)) == expected


def test_a_superseded_hedge_is_neutral() -> None:
    assert SUPERSEDED.verdict is Verdict.NEUTRAL


def test_an_attempt_timeout_is_slow_and_a_long_cancellation_too() -> None:
    assert PLAIN.error(our.AttemptTimeout("x"), elapsed=0.1).slow
    assert not PLAIN.error(asyncio.CancelledError(), elapsed=0.1).slow
    assert PLAIN.error(asyncio.CancelledError(), elapsed=5.0).slow


def test_a_second_fault_of_a_reused_connection_is_the_provider_s() -> None:
    error = our.ConnectionLost("x", reused=True)
    assert row(PLAIN.error(error, elapsed=0, first_reuse_fault=False)) == LOST
    unsent = PLAIN.error(our.ConnectionLost("x", reused=True, sent=False), elapsed=0)
    assert unsent.again is Again.FRESH
    assert unsent.never_sent


def _library_error(name: str, *bases: type[Exception]) -> Exception:
    cls = type(name, bases or (Exception,), {})
    error = cls("text")
    assert isinstance(error, Exception)
    return error


NAMED = [
    ("ConnectError", CONNECT), ("ConnectTimeout", CONNECT), ("ClientConnectorError", CONNECT), ("ReadTimeout", TIMEOUT),
    ("ClientConnectorCertificateError", TLS), ("ServerFingerprintMismatch", TLS),
    ("ServerDisconnectedError", LOST), ("RemoteProtocolError", LOST), ("ClientPayloadError", BODY),
    ("ChunkedEncodingError", BODY), ("InvalidURL", CALLER), ("PoolTimeout", LOCAL),
]  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), NAMED)
def test_errors_of_http_libraries_are_known_by_name_without_importing_them(
    name: str, expected: tuple[object, ...]
) -> None:
    assert row(PLAIN.error(_library_error(name), elapsed=0)) == expected


def test_real_library_errors_are_recognised() -> None:
    httpx = pytest.importorskip("httpx")
    request = httpx.Request("GET", "http://x/")
    status = httpx.HTTPStatusError("bad", request=request, response=httpx.Response(429, headers={"Retry-After": "4"}))
    outcome = PLAIN.error(status, elapsed=0)
    assert (outcome.kind, outcome.status, outcome.retry_after) == (C.RATE, 429, 4.0)
    assert row(PLAIN.error(httpx.ConnectTimeout("slow"), elapsed=0)) == CONNECT
    assert row(PLAIN.error(httpx.ReadTimeout("slow"), elapsed=0)) == TIMEOUT
    requests = pytest.importorskip("requests")
    urllib3 = pytest.importorskip("urllib3")
    refused = urllib3.exceptions.NewConnectionError(None, "refused")
    wrapped = requests.exceptions.ConnectionError(urllib3.exceptions.MaxRetryError(None, "/", refused))
    assert row(PLAIN.error(wrapped, elapsed=0)) == CONNECT
    # What libraries make of a handshake that fails is their word for "no connection"; its cause says more.
    for untrusted in (ssl.SSLCertVerificationError("expired"), ssl.SSLEOFError("closed in the handshake")):
        broken = httpx.ConnectError("no")
        broken.__cause__ = untrusted
        assert row(PLAIN.error(broken, elapsed=0)) == TLS
    inner = urllib3.exceptions.MaxRetryError(None, "/", urllib3.exceptions.SSLError(ssl.SSLCertVerificationError("x")))
    assert row(PLAIN.error(requests.exceptions.SSLError(inner), elapsed=0)) == TLS


def test_a_wrapping_library_is_looked_through_to_the_root() -> None:
    try:
        try:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "no")
        except OSError as low:
            raise RuntimeError("could not fetch") from low
    except RuntimeError as high:
        assert row(PLAIN.error(high, elapsed=0)) == CONNECT


def test_an_error_that_came_while_handling_another_is_not_its_root() -> None:
    try:
        try:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "the cache is down")
        except OSError:
            raise ValueError("something else")  # noqa: B904  # the implicit context is what is tested
    except ValueError as error:
        assert row(PLAIN.error(error, elapsed=0)) == GENERIC


def test_a_connect_time_out_is_not_taken_for_an_answer_that_is_late() -> None:
    error = _library_error("ConnectTimeout")
    error.__cause__ = TimeoutError()
    assert row(PLAIN.error(error, elapsed=0)) == CONNECT


def test_a_group_counts_once_and_by_the_leaf_that_may_have_been_executed() -> None:
    group = ExceptionGroup("both", [ConnectionRefusedError(), ExceptionGroup("in", [ConnectionResetError()])])
    assert row(PLAIN.error(group, elapsed=0)) == LOST
    assert row(PLAIN.error(ExceptionGroup("all", [ConnectionRefusedError()] * 2), elapsed=0)) == CONNECT
    assert row(PLAIN.error(BaseExceptionGroup("stop", [KeyboardInterrupt()]), elapsed=0)) == CANCELLED


def test_a_loop_of_causes_ends() -> None:
    one, two = ValueError("1"), ValueError("2")
    one.__cause__, two.__cause__ = two, one
    assert row(PLAIN.error(one, elapsed=0)) == GENERIC


def test_an_exception_with_hostile_attributes_is_still_judged() -> None:
    class Hostile(Exception):
        @property
        def response(self) -> object:
            raise RuntimeError("unread")

        def __str__(self) -> str:
            raise RuntimeError("no text")

    assert row(PLAIN.error(Hostile(), elapsed=0)) == GENERIC


# -- side values ------------------------------------------------------------------------------------


def test_retry_after_of_a_5xx_holds_the_api_and_of_a_429_the_key() -> None:
    down = PLAIN.response(503, {"Retry-After": "7"}, b"", NOW)
    slow = PLAIN.response(429, {"Retry-After": "8"}, b"", NOW)
    assert (down.hold, down.retry_after) == ("api", 7.0)
    assert (slow.hold, slow.retry_after) == ("key", 8.0)


def test_a_404_goes_on_only_when_asked_for() -> None:
    assert Classifier(ApiOptions(not_found_next=True)).response(404, {}, b"", NOW).next is Next.SAFE


def test_a_429_counts_as_failure_when_so_configured() -> None:
    judge = Classifier(ApiOptions(breaker=BreakerOptions(rate_limit_counts=True)))
    assert judge.response(429, {}, b"", NOW).verdict is Verdict.FAILURE


def test_a_429_is_quota_when_the_text_or_a_long_window_says_so() -> None:
    text = PLAIN.response(429, {}, b'{"message": "You have exceeded the MONTHLY quota"}', NOW)
    spent = PLAIN.response(429, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "90000"}, b"", NOW)
    short = PLAIN.response(429, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"}, b"", NOW)
    assert (text.kind, text.attribution) == (C.QUOTA, Attribution.QUOTA)
    assert (spent.kind, spent.retry_after) == (C.QUOTA, 90000.0)
    assert (short.kind, short.retry_after) == (C.RATE, 30.0)


def test_of_several_windows_the_strictest_spent_one_decides() -> None:
    headers = {
        "x-ratelimit-limit-second": "5", "x-ratelimit-remaining-second": "0", "x-ratelimit-reset-second": "1",
        "x-ratelimit-remaining-minute": "0", "x-ratelimit-reset-minute": "42",
        "x-ratelimit-remaining-day": "500", "x-ratelimit-reset-day": "80000",
    }  # fmt: skip
    assert PLAIN.response(429, headers, b"", NOW).retry_after == 42.0


def test_a_reset_header_means_nothing_on_other_statuses() -> None:
    assert PLAIN.response(503, {"x-ratelimit-reset": "30"}, b"", NOW).retry_after is None


# -- the hub ----------------------------------------------------------------------------------------


def test_a_5xx_that_the_hub_itself_answers_is_the_hub_s() -> None:
    marked = HUB.response(503, {"X-RapidAPI-Proxy-Response": "true"}, b"", NOW)
    assert row(marked) == (C.HUB, Attribution.HUB, Verdict.FAILURE, Again.NO, Next.SAFE)
    assert HUB.response(503, {"X-RapidAPI-Proxy-Response": "false"}, b"", NOW).kind is C.PROVIDER
    assert HUB.response(503, {}, b"", NOW).kind is C.PROVIDER


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (429, "You have exceeded the DAILY quota for Requests on your current plan, BASIC.", C.QUOTA),
        (429, "You have exceeded the MONTHLY quota for Requests on your current plan, BASIC.", C.QUOTA),
        (429, "You have exceeded the rate limit per minute for your plan, BASIC, by the API provider", C.RATE),
        (429, "Too many requests", C.RATE),
        (403, "You are not subscribed to this API.", C.KEY),
        (404, "You are not subscribed to this API.", C.KEY),
        (404, "no such fixture", C.CALLER),
    ],
)
def test_rapidapi_bodies(status: int, message: str, kind: C) -> None:
    assert HUB.response(status, {}, json.dumps({"message": message}).encode(), NOW).kind is kind


def test_a_rate_429_of_the_hub_does_not_wait_for_the_month() -> None:
    headers = {"x-ratelimit-requests-remaining": "480", "x-ratelimit-requests-reset": "2163603"}
    outcome = HUB.response(429, headers, b'{"message": "Too many requests"}', NOW)
    assert (outcome.kind, outcome.retry_after) == (C.RATE, None)


# -- success conditions and rules ---------------------------------------------------------------------


def test_a_plain_success_is_the_shared_constant_and_needs_no_look() -> None:
    assert PLAIN.quick
    assert HUB.quick
    assert PLAIN.response(200, {}, b"\xff not json", NOW) is SUCCESS


@pytest.mark.parametrize(
    ("options", "headers", "body", "good"),
    [
        (SuccessOptions(json="ok"), {}, b'{"ok": true}', True),
        (SuccessOptions(json="ok"), {}, b'{"ok": false}', False),
        (SuccessOptions(json="ok"), {}, b"{", False),
        (SuccessOptions(json="ok"), {}, b"\xff\xfe\xfa", False),
        (SuccessOptions(json="ok"), {}, b"[" * 200_000, False),
        (SuccessOptions(json="length(errors) == `0`"), {}, b'{"errors": []}', True),
        (SuccessOptions(json="length(errors) == `0`"), {}, b'{"errors": 5}', False),
        (SuccessOptions(allow_empty=False), {}, b" \n", False),
        (SuccessOptions(allow_empty=False), {}, b"x", True),
        (SuccessOptions(header="Content-Type: json"), {"content-type": "application/json"}, b"", True),
        (SuccessOptions(header="Content-Type: json"), {"Content-Type": "text/html"}, b"", False),
        (SuccessOptions(header="X-Ok"), {}, b"", False),
    ],
)
def test_success_conditions(options: SuccessOptions, headers: dict[str, str], body: bytes, good: bool) -> None:
    outcome = Classifier(ApiOptions(success=options)).response(200, headers, body, NOW)
    assert (outcome is SUCCESS) is good
    assert good or row(outcome) == SEMANTIC


def test_a_head_request_has_no_body_to_judge() -> None:
    judge = Classifier(ApiOptions(success=SuccessOptions(allow_empty=False, json="ok")))
    assert judge.response(200, {}, b"", NOW, "HEAD") is SUCCESS


def test_another_status_may_be_declared_a_success() -> None:
    judge = Classifier(ApiOptions(success=SuccessOptions(status=("2xx", "404"))))
    assert judge.response(404, {}, b"", NOW) is SUCCESS


def test_two_400s_can_need_opposite_answers() -> None:
    rules = (
        OutcomeRule("caller", status="400", json="code", pattern="too_large", next=True),
        OutcomeRule("caller", status="4xx", pattern="refused", next=False),
    )
    judge = Classifier(ApiOptions(outcomes=rules))
    assert judge.response(400, {}, b'{"code": "too_large"}', NOW).next is Next.SAFE
    assert judge.response(400, {}, b"content refused", NOW).next is Next.NO


@pytest.mark.parametrize("name", ["semantic", "provider", "hub", "rate", "quota", "key", "billing", "caller", "local"])
def test_a_rule_may_name_every_class(name: str) -> None:
    rule = OutcomeRule(name, status="200", header="X-Fault")  # type: ignore[arg-type]  # parametrised
    judge = Classifier(ApiOptions(outcomes=(rule,)))
    assert not judge.quick
    assert judge.response(200, {"x-fault": "1"}, b"", NOW).kind == name
    assert judge.response(200, {}, b"", NOW) is SUCCESS


def test_own_rules_come_before_those_of_the_preset() -> None:
    own = OutcomeRule("success", status="429")
    assert Classifier(ApiOptions(outcomes=(own,)), load_preset("rapidapi")).response(429, {}, b"", NOW) is SUCCESS


@pytest.mark.parametrize(
    "rule",
    [
        OutcomeRule("key", status="6xx9"),
        OutcomeRule("key", status="700"),
        OutcomeRule("key", pattern="("),
        OutcomeRule("key", pattern="(a+)+$"),
        OutcomeRule("key", pattern="(a|aa)+$"),
        OutcomeRule("key", json="a["),
        OutcomeRule("key", header="bad name: x"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_at_registration(rule: OutcomeRule) -> None:
    with pytest.raises(OptionError):
        Classifier(ApiOptions(outcomes=(rule,)))


def test_a_huge_error_body_costs_little() -> None:
    judge = Classifier(ApiOptions(outcomes=(OutcomeRule("key", status="500", json="a", pattern="x.*y.*z"),)))
    body = b'{"a": "' + b"x" * (30 * 1024 * 1024) + b'"}'
    begun = time.process_time()  # the cost itself is what is tested
    assert judge.response(500, {}, body, NOW).kind is C.PROVIDER
    assert time.process_time() - begun < 0.2  # likewise


def test_the_reason_is_one_short_line_without_secrets() -> None:
    secret = "s3cr3t-of-the-user"
    keys = (KeyOptions(Secret(secret)),)
    judge = Classifier(ApiOptions(auth=AuthOptions(kind="bearer", keys=keys)))
    message = f"Bad key {secret}\r\n\x1b[31m or sk_live_4242abcd4242abcd4242 " + "x " * 500
    body = json.dumps({"error": {"message": message}})
    reason = judge.response(401, {}, body.encode(), NOW).reason
    assert secret not in reason
    assert "sk_live" not in reason
    assert reason.isprintable()
    assert len(reason) <= 200
    text = judge.error(RuntimeError(f"GET http://u:pw@h/x?api_key=abcdef&q=1 failed with {secret}"), elapsed=0).reason
    assert "abcdef" not in text
    assert "pw@" not in text
    assert secret not in text


# -- the local network --------------------------------------------------------------------------------


def test_three_hosts_of_two_domains_within_five_seconds_are_a_local_fault() -> None:
    clock = FakeClock()
    detector = LocalNetworkDetector(clock)
    assert not detector.connect_failed("a", "one")
    assert not detector.connect_failed("b", "one")
    assert not detector.connect_failed("b", "one")
    assert detector.connect_failed("c", "two")


def test_three_hosts_of_one_domain_are_its_own_fault() -> None:
    detector = LocalNetworkDetector(FakeClock())
    assert not any(detector.connect_failed(host, "hub") for host in "abcdef")


def test_failures_far_apart_or_before_a_connect_do_not_add_up() -> None:
    clock = FakeClock()
    detector = LocalNetworkDetector(clock)
    detector.connect_failed("a", "one")
    detector.connect_failed("b", "two")
    clock.tick(6)
    assert not detector.connect_failed("c", "three")
    detector.connect_failed("d", "one")
    detector.connected()
    assert not detector.connect_failed("e", "four")
