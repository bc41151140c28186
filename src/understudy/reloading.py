"""Takes settings into a running application: what is new is registered, what is gone drains."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from .resilience import FallbackManager

if TYPE_CHECKING:
    from .config.settings import Settings
    from .core.secrets import Secret
    from .probing import Prober


def read_secret(text: str) -> Secret:
    """The secret that `env:NAME` or `file:PATH` of options given in code names; what reads it is imported only then."""
    from .config.secret_text import read_secret as read

    return read(text)


#: Sections whose changes are told by name.
_NAMED = ("apis", "routes")


def reload(fallback: FallbackManager, former: Settings | None, settings: Settings, prober: Prober) -> dict[str, Any]:
    """Make the registered APIs and routes those of `settings`; answers the names that changed.

    The settings have been validated as a whole, so nothing here can fail half way. APIs that code
    registered stay. No call runs in between: there is no `await`.
    """
    roster = fallback.roster
    before = {name: api.options for name, api in roster.apis.items() if name in prober.configured}
    wanted = settings.apis
    changes: dict[str, Any] = {
        "added": sorted(set(wanted) - set(before)),
        "removed": sorted(set(before) - set(wanted)),
        "changed": sorted(name for name in wanted if name in before and wanted[name] != before[name]),
        "routes": sorted(
            name
            for name, options in settings.routes.items()
            if name not in roster.routes or roster.routes[name].options != options
        ),
        "sections": [
            each.name
            for each in fields(settings)
            if each.name not in _NAMED
            and (former is None or getattr(former, each.name) != getattr(settings, each.name))
        ],
    }
    for name in changes["removed"]:
        prober.remove(name)
        roster.remove(name)
    for name in (*changes["added"], *changes["changed"]):
        fallback.register_api(name, options=wanted[name])
    gone = [name for name in roster.routes if name in prober.configured_routes and name not in settings.routes]
    for name in gone:
        del roster.routes[name]
    for name, options in settings.routes.items():
        fallback.register_route(name, options)
    prober.configured = set(wanted)
    prober.configured_routes = set(settings.routes)
    fallback.reloaded()
    return changes
