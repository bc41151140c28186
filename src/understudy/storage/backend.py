"""What the writer and the readers need of one kind of database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from sqlalchemy import Connection

from understudy.monitor.rollup import Row

from .trouble import Trouble


class Backend(Protocol):
    """Opens connections, and knows what the database's errors mean and what can be done about them.

    All but `reader` are called on the writer's thread only.
    """

    #: Most rows in one transaction, by tier, so that each takes a few milliseconds.
    sizes: Mapping[int, int]
    #: Grows when another file has taken the place of the one before: what was remembered of it is void.
    generation: int

    def control(self) -> Connection:
        """The connection on which a commit is safe from a loss of power."""

    def statistics(self) -> Connection:
        """The connection on which a commit is safe from the end of the process."""

    def reader(self) -> Connection:
        """A new connection that cannot write."""

    def drop(self) -> None:
        """Close the writer's connections; the next use opens new ones."""

    def trouble(self, error: BaseException) -> Trouble | None:
        """What an error means; None when it is no trouble of the database, but a fault of the work."""

    def sentence(self, trouble: Trouble, error: BaseException) -> str:
        """What is said to people, with what they can do; never a password."""

    def remedy(self, trouble: Trouble, *, control: bool) -> bool:
        """Do what can be done about a trouble; whether to try again at once."""

    def ready(self) -> bool:
        """Whether statistics may be tried again after a trouble."""


#: Writes rows of one tier; part of the rollups, called by the writer.
WriteRows = Callable[[Connection, int, Sequence[Row]], None]
