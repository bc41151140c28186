"""What may be done here, by whom: every endpoint names one permission, every identity holds a set of them.

The scopes of API tokens have the same names.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Permission(StrEnum):
    """What an endpoint needs. `PUBLIC` is held by everybody, also without an account."""

    PUBLIC = "public"
    #: See how everything does: numbers, alerts, routes, requests, reports. No secrets, no targets of channels.
    READ = "read"
    #: See where messages go: addresses, channels, deliveries with their recipients.
    CHANNELS = "channels:read"
    #: Acknowledge, silence, snooze, edit rules.
    ALERTS_WRITE = "alerts:write"
    #: Pin, drain, force, reset, edit routes and APIs, pause health checks, clear statistics.
    ROUTES_WRITE = "routes:write"
    #: Send a message, test a channel, replay dead letters.
    NOTIFY_SEND = "notify:send"
    #: Call APIs through the gateway.
    GATEWAY = "gateway"
    #: See the configuration (masked), the audit log, the security check.
    INSPECT = "inspect"
    #: Accounts, tokens, channels, settings, restart.
    ADMIN = "admin"


class Role(StrEnum):
    """What an account is for; each role may do what the one before may, and more."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def permissions(self) -> frozenset[Permission]:
        """What the role may do."""
        return _OF_ROLE[self]


_VIEWER: Final = frozenset({Permission.PUBLIC, Permission.READ})
_OPERATOR: Final = _VIEWER | {
    Permission.CHANNELS, Permission.ALERTS_WRITE, Permission.ROUTES_WRITE, Permission.NOTIFY_SEND, Permission.GATEWAY,
}  # fmt: skip
_OF_ROLE: Final = {
    Role.VIEWER: _VIEWER,
    Role.OPERATOR: _OPERATOR,
    Role.ADMIN: _OPERATOR | {Permission.INSPECT, Permission.ADMIN},
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks. `name` is what the audit log says; `via` is session, token, loopback or nobody."""

    name: str
    permissions: frozenset[Permission]
    via: str
    role: Role | None = None
    #: The session or token, where there is one; never its secret.
    key: str = ""
    #: Binds forms to the session; empty where no form is needed.
    form_token: str = ""
    #: The account, where there is one.
    account: str = ""
    #: APIs that a token is restricted to; empty: all.
    apis: tuple[str, ...] = ()
    #: Until when the password counts as just given, epoch seconds: what hurts most needs it.
    proved_until: float = 0.0

    def may(self, permission: Permission) -> bool:
        """Whether this identity holds a permission."""
        return permission in self.permissions


#: Whoever has not said who they are.
NOBODY: Final = Identity("", frozenset({Permission.PUBLIC}), "nobody")


def of_loopback(client: str) -> Identity:
    """Whoever reaches a service on loopback that has no accounts: reads everything, operates, administers nothing."""
    return Identity(f"http {client}", _OPERATOR | {Permission.INSPECT}, "loopback")
