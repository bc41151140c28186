"""The local Slack, Discord and Telegram are as strict as the services: each limit at n and n + 1, and every shape."""

from __future__ import annotations

import json
from typing import Any

import pytest

from understudy.testing.receivers import DiscordReceiver, Received, SlackReceiver, TelegramReceiver
from understudy.testing.receivers.telegram import parse_html

JSON = {"content-type": "application/json"}


def to(receiver: Any, document: Any, *, method: str = "POST", path: str = "", query: dict[str, str] | None = None):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return receiver.answer(Received(method, path or receiver.path, query or {}, JSON, body))


# -- Slack -----------------------------------------------------------------------------------------


def section(**more: Any) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "plain_text", "text": "x"}, **more}


def plain(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, **more}


def buttons(**one: Any) -> dict[str, Any]:
    return {"type": "actions", "elements": [{"type": "button", **one}]}


SLACK = [
    ({"text": "x"}, "ok"),
    ({"text": ""}, "no_text"),
    ({}, "no_text"),
    ({"text": "x" * 40_000}, "ok"),
    ({"text": "x" * 40_001}, "invalid_payload"),
    ({"text": "x", "channel": "#other"}, "invalid_payload"),
    ({"text": "x", "mrkdwn": "no"}, "invalid_payload"),
    (b"{", "invalid_payload"),
    ([], "invalid_payload"),
    ({"blocks": [section()] * 50}, "ok"),
    ({"blocks": [section()] * 51}, "invalid_blocks"),
    ({"text": "x", "blocks": {}}, "invalid_blocks"),
    ({"blocks": [section(block_id="b" * 255)]}, "ok"),
    ({"blocks": [section(block_id="b" * 256)]}, "invalid_blocks"),
    ({"blocks": [section(block_id="b"), section(block_id="b")]}, "invalid_blocks"),
    ({"blocks": [section(colour="red")]}, "invalid_blocks"),
    ({"blocks": [{"type": "paragraph"}]}, "invalid_blocks"),
    ({"blocks": [{"type": "section"}]}, "invalid_blocks"),
    ({"blocks": [section(text=plain("x" * 3000))]}, "ok"),
    ({"blocks": [section(text=plain("x" * 3001))]}, "invalid_blocks"),
    ({"blocks": [section(text=plain("😀" * 1500))]}, "ok"),
    ({"blocks": [section(text=plain("😀" * 1501))]}, "invalid_blocks"),
    ({"blocks": [section(text=plain(" "))]}, "invalid_blocks"),
    ({"blocks": [section(text={"type": "html", "text": "x"})]}, "invalid_blocks"),
    ({"blocks": [section(text={"type": "mrkdwn", "text": "x", "emoji": True})]}, "invalid_blocks"),
    ({"blocks": [section(text=plain("x", emoji=False))]}, "ok"),
    ({"blocks": [section(text=plain("x", verbatim=True))]}, "invalid_blocks"),
    ({"blocks": [section(fields=[plain("x")] * 10)]}, "ok"),
    ({"blocks": [section(fields=[plain("x")] * 11)]}, "invalid_blocks"),
    ({"blocks": [section(fields=[])]}, "invalid_blocks"),
    ({"blocks": [section(fields=[plain("x" * 2000)])]}, "ok"),
    ({"blocks": [section(fields=[plain("x" * 2001)])]}, "invalid_blocks"),
    ({"blocks": [{"type": "header", "text": plain("x" * 150)}]}, "ok"),
    ({"blocks": [{"type": "header", "text": plain("x" * 151)}]}, "invalid_blocks"),
    ({"blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]}, "invalid_blocks"),
    ({"blocks": [{"type": "context", "elements": [plain("x")] * 10}]}, "ok"),
    ({"blocks": [{"type": "context", "elements": [plain("x")] * 11}]}, "invalid_blocks"),
    ({"blocks": [{"type": "context", "elements": []}]}, "invalid_blocks"),
    ({"blocks": [buttons(text=plain("x" * 75), url="u" * 3000)]}, "ok"),
    ({"blocks": [buttons(text=plain("x" * 76))]}, "invalid_blocks"),
    ({"blocks": [buttons(text=plain("x"), url="u" * 3001)]}, "invalid_blocks"),
    ({"blocks": [{"type": "image", "image_url": "u", "alt_text": "a"}]}, "ok"),
    ({"blocks": [{"type": "image", "image_url": "u"}]}, "invalid_blocks"),
    ({"attachments": [{"color": "#a1b2c3", "blocks": [section()]}]}, "ok"),
    ({"attachments": [{"color": "red", "text": "x"}]}, "invalid_attachments"),
    ({"attachments": [{"colour": "good", "text": "x"}]}, "invalid_attachments"),
    ({"attachments": [{"color": "good"}]}, "missing_text_or_fallback_or_attachments"),
    ({"attachments": [{"text": "x"}] * 100}, "ok"),
    ({"attachments": [{"text": "x"}] * 101}, "too_many_attachments"),
    ({"attachments": [{"blocks": [section()] * 51}]}, "invalid_blocks"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "expected"), SLACK)
def test_slack_takes_and_refuses(document, expected):
    receiver = SlackReceiver()
    reply = to(receiver, document)
    assert reply.body.decode() == expected
    assert reply.status == (200 if expected == "ok" else 400)
    assert len(receiver.accepted) == (expected == "ok")
    assert len(receiver.refusals) == (expected != "ok")


def test_slack_knows_one_webhook():
    assert to(SlackReceiver(), {"text": "x"}, path="/services/other").status == 404
    assert to(SlackReceiver(), {"text": "x"}, method="GET").status == 405


def test_slack_tells_what_would_ping_and_what_readers_see():
    receiver = SlackReceiver()
    text = "a &lt;b&gt; &amp;amp; <https://x.example/?a=1&amp;b|label> <!channel> <@U1>"
    to(receiver, {"text": text, "blocks": [section(text={"type": "mrkdwn", "text": "<!here"})]})
    [found] = receiver.accepted
    assert found.texts == ["a <b> &amp; label <!channel> <@U1>", "<!here"]
    assert found.pings == ["<!channel>", "<@U1>", "<!here"]
    assert found.links == ["https://x.example/?a=1&b"]


# -- Discord ---------------------------------------------------------------------------------------


def embed(**more: Any) -> dict[str, Any]:
    return {"embeds": [{"title": "x", **more}]}


def field(name: str = "n", value: str = "v") -> dict[str, Any]:
    return {"name": name, "value": value, "inline": True}


#: With a title of 100 and a description of 4,000, exactly as much as all embeds may hold.
FULL = [field("n" * 100, "v" * 900), field("n" * 100, "v" * 800)]
DISCORD = [
    ({"content": "x" * 2000}, 0),
    ({"content": "x" * 2001}, 50035),
    ({"content": "😀" * 1000}, 0),
    ({"content": "😀" * 1001}, 50035),
    ({"content": ""}, 50006),
    ({}, 50006),
    (b"{", 50109),
    ([], 50035),
    ({"content": "x", "text": "x"}, 50035),
    ({"content": "x", "username": "x" * 80}, 0),
    ({"content": "x", "username": "x" * 81}, 50035),
    ({"content": "x", "username": "DisCord bot"}, 50035),
    ({"content": "x", "username": "Clyde"}, 50035),
    ({"content": "x", "username": "everyone"}, 50035),
    ({"content": "x", "flags": 4}, 0),
    ({"content": "x", "flags": 8}, 50035),
    ({"content": "x", "allowed_mentions": {"parse": []}}, 0),
    ({"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}}, 50035),
    ({"content": "x", "allowed_mentions": {"users": ["1"] * 101}}, 50035),
    ({"embeds": [{"title": "x"}] * 10}, 0),
    ({"embeds": [{"title": "x"}] * 11}, 50035),
    (embed(title="x" * 256), 0),
    (embed(title="x" * 257), 50035),
    (embed(title=" " + "x" * 256 + " "), 0),
    (embed(title=" "), 50035),
    (embed(description="x" * 4096), 0),
    (embed(description="x" * 4097), 50035),
    (embed(fields=[field()] * 25), 0),
    (embed(fields=[field()] * 26), 50035),
    (embed(fields=[field("n" * 256, "v" * 1024)]), 0),
    (embed(fields=[field("n" * 257)]), 50035),
    (embed(fields=[field("n", "v" * 1025)]), 50035),
    (embed(fields=[field("", "v")]), 50035),
    (embed(fields=[field("n", " ")]), 50035),
    (embed(fields=[{**field(), "short": True}]), 50035),
    (embed(footer={"text": "x" * 2048}), 0),
    (embed(footer={"text": "x" * 2049}), 50035),
    (embed(author={"name": "x" * 257}), 50035),
    (embed(color=16_777_215), 0),
    (embed(color=16_777_216), 50035),
    (embed(color="#ffffff"), 50035),
    (embed(timestamp="2027-01-15T08:00:00+00:00"), 0),
    (embed(timestamp="yesterday"), 50035),
    (embed(url="ftp://x"), 50035),
    (embed(thumb={}), 50035),
    ({"embeds": [{"color": 1}]}, 50035),
    (embed(title="t" * 100, description="d" * 4000, fields=FULL), 0),
    (embed(title="t" * 101, description="d" * 4000, fields=FULL), 50035),
]  # fmt: skip


@pytest.mark.parametrize(("document", "code"), DISCORD)
def test_discord_takes_and_refuses(document, code):
    receiver = DiscordReceiver()
    reply = to(receiver, document, query={"wait": "true"})
    said = json.loads(reply.body)
    assert said.get("code", 0) == code
    assert reply.status == (400 if code else 200)
    assert len(receiver.accepted) == (not code)


def test_discord_says_where_the_mistake_is():
    said = json.loads(to(DiscordReceiver(), embed(title="x" * 257)).body)
    assert said["errors"]["embeds"]["0"]["title"]["_errors"][0]["message"] == "Must be between 1 and 256 in length."


def test_discord_answers_with_the_message_only_when_asked_to_wait():
    receiver = DiscordReceiver()
    assert (to(receiver, {"content": "x"}).status, to(receiver, {"content": "x"}).body) == (204, b"")
    assert to(receiver, {"content": "x"}, path="/api/webhooks/9/other").status == 404


def test_discord_edits_what_it_has_and_keeps_what_is_not_named():
    receiver = DiscordReceiver()
    number = json.loads(to(receiver, {"content": "x", **embed()}, query={"wait": "true"}).body)["id"]
    path = f"{receiver.path}/messages/{number}"
    assert to(receiver, {"content": "y"}, method="PATCH", path=path).status == 200
    assert receiver.messages[number].document["embeds"] == [{"title": "x"}]
    assert to(receiver, {"content": "", "embeds": []}, method="PATCH", path=path).status == 400
    assert to(receiver, {"content": "y"}, method="PATCH", path=f"{receiver.path}/messages/5").status == 404


def test_discord_tells_whom_it_would_mention_and_what_is_markup():
    receiver = DiscordReceiver()
    text = "@everyone <@1> \\*a\\* **b** [l](https://x.example/) # no\n# yes"
    to(receiver, {"content": text})
    to(receiver, {"content": text, "allowed_mentions": {"parse": []}})
    open_, closed = receiver.accepted
    assert (open_.mentions, closed.mentions) == (["@everyone", "<@1>"], [])
    assert closed.texts == ["@everyone <@1> *a* **b** l # no\n# yes"]
    assert "*" in "".join(closed.markup)
    assert any("#" in found for found in closed.markup)
    assert closed.links == ["https://x.example/"]


# -- Telegram --------------------------------------------------------------------------------------


def bot(receiver: TelegramReceiver, document: Any, name: str = "sendMessage", token: str = ""):
    reply = to(receiver, document, path=f"/bot{token or receiver.token}/{name}")
    return reply.status, json.loads(reply.body).get("description", "ok")


def says(text: str, **more: Any) -> dict[str, Any]:
    return {"chat_id": "42", "text": text, **more}


def html(text: str) -> dict[str, Any]:
    return says(text, parse_mode="HTML")


TELEGRAM = [
    (says("x"), "ok"),
    (says("x" * 4096), "ok"),
    (says("x" * 4097), "message is too long"),
    (says("😀" * 4096), "ok"),
    (says(" " + "x" * 4096 + "\n"), "ok"),
    (says("x" * 32_769), "text is too long"),
    (says(" \n"), "text must be non-empty"),
    (html("<b></b>"), "text must be non-empty"),
    (html("&lt;" * 4096), "ok"),
    (html("<b>" + "x" * 4096 + "</b>"), "ok"),
    (html("<b>" + "x" * 4097 + "</b>"), "message is too long"),
    (html("a < b"), 'Unsupported start tag "" at byte offset 2'),
    (html("é<p>x</p>"), 'Unsupported start tag "p" at byte offset 2'),
    (html("<b>x"), 'Can\'t find end tag corresponding to start tag "b"'),
    (html("<b><i>x</b></i>"), "Unmatched end tag at byte offset 7"),
    (html("x</b>"), "Unmatched end tag at byte offset 1"),
    (html('<a href="https://x.example/?a=1&amp;b">x</a> &bogus; &amp;'), "ok"),
    (says("x", parse_mode="MarkdownV2"), "unsupported parse_mode"),
    (says("x", chat_id="7"), "chat not found"),
    (says("x", chat_id=""), "chat_id is empty"),
    (says("x", message_thread_id=5), "message thread not found"),
    (says("x", reply_parameters={"message_id": 5}), "message to be replied not found"),
    (says("x", reply_parameters={"message_id": 5, "allow_sending_without_reply": True}), "ok"),
    (says("x", disable_notifications=True), "unknown parameters"),
    ({"chat_id": "42"}, "message text is empty"),
    (b"{", "can't parse JSON object"),
]


@pytest.mark.parametrize(("document", "expected"), TELEGRAM)
def test_telegram_takes_and_refuses(document, expected):
    receiver = TelegramReceiver()
    status, said = bot(receiver, document)
    assert expected in said
    assert status == (200 if expected == "ok" else 400)
    assert len(receiver.accepted) == (expected == "ok")


def test_telegram_knows_its_token_and_methods():
    receiver = TelegramReceiver()
    assert bot(receiver, says("x"), token="9:other") == (401, "Unauthorized")
    assert bot(receiver, says("x"), name="sendPhoto")[0] == 404
    assert to(receiver, says("x"), path="/").status == 404


def test_telegram_edits_only_what_changes():
    receiver = TelegramReceiver()
    bot(receiver, says("x"))
    assert bot(receiver, says("y", message_id=1), "editMessageText") == (200, "ok")
    assert "is not modified" in bot(receiver, says("y", message_id=1), "editMessageText")[1]
    assert "to edit not found" in bot(receiver, says("y", message_id=2), "editMessageText")[1]
    receiver.blocked.add("42")
    assert bot(receiver, says("x"))[0] == 403


def test_telegram_tells_text_links_and_mentions():
    receiver = TelegramReceiver()
    bot(
        receiver,
        html('<b>a &amp; b</b> <a href="https://x.example/?a&amp;b">l</a> @some_name me@mail.example @\u2060other'),
    )
    [found] = receiver.accepted
    assert found.shown == "a & b l @some_name me@mail.example @other"
    assert found.mentions == ["@some_name"]
    assert found.links == ["https://x.example/?a&b"]
    assert parse_html("&#60;&#x3e;&quot;") == ('<>"', [])
