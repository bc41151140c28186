"""The user's own wording, which executes nothing; and links that allow one thing for a while."""

from __future__ import annotations

import pytest

from pipeline import Bench, alert
from understudy.core.notices import NoticeKind
from understudy.core.secrets import Secret
from understudy.notifications.links import LinkError, Signer, linker
from understudy.notifications.template import MOST_OUTPUT, TemplateError, check, write
from understudy.testing import FakeClock

KEY = Secret("not-a-secret-" * 3)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{api}: {value}", "odds: 54.2"),
        ("{?value}v={value}{/}{?reason}r={reason}{/}", "v=54.2"),
        ("{!reason}no reason{/}", "no reason"),
        ("{?api}{?reason}both{/}one{/}", "one"),
        ("{{api}} {api}", "{api} odds"),
        ("100 % {{}}", "100 % {}"),
        ("{route}|{label.hub}", "|"),
        ("", ""),
    ],
)
def test_places_are_filled_and_conditions_kept(template, text):
    assert write(template, {"api": "odds", "value": "54.2"}) == text


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{nobody}", "nothing is called {nobody}, at character 1"),
        ("a { b", "a single {, at character 3"),
        ("a } b", "a single }"),
        ("{?api} open", "has no {/}"),
        ("{/}", "without a {?name}"),
        ("{?a}" * 11 + "{/}" * 11, "conditions within each other"),
        ("x" * 16_001, "16001 characters"),
        ("{api.__class__.__init__}", "nothing is called"),
    ],
)
def test_a_template_that_cannot_be_used_says_why(template, said):
    with pytest.raises(TemplateError) as caught:
        write(template, {"api": "odds"})
    assert said in str(caught.value)


def test_values_are_never_read_as_a_template():
    assert write("{title}", {"title": "{api} {{ {?x}"}) == "{api} {{ {?x}"


def test_what_a_template_becomes_has_a_limit():
    check("{content}" * 10)
    with pytest.raises(TemplateError, match="64 kB"):
        write("{content}" * 10, {"content": "é" * (MOST_OUTPUT // 10)})


def test_a_faulty_template_sends_the_standard_message_and_says_so():
    async def run(bench: Bench) -> None:
        await bench.tell(alert())
        await bench.turn()
        [good], [bad] = bench.channels["good"].delivered, bench.channels["bad"].delivered
        assert good.card.paragraphs == ("odds fails on odds",)
        assert bad.card.title == "Critical: odds fails"
        assert any("nothing is called" in note for note in bad.card.notes)

    Bench.run(run, ("good", {"template": "{title} on {api}"}), ("bad", {"template": "{nonsense}"}))


def test_a_link_allows_what_it_says_until_it_expires():
    clock = FakeClock()
    signer = Signer(KEY, clock)
    token = signer.sign("acknowledge", "fp-1", "chat", 3600.0)
    link = signer.verify(token)
    assert (link.action, link.alert, link.channel) == ("acknowledge", "fp-1", "chat")
    clock.tick(3601.0)
    with pytest.raises(LinkError, match="expired"):
        signer.verify(token)


def test_a_link_that_was_changed_or_signed_by_another_is_refused():
    clock = FakeClock()
    signer = Signer(KEY, clock)
    token = signer.sign("silence", "fp-1", "chat", 3600.0)
    body, seal = token.split(".")
    other = Signer(Secret("another-" * 5), clock).sign("silence", "fp-1", "chat", 3600.0)
    for place in range(0, len(body), 3):
        swapped = "A" if body[place] != "A" else "B"
        with pytest.raises(LinkError):
            signer.verify(f"{body[:place]}{swapped}{body[place + 1 :]}.{seal}")
    for bad in ("", ".", "x", "é.é", f"{body}.", f".{seal}", f"{body}.{seal}.x", other, "a" * 5000):
        with pytest.raises(LinkError):
            signer.verify(bad)


def test_a_link_has_one_spelling_only():
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    clock = FakeClock()
    signer = Signer(KEY, clock)
    for alert_name in ("f", "fp", "fp-", "fp-1"):  # bodies of every length modulo three
        token = signer.sign("silence", alert_name, "chat", 3600.0)
        body, seal = token.split(".")
        for place, part in ((0, body), (1, seal)):
            for other in set(alphabet) - {part[-1]}:
                changed = [body, seal]
                changed[place] = part[:-1] + other
                with pytest.raises(LinkError):
                    signer.verify(".".join(changed))
        for spelled in (f"{body}=.{seal}", f"{body}.{seal}=", f"{body}.{seal}==", f"{body}. {seal}", f"{token}\n"):
            with pytest.raises(LinkError):
                signer.verify(spelled)
        assert signer.verify(token).alert == alert_name


def test_a_key_that_is_too_short_signs_nothing():
    with pytest.raises(ValueError, match="at least 16"):
        Signer(Secret("short"), FakeClock())


def test_messages_of_an_alert_carry_links_and_others_do_not():
    signer = Signer(KEY, FakeClock())
    links = linker(signer, "https://status.example.com/", lambda: 60.0)
    found = links(alert(), "chat")
    assert set(found) == {"open", "acknowledge", "silence"}
    assert signer.verify(found["silence"].rpartition("/")[2]).action == "silence"
    assert set(links(alert(kind=NoticeKind.RESOLVED), "chat")) == {"open"}
    assert linker(signer, "", lambda: 60.0)(alert(), "chat") == {}
