"""Be told: an API fails and comes back; a chat, a pager and a function of yours hear of it.

python examples/alerts.py

Rules, channels and policies are in alerts.toml; tests of the rules are in alerts.test.toml. Slack and PagerDuty are
strict stand-ins on this machine, so that it runs without a network.
"""

import asyncio
from pathlib import Path

from understudy import AllApisFailed, Understudy
from understudy.alerts.model import Level, Rule
from understudy.config import load
from understudy.testing.receivers import PagerDutyReceiver, SlackReceiver

CONFIGURATION = Path(__file__).with_name("alerts.toml")
DUTY_KEY = "e" * 32  # stands for the integration key


class Odds:
    """Stands for your own client of the API."""

    well = True

    async def fetch(self):
        if not self.well:
            raise ConnectionRefusedError("odds.example refuses connections")
        return {"home": 1.9, "away": 4.2}


async def calls(app, odds, until):
    """Ask for odds until something is there."""
    while not until.done():
        try:
            await app.fallback.execute_with_fallback("odds_main", odds.fetch)
        except (AllApisFailed, ConnectionError):
            pass  # nobody stands in for it: that is what the alert is about
        await asyncio.sleep(0.02)
    return until.result()


async def outage(app, odds):
    notices = asyncio.Queue()
    app.alerts.add_callback(notices.put, name="desk")

    # A rule in code, as a version of its own in the rule book.
    rule = Rule("few_calls_left", metric="quota_remaining_ratio", operator="<", levels=(Level("warning", 0.1),))
    await app.alerts.rules.put(rule, actor="example", origin="code")
    print("rules of our own:", ", ".join(each.name for each in app.alerts.rules.rules()[-2:]))

    odds.well = False
    fired = await calls(app, odds, asyncio.ensure_future(notices.get()))
    print(f"told: {fired.kind} {fired.severity} {fired.rule} of {fired.labels['api']}, because {fired.facts['cause']}")
    await app.alerts.acknowledge(fired.fingerprint, actor="Ana", comment="called the provider")
    print("told:", (await notices.get()).kind, "by Ana")

    odds.well = True
    ended = await calls(app, odds, asyncio.ensure_future(notices.get()))
    print("told:", ended.kind)


async def report(app, slack, pager):
    for message in slack.accepted:
        print("in the chat:", message.texts[0].splitlines()[0])
    print("on the pager:", ", ".join(event["event_action"] for event in pager.accepted))
    account = await app.notifications.accounting(0, 4e9)
    print(f"of {account.rows} messages {account.delivered} were delivered, {account.missing} are missing")


async def main():
    async with SlackReceiver() as slack, PagerDutyReceiver(DUTY_KEY) as pager:
        environment = {"TEAM_WEBHOOK": slack.url, "DUTY_KEY": DUTY_KEY}
        overrides = [f"channels.duty.api_base={pager.base}"]
        settings = load(CONFIGURATION, env=environment, overrides=overrides).settings
        async with Understudy.build(settings) as app:
            app.fallback.register_api("odds_main", breaker={"open_for": 0.2})
            await outage(app, Odds())
        await report(app, slack, pager)  # the end waits for what is on its way


asyncio.run(main())
