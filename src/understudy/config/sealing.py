"""Secrets that are kept in the store: encrypted and authenticated (AES-256-GCM), each bound to what it belongs to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from understudy.core.errors import UnderstudyError

#: What sets this key apart from others that are made of the same secret.
_LABEL: Final = b"understudy: secrets of edited settings, 1"
#: Bytes of the nonce that AES-GCM wants, and of a key that we make.
_NONCE, _KEY = 12, 32
#: A secret key that is shorter protects nothing, characters.
LEAST_KEY: Final = 16


class CannotOpen(UnderstudyError):
    """A sealed secret was made with another key, belongs to something else, or was changed."""


class Sealer:
    """Seals texts and opens them again; `about` says what a text belongs to, and must be the same both times."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.new(key, _LABEL, hashlib.sha256).digest()

    def seal(self, text: str, about: str) -> str:
        """The sealed text, fit for JSON; different each time."""
        # Imported here: few services ever seal a secret, and it takes its megabytes.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(_NONCE)
        sealed = AESGCM(self._key).encrypt(nonce, text.encode("utf-8", "surrogatepass"), about.encode())
        return base64.b64encode(nonce + sealed).decode("ascii")

    def open(self, sealed: str, about: str) -> str:
        """What was sealed.

        Raises:
            CannotOpen: it cannot be opened with this key.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            raw = base64.b64decode(sealed.encode("ascii"), validate=True)
            plain = AESGCM(self._key).decrypt(raw[:_NONCE], raw[_NONCE:], about.encode())
        except (InvalidTag, ValueError):
            raise CannotOpen(
                "a stored secret cannot be opened: the service's secret key is another one than when it was entered"
            ) from None
        return plain.decode("utf-8", "surrogatepass")


def key_beside(database: Path) -> bytes:
    """The key in the file beside a database, which only its owner may read; made when there is none.

    Raises:
        OSError: it can neither be read nor made.
    """
    file = database.with_name(database.name + ".key")
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(file)
    with os.fdopen(handle, "wb") as stream:
        made = secrets.token_hex(_KEY).encode("ascii")
        stream.write(made)
        stream.flush()
        os.fsync(stream.fileno())
    return made


def _read(file: Path) -> bytes:
    found = file.read_bytes().strip()
    if len(found) < LEAST_KEY:
        raise OSError(f"the key file {file.name} holds no key")
    return found
