"""Reads what response headers tell of limits: every family of resilience rule R7."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from .retry_after import QUOTA_CAP, date, duration, header, number, server_time

if TYPE_CHECKING:
    from .presets import LimitHeaders, Preset
    from .quota import QuotaOptions

#: A window longer than this is a plan's quota, a shorter one a rate; seconds.
RATE_WINDOW: Final = 3600.0
WINDOWS: Final = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "month": QUOTA_CAP}
_MAX_LIMITS: Final = 16
_MAX_VALUE: Final = 512

_NAME = re.compile(r"(?:x-)?(?:[a-z0-9]{1,32}-)?rate-?limit(?:-([a-z0-9_.-]{1,64}))?\Z")
_FIELDS: Final = {"limit": "limit", "remaining": "remaining", "reset": "reset", "reset-after": "after"}
_COUNT = re.compile(r"\d{1,15}(?:\.\d{1,6})?\Z")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+\Z")
_POLICY = re.compile(r'\s*(?:"([^"]{0,64})"|(\w{1,64}))\s*((?:;\s*[a-z]{1,8}\s*=\s*[^;,]{1,32})*)\s*(?:,|\Z)')
_PARAM = re.compile(r";\s*([a-z]{1,8})\s*=\s*(\d{1,15})")
_DRAFT = re.compile(r"\b(limit|remaining|reset)\s*=\s*(\d{1,15})")


class LimitInfo(NamedTuple):
    """One limit as a response tells it. `reset_after` and `window` in seconds; None: not told.

    `object` names what is counted (`requests`, `tokens`; empty where the header names nothing); `plan`
    says that it is known to be a plan's quota rather than a rate. A tuple, because each response makes some.
    """

    object: str
    limit: float | None = None
    remaining: float | None = None
    reset_after: float | None = None
    window: float | None = None
    plan: bool = False

    @property
    def long(self) -> bool:
        """Whether it is a plan's quota: by its name, its window, or the time until its reset."""
        if self.plan or self.window is not None:
            return self.plan or (self.window or 0.0) > RATE_WINDOW
        return self.reset_after is not None and self.reset_after > RATE_WINDOW


def reset_seconds(text: str, now_wall: float) -> float | None:
    """Seconds until a reset told as seconds, epoch seconds, epoch milliseconds, a date or a duration.

    None for garbage and for moments that are past; at most 31 days.
    """
    if len(text) > 64:
        return None
    value = number(text)
    if value is None:
        told = duration(text)
        if told is None:
            moment = date(text)
            told = None if moment is None else moment - now_wall
    elif value < 1e9:
        told = value
    else:
        told = seconds_until(value, now_wall)
    return min(told, QUOTA_CAP) if told is not None and told >= 0 else None


def seconds_until(moment: float, now_wall: float) -> float:
    """Seconds until a moment that is told in epoch seconds, or in epoch milliseconds."""
    return (moment / 1000.0 if moment >= 1e11 else moment) - now_wall


def count(text: str) -> float | None:
    """A number of calls: `100`, `1,000`, `100;w=60`; of a repeated header the strictest."""
    text = text.strip()[:_MAX_VALUE]
    if _GROUPED.match(text):
        return float(text.replace(",", ""))
    found = [float(part) for part in (piece.split(";")[0].strip() for piece in text.split(",")) if _COUNT.match(part)]
    return min(found) if found else None


def parse_limits(
    headers: Mapping[str, str], options: QuotaOptions | None, now_wall: float, preset: Preset | None = None
) -> list[LimitInfo]:
    """Every limit that the headers tell, in no particular order; garbage is passed over.

    Resets that are told as moments count from the response's own `Date`; `now_wall` stands in for it.
    """
    now_wall = server_time(headers, now_wall)
    found: dict[str, dict[str, str]] = {}
    structured: dict[str, str] = {}
    for name, value in headers.items():
        if "imit" not in name and "IMIT" not in name:
            continue
        slot = slot_of(name)
        if slot is None or len(value) > _MAX_VALUE:
            continue
        if slot[1] == "structured":
            structured[slot[0]] = value
        elif slot[0] in found or len(found) < _MAX_LIMITS:
            found.setdefault(slot[0], {})[slot[1]] = value
    limits = {name: info for name, fields in found.items() if (info := _info(name, fields, now_wall)) is not None}
    if structured:
        limits.update(_structured(structured))
    for spec in preset.limits if preset is not None else ():
        info = _named(headers, spec, now_wall)
        if info is not None:
            limits[info.object] = info
    if options is not None and (options.header_limit or options.header_remaining):
        own = _configured(headers, options, now_wall)
        if own is not None:
            limits[""] = own
    if preset is not None and preset.named_limits_are_plans:
        return [info._replace(plan=True) if name else info for name, info in limits.items()]
    return list(limits.values())


def slot_of(name: str) -> tuple[str, str] | None:
    """Object and field that a header stands for, whatever its case; None when it is no limit header.

    The field is `limit`, `remaining`, `reset` or `after`, or `structured` for the IETF fields.
    """
    return _slot(name.lower()) if len(name) <= 128 else None


@lru_cache(maxsize=1024)
def _slot(name: str) -> tuple[str, str] | None:
    if name in ("ratelimit", "ratelimit-policy"):
        return name, "structured"
    match = _NAME.match(name)
    if match is None:
        return None
    rest = match[1]
    if rest is None:
        return "", "limit"
    if rest in _FIELDS:
        return "", _FIELDS[rest]
    for word, field in _FIELDS.items():
        if rest.endswith(f"-{word}"):
            return rest[: -len(word) - 1], field
    for word in ("limit", "remaining", "reset"):
        if rest.startswith(f"{word}-"):
            return rest[len(word) + 1 :], word
    return None


def window_of(name: str) -> float | None:
    """The window that the name of an object tells: `day`, `requests-per-minute`, `monthly`."""
    for word in re.split(r"[-_.]", name.lower()):
        stem = {"daily": "day", "monthly": "month", "hourly": "hour"}.get(word, word)
        if stem in WINDOWS:
            return WINDOWS[stem]
    return None


def _info(name: str, fields: Mapping[str, str], now_wall: float) -> LimitInfo | None:
    limit = count(fields["limit"]) if "limit" in fields else None
    remaining = count(fields["remaining"]) if "remaining" in fields else None
    if limit is None and remaining is None:
        return None
    reset = reset_seconds(fields["reset"], now_wall) if "reset" in fields else None
    if "after" in fields and number(fields["after"]) is not None:
        reset = reset_seconds(fields["after"], now_wall)
    window = window_of(name)
    if window is None and "limit" in fields:
        window = window_in(fields["limit"])
    return LimitInfo(name, limit, remaining, reset, window)


def window_in(limit: str) -> float | None:
    """The window that the value of a limit tells: `100;w=60`."""
    params = dict(_PARAM.findall(limit)) if ";" in limit else {}
    return float(params["w"]) if "w" in params else None


def _structured(values: Mapping[str, str]) -> dict[str, LimitInfo]:
    """The IETF fields: `RateLimit: "default";r=50;t=30`, and the draft before it (`limit=100, remaining=50`)."""
    told = values.get("ratelimit", "")
    policies = values.get("ratelimit-policy", "")
    draft = dict(_DRAFT.findall(told))
    found: dict[str, LimitInfo] = {}
    if draft:
        limit, left, after = (float(draft[key]) if key in draft else None for key in ("limit", "remaining", "reset"))
        found[""] = LimitInfo("", limit, left, after)
        told = ""
    for quoted, token, params in _POLICY.findall(told)[:_MAX_LIMITS]:
        values_of = dict(_PARAM.findall(params))
        if "r" in values_of:
            name = quoted or token
            after = min(float(values_of["t"]), QUOTA_CAP) if "t" in values_of else None
            found[name] = LimitInfo(name, None, float(values_of["r"]), after)
    for quoted, token, params in _POLICY.findall(policies)[:_MAX_LIMITS]:
        values_of = dict(_PARAM.findall(params))
        name = quoted or ("" if token.isdigit() else token)
        if name in found and "w" in values_of:
            limit = values_of.get("q") or (token if token.isdigit() else None)
            found[name] = found[name]._replace(
                window=float(values_of["w"]), limit=float(limit) if limit else found[name].limit
            )
    return found


def _named(headers: Mapping[str, str], spec: LimitHeaders, now_wall: float) -> LimitInfo | None:
    """A limit under the names that a preset gives."""
    limit = _value(headers, spec.limit)
    remaining = _value(headers, spec.remaining)
    if spec.ratio:  # one header tells both, used/limit: `32/40`
        used, slash, whole = (header(headers, spec.ratio) or "").partition("/")
        total, taken = count(whole), count(used)
        if not slash or total is None or taken is None:
            return None
        limit, remaining = total, max(0.0, total - taken)
    if limit is None and remaining is None:
        return None
    text = header(headers, spec.reset) if spec.reset else None
    reset = reset_seconds(text, now_wall) if text else None
    return LimitInfo(spec.object, limit, remaining, reset, spec.window, spec.plan)


def _configured(headers: Mapping[str, str], options: QuotaOptions, now_wall: float) -> LimitInfo | None:
    limit = _value(headers, options.header_limit)
    remaining = _value(headers, options.header_remaining)
    if limit is None and remaining is None:
        return None
    text = header(headers, options.header_reset) if options.header_reset else None
    reset = reset_seconds(text, now_wall) if text else None
    return LimitInfo("", limit, remaining, reset, WINDOWS[options.window])


def _value(headers: Mapping[str, str], name: str) -> float | None:
    text = header(headers, name) if name else None
    return count(text) if text else None
