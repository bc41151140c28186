"""Texts of strangers: harmless, nothing lost, and cut where a reader would cut them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.legible import ELLIPSIS, clean, cut, fitted, iso, line, utf16, visible

#: Half of them what is hard to cut or to clean.
SIGNS = "ab \n\r\t\0\x1b\x85\u2028\u202e\u2066\u200d\u0301\ufe0f😀👩🏽🇧🇷שe<&\ud800\ufffe\u200b"
HARD = st.text(st.sampled_from(SIGNS), max_size=60)
TEXTS = HARD | st.text(max_size=60)


def escaped(text: str) -> int:
    """A size that grows by more than one for some signs, as escaped text does."""
    return utf16(text.replace("&", "&amp;").replace("<", "&lt;"))


@given(TEXTS)
def test_cleaning_twice_changes_nothing_and_what_is_clean_can_be_written(text):
    assert clean(clean(text)) == clean(text)
    assert line(line(text)) == line(text)
    clean(text).encode("utf-8")
    assert not set(clean(text)) & set("\0\x1b\r\x85\u2028\u202e\u2066\ud800\ufffe")
    assert "\n" not in line(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("nul\0esc\x1b[31mdel\x7f", "nul␀esc␛[31mdel␡"),
        ("c1\x9f", "c1\\x9f"),
        ("\u202eevil\u202c", "\\u202eevil\\u202c"),
        ("half \ud83d", "half \ufffd"),
        ("שלום \u200f!", "שלום \u200f!"),
        ("tab\there", "tab\there"),
        ("👩‍👩‍👧‍👦 é", "👩‍👩‍👧‍👦 é"),
    ],
)
def test_what_would_do_harm_becomes_something_that_can_be_read(text, expected):
    assert clean(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("", False), (" \n\u200b\u0301\0", False), ("a", True), (".", True), ("😀", True)]
)
def test_whether_a_reader_sees_anything(text, expected):
    assert visible(text) is expected


@given(TEXTS, st.integers(-2, 80), st.sampled_from([len, utf16, escaped]))
def test_a_cut_text_fits_begins_as_before_and_says_that_it_was_cut(text, limit, size):
    made = cut(text, limit, size)
    assert size(made) <= max(limit, 0)
    if size(text) <= limit:
        assert made == text
    elif made:
        assert made.endswith(ELLIPSIS)
        assert text.startswith(made.removesuffix(ELLIPSIS))
        # Nothing was given away but what belongs to the last cluster, and white space.
        kept = made.removesuffix(ELLIPSIS)
        assert size(text[: len(kept) + 33] + ELLIPSIS) > limit or text[len(kept) :][:1].isspace()


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("one two", 5, "one…"),
        ("ab👩‍👩‍👧‍👦", 6, "ab…"),
        ("xe\u0301y", 3, "x…"),
        ("🇧🇷🇵🇹🇯🇵", 4, "🇧🇷…"),
        ("🇧🇷🇵🇹🇯🇵", 5, "🇧🇷🇵🇹…"),
        ("a👍🏽b", 3, "a…"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
        ("abc", -5, ""),
        ("", 0, ""),
    ],
)
def test_a_cut_is_where_a_reader_would_make_it(text, limit, expected):
    assert cut(text, limit) == expected


def test_cutting_takes_time_in_proportion_to_the_limit_not_to_the_text():
    asked = []

    def size(text: str) -> int:
        asked.append(len(text))
        return len(text)

    cut("x" * 1_000_000, 1000, size)
    assert max(asked) <= 1002
    assert len(asked) < 15
    assert cut("a" + "\u0301" * 100_000, 50)[0] == "a"


@given(st.lists(TEXTS, max_size=6), st.integers(0, 200), st.sampled_from([len, utf16, escaped]))
def test_parts_share_the_room(parts, limit, size):
    made = fitted(parts, limit, size)
    assert size(made) <= limit
    whole = "\n\n".join(part for part in parts if part)
    if size(whole) <= limit:
        assert made == whole


def test_a_long_part_leaves_the_short_ones_whole_and_the_long_ones_alike():
    made = fitted(["a" * 1000, "short", "b" * 1000, "c" * 60], 300).split("\n\n")
    assert (made[1], made[3]) == ("short", "c" * 60)
    assert (len(made[0]), len(made[2])) == (114, 115)
    assert fitted(["a" * 50, "b" * 50, "c" * 50], 40) == "a" * 39 + "…"


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (0.0, "1970-01-01T00:00:00Z"),
        (1_800_000_000.5, "2027-01-15T08:00:00Z"),
        (1e18, "1970-01-01T00:00:00Z"),
        (float("nan"), "1970-01-01T00:00:00Z"),
        (float("-inf"), "1970-01-01T00:00:00Z"),
    ],
)
def test_moments_as_programs_read_them(at, expected):
    assert iso(at) == expected
