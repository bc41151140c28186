"""Slack, Discord and Telegram: what their answers mean, what is edited, and whom a message finds when things moved."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from channel_kit import AT, channel, message, notice, overdue
from understudy.channels import discord, slack, telegram
from understudy.channels._http import Answer
from understudy.channels.discord import DiscordOptions
from understudy.channels.slack import SlackOptions
from understudy.channels.telegram import TelegramOptions
from understudy.core.errors import OptionError
from understudy.core.notices import NoticeKind, Severity
from understudy.core.secrets import Secret
from understudy.notifications.message import Degrade, Delivered, PerRecipient, Receipt, Rejected, Retry
from understudy.testing import FakeClock
from understudy.testing import receivers as services
from understudy.testing.receivers import HANG, DiscordReceiver, SlackReceiver, TelegramReceiver
from understudy.testing.receivers.base import as_json, status
from understudy.testing.receivers.discord import rate_limited

PLAIN = message(plain=True)
RICH = message()


def answer(code: int, body: object = b"", **headers: str) -> Answer:
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Answer(code, headers, raw)


def told(outcome: object) -> str:
    """The outcome in one word, with its scope."""
    return outcome.scope if isinstance(outcome, Rejected) else type(outcome).__name__.lower()


# -- what answers mean -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        (200, "ok", "delivered"),
        (200, "ok\n", "delivered"),
        (200, "<html>ok</html>", "retry"),
        (200, "", "retry"),
        (204, "", "retry"),
        (302, "", "retry"),
        (400, "invalid_payload", "degrade"),
        (400, "invalid_blocks", "degrade"),
        (400, "too_many_attachments", "degrade"),
        (400, "no_text", "degrade"),
        (413, "", "degrade"),
        (403, "invalid_token", "endpoint"),
        (403, "action_prohibited", "endpoint"),
        (404, "no_service", "endpoint"),
        (410, "channel_is_archived", "endpoint"),
        (408, "", "retry"),
        (429, '{"ok":false,"error":"rate_limited","retry_after":30}', "retry"),
        (500, "rollup_error", "retry"),
        (503, "", "retry"),
    ],
)
def test_what_slack_answers(code, body, expected):
    outcome = slack.outcome(answer(code, body), RICH)
    assert told(outcome) == expected
    plain = slack.outcome(answer(code, body), PLAIN)
    assert told(plain) == ("message" if expected == "degrade" else expected)
    if code == 429:
        assert outcome.after == 30.0


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        (200, {"id": "123"}, "delivered"),
        (204, "", "delivered"),
        (200, {"ok": True}, "retry"),
        (200, {"id": 7}, "retry"),
        (200, "<html></html>", "retry"),
        (301, "", "retry"),
        (400, {"code": 50035, "message": "Invalid Form Body", "errors": {}}, "degrade"),
        (400, {"code": 50006, "message": "Cannot send an empty message"}, "degrade"),
        (400, {"code": 50109, "message": "bad JSON"}, "degrade"),
        (400, {"code": 220001, "message": "forum"}, "degrade"),
        (401, {"code": 50027, "message": "Invalid Webhook Token"}, "endpoint"),
        (403, {"code": 50013, "message": "Missing Permissions"}, "endpoint"),
        (403, "<html>blocked</html>", "retry"),
        (404, {"code": 10015, "message": "Unknown Webhook"}, "endpoint"),
        (429, {"retry_after": 1.25, "global": False}, "retry"),
        (502, "", "retry"),
    ],
)
def test_what_discord_answers(code, body, expected):
    outcome = discord.outcome(answer(code, body), RICH)
    assert told(outcome) == expected
    assert told(discord.outcome(answer(code, body), PLAIN)) == ("message" if expected == "degrade" else expected)
    if code == 429:
        assert outcome.after == 1.25


def bot(code: int, description: str, **more: object) -> Answer:
    return answer(code, {"ok": False, "error_code": code, "description": description, **more})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (answer(200, {"ok": True, "result": {"message_id": 5}}), "delivered"),
        (answer(200, {"ok": True, "result": True}), "retry"),
        (answer(200, {"ok": False}), "retry"),
        (answer(200, "<html></html>"), "retry"),
        (answer(307, ""), "retry"),
        (bot(400, "Bad Request: can't parse entities: Unsupported start tag"), "degrade"),
        (bot(400, "Bad Request: message is too long"), "degrade"),
        (bot(400, "Bad Request: text must be non-empty"), "degrade"),
        (bot(400, "Bad Request: chat not found"), "endpoint"),
        (bot(400, "Bad Request: chat_id is empty"), "endpoint"),
        (bot(400, "Bad Request: not enough rights to send text messages to the chat"), "endpoint"),
        (bot(401, "Unauthorized"), "endpoint"),
        (bot(403, "Forbidden: bot was blocked by the user"), "endpoint"),
        (bot(403, "Forbidden: bot was kicked from the group chat"), "endpoint"),
        (bot(404, "Not Found"), "endpoint"),
        (bot(429, "Too Many Requests: retry after 9", parameters={"retry_after": 9}), "retry"),
        (bot(500, "Internal Server Error"), "retry"),
    ],
)
def test_what_telegram_answers(given, expected):
    outcome = telegram.outcome(given, RICH, "42")
    assert told(outcome) == expected
    assert told(telegram.outcome(given, PLAIN, "42")) == ("message" if expected == "degrade" else expected)
    if given.status == 429:
        assert outcome.after == 9.0


@pytest.mark.parametrize("value", ["soon", -1, True, None, float("nan"), [], {}])
def test_a_wait_in_a_body_that_makes_no_sense_is_none(value):
    body = json.dumps({"retry_after": value, "parameters": {"retry_after": value}})
    for given in (slack.outcome(answer(429, body), RICH), discord.outcome(answer(429, body), RICH)):
        assert given.after is None
    assert telegram.outcome(answer(429, body), RICH, "42").after is None


def test_an_absurd_wait_is_a_day_and_the_longer_of_two_counts():
    assert slack.outcome(answer(429, {"retry_after": 10**12}), RICH).after == 86_400.0
    both = Answer(429, {}, b'{"retry_after": 2.5}', after=3.0)
    assert discord.outcome(both, RICH).after == 3.0


def test_what_a_service_said_is_kept_short_and_without_secrets():
    said = "error at https://hooks.slack.com/services/T0/B0/" + "s" * 24 + "\r\n\x1b[31m" + "x" * 5000
    outcome = slack.outcome(answer(500, said), RICH)
    assert "ssss" not in outcome.response
    assert outcome.response.isprintable()
    assert len(outcome.response) <= 500


# -- Slack -----------------------------------------------------------------------------------------


async def test_slack_shows_title_values_and_links_beside_a_coloured_bar():
    async with SlackReceiver() as at, channel(SlackOptions(url=Secret(at.url), allow_private=True)) as made:
        links = {"acknowledge": "https://ops.example/a?x=1&y=2|3", "open": "https://ops.example/1"}
        assert isinstance(await made.send(message(links=links)), Delivered)
        resolved = message(notice(NoticeKind.RESOLVED, ended_at=AT), language="pt-BR")
        assert isinstance(await made.send(resolved), Delivered)
    first, second = at.accepted
    assert first.texts[0] == "🔴 Critical: Success rate low · odds\nsuccess rate 54.2 % (below 60 %) over 5 min"
    assert "Acknowledge · Details" in first.texts
    assert first.links == ["https://ops.example/a?x=1&y=2%7C3", "https://ops.example/1"]
    assert [each.document["attachments"][0]["color"] for each in at.accepted] == ["#d1242f", "#2e9e5b"]
    assert "✅ Resolvido: Success rate low · odds" in second.shown
    assert "Durou 30 s." in second.texts


async def test_slack_gets_plain_text_without_formatting_when_blocks_were_refused():
    async with SlackReceiver() as at, channel(SlackOptions(url=Secret(at.url), allow_private=True)) as made:
        await made.send(message(notice(title="*bold* _name_ & <!here>"), plain=True))
    document = at.accepted[0].document
    assert document.keys() == {"text", "mrkdwn"}
    assert document["mrkdwn"] is False
    assert "*bold* _name_ & <!here>" in at.accepted[0].shown
    assert not at.accepted[0].pings


def test_a_name_with_markup_is_shown_as_it_is_and_others_stand_below_a_bold_name():
    def fields(**labels):
        blocks = slack.payload(message(notice(labels=labels)))["attachments"][0]["blocks"]
        return [field for block in blocks for field in block.get("fields", [])]

    assert fields(api="odds")[0] == {"type": "mrkdwn", "text": "*API*\nodds", "verbatim": True}
    assert fields(api="odds_*x*")[0] == {"type": "plain_text", "text": "API\nodds_*x*", "emoji": False}


# -- Discord ---------------------------------------------------------------------------------------


def discord_options(at, **more):
    return DiscordOptions(**{"url": Secret(at.url), "allow_private": True, **more})


async def test_discord_answers_with_the_id_by_which_a_quiet_change_edits_the_message():
    async with DiscordReceiver() as at, channel(discord_options(at, username="Understudy")) as made:
        fired = await made.send(message())
        assert fired.receipt.provider_id in at.messages
        acked = message(notice(NoticeKind.ACKED, actor="ana"), living=fired.receipt)
        assert isinstance(await made.send(acked), Delivered)
        assert "👀 Acknowledged: Success rate low · odds" in at.accepted[0].shown
        resolved = message(notice(NoticeKind.RESOLVED, ended_at=AT), living=fired.receipt)
        assert isinstance(await made.send(resolved), Delivered)
        assert "✅ Resolved" in at.accepted[0].shown  # nobody who scrolls back takes it for present
    first, second = at.accepted
    assert (first.edits, first.document["username"]) == (2, "Understudy")
    assert "✅ Resolved" in second.shown  # an end is news, and must be noticed
    assert all(each.document["allowed_mentions"] == {"parse": []} for each in at.accepted)


async def test_an_edit_in_plain_form_leaves_nothing_of_the_embed():
    async with DiscordReceiver() as at, channel(discord_options(at)) as made:
        fired = await made.send(message())
        await made.send(message(notice(NoticeKind.ACKED), living=fired.receipt, plain=True))
    assert at.accepted[0].document["embeds"] == []
    assert "Acknowledged" in at.accepted[0].shown


async def test_a_message_that_somebody_deleted_is_sent_anew():
    async with DiscordReceiver() as at, channel(discord_options(at)) as made:
        outcome = await made.send(message(notice(NoticeKind.ACKED), living=Receipt("1234")))
    assert outcome.receipt.provider_id == at.accepted[0].id


async def test_a_thread_of_discord_stays_in_the_url():
    async with DiscordReceiver() as at:
        options = discord_options(at, url=Secret(at.url + "?thread_id=77&wait=false"))
        async with channel(options) as made:
            fired = await made.send(message())
            await made.send(message(notice(NoticeKind.SNOOZED), living=fired.receipt))
    assert at.accepted[0].thread == "77"
    assert [request.query for request in at.requests] == [{"thread_id": "77", "wait": "true"}, {"thread_id": "77"}]


async def test_discord_tells_when_its_bucket_is_empty_before_it_overflows():
    async with DiscordReceiver() as at, channel(discord_options(at)) as made:
        assert (await made.send(message())).pause == 0.0
        at.remaining, at.reset_after = 0, 1.75
        assert (await made.send(message())).pause == 1.75
        at.then(rate_limited(0.5, scope="global"))
        assert (await made.send(message())).after == 1.0  # the header's whole second is later than the body's half


@pytest.mark.parametrize("fault", [HANG, status(500), status(400), status(404, b'{"code": 10008}')])
async def test_an_end_is_told_whatever_becomes_of_the_message_before(fault):
    clock = FakeClock(epoch=AT)
    async with DiscordReceiver(clock=clock) as at, channel(discord_options(at), clock=clock) as made:
        fired = await made.send(message())
        at.then(fault)
        sending = made.send(message(notice(NoticeKind.RESOLVED, ended_at=AT), living=fired.receipt))
        outcome = await overdue(clock, sending, 2.1, lambda: len(at.requests) >= 2)
    assert isinstance(outcome, Delivered)
    assert "✅ Resolved" in at.accepted[1].shown


async def test_an_end_waits_when_the_change_of_the_message_before_meets_a_limit():
    async with DiscordReceiver() as at, channel(discord_options(at)) as made:
        fired = await made.send(message())
        at.then(rate_limited(4.0))
        outcome = await made.send(message(notice(NoticeKind.RESOLVED, ended_at=AT), living=fired.receipt))
    assert (told(outcome), outcome.after) == ("retry", 5.0)
    assert len(at.requests) == 2


def test_six_thousand_characters_are_for_all_of_an_embed():
    """A4, 62: 25 fields, each as long as a field may be."""
    facts = {f"name {index} " + "n" * 300: "v" * 2000 for index in range(30)}
    embed = discord.payload(message(notice(content="c" * 10_000, facts=facts)))["embeds"][0]
    total = len(embed["title"]) + len(embed["description"]) + len(embed["footer"]["text"])
    total += sum(len(each["name"]) + len(each["value"]) for each in embed["fields"])
    assert 5_900 < total <= 6_000
    assert len(embed["description"]) > 3_000
    many = discord.payload(message(notice(facts={f"n{index}": "v" for index in range(60)})))["embeds"][0]
    assert len(many["fields"]) == 25


@pytest.mark.parametrize("name", ["Discord", "my clyde", "everyone", "HERE", "x" * 81])
def test_names_that_discord_refuses_are_refused_at_once(name):
    with pytest.raises(OptionError, match="username"):
        DiscordOptions(url=Secret("https://chat.example/1/a"), username=name)


# -- Telegram --------------------------------------------------------------------------------------


def telegram_options(at, *chats, **more):
    values = {"bot_token": Secret(at.token), "chat_id": chats or ("42",), "api_base": at.base, "allow_private": True}
    return TelegramOptions(**{**values, **more})


async def test_telegram_edits_quietly_answers_below_and_rings_for_what_is_new():
    async with TelegramReceiver() as at, channel(telegram_options(at)) as made:
        fired = await made.send(message())
        await made.send(message(notice(NoticeKind.ACKED, actor="ana"), living=fired.receipt))
        again = await made.send(message(notice(NoticeKind.ACKED, actor="ana"), living=fired.receipt))
        await made.send(message(notice(NoticeKind.RESOLVED, ended_at=AT), living=fired.receipt))
        await made.send(message(notice(severity=Severity.INFO)))
    first, second, third = at.accepted
    assert fired.receipt == Receipt("1", {"42": "1"})
    assert isinstance(again, Delivered)  # "message is not modified" is what was wanted
    assert (first.edits, first.silent) == (2, False)
    assert first.shown.startswith("✅ Resolved: Success rate low · odds")
    assert (second.reply_to, second.silent) == (1, False)
    assert third.silent


async def test_an_edit_of_what_is_gone_is_a_new_message():
    async with TelegramReceiver() as at, channel(telegram_options(at)) as made:
        outcome = await made.send(message(notice(NoticeKind.ACKED), living=Receipt("9", {"42": "9"})))
    assert outcome.receipt == Receipt("1", {"42": "1"})
    assert at.accepted[0].reply_to is None


async def test_a_group_that_became_a_supergroup_is_found_and_its_new_id_told(caplog):
    caplog.set_level(logging.WARNING)
    async with TelegramReceiver("-100777") as at:
        at.migrated["-5"] = -100777
        async with channel(telegram_options(at, "-5")) as made:
            for _ in range(2):
                assert isinstance(await made.send(message()), Delivered)
    assert [each.chat for each in at.accepted] == ["-100777", "-100777"]
    assert len(at.requests) == 3
    assert "-100777" in caplog.text


async def test_groups_that_send_each_other_round_in_circles_are_given_up():
    async with TelegramReceiver() as at:
        at.migrated.update({"-5": -6, "-6": -5})
        async with channel(telegram_options(at, "-5")) as made:
            outcome = await made.send(message())
    assert isinstance(outcome, Degrade)
    assert len(at.requests) == 3


async def test_a_topic_is_used_and_left_out_once_it_is_gone():
    async with TelegramReceiver("-100777", topics=(3,)) as at, channel(telegram_options(at, "-100777/3")) as made:
        await made.send(message())
        at.topics.clear()
        await made.send(message())
    assert [each.topic for each in at.accepted] == [3, None]


async def test_several_chats_have_an_outcome_each_and_only_those_left_are_sent_to():
    async with TelegramReceiver("1", "2", "3") as at:
        at.blocked.add("2")
        async with channel(telegram_options(at, "1", "2", "3", "4")) as made:
            assert made.traits.recipients == ("1", "2", "3", "4")
            outcome = await made.send(message())
            at.chats.add("4")
            living = outcome.outcomes["1"].receipt
            again = await made.send(message(recipients=("4",), living=living))
            nobody = await made.send(message(recipients=("5",)))
    assert isinstance(outcome, PerRecipient)
    assert {chat: told(each) for chat, each in outcome.outcomes.items()} == {
        "1": "delivered", "2": "message", "3": "delivered", "4": "message",
    }  # fmt: skip
    assert again == PerRecipient({"4": again.outcomes["4"]})
    assert isinstance(again.outcomes["4"], Delivered)
    assert living.data.keys() == {"1", "3"}
    assert again.outcomes["4"].receipt.data.keys() == {"1", "3", "4"}
    assert told(nobody) == "message"
    assert sorted(each.chat for each in at.accepted) == ["1", "3", "4"]


async def test_a_wrong_token_is_about_all_chats():
    async with TelegramReceiver("1", "2") as at, channel(telegram_options(at, "1", "2")) as made:
        at.then(services.telegram.REVOKED, services.telegram.REVOKED)
        assert told(await made.send(message())) == "endpoint"


async def test_one_of_several_chats_that_refuses_the_rich_form_gets_the_plain_one_at_once():
    refusal = {"ok": False, "error_code": 400, "description": "Bad Request: can't parse entities"}
    async with TelegramReceiver("1", "2") as at, channel(telegram_options(at, "1", "2")) as made:
        at.then(replace(status(400), reply=as_json(400, refusal)))
        outcome = await made.send(message())
    assert {told(each) for each in outcome.outcomes.values()} == {"delivered"}
    assert len(at.accepted) == 2


async def test_time_is_for_the_whole_send_however_many_requests_it_takes():
    clock = FakeClock(epoch=AT)
    async with TelegramReceiver("-100777", clock=clock) as at:
        at.migrated["-5"] = -100777
        async with channel(telegram_options(at, "-5", timeout=5.0), clock=clock) as made:
            began = clock.monotonic()
            answered = replace(status(200), kind="slow", gap=0.02)
            at.then(answered, answered)
            outcome = await made.send(message())
    assert isinstance(outcome, Retry)
    assert "5 s" in outcome.reason
    assert clock.monotonic() - began < 5.5


def test_text_of_any_length_cut_anywhere_is_whole_html():
    """A4, 63: whatever length the text has, no tag and no entity is cut."""
    from understudy.testing.receivers.telegram import parse_html

    pattern = 'a<b>&amp;"é😀@x_y ' * 300
    for length in [*range(80), *range(3_500, 4_400, 7), 20_000]:
        found = telegram.text_of(message(notice(content=(pattern * 5)[:length], title=pattern[: length % 700])))
        text, _ = parse_html(found["text"])
        assert 1 <= len(text.strip()) <= 4096
        assert len(found["text"].encode()) <= 32_768


@pytest.mark.parametrize("chat", ["", "x", "@ab", "-", "1/", "1/x", "42\n", "٤٢", "@name/x", "1" * 20])
def test_what_is_no_chat_is_refused(chat):
    with pytest.raises(OptionError, match="chat_id"):
        TelegramOptions(bot_token=Secret("1:a"), chat_id=(chat,))


@pytest.mark.parametrize("token", ["", "abc", "1:", "1:a b", "1:a/../x", "x:1"])
def test_what_is_no_token_is_refused_and_not_shown(token):
    with pytest.raises(OptionError, match="bot_token: expected a token") as caught:
        TelegramOptions(bot_token=Secret(token), chat_id=("1",))
    assert not token or repr(token) not in str(caught.value)


# -- endpoints -------------------------------------------------------------------------------------

GONE = [
    ("slack", services.slack.REVOKED),
    ("slack", services.slack.REMOVED),
    ("slack", services.slack.ARCHIVED),
    ("discord", services.discord.DELETED),
    ("discord", services.discord.REVOKED),
    ("telegram", services.telegram.REVOKED),
]


@pytest.mark.parametrize(("service", "fault"), GONE)
async def test_an_endpoint_that_is_gone_is_told_as_such_until_it_is_back(service, fault):
    receiver = {"slack": SlackReceiver, "discord": DiscordReceiver, "telegram": TelegramReceiver}[service]()
    async with receiver as at:
        options = {
            "slack": lambda: SlackOptions(url=Secret(at.url), allow_private=True),
            "discord": lambda: discord_options(at),
            "telegram": lambda: telegram_options(at),
        }[service]()
        at.always = fault
        async with channel(options) as made:
            outcomes = [await made.send(message()) for _ in range(2)]
            at.always = None
            again = await made.send(message())
    assert [told(outcome) for outcome in outcomes] == ["endpoint", "endpoint"]
    assert isinstance(again, Delivered)
    path = f"/bot{at.token}/sendMessage" if service == "telegram" else at.path
    assert len(at.to(path)) == 3


@pytest.mark.parametrize(("said", "after"), [(1, 1.0), (2.5, 2.5), (None, None), ("soon", None)])
async def test_slack_is_left_alone_for_as_long_as_it_says(said, after):
    async with SlackReceiver() as at, channel(SlackOptions(url=Secret(at.url), allow_private=True)) as made:
        at.then(services.slack.rate_limited(said))
        outcome = await made.send(message())
    assert (told(outcome), outcome.after) == ("retry", after)


# -- secrets ---------------------------------------------------------------------------------------


async def test_no_secret_is_in_what_a_channel_says_of_itself():
    async with SlackReceiver() as one, DiscordReceiver() as two, TelegramReceiver() as three:
        kinds = [SlackOptions(url=Secret(one.url), allow_private=True), discord_options(two), telegram_options(three)]
        for options in kinds:
            async with channel(options) as made:
                assert "for-tests-only" not in repr(made.traits)
                assert made.traits.destination.startswith(f"{options.kind}:")
