"""The whole way, with nothing made up but the API: HTTP calls, a store on disk, a chat service that is strict."""

from __future__ import annotations

import asyncio
import dataclasses

from understudy.alerts.defaults import default_rules
from understudy.alerts.options import AlertOptions
from understudy.app import Understudy
from understudy.channels.slack import SlackOptions
from understudy.cli.simulated import load_sample, traffic
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.secrets import Secret
from understudy.simulator import Fault, SimulatorThread
from understudy.storage import StorageOptions
from understudy.testing.receivers import SlackReceiver

PATIENCE = 40.0


async def until(receiver: SlackReceiver, words: str) -> str:
    """The first message with these words."""
    async with asyncio.timeout(PATIENCE):
        while True:
            for message in receiver.accepted:
                if words in message.shown:
                    return message.shown
            await asyncio.sleep(0.02)


async def test_a_simulated_api_dies_and_recovers_under_traffic_and_a_chat_is_told_of_both(tmp_path) -> None:
    with SimulatorThread(latency_scale=0.1) as simulator:
        loaded = load_sample(simulator, []).settings
        api = loaded.routes["fixtures"].apis[0]
        rules = {rule.name: dataclasses.replace(rule, keep_firing_for=1.0) for rule in default_rules()}
        async with SlackReceiver() as slack:
            settings = dataclasses.replace(
                loaded,
                storage=StorageOptions(url=f"sqlite:///{tmp_path / 'understudy.db'}"),
                channels={"chat": SlackOptions(url=Secret(slack.url), allow_private=True)},
                alerts=AlertOptions(rules={"api_down": rules["api_down"]}),
            )
            async with Understudy.build(settings, seed=1, keep=True) as app:
                work = asyncio.ensure_future(traffic(app, SYSTEM_CLOCK, 60.0))
                try:
                    await asyncio.sleep(1.5)
                    simulator.inject(api, Fault("status", status=503))
                    fired = await until(slack, "API down")
                    assert api in fired
                    simulator.clear(api)
                    resolved = await until(slack, "Resolved")
                    assert api in resolved
                finally:
                    work.cancel()
                    await asyncio.gather(work, return_exceptions=True)
                assert slack.refusals == []
                rows = [row for row in await app.alerts.history() if row.rule == "api_down"]
                assert [row.labels["api"] for row in rows] == [api]
                shown = await app.alerts.episode(rows[0].episode)
                assert [event.kind for event in shown.events][0] == "fired"
                assert shown.events[-1].kind == "resolved"
                assert {each["state"] for each in shown.deliveries} <= {"delivered", "digested", "pending"}
