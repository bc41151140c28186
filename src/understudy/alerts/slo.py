"""Burn rates: how fast a promise about success is being broken.

A promised success rate of 99.9 % leaves a budget of 0.1 % failures. A burn rate of 1 spends exactly this budget;
14.4 spends 2 % of a 30-day budget in one hour. An alert wants a long window, which says that it matters, and
a short one of a twelfth, which says that it still goes on, so that it ends soon after the failures do.

=====  =====  =======  ==========================================
burn   long   short    spends of the budget of 30 days
=====  =====  =======  ==========================================
14.4   1 h    5 min    2 %; a total outage shows after 52 s
6      6 h    30 min   5 %
1      3 d    6 h      10 %
=====  =====  =======  ==========================================

At few calls a single failure is a giant burn (one of 20 calls at 99.9 % is 50), so `min_failures` of them
must lie in the long window. Time before a subject was known counts as good: a budget is spent by what
is known to have failed, and a total outage takes its 52 s with or without a past.

Source: B. Beyer and others, "The Site Reliability Workbook" (2018), chapter 5, "Alerting on SLOs", table 5-8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from understudy.core.notices import Severity

from .evidence import unsound
from .ladder import decided
from .model import Finding, Level, Rule, Verdict
from .ports import Sample


@dataclass(frozen=True, slots=True)
class Pair:
    """A burn rate that both windows must exceed; windows in seconds."""

    burn: float
    long: float
    short: float


#: The strongest burn first. The short window is a twelfth of the long one.
PAIRS: Final = (Pair(14.4, 3600.0, 300.0), Pair(6.0, 21600.0, 1800.0), Pair(1.0, 259200.0, 21600.0))
#: What a burn_rate rule has without levels of its own.
LEVELS: Final = (Level(Severity.WARNING, 1.0), Level(Severity.CRITICAL, 6.0))
#: A burn counts as left below this part of what it has to exceed.
LEFT: Final = 0.9


def level_of(levels: tuple[Level, ...], pair: Pair) -> int:
    """Which level a pair raises: the worst whose threshold it reaches, -1 for none."""
    return max((index for index, level in enumerate(levels) if level.threshold <= pair.burn), default=-1)


def burn(sample: Sample, objective: float) -> float:
    """The burn rate of a window; `objective` in percent."""
    judged = sample.successes + sample.failures
    if not judged:
        return 0.0
    known = min(1.0, sample.covered / sample.window)
    return sample.failures / judged * known / (1.0 - objective / 100.0)


def judge(rule: Rule, sample: Callable[[float], Sample | None]) -> Verdict:
    """What the burn rates come to; `sample` answers the subject's last so many seconds."""
    levels = rule.levels
    level = held = -1
    shown: tuple[float, Pair, int] | None = None
    known = 0
    for pair in PAIRS:
        long = sample(pair.long)
        if long is None or level_of(levels, pair) < 0:
            continue
        if wrong := unsound(long):
            return Verdict(Finding.ERROR, reason=wrong)
        known = max(known, long.successes + long.failures)
        short = sample(pair.short) if long.failures else long
        if short is None:
            continue
        rate = min(burn(long, rule.objective), burn(short, rule.objective))
        if shown is None or rate / pair.burn > shown[0] / shown[1].burn:
            shown = rate, pair, long.failures
        if long.failures < max(1, rule.min_failures):
            continue
        if rate > pair.burn:
            level = max(level, level_of(levels, pair))
        if rate > pair.burn * LEFT:
            held = max(held, level_of(levels, pair))
    if shown is None or not known:
        return Verdict(Finding.NO_DATA, reason="idle" if shown else "unknown")
    rate, pair, failures = shown
    reason = f"burn {rate:.3g} over {pair.long / 3600:g} h, {failures} failures"
    return decided(level, max(level, held), rate, known, reason)
