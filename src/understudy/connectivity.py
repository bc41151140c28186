"""Asks an API one harmless question, and says in words what the answer means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .core.clock import Clock
from .core.errors import AttemptTimeout, ConnectFailed, Rejected, UnderstudyError
from .core.http import HttpClient, HttpRequest, HttpResponse
from .core.types import Attribution, Verdict
from .resilience.auth import Authenticator
from .resilience.outcome import CredentialsFailed, Outcome
from .resilience.presets import preset_for
from .resilience.reason import safe_text
from .resilience.registry import Api

#: Bytes of an answer that are looked at for people, and the characters that are shown of them.
_EXCERPT, _SHOWN = 4096, 300

_ADVICE = {
    "dns": "check the host name in base_url, and that this machine can resolve names",
    "refused": "nothing listens there: check host and port in base_url, or whether the API is down",
    "timeout": "a firewall may drop the packets, or the host is down",
    "tls": "check the certificate of the host, and the clock of this machine",
    "guard": "whoever runs this service may allow that network: service.allow_networks",
    "moved": "the API has moved: write the address that it names into base_url",
    "success": "either the API fails, or [apis.{api}.success] asks for what only the answers of calls have: "
    "declare health_check.path",
    Attribution.KEY: "check the key in [apis.{api}.auth], and that its account is subscribed to this API",
    Attribution.QUOTA: "the key works, but its quota is spent: wait for the reset, or add a key",
    Attribution.CALLER: "the API answers; the path of health_check may be wrong",
    Attribution.PROVIDER: "the API itself fails; its standby APIs serve meanwhile",
    Attribution.HUB: "the hub fails for all its APIs; a standby behind another hub would help",
}


def _finding(attribution: Attribution, status: int) -> str | Attribution:
    """What the advice depends on."""
    if 300 <= status < 400:
        return "moved"
    if 200 <= status < 300 and attribution is Attribution.PROVIDER:
        return "success"
    return attribution


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one question to an API brought. `ok` is None when it says nothing about its health (a 429).

    `stage` is where it ended: `dns`, `refused`, `timeout`, `tls`, `guard`, `auth`, `response` or `done`.
    """

    api: str
    ok: bool | None
    stage: str
    status: int | None
    seconds: float
    message: str
    advice: str = ""
    #: Whose fault a failure is; none of a success.
    attribution: Attribution = Attribution.NONE
    #: The beginning of what it answered, for people: one line, without what looks like a secret.
    answer: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON-ready values."""
        return {
            "api": self.api,
            "ok": self.ok,
            "stage": self.stage,
            "status": self.status,
            "seconds": self.seconds,
            "message": self.message,
            "advice": self.advice,
            "attribution": self.attribution.value,
            "answer": self.answer,
        }


async def check_api(api: Api, http: HttpClient, authenticator: Authenticator, clock: Clock) -> CheckResult:
    """Send the declared probe, or ask for the base URL; never raises for what the API does."""
    started = clock.monotonic()
    try:
        return await _ask(api, http, authenticator, clock, started)
    except ConnectFailed as error:
        advice = _ADVICE.get(error.stage, "")
        return CheckResult(api.name, False, error.stage, None, clock.monotonic() - started, str(error), advice)
    except CredentialsFailed as error:
        advice = _ADVICE[Attribution.KEY].format(api=api.name)
        return CheckResult(api.name, False, "auth", None, clock.monotonic() - started, str(error), advice)
    except UnderstudyError as error:
        stage = "timeout" if isinstance(error, AttemptTimeout) else "response"
        return CheckResult(
            api.name, False, stage, None, clock.monotonic() - started, str(error), _ADVICE[Attribution.PROVIDER]
        )


async def _ask(api: Api, http: HttpClient, authenticator: Authenticator, clock: Clock, started: float) -> CheckResult:
    options = api.options
    check = options.health_check
    preset = preset_for(options)
    # Without a declared probe, the one that a known API has for this; it costs nothing, nor does a free one.
    known = preset.free_probe if preset is not None and not check.path else ""
    free = bool(known) or (bool(check.path) and check.cost == "free")
    request = HttpRequest(
        check.method if check.path else "GET",
        options.base_url.rstrip("/") + (check.path or known or "/"),
        dict(options.headers or {}),
        connect_timeout=min(options.timeout.connect, check.timeout),
        idle_timeout=check.timeout,
        max_body=options.max_body,
        guarded=not options.allow_private,
    )
    try:
        key = api.keys.pick()
    except Rejected as rejection:
        return CheckResult(api.name, None, "auth", None, 0.0, str(rejection), _ADVICE[Attribution.QUOTA])
    try:
        if not authenticator.apply_now(request, key):
            await authenticator.apply(request, key)
        response = await http.send(request)
    except BaseException as error:
        api.keys.left(key, error)
        raise
    outcome = api.classifier.response(response.status, response.headers, response.body, clock.time(), request.method)
    # What costs nothing is not counted against the quota.
    counted = replace(outcome, executed=False) if free else outcome
    api.keys.settle(key, counted, response.status, response.headers)
    seconds = clock.monotonic() - started
    probed = bool(check.path or known)
    secrets = (key.secret.reveal(),) if key.secret is not None else ()
    excerpt = safe_text(response.body[:_EXCERPT].decode("utf-8", "replace"), secrets, limit=_SHOWN)
    return replace(_judged(api, response, outcome, seconds, probed=probed), answer=excerpt)


def _judged(api: Api, response: HttpResponse, outcome: Outcome, seconds: float, *, probed: bool) -> CheckResult:
    """What an answer means."""
    check = api.options.health_check
    # A declared probe has a shape of its own: the success conditions are for the answers of calls.
    good = probed and 200 <= response.status < 300
    if good or outcome.verdict is Verdict.SUCCESS:
        return CheckResult(api.name, True, "done", response.status, seconds, f"answered {response.status}")
    advice = _ADVICE.get(_finding(outcome.attribution, response.status), "").format(api=api.name)
    said = outcome.reason.removeprefix(f"HTTP {response.status}").removeprefix(": ") or outcome.kind.value
    message = f"answered {response.status}: {said}"
    if outcome.attribution is Attribution.KEY:
        return CheckResult(api.name, False, "auth", response.status, seconds, message, advice)
    moved = 300 <= response.status < 400
    reached = outcome.attribution is Attribution.CALLER and not check.path and not moved
    ok = True if reached else (None if outcome.verdict is Verdict.NEUTRAL and not moved else False)
    whose = outcome.attribution
    return CheckResult(api.name, ok, "response", response.status, seconds, message, "" if reached else advice, whose)
