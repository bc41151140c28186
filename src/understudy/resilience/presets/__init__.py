"""What is known of well-known APIs: header names, outcome rules, free probes. Data, tested as data.

A preset holds only what the provider's own documentation tells; what it does not tell is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from understudy.resilience.outcome_options import OutcomeRule

if TYPE_CHECKING:
    from understudy.resilience.api import ApiOptions


@dataclass(frozen=True, slots=True)
class LimitHeaders:
    """Headers that tell one limit under names outside the usual families; `window` in seconds.

    `ratio` names a header that tells used and limit in one, `32/40`.
    """

    object: str
    limit: str = ""
    remaining: str = ""
    reset: str = ""
    ratio: str = ""
    window: float | None = None
    plan: bool = False


@dataclass(frozen=True, slots=True)
class Preset:
    """One well-known API. Everything but `name` and `title` may be empty: not known, or as usual."""

    name: str
    title: str
    base_url: str = ""
    auth_kind: Literal["", "none", "rapidapi", "header", "query", "bearer", "basic"] = ""
    auth_name: str = ""
    auth_prefix: str = ""
    limits: tuple[LimitHeaders, ...] = ()
    #: A limit whose header names an object is a plan's quota, a bare one the rate.
    named_limits_are_plans: bool = False
    #: `Name` or `Name: pattern` of headers that only the hub's own answers carry.
    hub_markers: tuple[str, ...] = ()
    rules: tuple[OutcomeRule, ...] = ()
    #: Path of a request that costs nothing and shows whether the API works.
    free_probe: str = ""
    docs: str = ""


@lru_cache(maxsize=1)
def _catalogue() -> dict[str, Preset]:
    # Read at first use: a program that names no preset pays nothing for them.
    from . import catalogue

    return {preset.name: preset for preset in catalogue.PRESETS}


def load_preset(name: str) -> Preset | None:
    """The preset of that name; None when there is none (or `name` is empty)."""
    return _catalogue().get(name) if name else None


def names() -> tuple[str, ...]:
    """The names of all presets, sorted."""
    return tuple(sorted(_catalogue()))


def preset_for(options: ApiOptions) -> Preset | None:
    """The preset that applies: the one named, or that of the kind of authentication."""
    return load_preset(options.preset or ("rapidapi" if options.auth.kind == "rapidapi" else ""))
