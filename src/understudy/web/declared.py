"""What an endpoint takes and gives, declared once: requests are checked by it, and the documents are made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .http import Problem
from .kinds import Kind, Schema
from .schemas import Lazy


@dataclass(frozen=True, slots=True)
class Param:
    """One query parameter."""

    name: str
    kind: Kind
    about: str
    default: Any = None
    required: bool = False
    example: Any = None
    #: Whether it may be given several times.
    many: bool = False

    def of(self, query: Mapping[str, str]) -> Any:
        """What the query says, or the default.

        Raises:
            Problem: 400 with what was expected.
        """
        if self.name not in query:
            if self.required:
                raise Problem(400, f"say {self.name}: {self.about[0].lower()}{self.about[1:]}", field=self.name)
            return self.default
        try:
            return self.kind.parse(query[self.name])
        except ValueError as error:
            raise Problem(400, f"{self.name} is {error}", field=self.name) from None

    def schema(self) -> Schema:
        """As a query writes it: a boolean is yes or no, a list stands between commas."""
        found = self.kind.schema()
        if found.get("type") == "boolean":
            found = {"type": "string", "enum": ["yes", "no"]}
        elif found.get("type") == "array":
            found = {"type": "string"}
        elif isinstance(found.get("type"), list):
            found = {name: found[name] for name in ("maxLength", "description") if name in found} | {"type": "string"}
        if self.many:
            return {"type": "array", "items": found}
        default = self.default
        if isinstance(default, bool):
            default = "yes" if default else "no"
        return found | ({"default": default} if isinstance(default, str | int | float) and default != "" else {})


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a JSON body. Null is the same as leaving it out."""

    name: str
    kind: Kind
    about: str
    default: Any = None
    required: bool = False
    example: Any = None

    def of(self, content: Mapping[str, Any]) -> Any:
        """What the body says, or the default.

        Raises:
            Problem: 422 with what was expected.
        """
        value = content.get(self.name)
        if value is None and not self.required:
            return self.default
        try:
            return self.kind.take(value)
        except ValueError as error:
            raise Problem(422, f"{self.name} is {error}", field=self.name) from None

    def schema(self) -> Schema:
        """The schema with its sentence; null is taken where the key may be left out."""
        found = {**self.kind.schema()}
        if not self.required:
            kinds = found["type"] if isinstance(found.get("type"), list) else [found.get("type")]
            found["type"] = [*kinds, "null"]
            if "enum" in found:
                found["enum"] = [*found["enum"], None]
        more = {"default": self.default} if isinstance(self.default, str | int | float | bool) else {}
        about = " ".join(each for each in (self.about, found.pop("description", "")) if each)
        return {**found, "description": about, **more}


@dataclass(frozen=True, slots=True)
class Gives:
    """One kind of answer: its status, content type and schema."""

    schema: Lazy
    status: int = 200
    about: str = ""
    content_type: str = "application/json"
    example: Any = None


@dataclass(frozen=True, slots=True)
class Declared:
    """Everything that is said about an endpoint besides its function and its permission."""

    #: Query parameters; None: the handler names itself those that it knows.
    query: Sequence[Param] | None = None
    #: Keys of the body; None: it takes none, or reads it itself.
    body: Sequence[Field] | None = None
    gives: Sequence[Gives] = ()
    #: Statuses of problems besides those that every endpoint may answer.
    problems: Sequence[int] = ()
    #: Under which heading it stands in the documents.
    tag: str = ""

    def check_query(self, query: Mapping[str, Sequence[str]]) -> None:
        """Raise `Problem` for the first parameter that is not as declared; each with all its values."""
        for param in self.query or ():
            for value in query.get(param.name, ()):
                param.of({param.name: value})
            if param.required and param.name not in query:
                param.of({})

    def check_body(self, content: Mapping[str, Any]) -> None:
        """Raise `Problem` for the first key that is not as declared."""
        for each in self.body or ():
            each.of(content)


UNDECLARED = Declared()
