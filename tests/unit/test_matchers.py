"""Conditions on labels: how they are written, what they mean, and that no pattern takes long."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.core.matchers import MatcherError, matches, parse, parse_list
from understudy.core.pattern import MAX_STATES, MAX_TEXT, Pattern, PatternError


@pytest.mark.parametrize(
    ("text", "value", "met"),
    [
        ('api="odds"', "odds", True),
        ("api=odds", "odds", True),
        (" api = odds ", "odds", True),
        ('api="odds"', "odds2", False),
        ('api!="odds"', "scores", True),
        ('api!="odds"', "odds", False),
        ('api=~"odds.*"', "odds-eu", True),
        ('api=~"odds"', "my odds", False),
        ('api!~"odds|scores"', "scores", False),
        ('api!~"odds|scores"', "scores2", True),
        ('api=~"^odds$"', "odds", True),
        (r'api=~"v\d+\.\d"', "v12.3", True),
        (r'api="a\"b\\c"', 'a"b\\c', True),
        ('api=""', "", True),
        ('api=~".+"', "", False),
    ],
)
def test_a_condition_means_what_it_says(text, value, met):
    assert parse(text).matches({"api": value}) is met


def test_a_label_that_is_missing_counts_as_empty():
    assert parse('hub=""').matches({"api": "odds"})
    assert parse('hub!="x"').matches({})
    assert not parse('hub=~".+"').matches({})


def test_a_list_is_met_when_each_of_its_conditions_is():
    found = parse_list('{api=~"odds.*", severity!="info",}')
    assert [str(each) for each in found] == ['api=~"odds.*"', 'severity!="info"']
    assert matches(found, {"api": "odds", "severity": "critical"})
    assert not matches(found, {"api": "odds", "severity": "info"})
    assert matches((), {"api": "odds"})
    assert parse_list(["a=b", "c=d"]) == parse_list("a=b, c=d")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected the name of a label"),
        ('="odds"', "expected the name of a label, as in"),
        ("api", "expected one of = != =~ !~, at character 4"),
        ('api="odds', "a quote is not closed, at character 5"),
        ('api="odds" hub="x"', "more than one condition"),
        ('api=~"("', r"a \( without its \)"),
        (r'api=~"(.)\1"', "back reference"),
        ('api=~"(?=x)"', "look-around"),
        ('api=~"[a"', r"a \[ without its \]"),
        ('api=~"*"', r"a \* with nothing before it"),
        (f'api="{"x" * 2000}"', "at most 2000 characters"),
    ],
)
def test_what_is_no_condition_is_refused_with_its_place(text, said):
    with pytest.raises(MatcherError, match=said):
        parse(text)


def test_too_many_conditions_are_refused():
    with pytest.raises(MatcherError, match="51 conditions: at most 50"):
        parse_list(["a=b"] * 51)


@given(st.text(max_size=20), st.sampled_from(["=", "!="]))
def test_what_is_written_is_read_again(value, sign):
    first = parse_list([f'api{sign}"{value.replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34))}"'])[0]
    assert first.value == value
    assert parse(str(first)) == first


pieces = st.recursive(
    st.sampled_from(["a", "b", "c", ".", "[ab]", "[^a]", r"\d", r"\.", "[a-c-]", r"[\w.]"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{1,}", "*?"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(pieces, st.text(alphabet="abc1.-\n", max_size=8))
def test_patterns_mean_what_they_mean_elsewhere(pattern, text):
    assert Pattern(pattern).matches(text) is (re.compile(pattern).fullmatch(text) is not None)


@given(st.text(max_size=30))
def test_no_text_makes_a_pattern_fail_otherwise_than_by_its_own_error(text):
    try:
        Pattern(text).matches("abc")
    except PatternError as problem:
        assert 0 <= problem.position <= len(text)


@pytest.mark.parametrize(
    "pattern", ["(a*)*b", "(a|a)*b", "(a|aa)+b", "(.*){1,30}x", "(.*.*.*.*)x", "((a?){20}a{20})*b"]
)
def test_28_a_pattern_that_would_backtrack_is_answered_at_once(pattern):
    compiled = Pattern(pattern)
    begins = time.perf_counter()
    assert not compiled.matches("a" * MAX_TEXT)
    # Backtracking would take years; the bound leaves room for a busy machine.
    assert time.perf_counter() - begins < 2


def test_a_pattern_that_would_become_too_large_is_refused():
    with pytest.raises(PatternError, match=f"more than {MAX_STATES} states"):
        Pattern("((a{50}){50}){50}")
    with pytest.raises(PatternError, match="at most 1000 characters"):
        Pattern("a" * 1001)
    with pytest.raises(PatternError, match="nested too deeply"):
        Pattern("(" * 60 + ")" * 60)


def test_a_text_longer_than_any_label_matches_nothing():
    assert Pattern("a*").matches("a" * MAX_TEXT)
    assert not Pattern("a*").matches("a" * (MAX_TEXT + 1))
