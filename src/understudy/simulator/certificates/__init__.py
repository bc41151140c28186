"""TLS for the simulated APIs, with certificates that are for tests only and their keys public."""

from __future__ import annotations

import ssl
from pathlib import Path

_HERE = Path(__file__).parent
#: The authority to trust for the good certificate; each of the bad ones fails in its own way.
CA_FILE = _HERE / "test_only_ca.pem"


def server_context(certificate: str) -> ssl.SSLContext:
    """A server's context with the certificate `valid`, `expired`, `self_signed` or `wrong_host`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_HERE / f"test_only_{certificate}.pem", _HERE / "test_only_key.pem")
    return context
