"""What a running service tells its pages about itself: how it was started, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from .exposure import Exposure

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.config import Loaded
    from understudy.core.clock import Clock


def _nothing() -> None:
    return None


class Demo(Protocol):
    """Simulated APIs that can be put into a running service, to look around."""

    @property
    def running(self) -> bool:
        """Whether they are there."""

    async def start(self, app: Understudy, clock: Clock) -> None:
        """Put them in."""

    async def stop(self) -> None:
        """Take them away again."""


@dataclass(frozen=True, slots=True)
class Process:
    """How this process was started. The defaults are those of an application that is mounted by a program."""

    exposure: Exposure = Exposure()
    #: The configuration as it is in force, with the origin of each value; None where none was loaded.
    loaded: Callable[[], Loaded | None] = _nothing
    #: Ends the service in order, with the exit code that asks its supervisor to start it again; None: it cannot.
    restart: Callable[[], None] | None = None
    #: What starts it again: `systemd`, `container`; empty where nothing was recognised.
    supervisor: str = ""
    #: Nobody may change anything here, whoever they are: for a screen on the wall, and `web_dashboard.py`.
    read_only: bool = False
    #: Puts demo data into the service and takes it away again; None: this service has none to offer.
    demo: Demo | None = None
