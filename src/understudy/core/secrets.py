"""Values that must never be shown."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, NoReturn

MASK = "********"


class Secret:
    """A string that every textual form masks; `reveal()` is the only way to its value.

    Equality takes constant time. Pickling and copying into JSON are refused or masked, so a secret
    cannot leave through a dump of its owner.
    """

    __slots__ = ("_value", "source")

    def __init__(self, value: str, source: str = "") -> None:
        self._value = value
        #: Where the value came from (`env:RAPIDAPI_KEY`, `.env:3`), for people; never the value.
        self.source = source

    def reveal(self) -> str:
        """The value itself; call it only where it is sent."""
        return self._value

    def fingerprint(self) -> str:
        """Eight hex digits that tell two secrets apart without telling either."""
        return hashlib.sha256(self._value.encode()).hexdigest()[:8]

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __repr__(self) -> str:
        return f"Secret({MASK})" if self._value else "Secret()"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        # Imported here: only a process that loads a configuration file has pydantic loaded.
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            cls._parse, serialization=core_schema.plain_serializer_function_ser_schema(lambda _: MASK)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        return {"type": "string", "writeOnly": True}

    @classmethod
    def _parse(cls, value: object) -> Secret:
        if isinstance(value, Secret):
            return value
        if isinstance(value, str):
            return cls(value)
        raise ValueError("expected a string")
