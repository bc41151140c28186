"""One request as somebody wrote it down, and what could not be understood of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from understudy.core.errors import UnderstudyError
from understudy.core.text import Texts


class Said:
    """A sentence with values for its places, in English until somebody names a language."""

    __slots__ = ("message", "values")

    def __init__(self, message: str, **values: str) -> None:
        self.message = message
        self.values = values

    def shown(self, text: Texts) -> str:
        """The sentence in a reader's language."""
        return text(self.message, **self.values)

    def __str__(self) -> str:
        return self.message.format(**self.values) if self.values else self.message

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Said) and (self.message, self.values) == (other.message, other.values)

    def __hash__(self) -> int:
        return hash((self.message, *sorted(self.values.items())))

    def __repr__(self) -> str:
        return f"Said({str(self)!r})"


class PasteError(UnderstudyError, ValueError):
    """A pasted text that means no request; `said` says which part was not understood, never a secret."""

    def __init__(self, said: Said) -> None:
        super().__init__(str(said))
        self.said = said


@dataclass(frozen=True, slots=True)
class Pasted:
    """A request: what may hold a key stays out of its repr."""

    url: str = field(repr=False)
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    #: `name:password`, as of curl's -u; None: not given.
    user: str | None = field(default=None, repr=False)
    #: Pairs to go behind those of the URL.
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    notes: tuple[Said, ...] = ()
