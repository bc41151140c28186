"""A service in a process of its own, for tests that kill it: `alert_child.py STORE PASSWORD HOOK SECRET FLAG`.

It counts calls on the API `odds`, which fail while the file FLAG exists, and says when it evaluates.
"""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from pathlib import Path

from understudy.alerts.model import Level, Rule
from understudy.alerts.options import AlertOptions
from understudy.app import Understudy
from understudy.channels.webhook import WebhookOptions
from understudy.config.settings import Settings
from understudy.core.notices import Severity
from understudy.core.secrets import Secret
from understudy.storage import StorageOptions

RULE = Rule(
    "failing", metric="success_rate", operator="<", levels=(Level(Severity.CRITICAL, 50.0),), window=10.0,
    keep_firing_for=1.0, cooldown=0.0,
)  # fmt: skip


async def main(store: str, password: str, hook: str, secret: str, flag: Path) -> None:
    settings = dataclasses.replace(
        Settings(),
        storage=StorageOptions(url=store, password=Secret(password)),
        alerts=AlertOptions(rules={"failing": RULE, **{name: off(name) for name in ("success_rate", "error_rate")}}),
        channels={"hook": WebhookOptions(url=Secret(hook), secrets=(Secret(secret),), allow_private=True)},
    )
    app = Understudy.build(settings, keep=True)
    said = False
    async with app:
        while True:
            if flag.exists():
                app.monitor.record_request_failure("odds", "out of order")
            else:
                app.monitor.record_request_success("odds", 0.1)
            evaluates = app.keeping is not None and "alerts" in app.keeping.roles.as_dict()
            if evaluates is not said:
                said = evaluates
                print("evaluates" if evaluates else "waits", flush=True)
            await asyncio.sleep(0.05)


def off(name: str) -> Rule:
    """A default rule that is not to speak here."""
    return Rule(name, metric=name, levels=(Level(Severity.WARNING, 50.0),), enabled=False)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5], Path(sys.argv[5])))
