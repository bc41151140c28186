"""What the client answers: frozen values, made of JSON; what a later service adds is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

from understudy.core.secrets import Secret

from .asking import NotReached

T = TypeVar("T")
#: An answer that has no type of its own, as it came.
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some entries of a list, newest first; `next` is `before` for those that follow, None on the last page."""

    items: tuple[T, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class RuleShown:
    """A rule as it is evaluated. `rule` may be put again; `version` is 0 where it was never changed at the service."""

    rule: Json
    origin: str
    version: int

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.rule["name"])


@dataclass(frozen=True, slots=True)
class SilenceShown:
    """What is kept quiet, until when, and why. Times are epoch seconds, `duration` seconds of each recurrence."""

    id: str
    matchers: tuple[str, ...]
    starts_at: float
    ends_at: float | None
    rrule: str
    duration: float
    time_zone: str
    reason: str
    author: str
    active: bool
    #: Fingerprints of the alerts that a new silence keeps quiet now.
    matching: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Me:
    """Who asks. `via` is loopback, session or token; `apis` are the only ones a token may ask about, none: all.

    Until `proved_until`, epoch seconds, the password counts as just given.
    """

    name: str
    via: str
    role: str
    permissions: tuple[str, ...]
    apis: tuple[str, ...]
    proved_until: float


@dataclass(frozen=True, slots=True)
class AccountShown:
    """One account. Times are epoch seconds, 0 for never; `disabled` says why it is shut out, empty: it is not."""

    id: str
    name: str
    role: str
    created_at: float
    password_at: float
    signed_in_at: float
    disabled: str
    sessions: int
    tokens: int


@dataclass(frozen=True, slots=True)
class SessionShown:
    """Somebody who is signed in. Nobody can sign in with its `name`; `own` is the session that asks."""

    name: str
    account: str
    created_at: float
    seen_at: float
    ip: str
    agent: str
    own: bool


@dataclass(frozen=True, slots=True)
class TokenShown:
    """An API token without its secret. Times are epoch seconds, 0 for never."""

    id: str
    name: str
    account: str
    scopes: tuple[str, ...]
    apis: tuple[str, ...]
    ips: tuple[str, ...]
    created_at: float
    expires_at: float
    expired: bool
    used_at: float
    used_ip: str


@dataclass(frozen=True, slots=True)
class NewToken(TokenShown):
    """A token that was made just now, with what is sent as its bearer: told this once."""

    token: Secret


def built(cls: type[T], values: Any) -> T:
    """A value of a dataclass out of an answer; lists become tuples.

    Raises:
        NotReached: the answer is of something else than this service.
    """
    try:
        known = {each.name: values[each.name] for each in fields(cls) if each.name in values}  # type: ignore[arg-type]
        return cls(**{name: tuple(each) if isinstance(each, list) else each for name, each in known.items()})
    except (TypeError, KeyError, ValueError):
        raise NotReached(f"the answer is no {cls.__name__} of an Understudy service") from None


def all_built(cls: type[T], values: Sequence[Any]) -> tuple[T, ...]:
    """Values of a dataclass."""
    return tuple(built(cls, each) for each in values)


def page_of(cls: type[T], answer: Json, name: str) -> Page[T]:
    """A page of a list."""
    return Page(all_built(cls, answer[name]), answer.get("next"))
