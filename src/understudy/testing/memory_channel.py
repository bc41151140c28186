"""A channel in memory: answers from a script and remembers what it was given."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from understudy.notifications.message import Delivered, Receipt
from understudy.notifications.ports import Rate, Traits

if TYPE_CHECKING:
    from understudy.core.clock import Clock
    from understudy.notifications.message import Message, Outcome

#: In a script: the send never ends by itself.
HANGS: Final = "hangs"
#: Fast enough that no test waits for it.
UNBOUNDED = Rate(10_000.0, burst=10_000)


class MemoryChannel:
    """A `Channel` that keeps every message in `sent` and every accepted one in `delivered`.

    `script` is worked off one step for each send: an outcome to answer, an exception to raise, `HANGS`, a
    number of seconds to take, or a function of the message; after its end, and for seconds, the message is
    delivered. `script` may be extended at any time.
    """

    def __init__(
        self,
        traits: Traits | None = None,
        script: Iterable[Outcome | BaseException | str | float | Callable[[Message], Outcome]] = (),
        clock: Clock | None = None,
    ) -> None:
        self._traits = traits or Traits("memory", "memory", UNBOUNDED)
        self._clock = clock
        self.script = deque(script)
        #: Every message of every attempt, in order, and when it came (epoch seconds), where a clock was given.
        self.sent: list[Message] = []
        self.sent_at: list[float] = []
        #: Those that were accepted.
        self.delivered: list[Message] = []
        self.closed = False
        #: Sends that run now, and the most there were.
        self.running = self.most = 0

    @property
    def traits(self) -> Traits:
        """As `Channel.traits`."""
        return self._traits

    async def send(self, message: Message) -> Outcome:
        """As `Channel.send`; raises only where the script says so."""
        self.sent.append(message)
        if self._clock is not None:
            self.sent_at.append(self._clock.time())
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            outcome = await self._answer(message)
        finally:
            self.running -= 1
        if isinstance(outcome, Delivered):
            self.delivered.append(message)
        return outcome

    async def _answer(self, message: Message) -> Outcome:
        step = self.script.popleft() if self.script else None
        if isinstance(step, BaseException):
            raise step
        if step == HANGS:
            await asyncio.get_running_loop().create_future()
        if isinstance(step, int | float) and self._clock is not None:
            await self._clock.sleep(step)
        if callable(step):
            return step(message)
        if step is None or isinstance(step, str | int | float):
            return Delivered(Receipt(f"memory-{len(self.sent)}"))
        return step

    async def close(self) -> None:
        """As `Channel.close`."""
        self.closed = True
