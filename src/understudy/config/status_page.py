"""What the public status page shows, under which names: `[status_page]`. Nothing is public that does not stand here."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Literal

import annotated_types as at

from understudy.core.errors import OptionError
from understudy.core.options import Doc, Options

_KEY = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class ComponentOptions(Options):
    """One line of the page, as in `[status_page.components.KEY]`; what stands behind it stays unsaid."""

    title: Annotated[str, at.MinLen(1), at.MaxLen(80), Doc("the name that visitors read")]
    routes: Annotated[tuple[str, ...], Doc("routes behind it: it works while these give answers")] = ()
    apis: Annotated[tuple[str, ...], Doc("APIs behind it")] = ()
    group: Annotated[str, at.MaxLen(80), Doc("heading that it stands under")] = ""
    description: Annotated[str, at.MaxLen(200), Doc("one sentence beside it")] = ""


@dataclass(frozen=True, slots=True)
class NoticeOptions(Options):
    """A text of yours, as in `[status_page.notices.KEY]`."""

    title: Annotated[str, at.MinLen(1), at.MaxLen(120), Doc("what it is about")]
    text: Annotated[str, at.MaxLen(2000), Doc("what visitors should know")] = ""
    kind: Annotated[Literal["incident", "maintenance"], Doc("something that happened, or that is planned")] = "incident"
    components: Annotated[tuple[str, ...], Doc("keys of the components that it touches")] = ()
    starts: Annotated[str, Doc("when it begins, as 2026-11-28T22:00; UTC unless it says otherwise")] = ""
    ends: Annotated[str, Doc("when it ends; empty: not known yet")] = ""

    def __post_init__(self) -> None:
        # No `super()`: a slotted dataclass is not the class that the cell of `super()` remembers.
        Options.__post_init__(self)
        for name, text in (("starts", self.starts), ("ends", self.ends)):
            if text and moment(text) is None:
                raise OptionError("NoticeOptions", name, text, "a time such as 2026-11-28T22:00")

    @property
    def starts_at(self) -> float | None:
        """When it begins, epoch seconds."""
        return moment(self.starts)

    @property
    def ends_at(self) -> float | None:
        """When it ends; None: not known yet."""
        return moment(self.ends)


@dataclass(frozen=True, slots=True)
class StatusPageOptions(Options):
    """The public page, as in `[status_page]`; off unless it is switched on."""

    enabled: Annotated[bool, Doc("whether anybody may see it, without signing in")] = False
    title: Annotated[str, at.MinLen(1), at.MaxLen(80), Doc("its heading")] = "Status"
    text: Annotated[str, at.MaxLen(300), Doc("a sentence under the heading")] = ""
    host: Annotated[
        str, at.MaxLen(253), Doc("a name under which nothing but this page is served, as status.example.com")
    ] = ""
    home: Annotated[str, at.MaxLen(500), Doc("address that the heading leads to")] = ""
    good: Annotated[float, at.Ge(0), at.Le(100), Doc("a day is good from this success rate on", "%")] = 99.0
    bad: Annotated[float, at.Ge(0), at.Le(100), Doc("a day is bad below this success rate", "%")] = 95.0
    incidents: Annotated[bool, Doc("show critical alerts about components as incidents, without their words")] = True
    maintenance: Annotated[bool, Doc("show maintenance windows about components, without their words")] = True
    components: Annotated[dict[str, ComponentOptions], Doc("what is shown, by key")] = field(default_factory=dict)
    notices: Annotated[dict[str, NoticeOptions], Doc("texts of yours, by key")] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # No `super()`: a slotted dataclass is not the class that the cell of `super()` remembers.
        Options.__post_init__(self)
        if self.bad > self.good:
            raise OptionError("StatusPageOptions", "bad", self.bad, "at most what is good")
        if self.home and not re.match(r"https?://[^\s@]+$", self.home):
            raise OptionError("StatusPageOptions", "home", self.home, "an address such as https://example.com/path")
        if self.host and not re.fullmatch(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", self.host):
            raise OptionError("StatusPageOptions", "host", self.host, "a host's name in small letters")
        for key in self.components:
            if not _KEY.fullmatch(key):
                raise OptionError("StatusPageOptions", "components", key, "keys of small letters, digits and -")


def moment(text: str) -> float | None:
    """A time in ISO form as epoch seconds; UTC where it names no offset. None for what is none."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
