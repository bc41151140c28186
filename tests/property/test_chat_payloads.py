"""Whatever an alert holds, each chat service takes it, nobody is mentioned, and nothing of it is markup."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from channel_kit import AT, message
from understudy.channels import discord, slack, telegram
from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.testing.receivers import DiscordReceiver, Received, SlackReceiver, TelegramReceiver

SIGNS = "aB 0.:\n\r\t\0\x1b\x85\u2028\u202e\u200d\u0301😀👩🏽🇧🇷שe<>&\"'*_~`|#-+[]()@!\\/{}\ud800\ufffe\u200b"
#: Pieces repeated up to the limits and beyond, and texts that any of the parsers would take for something.
PIECES = st.sampled_from(
    ["<!channel>", "@everyone", "</b>", "&amp;", "**x**", "[a](http://b)", "1. ", ":fire:", "<@1>"]
)
TEXTS = st.one_of(
    st.text(st.sampled_from(SIGNS), max_size=40),
    st.text(max_size=40),
    st.builds(lambda text, count: text * count, st.text(st.sampled_from(SIGNS), min_size=1, max_size=4) | PIECES,
              st.integers(1, 3000)),
)  # fmt: skip
NAMES = st.dictionaries(TEXTS, TEXTS, max_size=5)
NOTICES = st.builds(
    Notice, event_id=st.just("e"), kind=st.sampled_from(NoticeKind), severity=st.sampled_from(Severity), at=st.just(AT),
    title=TEXTS, content=TEXTS, labels=NAMES, facts=NAMES, reason=TEXTS, actor=TEXTS, runbook=TEXTS, rule=TEXTS,
    metric=st.sampled_from(["", "success_rate", "breaker_open"]) | TEXTS, value=st.none() | st.floats(),
    threshold=st.none() | st.floats(), started_at=st.none() | st.floats(0, 2e9),
    members=st.lists(st.tuples(TEXTS, TEXTS), max_size=12).map(tuple),
)  # fmt: skip
MESSAGES = st.builds(
    lambda notice, language, plain: replace(message(notice, language=language, links=LINKS), plain=plain),
    NOTICES, st.sampled_from(["en", "pt-BR"]), st.booleans(),
)  # fmt: skip
LINKS = {"acknowledge": "https://ops.example/a?x=1&y=(2)", "open": "https://ops.example/1"}
JSON = {"content-type": "application/json"}


def received(document: object, path: str) -> Received:
    return Received("POST", path, {"wait": "true"}, JSON, json.dumps(document, ensure_ascii=False).encode())


@settings(max_examples=60, deadline=None)
@given(MESSAGES)
def test_slack_takes_any_alert(sent):
    receiver = SlackReceiver()
    reply = receiver.answer(received(slack.payload(sent), receiver.path))
    assert reply.body == b"ok", receiver.refusals
    assert not receiver.accepted[0].pings


@settings(max_examples=60, deadline=None)
@given(MESSAGES)
def test_discord_takes_any_alert(sent):
    receiver = DiscordReceiver()
    reply = receiver.answer(received(discord.payload(sent), receiver.path))
    assert reply.status == 200, receiver.refusals
    assert not receiver.accepted[0].mentions
    assert not receiver.accepted[0].markup


@settings(max_examples=60, deadline=None)
@given(MESSAGES)
def test_telegram_takes_any_alert(sent):
    receiver = TelegramReceiver()
    document = {"chat_id": "42", **telegram.text_of(sent)}
    reply = receiver.answer(received(document, f"/bot{receiver.token}/sendMessage"))
    assert reply.status == 200, receiver.refusals
    assert not receiver.accepted[0].mentions
    assert {name for name, _ in receiver.accepted[0].entities} <= {"a", "b", "i"}
