"""From a request to a response: the key, the plan, the facts in this API's shape, and answer faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from email.utils import formatdate
from typing import Any

from understudy.core.clock import Clock

from .catalogue import ApiSpec
from .faults import Fault
from .meter import Headers, Meter, quota_headers, wait_headers
from .season import Match, Season
from .wire import Request, Response

HUB_VERSION = ("X-RapidAPI-Version", "1.2.8")
#: Set by the hub on answers of its own, never on those that it passes on.
HUB_MARKER = ("X-RapidAPI-Proxy-Response", "true")
_METHODS = ("GET", "HEAD", "POST")
#: Longest path that is kept in the log, characters.
MAX_SHOWN = 500
_JSON = ("Content-Type", "application/json; charset=utf-8")


class Answerer:
    """One API's answers. Holds no connection and waits for nothing."""

    def __init__(
        self, spec: ApiSpec, season: Season, keys: Sequence[str], meter: Meter, clock: Clock, hosts: Sequence[str]
    ) -> None:
        self._spec = spec
        self._season = season
        self._aliases = {key: f"key{number}" for number, key in enumerate(keys, 1)}
        self._meter = meter
        self._clock = clock
        self._hosts = frozenset(hosts)
        self._bodies: dict[tuple[int, ...], bytes] = {}
        self._faults: dict[str, Callable[[Fault, str], Response]] = {
            "status": lambda fault, _: self._status(fault),
            "rate_limit": self._rate_limit,
            "quota_end": lambda _, key: self._quota_end(key),
            "hub_failure": lambda fault, _: self._hub_failure(fault),
            "wrong_key": lambda *_: self._wrong_key(),
            "not_subscribed": lambda *_: self._refusal(403, "You are not subscribed to this API."),
            "redirect": lambda fault, _: self._redirect(fault),
            "error_envelope": lambda _, key: self._ok(key, self._envelope_body("upstream data source unavailable")),
            "empty": lambda _, key: self._ok(key, b""),
            "invalid_json": lambda _, key: self._ok(key, self._shaped(self._season.of_round(1))[:-20]),
            "invalid_utf8": lambda _, key: self._ok(key, b'{"name": "\xff\xfe\xc3\x28"}'),
        }

    def is_probe(self, request: Request) -> bool:
        """Whether it asks for the free status path."""
        return request.path in ("/status", self._spec.prefix + "/status")

    def key_of(self, request: Request) -> str:
        """The alias of the key sent, `unknown` for one we never gave, empty for none."""
        sent = self._sent_key(request)
        return self._aliases.get(sent, "unknown") if sent else ""

    def shown_path(self, request: Request) -> str:
        """Path and query for the log, cut, and without the key, wherever it was put."""
        hidden = self._spec.auth_name if self._spec.auth == "query" else ""
        query = "&".join(f"{name}={value}" for name, value in request.query.items() if name != hidden)
        shown = request.path + ("?" + query if query else "")
        for key in self._aliases:
            shown = shown.replace(key, "***")
        return shown[:MAX_SHOWN]

    def answer(self, request: Request, key: str, fault: Fault | None) -> Response:
        """The response to a request that carries the key of this alias."""
        if fault is not None:
            response = self._faults[fault.kind](fault, key)
        elif self.is_probe(request):
            response = Response(200, [_JSON], _encode({"status": "ok", "api": self._spec.name}))
        else:
            response = self._refused(request, key) or self._facts(request, key)
        response.headers.insert(0, ("Date", formatdate(self._clock.time(), usegmt=True)))
        if self._spec.hub:
            response.headers.append(HUB_VERSION)
        return response

    def _sent_key(self, request: Request) -> str:
        if self._spec.auth == "query":
            return request.query.get(self._spec.auth_name, "")
        value = request.headers.get(self._spec.auth_name.lower(), "")
        if self._spec.auth == "bearer":
            scheme, _, value = value.partition(" ")
            return value.strip() if scheme.lower() == "bearer" else ""
        return value

    def _refused(self, request: Request, key: str) -> Response | None:
        if request.method not in _METHODS:
            return self._refusal(405, "method not allowed")
        if request.path not in [self._spec.prefix + path for path in self._spec.paths]:
            return self._refusal(404, f"no such path: {request.path[:100]}")
        if self._spec.auth == "rapidapi" and request.headers.get("x-rapidapi-host", "") not in self._hosts:
            return self._refusal(404, "API doesn't exists")  # sic: the hub's own wording
        if key in ("", "unknown"):
            return self._wrong_key()
        return None if self._meter.draw(key) else self._quota_end(key)

    def _facts(self, request: Request, key: str) -> Response:
        try:
            matches = self._chosen(request.query)
        except ValueError:
            return self._refusal(400, "round and match are numbers, a date is YYYY-MM-DD")
        if matches is None:
            return self._refusal(404, "no such match")
        return self._ok(key, self._shaped(matches))

    def _chosen(self, query: dict[str, str]) -> Sequence[Match] | None:
        round_, day, number = (
            query.get(own, query.get(shared, ""))
            for own, shared in zip(self._spec.params, ("round", "date", "match"), strict=True)
        )
        if number:
            index = int(number)
            return self._season.matches[index - 1 : index] if 1 <= index <= len(self._season.matches) else None
        if day:
            wanted = date.fromisoformat(day)
            return [m for m in self._season.matches if datetime.fromtimestamp(m.kickoff, UTC).date() == wanted]
        return self._season.of_round(int(round_ or "1"))

    def _shaped(self, matches: Sequence[Match]) -> bytes:
        # The facts never change, and there are only so many rounds, days and matches to ask for.
        asked = tuple(match.number for match in matches)
        body = self._bodies.get(asked)
        if body is None:
            body = self._bodies[asked] = _encode(self._spec.shape(matches))
        return body

    def _envelope_body(self, text: str) -> bytes:
        return _encode(self._spec.envelope(text))

    def _quota(self, key: str, spent: bool = False) -> Headers:
        return quota_headers(self._spec.quota, self._meter.standing(key, spent))

    def _ok(self, key: str, body: bytes) -> Response:
        return Response(200, [_JSON, *self._quota(key)], body)

    def _refusal(self, status: int, text: str, extra: Headers | None = None) -> Response:
        """The hub's own words carry its marker only when the hub failed: a refused key is no failure."""
        body = _encode({"message": text}) if self._spec.hub else self._envelope_body(text)
        return Response(status, [_JSON, *(extra or [])], body)

    def _wrong_key(self) -> Response:
        return self._refusal(401, "Invalid API key.")

    def _quota_end(self, key: str) -> Response:
        text = "You have exceeded the MONTHLY quota for Requests on your current plan, BASIC."
        return self._refusal(429, text, self._quota(key, spent=True))

    def _rate_limit(self, fault: Fault, key: str) -> Response:
        return self._refusal(429, "Too many requests", self._quota(key) + self._wait(fault))

    def _status(self, fault: Fault) -> Response:
        status = int(fault.number("status"))
        return Response(status, [_JSON, *self._wait(fault)], self._envelope_body(f"simulated status {status}"))

    def _wait(self, fault: Fault) -> Headers:
        return wait_headers(fault.text("form"), fault.number("after"), self._clock.time())

    def _hub_failure(self, fault: Fault) -> Response:
        status = int(fault.number("status"))
        return Response(status, [_JSON, HUB_MARKER], _encode({"message": "The hub is temporarily unavailable."}))

    def _redirect(self, fault: Fault) -> Response:
        return Response(int(fault.number("status")), [("Location", fault.text("location"))])


def _encode(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
