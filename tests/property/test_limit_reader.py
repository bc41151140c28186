"""The quick reader of limits against the thorough one: the same answer for any response, in any order."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from understudy.resilience.limit_reader import LimitReader
from understudy.resilience.limits import parse_limits
from understudy.resilience.presets import load_preset
from understudy.resilience.quota import QuotaOptions

NOW = 1_800_000_000.0

NAMES = st.sampled_from(
    [
        "X-RateLimit-Requests-Limit", "X-RateLimit-Requests-Remaining", "X-RateLimit-Requests-Reset",
        "x-ratelimit-limit", "X-RateLimit-Limit", "x-ratelimit-remaining", "x-ratelimit-reset",
        "X-RateLimit-Reset-After", "X-RateLimit-Limit-Day", "X-RateLimit-Remaining-Day", "RateLimit",
        "RateLimit-Policy", "X-RATELIMIT-TOKENS-REMAINING", "anthropic-ratelimit-tokens-limit", "X-Left", "X-Max",
        "Content-Type", "Date", "X-RateLImit-Odd-Remaining",
    ]
)  # fmt: skip
VALUES = st.one_of(
    st.integers(0, 10**20).map(str),
    st.sampled_from(
        [
            "", " 5", "5 ", "-1", "1e3", "1,000", "100;w=60", "100, 100;w=60", "many", "12.5", "٣", "²", "9" * 600,
            "1m30s", "0.5", str(int(NOW) + 60), str((int(NOW) + 60) * 1000), str(int(NOW) - 60),
            "Fri, 15 Jan 2027 08:01:00 GMT", '"default";r=50;t=30', "limit=100, remaining=50, reset=5",
        ]
    ),
)  # fmt: skip
HEADERS = st.dictionaries(NAMES, VALUES, max_size=9)
OPTIONS = st.sampled_from([QuotaOptions(), QuotaOptions(header_remaining="X-Left", header_limit="X-Max")])
PRESETS = st.sampled_from(["", "rapidapi", "github", "openai"])


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(HEADERS, st.floats(NOW - 1e6, NOW + 1e6)), max_size=6), OPTIONS, PRESETS)
@example(
    [({"X-RateLimit-Limit": "5", "x-ratelimit-limit": "7", "x-ratelimit-remaining": "1"}, NOW)], QuotaOptions(), ""
)
@example(
    [({"x-ratelimit-limit": t, "x-ratelimit-remaining": "1"}, NOW) for t in ("", "5", "100;w=60")], QuotaOptions(), ""
)
def test_it_reads_what_the_thorough_parser_reads(responses, options, name):
    preset = load_preset(name)
    reader = LimitReader(options, preset)
    for headers, now in responses:
        assert reader.read(headers, now) == parse_limits(headers, options, now, preset)


def test_an_api_that_never_repeats_its_header_names_costs_bounded_memory():
    reader = LimitReader(QuotaOptions(), None)
    for number in range(500):
        name = f"X-RateLimit-{number}-Remaining"
        assert reader.read({name: "5"}, NOW) == parse_limits({name: "5"}, None, NOW)
    assert len(reader._layouts) <= 16
    long = {f"x-{number}-{'y' * 100}": "1" for number in range(100)}
    before = len(reader._layouts)
    assert reader.read(long, NOW) == []
    assert len(reader._layouts) == before, "a set of names this long is not remembered"
