"""Every hostile alert is accepted by every service, shown truthfully, and is nothing but text there."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from hostile_alerts import corpus

from channel_kit import AT, channel
from understudy.channels.discord import DiscordOptions
from understudy.channels.email import EmailOptions
from understudy.channels.opsgenie import OpsgenieOptions
from understudy.channels.pagerduty import PagerDutyOptions
from understudy.channels.slack import SlackOptions
from understudy.channels.telegram import TelegramOptions
from understudy.channels.webhook import WebhookOptions
from understudy.core.legible import clean, line, visible
from understudy.core.notices import Notice
from understudy.core.secrets import Secret
from understudy.notifications.message import Delivered, Message
from understudy.notifications.render import card
from understudy.testing import FakeClock
from understudy.testing.receivers import (
    DiscordReceiver,
    OpsgenieReceiver,
    PagerDutyReceiver,
    SlackReceiver,
    SmtpReceiver,
    TelegramReceiver,
    WebhookReceiver,
)
from understudy.testing.receivers.opsgenie import API_KEY
from understudy.testing.receivers.pagerduty import ROUTING_KEY

LINKS = {"acknowledge": "https://ops.example/act/a?x=1&y=(2)", "open": "https://ops.example/alerts/1"}
CORPUS = corpus()
LANGUAGES = ("en", "pt-BR")
SIGNING = "whsec_" + "QUJD" * 11


@dataclass
class Stand:
    """A service and the channel that sends to it."""

    receiver: Any
    options: Any

    def shown(self) -> list[str]:
        """The texts that a reader of the last message sees."""
        return list(self.receiver.accepted[-1].texts)

    def intrusions(self) -> list[str]:
        """What of the last message is more than text: mentions, markup, links that are not ours."""
        return []


class Slack(Stand):
    def __init__(self, receiver: Any) -> None:
        super().__init__(receiver, SlackOptions(url=Secret(receiver.url), allow_private=True))

    def intrusions(self) -> list[str]:
        last = self.receiver.accepted[-1]
        return last.pings + strange(last.links)


class Discord(Stand):
    def __init__(self, receiver: Any) -> None:
        super().__init__(receiver, DiscordOptions(url=Secret(receiver.url), allow_private=True))

    def intrusions(self) -> list[str]:
        last = self.receiver.accepted[-1]
        return last.mentions + last.markup + strange(last.links)


class Telegram(Stand):
    def __init__(self, receiver: Any) -> None:
        token = Secret(receiver.token)
        super().__init__(
            receiver, TelegramOptions(bot_token=token, chat_id=("42",), api_base=receiver.base, allow_private=True)
        )

    def shown(self) -> list[str]:
        return [self.receiver.accepted[-1].shown]

    def intrusions(self) -> list[str]:
        last = self.receiver.accepted[-1]
        tags = [name for name, _ in last.entities if name not in ("a", "b", "i")]
        return last.mentions + tags + strange(last.links)


class PagerDuty(Stand):
    def __init__(self, receiver: Any) -> None:
        key = Secret(ROUTING_KEY)
        super().__init__(receiver, PagerDutyOptions(routing_key=key, api_base=receiver.base, allow_private=True))

    def shown(self) -> list[str]:
        return texts_of(self.receiver.accepted[-2:])  # a test resolves itself


class Opsgenie(Stand):
    def __init__(self, receiver: Any) -> None:
        key = Secret(API_KEY)
        super().__init__(receiver, OpsgenieOptions(api_key=key, api_base=receiver.base, allow_private=True))

    def shown(self) -> list[str]:
        return [text for request in self.receiver.requests[-2:] if request.body for text in texts_of(request.json())]


class Webhook(Stand):
    def __init__(self, receiver: Any) -> None:
        options = WebhookOptions(url=Secret(receiver.url), secrets=(Secret(SIGNING),), allow_private=True)
        super().__init__(receiver, options)

    def shown(self) -> list[str]:
        return texts_of(self.receiver.accepted[-1])


class Mail(Stand):
    def __init__(self, receiver: Any) -> None:
        super().__init__(
            receiver,
            EmailOptions(
                host="127.0.0.1", port=receiver.port, security="none", from_email="a@example.com",
                to_emails=("b@example.com",), allow_private=True,
            ),
        )  # fmt: skip

    def shown(self) -> list[str]:
        last = self.receiver.mails[-1]
        return [last.subject, last.text()]

    def intrusions(self) -> list[str]:
        last = self.receiver.mails[-1]
        html = last.text("html")
        tags = set(re.findall(r"<\s*/?\s*([A-Za-z!][\w-]*)", html))
        headers = {name.lower() for name in last.message}
        wrong = sorted(tags & {"script", "img", "iframe", "object", "form", "svg", "x"}) + sorted(
            headers & {"bcc", "cc"}
        )
        return (
            wrong + strange(re.findall(r'href="([^"]*)"', html)) + [r for r in last.recipients if r != "b@example.com"]
        )


SERVICES: dict[str, tuple[type[Any], type[Any]]] = {
    "slack": (SlackReceiver, Slack),
    "discord": (DiscordReceiver, Discord),
    "telegram": (TelegramReceiver, Telegram),
    "pagerduty": (PagerDutyReceiver, PagerDuty),
    "opsgenie": (OpsgenieReceiver, Opsgenie),
    "webhook": (WebhookReceiver, Webhook),
    "email": (SmtpReceiver, Mail),
}
#: What acts on alerts rather than showing messages gets none of these from us.
PAGERS = ("pagerduty", "opsgenie")


@asynccontextmanager
async def stand(service: str):
    receiver, kind = SERVICES[service]
    # Time stands still: nothing here waits, and nothing may take its time-out for an answer.
    clock = FakeClock(epoch=AT)
    given = {"email": {}, "webhook": {"clock": clock}}.get(service, {})
    secrets = (SIGNING,) if service == "webhook" else ()
    async with receiver(*secrets, **given) as running:
        made = kind(running)
        async with channel(made.options, clock=clock) as sender:
            yield made, sender


def strange(links: list[str]) -> list[str]:
    """Links that are neither ours nor the runbook that the notice names."""
    return [link for link in links if not link.startswith(("https://ops.example/", "https://example.com/"))]


def texts_of(document: Any) -> list[str]:
    """Every text of a JSON document."""
    if isinstance(document, str):
        return [document]
    below = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    names = [str(name) for name in document] if isinstance(document, dict) else []
    return names + [text for each in below for text in texts_of(each)]


def words(text: str) -> str:
    """A text without regard to white space, which services fold."""
    return "".join(text.replace("\u2060", "").split())


def beginnings(notice: Notice, longest: int) -> list[str]:
    """What of a notice must be readable wherever it is sent: the beginning of its title and of its content."""
    parts = [line(notice.title[:4000]), clean(notice.content[:4000])]
    return [words(part)[:longest] for part in parts if visible(part[:1000]) and words(part)]


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("service", SERVICES)
async def test_every_hostile_alert_arrives_as_text_that_can_be_read(service, part):
    async with stand(service) as (made, sender):
        for number, (why, notice) in list(enumerate(CORPUS))[part::2]:
            shown = card(notice, LANGUAGES[number // 2 % 2], links=LINKS, notes=("repeat",) if number % 5 == 0 else ())
            message = Message(f"01JROW{number:020d}", notice, shown, AT, plain=number % 7 == 3, root=notice.episode)
            outcome = await sender.send(message)
            assert isinstance(outcome, Delivered), (why, outcome)
            assert not made.intrusions(), (why, made.intrusions())
            if service in PAGERS and (message.plain or notice.kind.value not in ("fired", "test", "message", "digest")):
                continue  # an act on an incident that shows its title already, or its bare minimum
            seen = words("\n".join(made.shown()))
            for beginning in beginnings(notice, 40):
                assert beginning in seen, (why, beginning)
        assert not (made.receiver.faults if service == "email" else made.receiver.refusals)


def test_the_corpus_is_the_same_each_time_and_large_enough():
    assert len(CORPUS) >= 500
    assert [why for why, _ in corpus()] == [why for why, _ in CORPUS]
    assert len({why for why, _ in CORPUS}) == len(CORPUS)
