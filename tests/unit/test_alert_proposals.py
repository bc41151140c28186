"""Proposals for noisy rules: less noise, nothing lost that mattered, and never more than a proposal."""

from __future__ import annotations

from understudy.alerts.backtest import Run, backtest, candidates, proposal, worth_a_proposal
from understudy.alerts.model import Level, Rule
from understudy.alerts.past import PastBucket, PastSeries, PastSource
from understudy.core.notices import Severity

MINUTE = 60.0
NOISY = Rule(
    "errors",
    metric="error_rate",
    operator=">",
    window=60.0,
    keep_firing_for=0.0,
    levels=(Level(Severity.CRITICAL, 20.0),),
)


def past(*bad: range) -> Run:
    """Three hours of minutes; those in `bad` fail."""
    failing = {minute for each in bad for minute in each}
    buckets = [
        PastBucket(
            minute * MINUTE, (minute + 1) * MINUTE, 20, 0 if minute in failing else 20, 20 if minute in failing else 0
        )
        for minute in range(180)
    ]
    source = PastSource({"api": [({"api": "odds"}, [PastSeries(buckets)])]})
    return Run([NOISY], source, [each.end for each in buckets], 0.0, 180 * MINUTE, 60)


def tried(*bad: range):
    before = backtest(past(*bad))
    found = []
    for change, version in candidates(NOISY):
        run = past(*bad)
        run.rules = [version]
        if made := proposal(change, before, backtest(run)):
            found.append((dict(change), made))
    return before, found


BLIPS = [range(start, start + 1) for start in range(5, 150, 20)]


def test_a_rule_that_fires_for_every_blip_is_worth_a_proposal_that_keeps_the_outage():
    before, found = tried(*BLIPS, range(160, 175))
    assert worth_a_proposal(before.noise())
    assert len(before.episodes) == len(BLIPS) + 1
    assert [change for change, _ in found] == [{"for": 60.0}, {"for": 120.0}, {"for": 300.0}, {"for": 600.0}]
    _, made = found[1]
    assert made.noise.episodes == 1
    assert len(made.difference.gone) == len(BLIPS)
    told = made.as_dict()
    assert (told["change"], told["noise"]["short"]) == ({"for": 120.0}, 0)


def test_a_version_that_loses_a_long_outage_is_not_proposed():
    # Eleven minutes are lost by a rule that waits for longer than they last.
    _, found = tried(*BLIPS, range(160, 171))
    assert {"for": 300.0} in [change for change, _ in found]
    before = backtest(past(range(10, 30)))
    run = past()
    assert proposal({"for": 600.0}, before, backtest(run)) is None


def test_a_calm_rule_gets_no_proposal():
    assert not worth_a_proposal(backtest(past(range(10, 30))).noise())
    assert not worth_a_proposal(backtest(past()).noise())


def test_a_version_waits_longer_on_every_level_and_nothing_else_changes():
    warning, critical = Severity.WARNING, Severity.CRITICAL
    levels = (Level(warning, 20.0, 30.0), Level(critical, 40.0, 900.0), Level(critical, 60.0))
    laddered = Rule("errors", metric="error_rate", for_=90.0, levels=levels)
    [first, *_] = candidates(laddered)
    change, version = first
    assert change == {"for": 120.0}
    assert version.for_ == 120.0
    assert [level.for_ for level in version.levels] == [120.0, 900.0, None]
    assert [level.threshold for level in version.levels] == [20.0, 40.0, 60.0]


def test_thresholds_are_tried_that_allow_more_as_far_as_the_metric_goes():
    ladder = Rule(
        "success", metric="success_rate", operator="<", for_=600.0,
        levels=(Level(Severity.WARNING, 80.0), Level(Severity.CRITICAL, 60.0)),
    )  # fmt: skip  # one line of fields
    assert [dict(change) for change, _ in candidates(ladder)] == [
        {"warning": 72.0, "critical": 54.0},
        {"warning": 60.0, "critical": 45.0},
    ]
    strict = Rule("errors", metric="error_rate", operator=">", for_=600.0, levels=(Level(Severity.CRITICAL, 85.0),))
    assert [dict(change) for change, _ in candidates(strict)] == [{"critical": 93.5}]
    event = Rule("down", kind="event", event="api_down", for_=600.0, levels=(Level(Severity.CRITICAL),))
    assert list(candidates(event)) == []
