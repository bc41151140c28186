"""What a text may hold of a secret, in forty shapes; and that prose stays as it is."""

from __future__ import annotations

import pytest

from understudy.core.redaction import REDACTOR, Redactor
from understudy.core.secrets import MASK, Secret
from understudy.export.logs import TextFormatter
from understudy.monitor.text import harmless
from understudy.resilience.reason import safe_text

VALUE = "S3cr3tV4lue"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N"

#: What a stranger's text looks like, and what of it must be gone.
FOREIGN = [
    (f"GET /x?api_key={VALUE}&round=1", VALUE),
    (f"GET /x?appid={VALUE}&q=a", VALUE),
    (f"GET /x?round=1&apiKey={VALUE}", VALUE),
    (f"/cb?next=%2Fx&access_token%3D{VALUE}", VALUE),
    (f'{{"x-rapidapi-key": "{VALUE}"}}', VALUE),
    (f'{{"error":{{"password":"{VALUE} and {VALUE}"}}}}', VALUE),
    (f'{{\\"token\\": \\"{VALUE}\\"}}', VALUE),
    (f"{{'X-Auth-Token': '{VALUE}'}}", VALUE),
    (f"{{b'x-rapidapi-key': b'{VALUE}'}}", VALUE),
    (f"('x-rapidapi-key', '{VALUE}')", VALUE),
    (f"(b'x-rapidapi-key', b'{VALUE}')", VALUE),
    (f"headers=[('authorization', 'Bearer {VALUE}')]", VALUE),
    (f"X-RapidAPI-Key: {VALUE}", VALUE),
    (f"Authorization: Bearer {VALUE}", VALUE),
    ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    ("basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    (f'Authorization: Digest username="u", response="{VALUE}"', VALUE),
    (f"authorization: Token {VALUE}", VALUE),
    (f"Cookie: theme=dark; session={VALUE}; other=1", VALUE),
    (f"Set-Cookie: sid={VALUE}; Path=/; HttpOnly", VALUE),
    (f"https://user:{VALUE}@host/path", VALUE),
    (f"https://user:{VALUE}@{VALUE}@host/path", VALUE),
    (f"https://{VALUE}@host/path", VALUE),
    (f"pwd={VALUE} pass={VALUE} senha={VALUE} passphrase: {VALUE}", VALUE),
    (f"client_secret={VALUE}", VALUE),
    (f"X-Signature: {VALUE}, sig={VALUE}", VALUE),
    (f"X-Amz-Credential={VALUE}", VALUE),
    (f"auth => {VALUE}", VALUE),
    (f"session_id={VALUE}; jwt={VALUE}", VALUE),
    (f"keys=['{VALUE}']", VALUE),
    (f"token:\n  {VALUE}", VALUE),
    (f"Invalid API key: {VALUE}", VALUE),
    (f"Incorrect API key provided: {VALUE}. Look it up.", VALUE),
    (f"curl --token {VALUE}", VALUE),
    (f"the answer was {JWT}.", JWT.rsplit(".", 1)[1]),
    # Written apart, so that no scanner takes this page for a leak.
    ("AK" + "IAIOSFODNN7EXAMPLE is not authorized", "IOSFODNN7"),
    ("0123456789" + "msh0123456789abcdep012345jsn0123456789ab", "0123456789"),
    ("AIzaSyA1234567890abcdefghijklmnopqrstu", "SyA1234567890"),
    ("sk-live-abcdefghijklmnop", "abcdefghijklmnop"),
    ("ghp_abcdefghijklmnopqrstuvwxyz012345", "abcdefghijklmnop"),
    ("xo" + "xb-1234567890-abcdefghij", "abcdefghij"),
    ("https://hooks.slack.com/services/T000/B000/XXXXXXXX", "XXXXXXXX"),
    ("https://discord.com/api/webhooks/123/abcDEF", "abcDEF"),
    ("https://api.telegram.org/bot123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/send", "AAHdqTcv"),
    ("no such key: 0123456789abcdef0123456789abcdef", "0123456789abcdef"),
    (f"Invalid API key: {{'api_key': '{VALUE}', 'q': 1}}", VALUE),
    (f'bad credentials: {{"x-api-key": "{VALUE}"}}', VALUE),
    ("set-up token: setup-" + "aB3" * 14 + "x", "aB3aB3"),
    ("rejected 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "9f86d081"),
]

PROSE = [
    "TimeoutError: no answer within 2.0 s",
    "HTTP 404: no such match",
    "HTTP 429: You have exceeded the MONTHLY quota for Requests on your current plan, BASIC.",
    "Basic authentication failed",
    "Bearer token missing",
    "Cannot connect to host api.example.com:443 ssl:default [Connect call failed ('127.0.0.1', 9)]",
    "ice_hockey: not found",
    "KeyError: 'fixtures'",
    "author: John; inside: x; bypass: true; designed: y",
    "match 12 of round 3 kicks off at 2026-08-15T14:00:00Z",
    "see https://host/path?email=a@b.c and https://host/a@b",
    "chave inválida",
]


@pytest.mark.parametrize(("text", "gone"), FOREIGN, ids=[text[:40] for text, _ in FOREIGN])
def test_a_secret_in_a_strangers_text_is_masked_wherever_such_texts_are_kept(text: str, gone: str) -> None:
    for kept in (REDACTOR.redact(text, foreign=True), harmless(text), safe_text(text)):
        assert gone not in kept
        assert MASK in kept


@pytest.mark.parametrize("text", PROSE)
def test_prose_stays_as_it_is(text: str) -> None:
    assert REDACTOR.redact(text, foreign=True) == text


def test_our_own_lines_keep_aliases_and_long_ids() -> None:
    line = "key key2 of odds_prime is held; call 0123456789abcdef0123456789abcdef, key=key2"
    assert Redactor().redact(line) == line
    assert VALUE not in Redactor().redact(f"api_key={VALUE} Authorization: Bearer {VALUE}")
    assert Redactor().redact("0123456789" + "msh0123456789abcdep012345jsn0123456789ab") == MASK


def test_a_known_secret_is_masked_in_any_surroundings_and_a_short_one_shreds_no_words() -> None:
    redactor = Redactor()
    redactor.add(Secret("plain-words-only"), Secret("plain-words-only-longer"), Secret("abc"))
    assert redactor.redact("xplain-words-only-longery abc") == f"x{MASK}y abc"


def test_a_known_secret_is_masked_as_addresses_pages_and_documents_write_it_too() -> None:
    redactor = Redactor()
    redactor.add(Secret("a b+c/d<e>&'\"\\"), Secret("lone \udce4 surrogate"))
    for said in ("x=a%20b%2Bc%2Fd%3Ce%3E%26%27%22%5C", "x=a+b%2Bc%2Fd%3Ce%3E%26%27%22%5C",
                 "a b+c/d&lt;e&gt;&amp;&#x27;&quot;\\", 'a b+c/d<e>&\'\\"\\\\', "lone \udce4 surrogate"):  # fmt: skip
        assert redactor.redact(said).endswith(MASK), said
        assert len(redactor.redact(said)) <= len(MASK) + 2, said


def test_what_stands_around_a_secret_can_still_be_read() -> None:
    text = REDACTOR.redact(f'GET /odds?apiKey={VALUE}&week=3 failed: {{"token": "{VALUE}"}}', foreign=True)
    assert text == f'GET /odds?apiKey={MASK}&week=3 failed: {{"token": "{MASK}"}}'


@pytest.mark.parametrize(
    "piece",
    [
        "a-", "A1", "token=", "key:", "://", "://a@", "bearer ", "cookie: a=b; ", "'key','", "eyJabcdefghi.",
        '\\"token\\": \\"',
        "token='", "key=\"key='", "12345678:", "session", "secret key ", "api key: ", "digest a=", " ",
    ],
)  # fmt: skip
def test_a_hostile_text_takes_time_in_proportion_to_its_length(piece: str) -> None:
    """What grew with the square of the length would need minutes for this one, not milliseconds."""
    text = piece * (1_000_000 // len(piece))
    assert len(REDACTOR.redact(text, foreign=True)) > 0
    assert len(harmless(text)) <= 300


def test_a_long_text_without_spaces_is_cut_between_words_so_that_no_half_secret_stays() -> None:
    assert harmless('{"error":"upstream","detail":"' + "x" * 5000) == '{"error":"upstream","detail":"'
    assert harmless("x" * 5000) == "…"


def test_the_log_masks_what_it_knows_and_what_it_recognises() -> None:
    import logging

    redactor = Redactor()
    redactor.add(Secret("hunter-two-known"))
    record = logging.LogRecord("u", logging.ERROR, "", 0, "%s token=%s", ("hunter-two-known", VALUE), None)
    line = TextFormatter(redactor).format(record)
    assert "hunter" not in line
    assert VALUE not in line
