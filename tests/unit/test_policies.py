"""Who is told of what: policies, severities, callbacks, and the reasons that can be looked up."""

from __future__ import annotations

import pytest

from pipeline import Bench, alert
from understudy.core.errors import OptionError
from understudy.core.notices import NoticeKind, Severity
from understudy.core.outbox import Priority, RowState
from understudy.notifications.planning import priority_of
from understudy.notifications.policy import Policies, PolicyOptions

EVERYWHERE = ("chat", "mail")


def routed(policies: dict[str, PolicyOptions], **notice):
    return Policies(policies).route(alert(**notice), None, EVERYWHERE)


def test_without_policies_everything_goes_everywhere():
    found = routed({})
    assert (found.channels, found.policies) == (EVERYWHERE, ("default",))


def test_the_first_policy_that_matches_decides():
    policies = {
        "odds": PolicyOptions(match=('api="odds"',), channels=("chat",)),
        "rest": PolicyOptions(channels=("mail",)),
    }
    assert routed(policies).channels == ("chat",)
    assert routed(policies, name="fixtures").channels == ("mail",)


def test_a_policy_that_proceeds_adds_to_those_behind_it():
    policies = {
        "first": PolicyOptions(channels=("pager",), min_severity=Severity.CRITICAL, proceed=True, escalation="night"),
        "second": PolicyOptions(channels=("chat", "pager")),
    }
    found = routed(policies)
    assert (found.channels, found.policies) == (("pager", "chat"), ("first", "second"))
    assert found.options.escalation == "night"
    assert routed(policies, severity="warning").channels == ("chat", "pager")


def test_conditions_see_severity_rule_and_kind_and_labels_that_are_not_part_of_the_identity():
    policies = {
        "a": PolicyOptions(match=("severity=warning", "rule=~api.*", "kind=fired", "team=core"), channels=("chat",))
    }
    found = Policies(policies).route(alert(severity="warning"), {"team": "core"}, EVERYWHERE)
    assert found.policies == ("a",)
    found = Policies(policies).route(alert(severity="warning"), {"team": "other"}, EVERYWHERE)
    assert found.policies == ("default",)
    assert found.trace[0] == {"policy": "a", "matched": False, "refused_by": 'team="core"'}


def test_a_condition_that_cannot_be_read_is_refused_and_changes_nothing():
    bench = Bench("chat")
    bench.manager.set_policies({"good": PolicyOptions(channels=("chat",))})
    with pytest.raises(OptionError, match=r"policies\.bad"):
        bench.manager.set_policies({"bad": PolicyOptions(match=("api",))})
    assert bench.manager.plans.policies.names == ("good",)


def test_a_policy_that_names_a_missing_channel_is_a_problem():
    bench = Bench("chat")
    bench.manager.set_policies({"a": PolicyOptions(channels=("chatt",))})
    assert bench.manager.problems() == ["policy a names the channel chatt, which is not there"]


def test_a_channel_gets_only_what_is_severe_enough_for_it_and_the_account_says_so():
    bench = Bench(("quiet", {"min_severity": "critical"}), "chat")
    quiet, chat = bench.manager.plan(alert(severity="warning"))
    assert (quiet.state, quiet.reason) == (RowState.SUPPRESSED, "below the channel's min_severity")
    assert chat.state is RowState.PENDING
    # What was critical once is told to its end.
    downgraded = alert(kind=NoticeKind.DOWNGRADED, severity="warning", previous=Severity.CRITICAL)
    assert {row.state for row in bench.manager.plan(downgraded)} == {RowState.PENDING}


def test_targets_take_the_place_of_policies():
    bench = Bench("chat", "mail", "pager")
    assert [row.channel for row in bench.manager.plan(alert(), targets=("pager", "pager"))] == ["pager"]


def test_rows_of_a_plan_say_all_that_the_outbox_needs():
    bench = Bench(("pager", {"pager": True, "destination": "routing-key"}))
    [row] = bench.manager.plan(alert())
    assert (row.destination, row.pager, row.priority) == ("routing-key", True, Priority.CRITICAL)
    assert row.deadline_at - row.created_at == 86_400.0
    assert (row.fingerprint, row.episode) == ("fp-odds", "ep-odds")


@pytest.mark.parametrize(
    ("kind", "severity", "lane"),
    [
        ("fired", "critical", Priority.CRITICAL),
        ("resolved", "critical", Priority.RESOLVED_CRITICAL),
        ("fired", "warning", Priority.WARNING),
        ("resolved", "warning", Priority.WARNING),
        ("fired", "info", Priority.INFO),
        ("acked", "critical", Priority.INFO),
    ],
)
def test_the_lane_follows_from_severity_and_kind(kind, severity, lane):
    assert priority_of(alert(kind=NoticeKind(kind), severity=severity)) == lane


@pytest.mark.parametrize(("severity", "hours"), [("critical", 24), ("warning", 6), ("info", 1)])
def test_the_deadline_follows_from_the_severity_and_an_end_has_as_long_as_its_beginning(severity, hours):
    bench = Bench("chat")
    for kind in (NoticeKind.FIRED, NoticeKind.RESOLVED):
        [row] = bench.manager.plan(alert(kind=kind, severity=severity))
        assert row.deadline_at - row.created_at == hours * 3600.0


def test_it_can_be_asked_who_would_be_told_and_why():
    bench = Bench("chat", ("quiet", {"min_severity": "critical"}))
    bench.manager.set_policies({"night": PolicyOptions(match=("api=fixtures",)), "day": PolicyOptions()})
    told = bench.manager.explain(alert(severity="warning"))
    assert told["policies"] == ["day"]
    assert [(each["channel"], bool(each["suppressed_by"])) for each in told["channels"]] == [
        ("chat", False),
        ("quiet", True),
    ]
    assert [each["matched"] for each in told["trace"]] == [False, True]
