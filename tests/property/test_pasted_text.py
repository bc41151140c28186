"""Whatever is pasted, the reader answers with a proposal or says what it did not understand; keys stay hidden."""

from __future__ import annotations

import shlex
import string

from hypothesis import example, given, settings
from hypothesis import strategies as st

from understudy.config.pasted import PasteError, propose
from understudy.config.pasted.shell import words

PIECES = st.sampled_from(
    ["curl", " ", "-H", "'", '"', "\\", "^", "`", "\n", "https://x.example.com/v1/a?key=b", "--url", "-d", "$'", "{",
     "}", "import requests\n", "requests.get(", "fetch(", "headers: {", "a: b", ")", "$", "axios.request(", "é", "\x00",
     ":", '{"openapi":"3.0.0"', "[", "]", ",", "-u a:b", "//", "/*", "`${x}`", "http.client.HTTPSConnection(", "=",
     "-sSXH"]
)  # fmt: skip  # a list of words
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=30)
HEADERS = st.sampled_from(
    ["x-rapidapi-key: {}", "Authorization: Bearer {}", "X-Api-Key: {}", "Authorization: Token {}"]
)
KEYS = st.text(string.ascii_letters + string.digits + "-_.~", min_size=12, max_size=40)


@settings(deadline=None)
@given(st.lists(PIECES, max_size=30).map("".join))
@example("import requests\n" + "(" * 5000)
@example("fetch(" + "{a:" * 5000)
@example("fetch(" + "'a'+" * 5000)
@example("fetch({" * 8000)
@example("/*" * 30000 + "fetch(")
@example("import requests\nx = " + "+".join(["'a'"] * 3000))
def test_no_text_breaks_the_reader(text):
    try:
        propose(text)
    except PasteError as error:
        assert str(error)


@given(st.lists(WORDS, max_size=8))
def test_words_of_bash_are_what_the_shell_makes_of_them(given_words):
    assert words(shlex.join(["curl", *given_words])) == ["curl", *given_words]


@given(
    KEYS,
    st.sampled_from(["x-rapidapi-key: {}", "Authorization: Bearer {}", "X-Api-Key: {}", "Authorization: Token {}"]),
)
@settings(max_examples=60)
def test_a_key_is_taken_out_of_everything_that_is_shown(key, header):
    found = propose(shlex.join(["curl", "https://odds.example.com/v1/a", "-H", header.format(key)]))
    shown = repr(found) + "".join(map(str, found.notes)) + str(found.table("env:X"))
    assert key not in shown
    if found.key is not None:
        assert found.key.reveal() == key
