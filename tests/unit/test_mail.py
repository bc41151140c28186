"""What a mail looks like on the wire: for any content, within every limit, and read back as it was meant."""

from __future__ import annotations

import email
import email.policy
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channel_kit import AT, message, notice
from understudy.channels._address import Address
from understudy.channels._mail import MAX_LINE, MAX_SUBJECT, compose, subject
from understudy.core.notices import NoticeKind

FROM = Address("alerts@example.com", "Understudy")
TO = (Address("ana@example.com", 'Ana "Ö" Souza'), Address("bea@example.com"))
HOSTILE = [
    "", " ", "\r\nBcc: eva@example.com\r\n\r\n<script>", "a\nb\rc\u2028d\u0085e", "\0\x1b[31mred\x07", "=?utf-8?q?x?=",
    "é" * 500, "\U0001f469\u200d\U0001f4bb" * 300, "a\u0301" * 400, "\u202eevil\u202c", "שלום " * 200, "x" * 5_000,
    "palavras com espaços e acentuação, " * 60, ".", "From x", "--=_boundary", "\ud800 lone", "<b>&amp;\"'",
    "!" * 1_000_000,
]  # fmt: skip


def composed(of=None, **more):
    return compose(message(of, **more), FROM, TO, "ops")


def read(data):
    return email.message_from_bytes(data, policy=email.policy.default)


def well_formed(data):
    assert data.isascii()
    lines = data.split(b"\r\n")
    assert not any(b"\r" in line or b"\n" in line or b"\0" in line for line in lines)
    assert max(map(len, lines)) <= MAX_LINE
    head = data.split(b"\r\n\r\n")[0]
    assert all(len(line) <= 78 for line in head.split(b"\r\n")), head
    assert all(len(word) <= 75 for word in re.findall(rb"=\?[^?]+\?[^?]+\?[^?]*\?=", data))
    names = [line.split(b":")[0] for line in head.split(b"\r\n") if line[:1] not in b" \t"]
    assert len(names) == len(set(names))
    assert b"Bcc" not in names
    mail = read(data)
    assert not [defect for part in mail.walk() for defect in part.defects]
    return mail


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_any_text_anywhere_makes_a_proper_mail(text, language):
    of = notice(
        title=text, content=text, labels={"api": text, text: text}, facts={text: text}, reason=text, actor=text,
        event_id=text, runbook=text,
    )  # fmt: skip
    mail = well_formed(composed(of, language=language))
    assert mail["Message-ID"]
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(codec=None), max_size=300), st.text(max_size=80))
def test_a_subject_is_read_back_as_it_was_written(title, name):
    made = message(notice(title=title))
    mail = well_formed(
        compose(made, Address("a@example.com", " ".join(name.split()) if name.isprintable() else ""), TO)
    )
    assert mail["Subject"] == subject(made)


@pytest.mark.parametrize("length", [MAX_SUBJECT - 1, MAX_SUBJECT, MAX_SUBJECT + 1, 10 * MAX_SUBJECT])
@pytest.mark.parametrize("sign", ["x", "é", "\U0001f525", "a ", "ö "])
def test_a_subject_ends_at_its_limit(sign, length):
    made = message(notice(title=(sign * length)[:length], labels={}))
    assert len(subject(made)) <= MAX_SUBJECT
    assert well_formed(compose(made, FROM, TO))["Subject"] == subject(made)


def test_the_first_words_stand_in_both_parts_and_markup_is_text():
    mail = well_formed(composed(notice(title='<b>odds</b> & "co"', content="line one\n<img src=x>\n.\nFrom here")))
    plain, page = (part.get_content().replace("\r\n", "\n") for part in mail.iter_parts())
    assert '<b>odds</b> & "co"' in plain
    assert "line one\n<img src=x>\n.\nFrom here" in plain
    assert "<b>" not in page
    assert "<img" not in page
    assert "&lt;b&gt;odds&lt;/b&gt; &amp; &quot;co&quot;" in page
    assert "line one<br>" in page


def test_links_are_links_only_where_they_lead_to_the_web():
    links = {"acknowledge": 'https://u.example/a?x=1&y="2', "open": "javascript:alert(1)"}
    page = read(composed(links=links)).get_body(("html",)).get_content()
    assert 'href="https://u.example/a?x=1&amp;y=&quot;2"' in page
    assert "javascript" not in page


def test_the_headers_say_what_programs_and_people_need():
    mail = well_formed(composed())
    assert mail["From"] == "Understudy <alerts@example.com>"
    assert [str(each) for each in mail["To"].addresses] == ['"Ana \\"Ö\\" Souza" <ana@example.com>', "bea@example.com"]
    assert mail["Date"].datetime.timestamp() == AT
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Understudy-Event"] == "event-fired"
    assert mail["List-Id"] == "<ops.example.com>"


def test_a_mail_is_known_by_its_event_and_recipients_whatever_the_attempt():
    first, again = read(composed()), read(composed(attempt=3, repeat=True, recipients=("bea@example.com",)))
    assert first["Message-ID"] == again["Message-ID"]
    assert read(compose(message(), FROM, TO[:1]))["Message-ID"] != first["Message-ID"]
    assert read(composed(notice(NoticeKind.ESCALATED)))["Message-ID"] != first["Message-ID"]


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_the_subject_stays_the_same_through_an_episode_but_for_its_end(kind):
    expected = "[RESOLVED] Success rate low · odds" if kind is NoticeKind.RESOLVED else "Success rate low · odds"
    assert read(composed(notice(kind)))["Subject"] == expected


def test_what_belongs_to_no_episode_answers_nothing():
    mail = read(composed(notice(NoticeKind.MESSAGE, episode=""), root=""))
    assert mail["References"] is None
    assert mail["In-Reply-To"] is None


def test_the_plain_form_is_one_part_of_text():
    mail = well_formed(composed(plain=True))
    assert mail.get_content_type() == "text/plain"
    assert "Success rate low" in mail.get_content()
