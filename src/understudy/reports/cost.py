"""What the calls cost, what a good answer costs, and how much quota is left for how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .model import Chart, Column, Fact, Line, Section, Table, Value
from .ports import ApiFacts, Past

_COSTS = (
    Column("api", "API"),
    Column("hub", "Hub"),
    Column("price", "Price of 1,000", "money"),
    Column("attempts", "Attempts", "count"),
    Column("cost", "Cost", "money"),
    Column("per_good", "Per 1,000 good answers", "money"),
    Column("retries", "Retries", "count"),
)
_QUOTAS = (
    Column("api", "API"),
    Column("key", "Key"),
    Column("quota", "Limit of"),
    Column("limit", "Limit", "count"),
    Column("remaining", "Left", "count"),
    Column("left", "Left", "percent"),
    Column("reset", "Until reset", "seconds"),
    Column("lasts", "Lasts at this pace", "seconds"),
)


def cost(apis: Sequence[ApiFacts], pasts: Mapping[str, Past], seconds: float) -> Section:
    """The section; `seconds` is the length of the span, for the pace at which quotas are used."""
    rows: list[tuple[Value, ...]] = []
    quotas: list[tuple[Value, ...]] = []
    total, good = 0.0, 0
    for api in apis:
        whole = pasts[api.name].whole
        total, good = total + whole.cost, good + whole.ok
        per_good = 1000.0 * whole.cost / whole.ok if whole.ok else None
        rows.append((api.name, api.hub, api.price, whole.n, whole.cost, per_good, whole.retries))
        pace = whole.n / seconds if seconds > 0 else 0.0
        for quota in api.quotas:
            share = 100.0 * quota.remaining / quota.limit if quota.limit and quota.remaining is not None else None
            lasts = quota.remaining / pace if pace and quota.remaining is not None else None
            quotas.append(
                (api.name, quota.key, quota.name, quota.limit, quota.remaining, share, quota.reset_after, lasts)
            )
    lines = tuple(
        Line(api.name, tuple((float(p.at), p.cost) for p in pasts[api.name].points))
        for api in sorted(apis, key=lambda api: -pasts[api.name].whole.cost)[:6]
        if pasts[api.name].whole.cost
    )
    return Section(
        "Quota and cost",
        "Attempts that the API never executed (refused connections, 401, 402, 403, 429) are not counted as billed.",
        (
            Fact("Cost", total, "money"),
            Fact("Per 1,000 good answers", 1000.0 * total / good if good else None, "money"),
        ),
        (Chart("Cost", "money", lines),) if lines else (),
        (Table("By API", _COSTS, tuple(rows)), Table("Quotas as they stand", _QUOTAS, tuple(quotas))),
    )
