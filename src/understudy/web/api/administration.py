"""The configuration, the security self-check, the machine, a backup and the restart, over JSON."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from understudy.core.errors import StoreUnusable
from understudy.core.text import texts
from understudy.monitor.system import ErrorEntry
from understudy.web.auth import acts
from understudy.web.auth.permissions import Permission
from understudy.web.declared import Field, Gives, Param
from understudy.web.endpoint import Table, endpoint
from understudy.web.http import Answer, Request, dumped
from understudy.web.kinds import Text
from understudy.web.schemas import FLAG, TEXT, WHOLE, array, mapping, obj, view
from understudy.web.views.administration import ConfigView, MachineView
from understudy.web.views.safety import Check, SafetyView

from .accounts import accounting
from .shapes import KEPT

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Bytes of a backup that are read and sent at a time.
_PIECE = 256 * 1024
#: The answer to a restart is sent before the service ends, s.
_SOON = 0.5
#: Longest reason, characters.
REASON = 500
_TAG = "Administration"


async def configuration(app: Understudy, request: Request) -> Answer:
    """Every value in force and where it came from; secrets are masked."""
    shown = ConfigView.of(app, request.gate.process)
    wanted = _UNDER.of(request.query())
    return Answer(dumped((shown.under(wanted) if wanted else shown).as_dict()))


async def security(app: Understudy, request: Request) -> Answer:
    """The security self-check: what is as it should be, and what to do about the rest."""
    return Answer(dumped((await SafetyView.of(app, request.gate.process, texts("en"))).as_dict()))


async def machine(app: Understudy, request: Request) -> Answer:
    """This process, its store and what they run on."""
    return Answer(dumped(MachineView.of(app).as_dict()))


@accounting
async def backup(app: Understudy, request: Request) -> Answer:
    """A copy of the store, made while everything goes on. It holds the history, the audit log and hashed passwords."""
    return await back_up(app, request)


@accounting
async def restart(app: Understudy, request: Request) -> Answer:
    """End the service in order, with the exit code that asks its supervisor to start it again (75)."""
    reason = _REASON.of(await request.json_object())
    await start_anew(app, request, reason)
    supervisor = request.gate.process.supervisor
    return Answer(dumped({"restarting": True, "supervisor": supervisor, "exit_code": 75}), 202)


async def back_up(app: Understudy, request: Request) -> Answer:
    """As `backup`, for pages and programs.

    Raises:
        Refused: the password was not given a moment ago, or the store cannot be copied.
    """
    acts.check_proved(app, request)
    keeping = acts.keeping_of(app)
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="understudy-backup-"))
    at = datetime.fromtimestamp(app.clock.time(), UTC)
    ending = "dump" if keeping.store.health().kind == "postgresql" else "db"
    file = folder / f"understudy-{at:%Y%m%dT%H%M%SZ}.{ending}"
    try:
        await keeping.back_up(file)
        size = file.stat().st_size
    except StoreUnusable as error:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        raise acts.Refused("backup", str(error), status=409) from None
    except BaseException:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        raise
    await acts.audit(app, request, request.who.name, "store.copied", file.name, after={"bytes": size})
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"', "Content-Length": str(size)}
    return Answer(_pieces(file), 200, "application/octet-stream", headers)


async def _pieces(file: Path) -> AsyncIterator[bytes]:
    try:
        with file.open("rb") as opened:
            while piece := await asyncio.to_thread(opened.read, _PIECE):
                yield piece
    finally:
        await asyncio.to_thread(shutil.rmtree, file.parent, ignore_errors=True)


async def start_anew(app: Understudy, request: Request, reason: str) -> None:
    """End the service as `restart` does, a moment after the answer.

    Raises:
        Refused: the password was not given a moment ago, no reason was given, or this service cannot end itself.
    """
    acts.check_proved(app, request)
    ask = request.gate.process.restart
    if ask is None:
        raise acts.Refused("mounted", "this service is part of another program, which must restart it", status=409)
    if not reason.strip():
        raise acts.Refused("reason", "say why", field="reason")
    await acts.audit(app, request, request.who.name, "service.restart", app.instance, after={"reason": reason})
    app.clock.call_later(_SOON, ask)


_UNDER = Param("under", Text(200), "Only values whose path holds this.", "")
_REASON = Field("reason", Text(REASON, 1), "Why; it goes into the audit log.", required=True)

_CONFIG = Gives(view(ConfigView, values=array(obj(path=TEXT, value={}, origin=TEXT))))
_SAFETY = Gives(obj(counts=mapping(WHOLE), checks=array(view(Check, "SecurityCheck"))))
_MACHINE = Gives(
    view(MachineView, "Machine", errors=array(view(ErrorEntry, "LoggedError")), kept=obj(tuple(KEPT), **KEPT))
)
_RESTART = Gives(obj(restarting=FLAG, supervisor=TEXT, exit_code=WHOLE), 202)
_configuration = endpoint(configuration, Permission.INSPECT, query=(_UNDER,), gives=_CONFIG, tag=_TAG)
_restart = endpoint(
    restart, Permission.ADMIN, body=(_REASON,), gives=_RESTART, problems=(404, 409, 422, 503), tag=_TAG
)  # fmt: skip

ROUTES: Table = {
    ("GET", "/admin/config"): _configuration,
    ("GET", "/api/admin/config"): _configuration,
    ("GET", "/api/admin/security"): endpoint(security, Permission.INSPECT, gives=_SAFETY, tag=_TAG),
    ("GET", "/api/admin/system"): endpoint(
        machine, Permission.INSPECT, gives=_MACHINE, tag=_TAG
    ),
    ("POST", "/api/admin/backup"): endpoint(
        backup, Permission.ADMIN, problems=(404, 409, 503), tag=_TAG,
        gives=Gives({"type": "string", "format": "binary"}, content_type="application/octet-stream"),
    ),
    ("POST", "/admin/restart"): _restart,
    ("POST", "/api/admin/restart"): _restart,
}  # fmt: skip
