"""Regular expressions that take linear time, whatever the pattern and whoever wrote it.

The syntax is that of RE2 (github.com/google/re2/wiki/Syntax) without captures, boundaries and flags: literals,
`.`, classes, `\\d \\w \\s`, groups, `|`, `* + ?` and `{m,n}`. A pattern always stands for the whole text. It becomes
a Thompson automaton (Communications of the ACM 11:6, 1968) whose sets of states are remembered as they are
met, so that a text costs one look-up for each character, and never more than one pass over the automaton.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

#: A pattern's own length, and that of its automaton: `{100}` counts what stands before it a hundred times.
MAX_PATTERN, MAX_STATES = 1000, 600
#: A longer text matches nothing: no label is. With both, no answer takes longer than about 50 ms.
MAX_TEXT = 1000
_MAX_DEPTH = 50
#: Sets of states that are remembered before they are forgotten together.
_REMEMBERED = 2000

Test = Callable[[str], bool]


class PatternError(ValueError):
    """The pattern cannot be used; the text says where and why."""

    def __init__(self, pattern: str, position: int, problem: str) -> None:
        super().__init__(f"{problem} at character {position + 1} of {pattern[:80]!r}")
        self.position, self.problem = position, problem


class _State:
    """Goes on to `after` over a character that passes `test`, or without one where `test` is None."""

    __slots__ = ("after", "test")

    def __init__(self, test: Test | None, after: list[int]) -> None:
        self.test, self.after = test, after


class _Piece(NamedTuple):
    """A part of the pattern, to be built into the automaton as often as it is repeated."""

    kind: str
    parts: tuple[_Piece, ...] = ()
    test: Test | None = None
    least: int = 1
    most: int | None = 1

    def size(self) -> int:
        """How many states it takes."""
        inner = sum(part.size() for part in self.parts)
        if self.kind == "repeat":
            return inner * (self.least + 1 if self.most is None else max(1, self.most)) + 2
        return inner + 2


class Pattern:
    """A compiled pattern.

    Raises:
        PatternError: it is no pattern, too long, or asks for what cannot be answered in linear time.
    """

    __slots__ = ("_accept", "_moves", "_start", "_states", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        piece = _Parser(text).parse()
        if piece.size() > MAX_STATES:
            raise PatternError(text, 0, f"it is too large (more than {MAX_STATES} states)")
        self._states: list[_State] = []
        self._accept = self._add(None, [])
        self._start = self._closed({self._build(piece, self._accept)})
        self._moves: dict[tuple[frozenset[int], str], frozenset[int]] = {}

    def matches(self, text: str) -> bool:
        """Whether the pattern stands for the whole text."""
        if len(text) > MAX_TEXT:
            return False
        now, moves = self._start, self._moves
        for character in text:
            after = moves.get((now, character))
            now = self._move(now, character) if after is None else after
            if not now:
                return False
        return self._accept in now

    def _move(self, now: frozenset[int], character: str) -> frozenset[int]:
        reached: set[int] = set()
        for number in now:
            state = self._states[number]
            if state.test is not None and state.test(character):
                reached.update(state.after)
        if len(self._moves) >= _REMEMBERED:
            self._moves.clear()
        after = self._moves[now, character] = self._closed(reached)
        return after

    def _closed(self, reached: set[int]) -> frozenset[int]:
        """The states that are reached, with those that follow without a character."""
        found, waiting = set(reached), list(reached)
        while waiting:
            state = self._states[waiting.pop()]
            if state.test is None:
                fresh = [number for number in state.after if number not in found]
                found.update(fresh)
                waiting.extend(fresh)
        return frozenset(found)

    def _add(self, test: Test | None, after: list[int]) -> int:
        self._states.append(_State(test, after))
        return len(self._states) - 1

    def _build(self, piece: _Piece, after: int) -> int:
        """The first state of a piece that goes on to `after`."""
        match piece.kind:
            case "one":
                return self._add(piece.test, [after])
            case "either":
                return self._add(None, [self._build(part, after) for part in piece.parts])
            case "repeat":
                return self._repeated(piece, after)
        for part in reversed(piece.parts):
            after = self._build(part, after)
        return after

    def _repeated(self, piece: _Piece, after: int) -> int:
        part = piece.parts[0]
        if piece.most is None:
            first = self._add(None, [after])
            self._states[first].after.append(self._build(part, first))
        else:
            first = after
            for _ in range(piece.most - piece.least):
                first = self._add(None, [self._build(part, first), after])
        for _ in range(piece.least):
            first = self._build(part, first)
        return first


_CLASSES: dict[str, Test] = {
    "d": lambda found: found in "0123456789",
    "w": lambda found: found == "_" or (found.isascii() and found.isalnum()),
    "s": lambda found: found in " \t\n\r\f\v",
}
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a", "0": "\0"}
_NOT_LINEAR = "a back reference, look-around, capture by name or flag is not known"


class _Parser:
    """Reads a pattern by recursive descent."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_PATTERN:
            raise PatternError(text, MAX_PATTERN, f"a pattern is at most {MAX_PATTERN} characters long; too much")
        self.text, self.at, self.depth = text, 0, 0

    def parse(self) -> _Piece:
        piece = self._either()
        if self.at < len(self.text):
            raise self._wrong("a ) without its (")
        return piece

    def _wrong(self, problem: str, at: int | None = None) -> PatternError:
        return PatternError(self.text, self.at if at is None else at, problem)

    def _next(self) -> str:
        return self.text[self.at : self.at + 1]

    def _take(self) -> str:
        found = self._next()
        if not found:
            raise self._wrong("something is missing")
        self.at += 1
        return found

    def _either(self) -> _Piece:
        parts = [self._row()]
        while self._next() == "|":
            self.at += 1
            parts.append(self._row())
        return parts[0] if len(parts) == 1 else _Piece("either", tuple(parts))

    def _row(self) -> _Piece:
        parts: list[_Piece] = []
        while self._next() not in ("", "|", ")"):
            # The whole text is meant anyway, so that these at the ends say nothing new.
            if (self._next() == "^" and self.at == 0) or (self._next() == "$" and self.at == len(self.text) - 1):
                self.at += 1
                continue
            parts.append(self._repeat(self._one()))
        return _Piece("row", tuple(parts))

    def _repeat(self, piece: _Piece) -> _Piece:
        while found := self._next():
            least: int
            most: int | None
            if found in "*+?":
                least, most = (1 if found == "+" else 0), (1 if found == "?" else None)
                self.at += 1
            elif found == "{" and (counts := self._counts()):
                least, most = counts
            else:
                break
            if self._next() == "?":  # lazy: the same, where only the whole text counts
                self.at += 1
            piece = _Piece("repeat", (piece,), least=least, most=most)
            if piece.size() > MAX_STATES:
                raise self._wrong(f"it is too large (more than {MAX_STATES} states)")
        return piece

    def _counts(self) -> tuple[int, int | None] | None:
        """The counts of `{m}`, `{m,}` and `{m,n}`; None for a brace that is only a brace."""
        end = self.text.find("}", self.at)
        inside = self.text[self.at + 1 : end] if end > 0 else ""
        first, comma, last = inside.partition(",")
        if not (_is_number(first) and (not last or _is_number(last))):
            return None
        least = int(first)
        most = least if not comma else int(last) if last else None
        if most is not None and most < least:
            raise self._wrong("the smaller count comes first")
        self.at = end + 1
        return least, most

    def _one(self) -> _Piece:
        begins, found = self.at, self._take()
        match found:
            case "(":
                return self._group()
            case "[":
                return _Piece("one", test=self._class(begins))
            case ".":
                return _Piece("one", test=lambda each: each != "\n")
            case "\\":
                return _Piece("one", test=self._escape())
            case "*" | "+" | "?":
                raise self._wrong(f"a {found} with nothing before it", begins)
            case "^" | "$":
                raise self._wrong(f"a {found} within the pattern: it always stands for the whole text", begins)
        return _Piece("one", test=found.__eq__)

    def _group(self) -> _Piece:
        begins = self.at - 1
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self._wrong("groups are nested too deeply", begins)
        if self._next() == "?":
            if self.text[self.at : self.at + 2] != "?:":
                raise self._wrong(_NOT_LINEAR, begins)
            self.at += 2
        piece = self._either()
        if self._next() != ")":
            raise self._wrong("a ( without its )", begins)
        self.at += 1
        self.depth -= 1
        return piece

    def _escape(self) -> Test:
        begins, found = self.at - 1, self._take()
        if found.lower() in _CLASSES:
            test = _CLASSES[found.lower()]
            return test if found.islower() else lambda each: not test(each)
        if found in _ESCAPED:
            return _ESCAPED[found].__eq__
        if found.isascii() and found.isalnum():
            known = _NOT_LINEAR if found.isdigit() else "this escape is not known"
            raise self._wrong(known, begins)
        return found.__eq__

    def _class(self, begins: int) -> Test:
        negated = self._next() == "^"
        self.at += negated
        tests: list[Test] = []
        while self._next() != "]" or not tests:
            if not self._next():
                raise self._wrong("a [ without its ]", begins)
            if self.text.startswith("[:", self.at):
                raise self._wrong("a class by name is not known; write its characters")
            tests.append(self._range())
        self.at += 1

        def test(found: str) -> bool:
            return negated is not any(each(found) for each in tests)

        return test

    def _range(self) -> Test:
        low, test = self._member()
        dash = self.text[self.at : self.at + 2]
        if low is None or len(dash) < 2 or dash[0] != "-" or dash[1] == "]":
            return test
        self.at += 1
        high, _ = self._member()
        if high is None or high < low:
            raise self._wrong("a range goes from a character to one that is not before it")
        first, last = low, high
        return lambda found: first <= found <= last

    def _member(self) -> tuple[str | None, Test]:
        """One character of a class; None in its place for a whole class such as `\\d`."""
        found = self._take()
        if found != "\\":
            return found, found.__eq__
        after, test = self._next(), self._escape()
        return (None if after.lower() in _CLASSES else _ESCAPED.get(after, after)), test


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 6
