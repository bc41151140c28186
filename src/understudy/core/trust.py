"""Whom to trust on TLS connections that are not the call path: the authorities of one file."""

from __future__ import annotations

import ssl
from pathlib import Path

from .errors import OptionError


def trust(ca_file: str = "", owner: str = "channel") -> ssl.SSLContext:
    """Certificates must come from the authorities of this file (empty: the system's), and bear the host's name.

    Raises:
        OptionError: the file cannot be read or holds no certificate.
    """
    try:
        return ssl.create_default_context(cafile=str(Path(ca_file).expanduser()) if ca_file else None)
    except OSError as error:
        why = error.strerror or type(error).__name__  # an SSLError is an OSError too
        raise OptionError(owner, "ca_file", f"{ca_file} ({why})", "a readable file of certificates (PEM)") from None
