"""Reads the limits of one API's responses: finds what `parse_limits` finds, at a tenth of its cost.

An API tells its limits under the same header names in each of its responses. Which header stands for
what is therefore worked out once for each set of names; after that, numbers in their usual form are
read directly. Whatever is unusual, in names or values, is left to `parse_limits`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from .limits import LimitInfo, count, parse_limits, seconds_until, slot_of, window_in, window_of
from .retry_after import QUOTA_CAP, server_time

if TYPE_CHECKING:
    from .presets import Preset
    from .quota import QuotaOptions

#: Sets of names that are remembered, and characters in each; an API has a few, a hostile one any number.
_MAX_LAYOUTS: Final = 16
_MAX_TEXT: Final = 4096
#: With more objects than this a response is not of the usual kind.
_MAX_LIMITS: Final = 8
#: Digits of a number that is read directly.
_MAX_DIGITS: Final = 15


class _Limit:
    """Where one limit is told in a layout: names of headers, empty where nothing tells it."""

    __slots__ = ("fixed_window", "limit", "limit_text", "limit_value", "object", "plan", "remaining", "reset", "window")

    def __init__(self, name: str, plan: bool) -> None:
        self.object = name
        self.plan = plan
        self.limit = self.remaining = self.reset = ""
        self.fixed_window = self.window = window_of(name)
        #: What the limit read last time; it hardly ever changes.
        self.limit_text = ""
        self.limit_value: float | None = None

    def learn(self, text: str) -> None:
        """Read a limit that differs from the last one."""
        self.limit_text = text
        self.limit_value = count(text)
        self.window = self.fixed_window if self.fixed_window is not None else window_in(text)


#: The limits of a layout; None: its names are not of the usual kind.
_Layout = tuple[_Limit, ...] | None


class LimitReader:
    """`read` answers the same as `parse_limits` with the options and the preset given here."""

    __slots__ = ("_layouts", "_options", "_preset", "_usual")

    def __init__(self, options: QuotaOptions, preset: Preset | None) -> None:
        self._options = options
        self._preset = preset
        self._layouts: dict[tuple[str, ...], _Layout] = {}
        named = options.header_limit or options.header_remaining or (preset is not None and preset.limits)
        #: Whether all limits come under names of the usual families.
        self._usual = not named

    def read(self, headers: Mapping[str, str], now_wall: float) -> list[LimitInfo]:
        """Every limit that the headers tell; `now_wall` is the time in epoch seconds where no `Date` tells it."""
        layout: _Layout = None
        if self._usual:
            names = tuple(headers)
            try:
                layout = self._layouts[names]
            except KeyError:
                layout = self._learn(names)
        if layout is None:
            return parse_limits(headers, self._options, now_wall, self._preset)
        found = []
        for each in layout:
            limit = remaining = reset = None
            if each.limit:
                text = headers[each.limit]
                if text != each.limit_text:
                    if len(text) > _MAX_DIGITS:
                        return parse_limits(headers, self._options, now_wall, self._preset)
                    each.learn(text)
                limit = each.limit_value
            if each.remaining:
                text = headers[each.remaining]
                if len(text) > _MAX_DIGITS or not (text.isdecimal() and text.isascii()):
                    return parse_limits(headers, self._options, now_wall, self._preset)
                remaining = float(text)
            if each.reset:
                text = headers[each.reset]
                if len(text) > _MAX_DIGITS or not (text.isdecimal() and text.isascii()):
                    return parse_limits(headers, self._options, now_wall, self._preset)
                reset = _reset(float(text), headers, now_wall)
            if remaining is not None or limit is not None:
                found.append(LimitInfo(each.object, limit, remaining, reset, each.window, each.plan))
        return found

    def _learn(self, names: tuple[str, ...]) -> _Layout:
        """Work out which name stands for what, and remember it."""
        if sum(map(len, names)) > _MAX_TEXT:
            return None
        if len(self._layouts) >= _MAX_LAYOUTS:
            self._layouts.clear()
        layout = self._layouts[names] = self._layout(names)
        return layout

    def _layout(self, names: tuple[str, ...]) -> _Layout:
        plans = self._preset is not None and self._preset.named_limits_are_plans
        limits: dict[str, _Limit] = {}
        for name in names:
            slot = slot_of(name) if "imit" in name or "IMIT" in name else None
            if slot is None:
                continue
            about, field = slot
            if field not in ("limit", "remaining", "reset"):
                return None
            limit = limits.setdefault(about, _Limit(about, plans and bool(about)))
            if getattr(limit, field):
                return None  # told twice, under names that differ in their case
            setattr(limit, field, name)
        return tuple(limits.values()) if len(limits) <= _MAX_LIMITS else None


def _reset(value: float, headers: Mapping[str, str], now_wall: float) -> float | None:
    """Seconds until a reset told as a number: as `limits.reset_seconds`."""
    told = value if value < 1e9 else seconds_until(value, server_time(headers, now_wall))
    return min(told, QUOTA_CAP) if told >= 0 else None


__all__ = ["LimitReader"]
