"""Options that are made in code are checked as strictly as those of a file, and say what is wrong in one line."""

from __future__ import annotations

import pytest

from understudy.core.errors import OptionError
from understudy.resilience.api import ApiOptions, RouteOptions


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        (ApiOptions, {"priority": 0}, "ApiOptions.priority: expected at least 1, found 0"),
        (ApiOptions, {"priority": "1"}, "ApiOptions.priority: expected a whole number, found '1'"),
        (ApiOptions, {"priority": True}, "ApiOptions.priority: expected a number, found True"),
        (ApiOptions, {"safe": "no"}, "ApiOptions.safe: expected true or false, found 'no'"),
        (ApiOptions, {"bulkhead": 5}, "ApiOptions.bulkhead: expected BulkheadOptions, found <class 'int'>"),
        (RouteOptions, {"deadline": float("nan")}, "RouteOptions.deadline: expected a number, found nan"),
        (RouteOptions, {"mode": "fastset"}, "RouteOptions.mode: expected one of 'priority', 'balanced', "),
    ],
)
def test_a_value_of_another_type_or_out_of_range_is_told(kind, settings, said):
    with pytest.raises(OptionError) as caught:
        kind(**settings)
    assert str(caught.value).startswith(said)


def test_what_stands_in_the_place_of_a_group_is_not_shown_as_it_may_be_a_key():
    with pytest.raises(OptionError, match="expected AuthOptions") as caught:
        ApiOptions(auth={"kind": "bearer", "keys": ["k3y-0f-the-user"]})
    assert "k3y" not in str(caught.value)


def test_numbers_lists_and_nothing_are_taken_where_they_may_stand():
    assert ApiOptions(price=1, bulkhead=None, headers=None).price == 1
    assert RouteOptions(apis=["a", "b"], deadline=3).apis == ["a", "b"]
