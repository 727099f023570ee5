"""A reader of GBNF for tests: what a grammar accepts, and random texts that it produces.

It works as llama.cpp does, on a set of stacks of positions, but shares no code with the compiler under test.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

Stack = tuple[int, ...]
"""Positions that are still to be gone through, the next one last."""

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "[": "[", "]": "]", "-": "-"}
_HEX = {"x": 2, "u": 4, "U": 8}
_ENDLESS = 10**9


@dataclass(frozen=True)
class _Chars:
    spans: tuple[tuple[str, str], ...]
    negated: bool

    def has(self, char: str) -> bool:
        return any(low <= char <= high for low, high in self.spans) != self.negated

    def one(self, chance: random.Random) -> str:
        while self.negated:
            char = chance.choice('ab<>/" \nz\u00e9\u4e2d\U0001f600')
            if self.has(char):
                return char
        low, high = chance.choice(self.spans)
        return chr(chance.randint(ord(low), ord(high)))


@dataclass
class _Position:
    """A place in a right-hand side: what comes there, and the place after it (None at the end)."""

    what: _Chars | str
    after: int | None = None


class Grammar:
    """One parsed grammar."""

    def __init__(self, text: str) -> None:
        self._positions: list[_Position] = []
        self._rules: dict[str, list[int | None]] = {}
        self._text = text
        self._at = 0
        while self._at < len(text):
            self._rule()
        for position in self._positions:
            assert isinstance(position.what, _Chars) or position.what in self._rules, position.what

    def matches(self, text: str) -> bool:
        """Whether the grammar accepts exactly this text."""
        stacks = self._start()
        for char in text:
            stacks = self._step(stacks, char)
            if not stacks:
                return False
        return () in stacks

    def sample(self, chance: random.Random, budget: int = 200) -> str:
        """A random text; after `budget` characters it takes the shortest way out."""
        stacks, text = self._start(), ""
        while True:
            assert stacks, text
            if () in stacks and (len(text) >= budget or len(stacks) == 1 or chance.random() < 0.2):
                return text
            going = sorted(stack for stack in stacks if stack)
            if len(text) >= budget:
                going = [min(going, key=self._left)]
            chars = self._positions[chance.choice(going)[-1]].what
            assert isinstance(chars, _Chars)
            char = chars.one(chance)
            text += char
            stacks = self._step(stacks, char) if len(text) < budget else self._step({*going}, char)

    @property
    def width(self) -> int:
        """How many ways there are to begin."""
        return len(self._start())

    def widest(self, text: str) -> int:
        """How many ways to go on there are at most while this text is read."""
        stacks, most = self._start(), 0
        for char in text:
            stacks = self._step(stacks, char)
            most = max(most, len(stacks))
        return most

    def _left(self, stack: Stack) -> int:
        return sum(self._shortest[position] for position in stack)

    def _start(self) -> set[Stack]:
        return set(self._expanded([() if at is None else (at,) for at in self._rules["root"]]))

    def _step(self, stacks: Iterable[Stack], char: str) -> set[Stack]:
        return set(self._expanded([self._popped(stack) for stack in stacks if self._takes(stack, char)]))

    def _takes(self, stack: Stack, char: str) -> bool:
        what = self._positions[stack[-1]].what if stack else None
        return isinstance(what, _Chars) and what.has(char)

    def _popped(self, stack: Stack) -> Stack:
        after = self._positions[stack[-1]].after
        return stack[:-1] if after is None else (*stack[:-1], after)

    def _expanded(self, stacks: list[Stack]) -> Iterator[Stack]:
        """The stacks with rules replaced by their beginnings until each is empty or ends in characters."""
        seen = set(stacks)
        while stacks:
            stack = stacks.pop()
            what = self._positions[stack[-1]].what if stack else None
            if not isinstance(what, str):
                yield stack
                continue
            rest = self._popped(stack)
            for at in self._rules[what]:
                new = rest if at is None else (*rest, at)
                if new not in seen:
                    seen.add(new)
                    stacks.append(new)

    @cached_property
    def _shortest(self) -> list[int]:
        """For each position how many characters there are at least from it to the end of its alternative."""
        found = [_ENDLESS] * len(self._positions)
        changed = True
        while changed:
            changed = False
            for at in range(len(found) - 1, -1, -1):
                position = self._positions[at]
                length = 0 if position.after is None else found[position.after]
                if isinstance(position.what, _Chars):
                    length += 1
                else:
                    length += min(0 if to is None else found[to] for to in self._rules[position.what])
                if length < found[at]:
                    found[at], changed = length, True
        return found

    def _rule(self) -> None:
        line = self._text.index(" ::= ", self._at)
        name = self._text[self._at : line]
        assert name and all(char.isascii() and (char.isalnum() or char == "-") for char in name), name
        assert name not in self._rules, name
        self._at = line + len(" ::= ")
        self._rules[name] = []
        self._rules[name] = self._alternatives()
        assert self._text[self._at] == "\n", self._text[self._at : self._at + 40]
        self._at += 1

    def _alternatives(self) -> list[int | None]:
        found = [self._sequence()]
        while self._text.startswith("| ", self._at):
            self._at += 2
            found.append(self._sequence())
        return found

    def _sequence(self) -> int | None:
        parts: list[list[_Chars | str]] = []
        while self._text[self._at] not in ")|\n":
            if self._text[self._at] == " ":
                self._at += 1
            elif self._text[self._at] in "*+?{":
                parts[-1] = self._repeated(parts[-1])
            else:
                parts.append(self._atom())
        return self._chain([what for part in parts for what in part])

    def _chain(self, parts: list[_Chars | str]) -> int | None:
        after = None
        for what in reversed(parts):
            self._positions.append(_Position(what, after))
            after = len(self._positions) - 1
        return after

    def _atom(self) -> list[_Chars | str]:
        char = self._text[self._at]
        if char.isalnum():
            end = self._at
            while self._text[end].isalnum() or self._text[end] == "-":
                end += 1
            name, self._at = self._text[self._at : end], end
            return [name]
        self._at += 1
        if char == "(":
            name = self._anonymous(self._alternatives())
            assert self._text[self._at] == ")"
            self._at += 1
            return [name]
        if char == '"':
            return [_Chars(((each, each),), False) for each in self._until('"')]
        assert char == "[", char
        return [self._class()]

    def _anonymous(self, alternatives: list[int | None]) -> str:
        name = f"({len(self._rules)}"
        self._rules[name] = alternatives
        return name

    def _class(self) -> _Chars:
        negated = self._text[self._at] == "^"
        self._at += negated
        spans = []
        while self._text[self._at] != "]":
            low = high = self._char()
            if self._text[self._at] == "-" and self._text[self._at + 1] != "]":
                self._at += 1
                high = self._char()
            assert low <= high
            spans.append((low, high))
        self._at += 1
        return _Chars(tuple(spans), negated)

    def _until(self, end: str) -> Iterator[str]:
        while self._text[self._at] != end:
            yield self._char()
        self._at += 1

    def _char(self) -> str:
        char = self._text[self._at]
        self._at += 1
        if char != "\\":
            return char
        kind = self._text[self._at]
        self._at += 1
        if kind in _HEX:
            code = self._text[self._at : self._at + _HEX[kind]]
            self._at += _HEX[kind]
            return chr(int(code, 16))
        return _ESCAPES[kind]

    def _repeated(self, part: list[_Chars | str]) -> list[_Chars | str]:
        sign = self._text[self._at]
        self._at += 1
        if sign == "{":
            end = self._text.index("}", self._at)
            low, comma, high = self._text[self._at : end].partition(",")
            self._at = end + 1
            least, most = int(low), int(high) if high else None if comma else int(low)
        else:
            least, most = int(sign == "+"), 1 if sign == "?" else None
        assert least <= 2000 and (most is None or most <= 2000), "llama.cpp takes no more"
        if most is None:
            name = self._anonymous([])
            self._rules[name] += [self._chain([*part, name]), None]
            return [*part * least, name]
        last: list[_Chars | str] = []
        for _ in range(most - least):
            last = [self._anonymous([self._chain([*part, *last]), None])]
        return [*part * least, *last]
