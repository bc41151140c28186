"""A sample of `make soak`'s Retry-After: over real HTTP, nobody comes back before the moment that the server named."""

from __future__ import annotations

from soak import retry_after


async def test_retry_after_is_obeyed_to_the_letter_in_all_its_forms_and_never_past_the_deadline():
    report = await retry_after.sample(7)
    assert not report.broken, "\n".join(report.broken)
