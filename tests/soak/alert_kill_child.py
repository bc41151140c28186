"""The service that `alert_kill` kills: `alert_kill_child.py ADDRESSES WORLD`, the receivers as JSON and a file.

It is told over its input: each line, as JSON, begins one life, in a copy of itself, so that the libraries are
imported once only. A life is the whole application on its store: it counts calls of the APIs that the file WORLD
names, each failing or well, tells people on four channels, and says which events its store has taken.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from understudy.alerts.model import Level, Rule
from understudy.alerts.options import AlertOptions
from understudy.alerts.ports import Change
from understudy.app import Understudy
from understudy.channels.email import EmailOptions
from understudy.channels.pagerduty import PagerDutyOptions
from understudy.channels.slack import SlackOptions
from understudy.channels.webhook import WebhookOptions
from understudy.config.settings import Settings
from understudy.core.lease import Lease
from understudy.core.notices import Severity
from understudy.core.outbox import OutboxRow
from understudy.core.secrets import Secret
from understudy.storage import StorageOptions
from understudy.testing.receivers.pagerduty import ROUTING_KEY

SIGNING = "whsec_bm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm4="
#: What is imported late: here before the copies are made.
_LATE = (
    "aiosmtplib", "psycopg", "understudy.alerting.service", "understudy.clients.outward", "understudy.keeping",
    "understudy.storage.postgres_store", "understudy.storage.sqlite_store",
)  # fmt: skip
#: The file is read, and calls are counted, that often, s; how many wait is told that often, s.
TICK, TELL = 0.1, 0.5
#: Calls that an API which is well answers in a tick: within one it outweighs what went wrong before.
SERVED = 60


def rule(name: str, severity: Severity) -> Rule:
    """The APIs whose names begin so are to serve at least half of their calls."""
    return Rule(
        name, metric="success_rate", operator="<", levels=(Level(severity, 50.0),), match=(f'api=~"{name}.*"',),
        window=10.0, keep_firing_for=0.0, cooldown=0.0,
    )  # fmt: skip


def off(name: str) -> Rule:
    """A default rule that is not to speak here."""
    return Rule(name, metric=name, levels=(Level(Severity.WARNING, 50.0),), enabled=False)


def settings(store: str, password: str, to: dict[str, Any]) -> Settings:
    """Two rules, one critical and one not, and four channels."""
    rules = {"bad": rule("bad", Severity.CRITICAL), "poor": rule("poor", Severity.WARNING)}
    return dataclasses.replace(
        Settings(),
        storage=StorageOptions(url=store, password=Secret(password)),
        alerts=AlertOptions(rules=rules | {name: off(name) for name in ("success_rate", "error_rate")}),
        channels={
            "hook": WebhookOptions(url=Secret(to["hook"]), secrets=(Secret(SIGNING),)),
            "pager": PagerDutyOptions(routing_key=Secret(ROUTING_KEY), api_base=to["pager"]),
            "chat": SlackOptions(url=Secret(to["chat"])),
            "mail": EmailOptions(
                host="127.0.0.1", port=to["mail"], security="none", from_email="understudy@example.org",
                to_emails=("ana@example.org",),
            ),
        },
    )  # fmt: skip


def say(*what: object) -> None:
    """Tell; the line is with the reader before anything else is done."""
    os.write(1, (" ".join(map(str, what)) + "\n").encode())


class World:
    """Which APIs fail and which are well, as the file says it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at = 0
        self.apis: dict[str, str] = {}

    def look(self) -> None:
        """Read it, if it has changed."""
        changed = self._path.stat().st_mtime_ns
        if changed != self._read_at:
            self._read_at = changed
            self.apis = json.loads(self._path.read_text())

    def count(self, app: Understudy) -> None:
        """The calls of one tick."""
        for name, state in self.apis.items():
            if state == "failing":
                app.monitor.record_request_failure(name, "out of order")
            else:
                for _ in range(SERVED):
                    app.monitor.record_request_success(name, 0.1)


async def live(store: str, password: str, addresses: dict[str, Any], world: World) -> None:
    """One life: goes on until it is killed, or until its input says so."""
    began = time.perf_counter()
    app = Understudy.build(settings(store, password, addresses), keep=True)
    async with app:
        assert app.keeping is not None
        tell_commits(app.keeping.store.alerts)
        say("opened", time.perf_counter() - began)
        evaluated, told_at = False, 0.0
        while True:
            world.look()
            world.count(app)
            if (evaluates := "alerts" in app.keeping.roles.as_dict()) is not evaluated:
                evaluated = evaluates
                say("evaluates", int(evaluates))
            if time.perf_counter() - told_at > TELL:
                told_at = time.perf_counter()
                waiting = len(await app.keeping.store.outbox.pending(10_000))
                account = await app.notifications.accounting(0.0, 4e9)
                say("account", waiting, account.rows, account.missing)
            await asyncio.sleep(TICK)


def tell_commits(alerts: Any) -> None:
    """Say each event that the store has taken, and nothing before it has."""
    commit = alerts.commit

    async def told(change: Change, lease: Lease | None = None) -> Sequence[OutboxRow]:
        rows: Sequence[OutboxRow] = await commit(change, lease)
        for event in change.events:
            say("kept", event.kind, event.notice.get("labels", {}).get("api", "-"), event.event_id)
        return rows

    alerts.commit = told


def main(addresses: str, world: str) -> None:
    """Begin a life for each line."""
    for name in _LATE:
        importlib.import_module(name)
    for line in sys.stdin:
        store, password = json.loads(line)
        child = os.fork()
        if child == 0:
            asyncio.run(live(store, password, json.loads(addresses), World(Path(world))))
        say("process", child)
        _, status = os.waitpid(child, 0)
        say("ended", status)


if __name__ == "__main__":
    main(*sys.argv[1:])
