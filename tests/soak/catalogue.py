"""The long experiments, in the order in which they run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from . import (
    alert_faults,
    alert_kill,
    alert_takeover,
    cancellations,
    clock_jumps,
    delivery_kill,
    flat_page,
    flat_service,
    half_open,
    hostile,
    outage,
    rest_api,
    retry_after,
    storage_crash,
    storage_kill,
    store_away,
    survival,
)  # fmt: skip
from .experiment import Report, Tell

Run = Callable[[int, Tell], Awaitable[Report]]


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment at full length, and the seeded sample of it that the test suite runs."""

    name: str
    title: str
    full: Run
    sample: Run


EXPERIMENTS = (
    Experiment("survival", survival.TITLE, survival.full, survival.sample),
    Experiment("outage", outage.TITLE, outage.full, outage.sample),
    Experiment("half_open", half_open.TITLE, half_open.full, half_open.sample),
    Experiment("cancellations", cancellations.TITLE, cancellations.full, cancellations.sample),
    Experiment("clock_jumps", clock_jumps.TITLE, clock_jumps.full, clock_jumps.sample),
    Experiment("retry_after", retry_after.TITLE, retry_after.full, retry_after.sample),
    Experiment("hostile", hostile.TITLE, hostile.full, hostile.sample),
    Experiment("storage_kill", storage_kill.TITLE, storage_kill.full, storage_kill.sample),
    Experiment("storage_crash", storage_crash.TITLE, storage_crash.full, storage_crash.sample),
    Experiment("delivery_kill", delivery_kill.TITLE, delivery_kill.full, delivery_kill.sample),
    Experiment("alert_faults", alert_faults.TITLE, alert_faults.full, alert_faults.sample),
    Experiment("alert_kill", alert_kill.TITLE, alert_kill.full, alert_kill.sample),
    Experiment("alert_takeover", alert_takeover.TITLE, alert_takeover.full, alert_takeover.sample),
    Experiment("rest_api", rest_api.TITLE, rest_api.full, rest_api.sample),
    Experiment("store_away", store_away.TITLE, store_away.full, store_away.sample),
    Experiment("flat_service", flat_service.TITLE, flat_service.full, flat_service.sample),
    Experiment("flat_page", flat_page.TITLE, flat_page.full, flat_page.sample),
)
