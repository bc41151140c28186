"""The test kit: fakes and contract suites for programs that use Understudy, and for Understudy itself.

Names are fetched at first use: only the contract suites need pytest.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .account_contract import AccountStoreContract
    from .alert_contract import AlertStoreContract
    from .channel_contract import ChannelContract, ChannelProbe
    from .clock import FakeClock
    from .clock_contract import ClockContract
    from .control_contract import AuditLogContract, LeaseStoreContract, StateStoreContract
    from .document_contract import DocumentStoreContract
    from .flaky import HANG, ApiDown, FlakyApi
    from .health_contract import HealthViewContract
    from .http_contract import HttpClientContract, WireProbe
    from .memory_channel import HANGS, MemoryChannel
    from .memory_health import MemoryHealth
    from .outbox_contract import OutboxStoreContract
    from .raw_server import RawServer, Reply
    from .request_contract import RequestStoreContract
    from .rollup_contract import DeltaStoreContract, RollupStoreContract
    from .scripted_http import Answer, ScriptedHttp, ScriptExhausted

_HOMES = {
    "AccountStoreContract": ".account_contract",
    "AlertStoreContract": ".alert_contract",
    "AuditLogContract": ".control_contract",
    "DeltaStoreContract": ".rollup_contract",
    "DocumentStoreContract": ".document_contract",
    "LeaseStoreContract": ".control_contract",
    "OutboxStoreContract": ".outbox_contract",
    "RequestStoreContract": ".request_contract",
    "RollupStoreContract": ".rollup_contract",
    "StateStoreContract": ".control_contract",
    "ChannelContract": ".channel_contract",
    "ChannelProbe": ".channel_contract",
    "FakeClock": ".clock",
    "ClockContract": ".clock_contract",
    "HANG": ".flaky",
    "ApiDown": ".flaky",
    "FlakyApi": ".flaky",
    "HealthViewContract": ".health_contract",
    "HttpClientContract": ".http_contract",
    "WireProbe": ".http_contract",
    "HANGS": ".memory_channel",
    "MemoryChannel": ".memory_channel",
    "MemoryHealth": ".memory_health",
    "RawServer": ".raw_server",
    "Reply": ".raw_server",
    "Answer": ".scripted_http",
    "ScriptExhausted": ".scripted_http",
    "ScriptedHttp": ".scripted_http",
}

__all__ = [
    "HANG",
    "HANGS",
    "AccountStoreContract",
    "AlertStoreContract",
    "Answer",
    "ApiDown",
    "AuditLogContract",
    "ChannelContract",
    "ChannelProbe",
    "ClockContract",
    "DeltaStoreContract",
    "DocumentStoreContract",
    "FakeClock",
    "FlakyApi",
    "HealthViewContract",
    "HttpClientContract",
    "LeaseStoreContract",
    "MemoryChannel",
    "MemoryHealth",
    "OutboxStoreContract",
    "RawServer",
    "Reply",
    "RequestStoreContract",
    "RollupStoreContract",
    "ScriptExhausted",
    "ScriptedHttp",
    "StateStoreContract",
    "WireProbe",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if home.endswith("_contract"):
        _show_values(__name__ + home)
    value = getattr(import_module(home, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)


def _show_values(suite: str) -> None:
    """Let pytest show the values of a suite's failed asserts, as it does for a program's own tests."""
    import pytest

    if suite not in sys.modules:
        pytest.register_assert_rewrite(suite)
