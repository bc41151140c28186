"""The preview of a channel: what would be sent, measured against the published limits, and never sent."""

from __future__ import annotations

import pytest

from channel_kit import AT
from understudy.channels import KINDS, conformance
from understudy.channels.apprise import AppriseOptions
from understudy.channels.conformance import Measure, cases, previews
from understudy.channels.discord import DiscordOptions
from understudy.channels.email import EmailOptions
from understudy.channels.opsgenie import OpsgenieOptions
from understudy.channels.pagerduty import PagerDutyOptions
from understudy.channels.slack import SlackOptions
from understudy.channels.telegram import TelegramOptions
from understudy.channels.webhook import WebhookOptions
from understudy.core.secrets import Secret
from understudy.testing import FakeClock

#: Nothing listens at any of these, so that whatever were sent would fail the test by its absence.
OPTIONS = [
    SlackOptions(url=Secret("https://hooks.example/services/word-of-no-worth"), language="pt-BR"),
    DiscordOptions(url=Secret("https://chat.example/api/webhooks/1/word-of-no-worth")),
    TelegramOptions(bot_token=Secret("1:word-of-no-worth"), chat_id=("1",), api_base="https://bots.example"),
    PagerDutyOptions(routing_key=Secret("wordofnoworth" + "0" * 19), api_base="https://events.example"),
    OpsgenieOptions(api_key=Secret("word-of-no-worth"), api_base="https://alerts.example", tags=("night",)),
    WebhookOptions(url=Secret("https://program.example/word-of-no-worth"), secrets=(Secret("whsec_" + "QUJD" * 11),)),
    EmailOptions(host="mail.example", from_email="Understudy <a@example.com>", to_emails=("b@example.com",)),
]
each_kind = pytest.mark.parametrize("options", OPTIONS, ids=lambda options: options.kind)


@each_kind
async def test_the_hardest_alerts_keep_every_limit_in_both_forms(options):
    found = await previews("mine", options, FakeClock(epoch=AT))
    assert {(each.case, each.plain) for each in found} == {
        (case, form) for case, _ in cases(AT) for form in (False, True)
    }
    for each in found:
        assert each.measures
        assert each.fits, [measure for measure in each.measures if not measure.fits]
        assert "of-no-worth" not in each.document
        assert "wordofnoworth" not in each.document


@each_kind
async def test_a_preview_is_the_same_each_time_and_shows_what_people_would_read(options):
    first, again = [await previews("mine", options, FakeClock(epoch=AT)) for _ in range(2)]
    usual = next(each for each in first if each.case == "usual" and not each.plain)
    assert "Success rate low" in usual.document
    if options.kind != "opsgenie":  # its requests are all alike too, but it has no time in them
        assert [each.document for each in first] == [each.document for each in again]


async def test_long_texts_come_close_to_the_limits_that_they_are_cut_to():
    found = await previews("mine", OPTIONS[1], FakeClock(epoch=AT))
    long = next(each for each in found if each.case == "long" and not each.plain)
    total = next(measure for measure in long.measures if measure.what == "embeds")
    assert 5_900 < total.found <= total.limit == 6_000


def test_every_kind_but_the_one_that_writes_others_forms_is_measured():
    assert set(conformance._MEASURES) == set(KINDS) - {"apprise"}
    assert not Measure("text", 5, 4).fits


async def test_of_apprise_there_is_no_preview():
    options = AppriseOptions(urls=(Secret("json://program.example"),))
    assert await previews("mine", options, FakeClock(epoch=AT)) == []
