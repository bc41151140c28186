"""What a person has said of a route or an API: who leads, who rests, whose breakers are held, who is not probed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Final, Self

#: States in which a person may hold breakers.
FORCED: Final = ("forced_open", "forced_closed", "observe")
#: Longest reason and longest name of an actor that are kept, characters.
MOST_REASON: Final = 500
MOST_ACTOR: Final = 200
#: Longest time that a direction may be given for, s: a year. Without an expiry it holds until it is taken back.
LONGEST: Final = 366 * 86_400.0


@dataclass(frozen=True, slots=True)
class Direction:
    """One word of a person. Times are epoch seconds; `until` is None where only a person ends it.

    As the pin of a route, `api` leads it, and with `only` nobody stands in for it. As a word about an API, `api` is
    empty; where it holds the breakers of that API, `state` says in which state.
    """

    reason: str
    actor: str
    since: float
    until: float | None = None
    api: str = ""
    only: bool = False
    state: str = ""

    @classmethod
    def given(
        cls, reason: str, actor: str, now: float, expires_in: float | None, *, api: str = "", only: bool = False,
        state: str = "",
    ) -> Self:  # fmt: skip
        """A direction from now on.

        Raises:
            ValueError: no reason or no actor, one of them too long or not printable, or an expiry out of range.
        """
        for name, said, most in (("reason", reason, MOST_REASON), ("actor", actor, MOST_ACTOR)):
            if not said.strip() or len(said) > most or not said.isprintable():
                raise ValueError(f"{name}: expected 1 to {most} printable characters")
        if expires_in is not None and not 0 < expires_in <= LONGEST:
            raise ValueError(f"expires_in: expected more than 0 and at most {LONGEST:g} seconds, found {expires_in:g}")
        until = None if expires_in is None else round(now + expires_in, 3)
        return cls(reason.strip(), actor.strip(), round(now, 3), until, api, only, state)

    def over(self, now: float) -> bool:
        """Whether its time has passed."""
        return self.until is not None and now >= self.until

    def left(self, now: float) -> float | None:
        """Seconds that it still holds; None without an end."""
        return None if self.until is None else max(0.0, self.until - now)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Self:
        """What `as_dict` gave.

        Raises:
            ValueError, KeyError, TypeError: it is none, or of another version of the program.
        """
        since, until, state = kept["since"], kept["until"], kept.get("state", "")
        for moment in (since, until):
            if moment is not None and not (isinstance(moment, int | float) and isfinite(moment)):
                raise ValueError("a time is no number")
        texts = [kept["reason"], kept["actor"], kept["api"]]
        if state not in ("", *FORCED):
            raise ValueError("there is no such state of a breaker")
        if not all(isinstance(text, str) for text in texts) or since is None:
            raise ValueError("a text is none")
        return cls(texts[0], texts[1], float(since), until, texts[2], bool(kept["only"]), state)


#: The places where directions stand, by the name that keeps and events know them under.
PIN, DRAIN, QUIET, FORCE = "pin", "drain", "quiet", "forced"
KINDS: Final = (PIN, DRAIN, QUIET, FORCE)
#: Those about an API.
OF_APIS: Final = (DRAIN, QUIET, FORCE)
#: Kind of event when one is given, and when it ends.
BEGUN: Final = {PIN: "route.pinned", DRAIN: "api.drained", QUIET: "api.checks_paused", FORCE: "api.forced"}
ENDED: Final = {PIN: "route.unpinned", DRAIN: "api.undrained", QUIET: "api.checks_resumed", FORCE: "api.unforced"}
#: Those about a route.
PIN_EVENTS: Final = frozenset((BEGUN[PIN], ENDED[PIN]))
#: All of them, for whoever listens.
DIRECTION_EVENTS: Final = frozenset((*BEGUN.values(), *ENDED.values()))
