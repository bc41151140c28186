"""What a user may say about the meaning of responses, as in `[apis.NAME.success]` and `[[apis.NAME.outcomes]]`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from understudy.core.options import Doc, Options


@dataclass(frozen=True, slots=True)
class SuccessOptions(Options):
    """What a response must be to count as a success, beyond its status."""

    status: Annotated[tuple[str, ...], Doc("statuses of a success: 200, 2xx, 200-204")] = ("2xx",)
    header: Annotated[str, Doc("`Name: pattern` that must be there; the pattern is searched, case-blind")] = ""
    json: Annotated[str, Doc("JMESPath over the body that must be true")] = ""
    allow_empty: Annotated[bool, Doc("an empty body is a success")] = True


@dataclass(frozen=True, slots=True)
class OutcomeRule(Options):
    """One row of `[[apis.NAME.outcomes]]`: all conditions that are given must hold; the first match decides."""

    class_: Annotated[
        Literal["success", "semantic", "provider", "hub", "rate", "quota", "key", "billing", "caller", "local"],
        Doc("what the response means (`class` in files)"),
    ]
    status: Annotated[str, Doc("429, 5xx, 500-504; empty: any")] = ""
    header: Annotated[str, Doc("`Name` or `Name: pattern`")] = ""
    json: Annotated[str, Doc("JMESPath over the body; what it yields is matched with pattern, or must be true")] = ""
    pattern: Annotated[str, Doc("regular expression, case-blind, over what json yields, else over the body text")] = ""
    next: Annotated[bool | None, Doc("whether the next API is tried; none: as the class says")] = None
