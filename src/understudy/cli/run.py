"""`understudy run`: the service, from configuration to drained end."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from rich.text import Text

from understudy import __version__
from understudy.app import Understudy
from understudy.config import Loaded, load
from understudy.config.faults import Fault, shown
from understudy.config.loader import DEFAULT_FILE
from understudy.config.managed import ManagedTree
from understudy.config.reload import Reloader, Watcher, on_hangup
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.errors import ConfigError, StoreUnavailable
from understudy.export.logs import configure_logging
from understudy.managing import Managing
from understudy.simulator import SimulatorThread
from understudy.web.auth.exposure import Exposure, is_loopback
from understudy.web.auth.first import offer_first
from understudy.web.auth.process import Process

from .demo_data import DemoData
from .exits import FAILED, INTERRUPTED, OK, RESTART
from .exposed import exposure_of, refuse_exposure, supervisor
from .faults import said
from .screen import Screen, complain
from .serve import Ended, open_socket, serve
from .simulated import load_sample, traffic

_log = logging.getLogger("understudy.service")

#: A thread that has not waited for anything lets others run after this, s.
_SWITCH = 0.0005
#: What of [service] is read once, at the start.
_AT_START = (
    "host", "port", "public_names", "trusted_proxies", "tls_certificate", "tls_key", "allow_plain_http",
    "shutdown_timeout",
)  # fmt: skip  # a list of names


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The command line of `run`; None and 0 mean what the configuration says, or nothing."""

    config: Path | None = None
    environment: str | None = None
    host: str | None = None
    port: int | None = None
    overrides: tuple[str, ...] = ()
    simulator: bool = False
    seed: int = 7
    traffic: float = 0.0
    reload: bool = True
    #: Nobody has to sign in; on loopback only.
    insecure: bool = False
    #: Nobody may change anything through it.
    read_only: bool = False

    def all_overrides(self) -> list[str]:
        """Everything that the command line sets, the options of their own last."""
        found = list(self.overrides)
        if self.host is not None:
            found.append(f"service.host={self.host}")
        if self.port is not None:
            found.append(f"service.port={self.port}")
        return found


def run_service(screen: Screen, options: RunOptions) -> int:
    """Serve until a signal ends it; the exit code."""
    with SimulatorThread(options.seed) if options.simulator else _Nothing() as simulator:
        # A file that was there at the start must be there later: one that is gone for a moment, while an editor
        # replaces it, would otherwise be taken for an empty configuration.
        config = options.config or (Path(DEFAULT_FILE) if Path(DEFAULT_FILE).exists() else None)

        demo = DemoData(options.seed)

        def read(managed: ManagedTree) -> Loaded:
            if isinstance(simulator, SimulatorThread) and options.config is None:
                loaded = load_sample(simulator, options.all_overrides(), options.environment, managed)
            else:
                loaded = load(
                    config, overrides=options.all_overrides(), environment=options.environment, managed=managed
                )
            loaded = demo.added_to(loaded)
            # Built once for nothing: what cannot be built is found before anything is replaced.
            Understudy.build(loaded.settings)
            return loaded

        loaded = read(ManagedTree())
        service = loaded.settings.service
        origin = said(str(loaded.origin(("service", "host"))), screen.text)
        exposure = exposure_of(loaded.settings, insecure=options.insecure)
        refuse_exposure(exposure, loaded.settings, origin, screen.text)
        local = is_loopback(service.host) or exposure.local
        with open_socket(service.host, service.port, screen.text, local=local) as opened:
            _log_to(loaded)
            for warning in loaded.warnings:
                complain(said(warning, screen.text))
            running = _Running(screen, options, loaded, read, exposure, demo)
            with asyncio.Runner(loop_factory=_loop) as runner:
                ended = runner.run(running.serve(opened))
    if ended.forced:
        complain(screen.text("ended at once; calls that ran were cut off"))
        return FAILED
    if ended.restart:
        return RESTART
    return INTERRUPTED if ended.signal == signal.SIGINT else OK


class _Running:
    """One run of the service: the application, what watches its files, what makes traffic."""

    def __init__(
        self, screen: Screen, options: RunOptions, loaded: Loaded, read: Callable[[ManagedTree], Loaded],
        exposure: Exposure, demo: DemoData,
    ) -> None:  # fmt: skip
        self._screen, self._options, self._exposure = screen, options, exposure
        self._setup = ""
        self._clock = SYSTEM_CLOCK
        self._app = Understudy.build(loaded.settings, clock=self._clock, keep=True)
        self._read = read
        self._reloader = Reloader(loaded, self._reread, self._take_in, self._refused)
        self._demo = demo
        demo.reread = self._reloader

    async def serve(self, opened: socket.socket) -> Ended:
        """Serve until a signal; background work ends before the application does."""
        await self._app.start()
        managing = await self._manage()
        # What was made until now lives as long as the process. Looked through again and again by the collector,
        # it would stop the loop for a tenth of a second each time.
        gc.collect()
        gc.freeze()
        # Else the loop would wait for as long as 5 ms, each time that it has waited for the network, until the
        # thread that writes to the store lets go of the interpreter.
        sys.setswitchinterval(_SWITCH)
        work = [managing.run(), self._demo.life()]
        if self._options.reload:
            work.append(self._watched())
        if self._options.traffic > 0:
            work.append(traffic(self._app, self._clock, self._options.traffic))
        tasks = [asyncio.ensure_future(each) for each in work]
        for task in tasks:
            task.add_done_callback(_tell)
        on_hangup(asyncio.get_running_loop(), self._reloader)
        if not self._exposure.open:
            self._setup = await offer_first(self._app)
        service = self._reloader.current.settings.service
        exposure = replace(self._exposure, port=opened.getsockname()[1])
        return await serve(
            self._app,
            opened,
            service.shutdown_timeout,
            ready=lambda: self._ready(opened),
            background=tasks,
            process=Process(
                exposure,
                lambda: self._reloader.current,
                supervisor=supervisor(),
                read_only=self._options.read_only,
                demo=None if self._options.simulator else self._demo,
            ),
            tls=(service.tls_certificate, service.tls_key),
        )

    async def _manage(self) -> Managing:
        """Put in force what people have edited in the dashboard; what cannot be used is left out, and told."""
        assert self._app.keeping is not None  # noqa: S101 - it is built with `keep`, and has started; for mypy
        managing = self._app.managing = Managing(
            self._app, self._app.keeping.store.documents, lambda: self._reloader.current, self._read,
            self._reloader.change, Understudy.build,
        )  # fmt: skip
        try:
            await managing.take_up()
        except (StoreUnavailable, ConfigError) as problem:
            _log.error("what was edited in the dashboard is not in force: %s", problem)
        return managing

    def _reread(self) -> Loaded:
        return self._read(self._app.managing.tree if self._app.managing is not None else ManagedTree())

    async def _watched(self) -> None:
        await Watcher(lambda: self._reloader.current.files, self._clock, self._reloader).run()

    def _take_in(self, loaded: Loaded) -> None:
        before = self._reloader.current.settings
        _log_to(loaded)  # the only step that can fail comes first
        changes = self._app.reload(loaded.settings)
        for warning in loaded.warnings:
            _log.warning("%s", warning)
        _log.info("configuration taken in: %s", ", ".join(f"{key} {value}" for key, value in changes.items() if value))
        late = [name for name in _AT_START if getattr(loaded.settings.service, name) != getattr(before.service, name)]
        if late:
            _log.warning("%s of [service] changes at the next start only", ", ".join(late))
        if loaded.settings.storage != before.storage:
            _log.warning("where and for how long things are kept changes at the next start only")

    def _refused(self, error: ConfigError) -> None:
        self._app.reload_failed(str(error))
        for fault in error.faults:
            _log.error("configuration refused, the old one stays: %s", fault)

    def _ready(self, opened: socket.socket) -> None:
        """Say where it is, and honestly what is simulated; a service goes on when nobody reads that."""
        try:
            self._introduce(opened)
        except OSError:
            _log.warning("standard output is closed")

    def _introduce(self, opened: socket.socket) -> None:
        _ = self._screen.text
        host, port = opened.getsockname()[:2]
        scheme = "https" if self._exposure.tls else "http"
        url = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
        settings = self._reloader.current.settings
        self._screen.line(Text.assemble(("Understudy ", "name"), f"{self._app.version}  ", (url, "good")))
        apis = _.plural("{count} API", "{count} APIs", len(settings.apis))
        routes = _.plural("{count} route", "{count} routes", len(settings.routes))
        self._screen.line(f"  {apis}, {routes}, {settings.environment}")
        if self._options.simulator:
            self._screen.line("  " + _("the APIs are simulated: servers on this machine, made-up football"), "degraded")
        if self._options.traffic > 0 and settings.routes:
            rate = self._screen.number(self._options.traffic, 1)
            self._screen.line("  " + _("with traffic of our own: {rate} calls a second", rate=rate), "degraded")
        self._screen.line("  " + _("health, metrics, JSON: {paths}", paths="/health /metrics /api/status"), "quiet")
        if self._setup:
            told = _("first administrator: {url}/setup within 30 minutes, token {token}", url=url, token=self._setup)
            self._screen.line("  " + told, "quiet")
        self._screen.line("  " + _("understudy status --url {url} shows it here; Ctrl-C ends it", url=url), "quiet")


def _tell(task: asyncio.Task[None]) -> None:
    """Background work that dies is an error of ours, and must not be silent."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("background work ended", exc_info=error)


def _loop() -> asyncio.AbstractEventLoop:
    """The fastest loop there is here: uvloop, where it is installed."""
    try:
        uvloop = import_module("uvloop")
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _log_to(loaded: Loaded) -> None:
    settings = loaded.settings
    try:
        configure_logging(settings.log, secrets=loaded.secrets(), version=__version__, environment=settings.environment)
    except OSError as error:
        path = ("log", "file")
        reason = f"the log's file cannot be written: {(error.strerror or str(error)).lower()}"
        raise ConfigError((Fault(path, loaded.origin(path), reason, shown(path, settings.log.file)),)) from None


class _Nothing:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None
