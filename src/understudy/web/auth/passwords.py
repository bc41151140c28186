"""Passwords: which are good enough, and how they are kept (argon2id).

The library and its 64 MiB a hash are loaded when somebody first gives a password, never by an idle service. At most
two are hashed at once, so that a flood of sign-ins can use up neither memory nor processors.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from argon2 import PasswordHasher

#: Characters of a password.
SHORTEST, LONGEST = 12, 1024
_AT_ONCE: Final = 2
#: Passwords that wait for their turn before strangers are sent away: some seconds' worth.
_CROWD: Final = 60
#: What people write for letters.
_LEET: Final = str.maketrans("0134578@$!|", "oleastbasil")
#: Of these, and of what a keyboard gives without thinking, a password must not be made.
_COMMON: Final = (
    "password", "passwort", "passwd", "pass", "passphrase", "senha", "senhas", "minhasenha", "segredo", "secret",
    "secreto", "admin", "administrator", "administrador", "root", "user", "usuario", "guest", "test", "teste",
    "welcome", "bemvindo", "letmein", "login", "entrar", "master", "default", "changeme", "mudar", "temp", "temporary",
    "qwerty", "qwertyuiop", "qwertz", "azerty", "asdf", "asdfgh", "asdfghjkl", "zxcv", "zxcvbnm", "qazwsx", "wsx",
    "edc", "qaz", "rfv", "iloveyou", "teamo", "love", "amor", "monkey", "dragon", "football", "futebol", "baseball",
    "sunshine", "princess", "princesa", "superman", "batman", "pokemon", "trustno", "hello", "hola", "ola", "oi",
    "abc", "abcd", "abcdef", "abcdefgh", "abcdefghijkl", "brasil", "brazil", "flamengo", "corinthians", "palmeiras",
    "santos", "gremio", "vasco", "jesus", "deus", "god", "company", "empresa", "server", "servidor", "dashboard",
    "rapidapi", "understudy", "api", "monitor", "production", "producao", "spring", "summer", "autumn", "winter",
    "verao", "inverno", "primavera", "outono", "january", "february", "march", "april", "may", "june", "july",
    "august", "september", "october", "november", "december", "janeiro", "fevereiro", "marco", "abril", "maio",
    "junho", "julho", "agosto", "setembro", "outubro", "novembro", "dezembro", "my", "the", "a", "i", "is", "of",
    "meu", "minha", "new", "novo", "nova", "one", "two", "three", "um", "dois", "tres", "key", "chave",
    "correcthorsebatterystaple",
)  # fmt: skip
_PIECE: Final = re.compile("|".join(sorted(map(re.escape, _COMMON), key=len, reverse=True)))
#: Different characters that a password must have.
_DIFFERENT: Final = 5


class WeakPassword(ValueError):
    """Why a password is not taken. `code` is `short`, `long`, `common`, `name` or `plain`, for translation."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def check(password: str, name: str = "") -> None:
    """Raise `WeakPassword` unless a password is good enough for the account of that name."""
    if len(password) < SHORTEST:
        raise WeakPassword("short", f"a password has at least {SHORTEST} characters")
    if len(password) > LONGEST:
        raise WeakPassword("long", f"a password has at most {LONGEST} characters")
    bare = password.casefold()
    if name and name.casefold() in bare and len(bare.replace(name.casefold(), "")) < SHORTEST - 4:
        raise WeakPassword("name", "the password is little more than the name of the account")
    if len(set(bare)) < _DIFFERENT or _is_walk(bare):
        raise WeakPassword("plain", "the password repeats or counts; take several words that do not belong together")
    if any(_is_common(each) for each in (bare, bare.translate(_LEET))):
        raise WeakPassword("common", "the password is made of what everybody tries first; take several other words")


def _is_common(text: str) -> bool:
    """Whether nothing but digits and signs is left of a text without its common words."""
    letters = "".join(sign for sign in text if sign.isalpha())
    return not _PIECE.sub("", letters)


def _is_walk(text: str) -> bool:
    """Whether most characters are the next or the one before in the alphabet of the character in front of them."""
    steps = [ord(second) - ord(first) for first, second in pairwise(text)]
    return sum(abs(step) <= 1 for step in steps) > 0.7 * len(steps)


class Passwords:
    """Hashes and verifies, two at a time, in threads."""

    def __init__(self) -> None:
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        self._made: PasswordHasher | None = None
        self._dummy = ""

    @property
    def crowded(self) -> bool:
        """Whether so many wait for their turn that whoever comes now would wait for seconds."""
        return self._waiting >= _CROWD

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None]:
        self._waiting += 1
        try:
            async with self._gate:
                yield
        finally:
            self._waiting -= 1

    async def hashed(self, password: str) -> str:
        """A password as it is kept."""
        async with self._turn():
            return await asyncio.to_thread(lambda: self._hasher().hash(password))

    async def verify(self, kept: str, password: str) -> bool:
        """Whether a password is the one that is kept; an empty `kept` (no such account) takes as long, and is False."""
        if len(password) > LONGEST:
            password = ""
        async with self._turn():
            return await asyncio.to_thread(self._verify, kept, password)

    def outdated(self, kept: str) -> bool:
        """Whether a password was kept in a way that is not ours any more; asked after `verify` only."""
        return self._hasher().check_needs_rehash(kept)

    def _hasher(self) -> PasswordHasher:
        if self._made is None:
            import argon2

            self._made = argon2.PasswordHasher()
        return self._made

    def _verify(self, kept: str, password: str) -> bool:
        hasher = self._hasher()
        if not self._dummy:
            # Made at the first sign-in of all, whoever it is: later ones take the same time, known name or not.
            self._dummy = hasher.hash(secrets.token_urlsafe(16))
        errors: Any = _errors()
        try:
            hasher.verify(kept or self._dummy, password)
        except errors:
            return False
        return bool(kept)


def _errors() -> tuple[type[Exception], ...]:
    from argon2.exceptions import InvalidHashError, VerificationError

    return (VerificationError, InvalidHashError)
