"""Entry 7 of `understudy setup`: tries everything that a configuration names, and says in one table what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from rich.text import Text

from understudy.app import Understudy
from understudy.channels.opsgenie import BASES as OPSGENIE
from understudy.channels.opsgenie import OpsgenieOptions
from understudy.channels.options import ChannelOptions
from understudy.channels.pagerduty import BASES as PAGERDUTY
from understudy.channels.pagerduty import PagerDutyOptions
from understudy.config import Settings
from understudy.config.sentences import said
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.errors import NotInstalled, UnderstudyError

from .check import advice, asked
from .screen import Screen, safe

#: Longest wait for one connection, s.
PATIENCE: Final = 5.0
#: Who sends the test messages, as the log of deliveries names it.
ACTOR: Final = "setup"


@dataclass(frozen=True, slots=True)
class Finding:
    """What trying one thing brought. `ok` is None where it says nothing."""

    kind: str
    name: str
    ok: bool | None
    seconds: float | None
    said: str
    advice: str = ""


async def try_everything(screen: Screen, settings: Settings, *, send: bool) -> list[Finding]:
    """Ask each API, look at the store and the port, reach each channel; `send` sends each a real test message."""
    found = [*await _apis(screen, settings), await asyncio.to_thread(_store, screen, settings)]
    if send and settings.channels:
        found += await send_tests(screen, settings, list(settings.channels))
    else:
        found += await asyncio.gather(*(_reached(screen, name, options) for name, options in settings.channels.items()))
    return [*found, _port(screen, settings)]


async def _apis(screen: Screen, settings: Settings) -> list[Finding]:
    names = [name for name, options in settings.apis.items() if options.base_url]
    results = await asked(screen, settings, names, silent=False)
    return [
        Finding(
            "API",
            each.api,
            each.ok,
            each.seconds,
            said(each.message, screen.text),
            advice(screen, each) if each.advice else "",
        )
        for each in results
    ]


def _store(screen: Screen, settings: Settings) -> Finding:
    _, options = screen.text, settings.storage
    kind, started = _("storage"), SYSTEM_CLOCK.monotonic()
    if options.kind == "memory":
        return Finding(kind, "memory:", True, None, _("everything is forgotten when the service ends"))
    where = options.path.name if options.kind == "sqlite" else options.server().get("host", "")
    if options.kind == "sqlite" and not options.path.exists():
        folder = options.path.absolute().parent
        if folder.is_dir():
            return Finding(kind, where, True, None, _("the file is made when the service starts"))
        return Finding(kind, where, False, None, _("there is no folder {folder}", folder=folder))
    try:
        from understudy.storage import admin

        checked = admin.check(options)
    except (UnderstudyError, NotInstalled) as error:
        return Finding(kind, where, False, SYSTEM_CLOCK.monotonic() - started, str(error))
    said = checked.faults[0] if checked.faults else _("works, revision {revision}", revision=checked.revision)
    return Finding(kind, where, not checked.faults, SYSTEM_CLOCK.monotonic() - started, said)


def _port(screen: Screen, settings: Settings) -> Finding:
    _, service = screen.text, settings.service
    name = f"{service.host}:{service.port}"
    family = socket.AF_INET6 if ":" in service.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((service.host.strip("[]"), service.port))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            return Finding(_("port"), name, False, None, _("taken or not allowed: {reason}", reason=reason))
    return Finding(_("port"), name, True, None, _("free"))


async def _reached(screen: Screen, name: str, options: ChannelOptions) -> Finding:
    """Whether the service behind a channel takes connections; nothing is sent."""
    _ = screen.text
    kind, found = _("channel"), _address(options)
    if found is None:
        return Finding(kind, name, None, None, _("only a test message shows whether it works"))
    host, port, encrypted = found
    started = SYSTEM_CLOCK.monotonic()
    try:
        await _quick(lambda: _connect(host, port, encrypted))
    except TimeoutError:
        said, ok = _("{host}:{port} does not answer", host=host, port=port), False
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        said, ok = _("{host}:{port} cannot be reached: {reason}", host=host, port=port, reason=reason), False
    else:
        said, ok = _("{host}:{port} takes connections; nothing was sent", host=host, port=port), True
    return Finding(kind, name, ok, SYSTEM_CLOCK.monotonic() - started, said)


async def _quick(work: Callable[[], Awaitable[None]]) -> None:
    """Raises TimeoutError when it takes longer than `PATIENCE`."""
    async with asyncio.timeout(PATIENCE):
        await work()


async def _connect(host: str, port: int, encrypted: bool) -> None:
    _reader, writer = await asyncio.open_connection(host, port, ssl=encrypted or None)
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError):
        await writer.wait_closed()


def _address(options: ChannelOptions) -> tuple[str, int, bool] | None:
    """Host and port behind a channel, and whether the first byte is encrypted; None where that is not known."""
    host = getattr(options, "host", "")
    if host:
        security = getattr(options, "security", "")
        port = getattr(options, "port", 0) or {"tls": 465, "starttls": 587}.get(security, 25)
        return host, port, security == "tls"
    url = getattr(options, "url", None)
    address = url.reveal() if url is not None else getattr(options, "api_base", "")
    if isinstance(options, PagerDutyOptions):
        address = options.api_base or PAGERDUTY[options.region]
    if isinstance(options, OpsgenieOptions):
        address = options.api_base or OPSGENIE.get((options.service, options.region), "")
    parts = urlsplit(address)
    if not parts.hostname:
        return None
    encrypted = parts.scheme == "https"
    return parts.hostname, parts.port or (443 if encrypted else 80), encrypted


async def send_tests(screen: Screen, settings: Settings, names: list[str]) -> list[Finding]:
    """Send a marked test message through channels, without a service."""
    _, found = screen.text, list[Finding]()
    app = Understudy.build(settings)
    await app.start()
    try:
        for name in names:
            result = await app.notifications.test(name, actor=ACTOR)
            said = _("delivered") if result.success else result.reason or result.response or result.state
            found.append(Finding(_("channel"), name, result.success, result.seconds, said))
    finally:
        await app.stop(PATIENCE)
    return found


def show(screen: Screen, found: list[Finding]) -> bool:
    """The table; whether nothing failed."""
    _ = screen.text
    table = screen.table("", _("Name"), _("Result"), _("Took"), _("Found"), numbers=(3,))
    words = {
        True: ("● " + _("works"), "healthy"),
        False: ("■ " + _("fails"), "down"),
        None: ("○ " + _("says nothing"), "unknown"),
    }
    for each in found:
        took = screen.seconds(each.seconds)
        table.add_row(each.kind, Text(safe(each.name), "name"), Text(*words[each.ok]), took, Text(safe(each.said)))
    screen.console.print(table)
    for each in found:
        if each.advice and each.ok is not True:
            screen.line(Text.assemble((f"{safe(each.name)}: ", "name"), safe(each.advice, 400)))
    failed = sum(each.ok is False for each in found)
    if failed:
        screen.line(_.plural("{count} test failed.", "{count} tests failed.", failed), "bad")
    else:
        screen.line(_("Nothing failed."), "good")
    return not failed
