"""What the calls cost, what a good answer costs, and how much quota is left for how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from understudy.core.text import Texts

from .charts import LINES
from .model import Chart, Column, Fact, Line, Section, Table, Value
from .ports import ApiFacts, Past


def _costs(_: Texts) -> tuple[Column, ...]:
    return (
        Column("api", _("API")),
        Column("hub", _("Hub")),
        Column("price", _("Price of 1,000"), "money"),
        Column("attempts", _("Attempts"), "count"),
        Column("cost", _("Cost"), "money"),
        Column("per_good", _("Per 1,000 good answers"), "money"),
        Column("retries", _("Retries"), "count"),
    )


def _quotas(_: Texts) -> tuple[Column, ...]:
    return (
        Column("api", _("API")),
        Column("key", _("Key")),
        Column("quota", _("Limit of"), "word"),
        Column("limit", _("Limit"), "count"),
        Column("remaining", _("Left"), "count"),
        Column("left", _("Left, %"), "percent"),
        Column("reset", _("Until reset"), "seconds"),
        Column("lasts", _("Lasts at this pace"), "seconds"),
    )


def drawn(pasts: Mapping[str, Past]) -> list[str]:
    """The APIs of the chart: those that cost most."""
    dear = sorted(pasts, key=lambda name: -pasts[name].whole.cost)
    return [name for name in dear if pasts[name].whole.cost > 0][:LINES]


def cost(_: Texts, apis: Sequence[ApiFacts], pasts: Mapping[str, Past], lines: Mapping[str, Past]) -> Section:
    """The section.

    `lines` are the APIs of the chart, with their points. How long a quota lasts follows from its own use of late, not
    from the span: that may be longer than anything was measured, and says nothing of each key.
    """
    rows: list[tuple[Value, ...]] = []
    quotas: list[tuple[Value, ...]] = []
    total, good = 0.0, 0
    for api in apis:
        whole = pasts[api.name].whole
        total, good = total + whole.cost, good + whole.ok
        per_good = 1000.0 * whole.cost / whole.ok if whole.ok else None
        rows.append((api.name, api.hub, api.price, whole.n, whole.cost, per_good, whole.retries))
        for quota in api.quotas:
            share = 100.0 * quota.remaining / quota.limit if quota.limit and quota.remaining is not None else None
            lasts = quota.remaining / quota.per_second if quota.per_second > 0 and quota.remaining is not None else None
            quotas.append(
                (api.name, quota.key, quota.name, quota.limit, quota.remaining, share, quota.reset_after, lasts)
            )
    costly = sum(past.whole.cost > 0 for past in pasts.values())
    title = _("Cost") if costly <= LINES else _("Cost of the {count} dearest", count=LINES)
    return Section(
        _("Quota and cost"),
        _(
            "Attempts that the API never executed (refused connections, 401, 402, 403, 429) are not counted as billed. "
            "Money is in the currency of your prices."
        ),
        (
            Fact(_("Cost"), total, "money"),
            Fact(_("Per 1,000 good answers"), 1000.0 * total / good if good else None, "money"),
        ),
        (Chart(title, "money", tuple(_line(name, past) for name, past in lines.items())),) if lines else (),
        (
            Table("cost-by-api", _("By API"), _costs(_), tuple(rows), most="cost"),
            Table("quotas", _("Quotas as they stand"), _quotas(_), tuple(quotas), least="left"),
        ),
    )


def _line(name: str, past: Past) -> Line:
    return Line(name, tuple((float(point.at), point.cost) for point in past.points))
