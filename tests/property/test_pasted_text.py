"""Whatever is pasted, the reader answers with a proposal or says what it did not understand; keys stay hidden."""

from __future__ import annotations

import json
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


def doubled(first, each):
    """Sixty lines, each of which holds the one before twice."""
    return first + "".join(each.format(this=f"a{n}", last=f"a{n - 1}") for n in range(1, 61))


SERVER = {"url": "https://{a}.example.com/" + "{a}" * 50_000, "variables": {"a": {"default": "x" * 250_000}}}


@settings(deadline=None)
@given(st.lists(PIECES, max_size=30).map("".join))
@example("import requests\n" + "(" * 5000)
@example("fetch(" + "{a:" * 5000)
@example("fetch(" + "'a'+" * 5000)
@example("fetch({" * 8000)
@example("/*" * 30000 + "fetch(")
@example("import requests\nx = " + "+".join(["'a'"] * 3000))
@example(
    doubled("import requests\na0 = 'https://x.example.com/'\n", "{this} = {last} + {last}\n") + "requests.get(a60)"
)
@example(
    doubled("import requests\na0 = 'x'\n", "{this} = [{last}, {last}]\n") + "requests.request(a60, 'https://x.y/')"
)
@example("import requests\nrequests.request(0x" + "f" * 50_000 + ", 'https://x.example.com')")
@example("import requests\nrequests.get(f'" + "{a}" * 21_000 + "')")
@example(doubled("const a0 = 'https://x.example.com/';", "const {this} = {last} + {last};") + "fetch(a60)")
@example(doubled("a0 = 'x';", "{this} = {{x: {last}, y: {last}}};") + "fetch('https://x.example.com', {method: a60})")
@example("curl https://x.example.com/" + "\n" * 60_000 + "x")
@example("x" + "\n" * 60_000 + "x")
@example(json.dumps({"openapi": "3.0.0", "servers": [SERVER]}))
@example(json.dumps({"openapi": "3.0.0", "servers": [{"url": "http://[::1/"}]}))
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
