"""Fifty callers wait at a half-open breaker, over real HTTP: how many reach the API is counted at its server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from understudy.app import Understudy
from understudy.core.errors import BreakerOpen, NoEligibleApi
from understudy.resilience.breaker import Breaker, BreakerOptions, BreakerState

from .experiment import Report, Tell, quiet, settled
from .upstream import Asked, Upstream, answer

CALLERS = 50
#: How long the breaker of the experiment stays open, s.
OPEN_FOR = 0.3
TITLE = f"{CALLERS} callers at a half-open breaker, over real HTTP"


@dataclass(frozen=True, slots=True)
class Shape:
    """How many trials a half-open breaker allows: in all, at a time, and how many successes close it."""

    permits: int = 3
    concurrent: int = 1
    successes: int = 3

    def __str__(self) -> str:
        return f"{self.permits} permit{'s' * (self.permits > 1)}, {self.concurrent} at a time"

    @property
    def options(self) -> BreakerOptions:
        """The breaker of this shape, quick to trip and to try again."""
        return BreakerOptions(
            consecutive=2, consecutive_with_standby=2, open_for=OPEN_FOR, jitter=0.0,
            half_open_permits=self.permits, half_open_concurrent=self.concurrent,
            half_open_successes=self.successes,
        )  # fmt: skip


class Gate:
    """An API that fails until told otherwise, and then keeps its callers until they are let through."""

    def __init__(self) -> None:
        self.failing = True
        self.opened = asyncio.Event()
        self.status = 200

    async def handle(self, _: Asked) -> bytes:
        """The server's handler."""
        if self.failing:
            return answer(500)
        await self.opened.wait()
        return answer(self.status)


@dataclass(slots=True)
class Crowd:
    """Fifty calls at once, and what the server saw of them."""

    tasks: list[asyncio.Task[str]] = field(default_factory=list)

    async def results(self) -> list[str]:
        """Who served each call, or the name of its error."""
        return [await task for task in self.tasks]


class Scene:
    """An application, its API behind a gate, and the breaker between them, tripped and due for its trials."""

    def __init__(self, app: Understudy, server: Upstream, gate: Gate, shape: Shape) -> None:
        self.app, self.server, self.gate, self.shape = app, server, gate, shape
        self.before = 0

    @property
    def breaker(self) -> Breaker:
        """The breaker of the lead."""
        return self.app.fallback.roster.apis["lead"].bindings["route"].breaker

    @property
    def reached(self) -> int:
        """Requests that reached the API since its breaker was due for trials."""
        return self.server.requests - self.before

    async def trip(self) -> None:
        """Open the breaker, and wait until a trial is due."""
        while self.breaker_state() is not BreakerState.OPEN:
            try:
                await self.app.route("route").get("/")
            except Exception:
                pass
        self.gate.failing = False
        await asyncio.sleep(OPEN_FOR + 0.05)
        self.before = self.server.requests
        self.server.peak = 0

    def breaker_state(self) -> BreakerState | None:
        """None before the first call."""
        binding = self.app.fallback.roster.apis["lead"].bindings.get("route")
        return None if binding is None else binding.breaker.state

    def crowd(self, callers: int = CALLERS) -> Crowd:
        """Callers, all at once."""
        return Crowd([asyncio.ensure_future(self._call()) for _ in range(callers)])

    async def _call(self) -> str:
        try:
            response = await self.app.route("route").get("/", deadline=8.0)
        except Exception as error:
            return type(error).__name__
        return response.api

    @property
    def panics(self) -> int:
        """Calls that were let through although the breaker was open, because nobody else was left."""
        records = self.app.fallback.decisions(2000, route="route")
        return sum(any(note.startswith("panic") for note in record.notes) for record in records)


async def on_scene(
    shape: Shape, act: Callable[[Scene], Awaitable[None]], *, standby: bool = False, seed: int = 7
) -> None:
    """Set the scene, and let `act` play on it."""
    gate = Gate()

    async def fine(_: Asked) -> bytes:
        return answer()

    async with Upstream(gate.handle) as server, Upstream(fine) as other, Understudy.build(seed=seed) as app:
        app.fallback.register_api("lead", 1, "route", base_url=server.url, breaker=shape.options)
        if standby:
            app.fallback.register_api("standby", 2, "route", base_url=other.url)
        app.fallback.register_route("route", mode="priority")
        scene = Scene(app, server, gate, shape)
        await scene.trip()
        await act(scene)


REFUSED = {BreakerOpen.__name__, NoEligibleApi.__name__}


async def held(shape: Shape, report: Report, seed: int) -> None:
    """The trials are under way for longer than anyone waits: nobody else gets through."""

    async def act(scene: Scene) -> None:
        crowd = scene.crowd()
        await settled(lambda: scene.reached >= shape.concurrent)
        await settled(lambda: sum(task.done() for task in crowd.tasks) >= CALLERS - shape.concurrent, 4.0)
        report.exactly(f"{shape}: requests while the trials are held", scene.reached, shape.concurrent)
        scene.gate.opened.set()
        results = await crowd.results()
        refused = [result for result in results if result in REFUSED]
        report.exactly(f"{shape}: the others are refused as breaker-open", len(refused), CALLERS - shape.concurrent)
        report.exactly(f"{shape}: requests in all", scene.reached, shape.concurrent)

    await on_scene(shape, act, seed=seed)


async def failing(shape: Shape, report: Report, seed: int) -> None:
    """A trial that fails opens the breaker again: what else reaches the API is the one panic call a second."""

    async def act(scene: Scene) -> None:
        scene.gate.status = 503
        crowd = scene.crowd()
        await settled(lambda: scene.reached >= shape.concurrent)
        await asyncio.sleep(0.05)
        report.exactly(f"{shape}: requests before the trial's end", scene.reached, shape.concurrent)
        scene.gate.opened.set()
        await crowd.results()
        allowed = shape.concurrent + scene.panics
        report.exactly(f"{shape}: failed trials and panic calls, which is all", scene.reached, allowed)
        report.at_most(f"{shape}: panic calls", scene.panics, 4)

    await on_scene(shape, act, seed=seed)


async def succeeding(shape: Shape, report: Report, seed: int) -> None:
    """Successes let the next trial in, and close the breaker; then all the others pass."""

    async def act(scene: Scene) -> None:
        crowd = scene.crowd()
        await settled(lambda: scene.reached >= shape.concurrent)
        await asyncio.sleep(0.1)
        report.exactly(f"{shape}: requests before the first trial's end", scene.reached, shape.concurrent)
        seen: list[int] = []

        async def handle(_: Asked) -> bytes:
            if scene.breaker.state is BreakerState.HALF_OPEN:
                seen.append(scene.server.active)
            await asyncio.sleep(0.02)
            return answer()

        scene.server.handler = handle
        scene.gate.opened.set()
        results = await crowd.results()
        trials = shape.concurrent + len(seen)
        report.exactly(f"{shape}: requests while half-open", trials, shape.permits)
        report.at_most(f"{shape}: of these at a time", max(seen, default=0), shape.concurrent)
        report.exactly(f"{shape}: callers that were served in the end", results.count("lead"), CALLERS)
        report.exactly(f"{shape}: the breaker at the end", scene.breaker.state.value, "closed")

    await on_scene(shape, act, seed=seed)


async def covered(shape: Shape, report: Report, seed: int) -> None:
    """With a standby nobody waits: one call in fifty is the trial, the others are served at once."""

    async def act(scene: Scene) -> None:
        crowd = scene.crowd()
        await settled(lambda: sum(task.done() for task in crowd.tasks) >= CALLERS - shape.concurrent)
        report.exactly(f"{shape}, with a standby: requests at the lead", scene.reached, shape.concurrent)
        scene.gate.opened.set()
        results = await crowd.results()
        served = (results.count("lead"), results.count("standby"))
        report.exactly(f"{shape}, with a standby: served", served, (shape.concurrent, CALLERS - shape.concurrent))

    await on_scene(shape, act, standby=True, seed=seed)


async def crowd(seed: int, tell: Tell, shapes: tuple[Shape, ...]) -> Report:
    """Every scene, with every shape."""
    report = Report("half_open", TITLE)
    scenes = [(scene, shape) for shape in shapes for scene in (succeeding, failing, covered, held)]
    for number, (scene, shape) in enumerate(scenes):
        await scene(shape, report, seed + number)
        tell((number + 1) / len(scenes))
    return report


async def full(seed: int, tell: Tell = quiet) -> Report:
    """Four shapes of breaker."""
    return await crowd(seed, tell, (Shape(), Shape(1, 1, 1), Shape(5, 2, 5), Shape(10, 3, 10)))


async def sample(seed: int, tell: Tell = quiet) -> Report:
    """The default shape, and one with several trials at a time."""
    return await crowd(seed, tell, (Shape(), Shape(5, 2, 5)))
