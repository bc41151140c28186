"""Which alerts inhibit which, against a look at every pair."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.alerts.inhibition import Inhibition, Inhibitor, Sources, inhibitors
from understudy.core.errors import OptionError
from understudy.core.matchers import matches

VALUES = ("x", "y", "z")
conditions = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["=", "!="]), st.sampled_from(VALUES[:2])).map("".join),
    min_size=1, max_size=2,
).map(tuple)  # fmt: skip
inhibitions = st.builds(
    Inhibition, conditions, conditions, st.lists(st.sampled_from(["a", "b"]), unique=True).map(tuple),
    st.sampled_from([0.0, 10.0]),
)  # fmt: skip
labels = st.fixed_dictionaries({"a": st.sampled_from(VALUES), "b": st.sampled_from(VALUES)})
alerts = st.dictionaries(st.sampled_from("pqrstu"), st.tuples(labels, st.none() | st.sampled_from([95.0, 85.0])))


def reaches(each: Inhibitor, source: dict, target: dict) -> bool:
    same = all(source[name] == target[name] for name in each.equal)
    return same and matches(each.source, source) and matches(each.target, target)


@settings(max_examples=200, deadline=None)
@given(st.lists(inhibitions, max_size=3), alerts, st.sets(st.sampled_from("pqrstu")))
def test_an_alert_is_inhibited_by_what_a_look_at_every_pair_finds(options, alerts, dropped):
    now = 100.0
    found = tuple(Inhibitor(str(number), each) for number, each in enumerate(options))
    sources = Sources(found)
    for name, (about, ended) in alerts.items():
        sources.put(name, about, ended, now)
    for name in dropped & set(alerts):
        sources.drop(name)

    def inhibits(one: str, other: str) -> bool:
        if one == other or one in dropped:
            return False
        about, ended = alerts[one]
        lasting = [each for each in found if ended is None or ended + each.linger > now]
        return any(reaches(each, about, alerts[other][0]) for each in lasting)

    for name, (about, _) in alerts.items():
        expected = {other for other in alerts if inhibits(other, name) and not inhibits(name, other)}
        answer = sources.inhibiting(name, about, now, (), sources)
        assert (answer is not None) == bool(expected)
        assert answer is None or answer[1] in expected


@settings(max_examples=200, deadline=None)
@given(st.lists(inhibitions, min_size=2, max_size=3))
def test_what_is_let_in_can_go_around_in_no_circle(options):
    try:
        inhibitors({str(number): each for number, each in enumerate(options)})
    except OptionError:
        return
    found = [Inhibitor(str(number), each) for number, each in enumerate(options)]
    universe = [{"a": one, "b": other} for one, other in product(VALUES, VALUES)]
    # Which alerts each inhibition lets others reach; a walk through different inhibitions must not come back.
    for first in universe:
        for second in universe:
            for one, other in product(found, found):
                if one is not other:
                    assert not (reaches(one, first, second) and reaches(other, second, first))
