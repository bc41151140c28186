"""The language of the request log: what each term means, and what is said of one that means nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.monitor.requests import Comparison, RequestQuery
from understudy.monitor.search import SearchError, parse

NOW = 1_764_000_000.0


def query(**fields) -> RequestQuery:
    return RequestQuery(**fields)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", query()),
        ("api:odds", query(apis=("odds",))),
        ("api:odds api:scores", query(apis=("odds", "scores"))),
        ("-api:odds", query(excluded_apis=("odds",))),
        ("api:!=odds", query(excluded_apis=("odds",))),
        ('api:"my api"', query(apis=("my api",))),
        ("route:fixtures -route:odds", query(routes=("fixtures",), excluded_routes=("odds",))),
        ("outcome:failed", query(outcomes=("failed",))),
        ("outcome:error", query(outcomes=("failed", "deadline"))),
        ("-outcome:ok", query(excluded_outcomes=("success", "fallback"))),
        ("status:503", query(status=(Comparison("=", 503),))),
        ("status:>=500", query(status=(Comparison(">=", 500),))),
        ("status:5xx", query(status=(Comparison(">=", 500), Comparison("<", 600)))),
        ("lat:>2s", query(latency=(Comparison(">", 2.0),))),
        ("lat:>200ms lat:<1.5s", query(latency=(Comparison(">", 0.2), Comparison("<", 1.5)))),
        ("attempts:>1", query(attempts=(Comparison(">", 1),))),
        ('err:"timed out"', query(text=("timed out",))),
        (r'err:"say \"no\" \\"', query(text=('say "no" \\',))),
        ("refused", query(text=("refused",))),
        ('"connection reset"', query(text=("connection reset",))),
        ("-word", query(text=("-word",))),
        ("class:timeout", query(error_classes=("timeout",))),
        ('path:"GET /odds"', query(endpoints=("GET /odds",))),
        ("id:ab-1", query(call_id="ab-1")),
        ("group:f00", query(fingerprint="f00")),
        ("last:1h", query(start=NOW - 3600)),
        ("last:7d last:1h", query(start=NOW - 3600)),
        ("since:2025-11-24", query(start=1_763_942_400.0)),
        ("since:2025-11-24T10:00:00-03:00", query(start=1_763_989_200.0)),
        ("until:1763990000", query(end=1_763_990_000.0)),
        ("API:odds", query(apis=("odds",))),
        (
            'api:a route:r status:>=500 lat:>2s err:"x y" last:1h',
            query(
                apis=("a",),
                routes=("r",),
                status=(Comparison(">=", 500),),
                latency=(Comparison(">", 2.0),),
                text=("x y",),
                start=NOW - 3600,
            ),
        ),
    ],
)
def test_a_query_means(text, meant):
    assert parse(text, NOW) == meant


@pytest.mark.parametrize(
    ("text", "said", "position"),
    [
        ("stauts:500", "did you mean status:?", 0),
        ("zzz:1", "there are api,", 0),
        ("api:a status:abc", "expected a status such as 503 or 5xx, found 'abc'", 6),
        ("status:", "needs a value", 7),
        ("lat:>fast", "expected a duration", 0),
        ('err:"open', 'a closing " is missing', 4),
        ("outcome:great", "outcome: is one of success", 0),
        ("last:soon", "expected a span such as 15m", 0),
        ("last:0s", "expected a span", 0),
        ("since:yesterday", "expected a time such as", 0),
        ("-lat:>1s", "cannot be left out", 0),
        ("id:a id:b", "given twice", 5),
        ("since:2025-01-02 until:2025-01-01", "the span of time is empty", 17),
        ("api:a route:>=r", "route: cannot be compared with >=", 6),
        ("class:!=timeout", "class: cannot be compared with !=", 0),
        ("x" * 2001, "at most 2000 characters", 2000),
        ("a " * 41, "at most 40 terms", 80),
    ],
)
def test_a_query_that_cannot_be_read_says_where_and_what_was_expected(text, said, position):
    with pytest.raises(SearchError) as caught:
        parse(text, NOW)
    assert said in str(caught.value)
    assert caught.value.position == position


@given(st.text(max_size=200))
def test_any_text_is_a_query_or_a_search_error(text):
    try:
        parse(text, NOW)
    except SearchError as error:
        assert 0 <= error.position <= len(text)


@given(st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), min_size=1, max_size=80))
def test_every_text_can_be_searched_for_in_quotes(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    assert parse(f'err:"{escaped}"', NOW).text == (text,)
