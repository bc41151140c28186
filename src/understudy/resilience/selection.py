"""Which API serves a call: hard gates first, then the least expected cost (resilience rule R9).

Pure: values in, values out. The cost is in milliseconds, so that each of its terms can be shown.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from understudy.core.types import Candidate

#: Cost of a first attempt that fails, ms.
FAILURE_COST: Final = 5000.0
#: Cost of each step of priority, ms.
PRIORITY_STEP: Final = 500.0
#: Cost of one currency unit for 1,000 calls, ms.
PRICE_WEIGHT: Final = 1000.0
#: The same where the cheapest API is wanted: price beats everything but failure.
CHEAPEST_WEIGHT: Final = 100_000.0
#: Cost of a key near the end of its quota, ms.
PRESSURE_WEIGHT: Final = 500.0
#: Cost of sharing the failure domain of an API that just failed in this call, ms.
DOMAIN_COST: Final = 1000.0
#: A challenger must be cheaper by this share before it replaces the incumbent.
HYSTERESIS: Final = 0.10


@dataclass(slots=True)
class Standing:
    """One API as it stands at this moment. `gate` is the reason why it cannot serve; empty when it can."""

    api: str
    priority: int
    gate: str = ""
    detail: str = ""
    latency: float = 0.5
    load: float = 0.0
    reliability: float = 0.95
    price: float = 0.0
    pressure: float = 0.0
    domain_failed: bool = False
    #: Just back in service and not drawn for this call: serves it only when no other can.
    spared: bool = False
    #: A person said that it leads.
    pinned: bool = False


def cost_terms(standing: Standing, mode: str) -> dict[str, float]:
    """The terms of the expected cost, each in ms; their sum is the cost."""
    load = min(standing.load, 0.99) if standing.load > 0.5 else 0.0
    price_weight = CHEAPEST_WEIGHT if mode == "cheapest" else PRICE_WEIGHT
    return {
        "latency": standing.latency * 1000.0 / (1.0 - load),
        "failure": (1.0 - standing.reliability) * FAILURE_COST,
        "priority": 0.0 if mode == "fastest" else (standing.priority - 1) * PRIORITY_STEP,
        "price": price_weight * standing.price,
        "pressure": PRESSURE_WEIGHT * standing.pressure,
        "domain": DOMAIN_COST if standing.domain_failed else 0.0,
    }


def rank(standings: Sequence[Standing], mode: str, incumbent: str, rng: random.Random) -> list[Candidate]:
    """All APIs, best first; those behind a closed gate last, in their given order.

    One that a person has pinned comes first. The incumbent keeps its place unless a challenger is cheaper by
    `HYSTERESIS`; equal costs are ordered at random, so that equal peers share the load.
    """
    eligible = []
    gated = []
    for standing in standings:
        if standing.gate:
            gated.append(Candidate(standing.api, standing.gate, standing.detail))
            continue
        terms = cost_terms(standing, mode)
        total = sum(terms.values())
        key = total * (1.0 - HYSTERESIS) if standing.api == incumbent else total
        first = standing.priority if mode == "priority" else 0
        detail = "just closed; takes part of its share" if standing.spared else ""
        eligible.append(
            (
                (not standing.pinned, standing.spared, first, key, rng.random()),
                Candidate(standing.api, detail=detail, cost=total, terms=terms),
            )
        )
    eligible.sort(key=lambda entry: entry[0])
    ranked = [candidate for _, candidate in eligible]
    return ranked + gated
