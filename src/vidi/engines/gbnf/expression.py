"""Right-hand sides of GBNF rules, built so that every one means what it says wherever it is put.

The dialect is llama.cpp's: rule names of letters, digits and hyphens; "literals"; [classes]; (groups); `|`;
and `?`, `*`, `+`, `{m,n}` after a literal, a class, a name or a group.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain, groupby

from vidi.domain.budget import Budget, BudgetSpent

Span = tuple[int, int]
"""Code points from one to another, both included."""


class Binding(IntEnum):
    """How tightly an expression holds together: only an ATOM may be repeated as it stands."""

    CHOICE = 0
    SEQUENCE = 1
    ATOM = 2


@dataclass(frozen=True, slots=True)
class Expression:
    """A right-hand side.

    Attributes:
        text: As GBNF.
        binding: What has to be put in brackets before it is put elsewhere.
        spoken: What it says, if it can say one thing only; None else.
        parts: What a SEQUENCE consists of.
    """

    text: str
    binding: Binding = Binding.ATOM
    spoken: str | None = None
    parts: tuple[Expression, ...] = ()

    def within(self, binding: Binding) -> str:
        """The text, in brackets if it holds less tightly than asked for."""
        return self.text if self.binding >= binding else f"({self.text})"


_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
_UNPRINTABLE = re.compile(r'[\x00-\x1f\x7f"\\]')
_SPECIAL_IN_CLASS = {"\n": "\\n", "[": "\\[", "]": "\\]", "-": "\\-", "\\": "\\\\", "^": "\\x5E"}


def literal(text: str) -> Expression:
    """Exactly this text; it must not hold U+0000, which no grammar can match, nor surrogates."""
    quoted = _UNPRINTABLE.sub(lambda found: _NAMED.get(found[0]) or f"\\x{ord(found[0]):02X}", text)
    return Expression(f'"{quoted}"', spoken=text)


def reference(name: str) -> Expression:
    """Whatever the rule of this name says."""
    return Expression(name)


def one_of(spans: Iterable[Span]) -> Expression:
    """One character of the given spans; U+0000 is left out.

    There are no negated classes: to llama.cpp they hold numbers that are no characters.
    """
    return Expression("[" + "".join(_span(max(low, 1), high) for low, high in spans if high > 0) + "]")


def _span(low: int, high: int) -> str:
    if low == high:
        return _in_class(low)
    return f"{_in_class(low)}{'-' if high > low + 1 else ''}{_in_class(high)}"


def _in_class(code: int) -> str:
    if chr(code) in _SPECIAL_IN_CLASS:
        return _SPECIAL_IN_CLASS[chr(code)]
    if 0x20 <= code < 0x7F:
        return chr(code)
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


EMPTY = literal("")
DIGIT = one_of([(0x30, 0x39)])


def sequence(*parts: Expression) -> Expression:
    """One after another; neighbouring literals become one."""
    flat = chain.from_iterable(part.parts or (part,) for part in parts)
    merged: list[Expression] = []
    for spoken, group in groupby(flat, key=lambda part: part.spoken is not None):
        if not spoken:
            merged += group
        elif text := "".join(part.spoken or "" for part in group):
            merged.append(literal(text))
    if len(merged) < 2:
        return merged[0] if merged else EMPTY
    whole = " ".join(part.within(Binding.SEQUENCE) for part in merged)
    return Expression(whole, Binding.SEQUENCE, parts=tuple(merged))


def choice(*options: Expression) -> Expression:
    """One of these, of which there must be at least one; the same option twice counts once."""
    unique = {option.text: option for option in options}
    if len(unique) == 1:
        return options[0]
    return Expression(" | ".join(unique), Binding.CHOICE)


def optional(part: Expression) -> Expression:
    """This or nothing."""
    return EMPTY if part.spoken == "" else Expression(f"{part.within(Binding.ATOM)}?")


def repeated(part: Expression, least: int, most: int | None) -> Expression:
    """At least `least`, at most `most` (None: any number) of these; for large numbers see `Rules.repeat`."""
    if most == 0 or part.spoken == "":
        return EMPTY
    if (least, most) == (1, 1):
        return part
    short = {(0, 1): "?", (0, None): "*", (1, None): "+"}.get((least, most))
    counts = f"{{{least}}}" if least == most else f"{{{least},{'' if most is None else most}}}"
    return Expression(part.within(Binding.ATOM) + (short or counts))


MOST_RULES = 10_000
MOST_CHARACTERS = 1_000_000
MOST_REPETITIONS = 100_000
"""Caps on a grammar: its rules, its text, and the sum of its `{m,n}`, each of which llama.cpp turns into n
rules. It reads a grammar at the caps in about a tenth of a second."""

LONGEST_REPEAT = 1000
"""Above it a repetition is counted in blocks of so many. llama.cpp refuses `{m}` above 2,000, and reads
`{m,n}` with n above 2,000 as if it had no upper limit at all (its MAX_REPETITION_THRESHOLD)."""

ENDLESS = LONGEST_REPEAT * LONGEST_REPEAT
"""An upper limit from here on is none: no answer is as long."""

LONGEST_GROUP = 100
"""Above it a repeated group gets a name: llama.cpp multiplies a repetition by the number of rules and new
names inside the group, and refuses a product of 2,000."""

_NAME_LENGTH = 40
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|\{(?:\d+,)?(\d+),?\}|([a-z0-9-]+)')
"""A literal, a class, a count (its number, the higher of two, is group 1), or a name (group 2)."""

_UNFIT = re.compile("[^a-z0-9]+")


GRAMMAR_BUDGET = 200_000
"""Nodes, rules, options and stretches of text that go into one grammar, the same ones again included: a
second's work at most. The caps above hold what is kept; what is made twice and kept once is held by this."""

_LETTERS_AT_ONCE = 50
"""So many letters of a rule are written in the time of one node."""


class TooLarge(Exception):
    """The grammar has outgrown its caps; the text says how, and `path` where if it is in one place."""

    def __init__(self, reason: str, path: str = "$") -> None:
        super().__init__(reason)
        self.path = path


class Rules:
    """Collects rules; whatever goes beyond a cap raises `TooLarge`."""

    def __init__(self) -> None:
        self._bodies: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._taken = {"root"}
        self._characters = 0
        self._repetitions = 0
        self._budget = Budget(GRAMMAR_BUDGET)

    def spend(self, amount: int, path: str) -> None:
        """Count work that is about to be done for the node at `path`."""
        try:
            self._budget.spend(amount)
        except BudgetSpent:
            raise TooLarge(
                "it takes too much work to write as a grammar; "
                "use fewer properties, alternatives or enum values, or name one definition less often",
                path,
            ) from None

    def define(self, hint: str, body: Expression) -> Expression:
        """A reference to the rule with this body, or to a new one that is named after `hint`."""
        self.spend(1 + len(body.text) // _LETTERS_AT_ONCE, "$")
        name = self._names.get(body.text)
        if name is None:
            name = self.reserve(hint)
            self.fill(name, body)
        return reference(name)

    def reserve(self, hint: str) -> str:
        """A new name, for a rule that has to be referred to before it is filled."""
        stem = _UNFIT.sub("-", hint.lower()).strip("-")[:_NAME_LENGTH].strip("-") or "rule"
        name = stem
        while name in self._taken:
            self._numbers[stem] = self._numbers.get(stem, 1) + 1
            name = f"{stem}-{self._numbers[stem]}"
        self._taken.add(name)
        return name

    def fill(self, name: str, body: Expression) -> None:
        """Give a reserved name its body."""
        self._bodies[name] = body.text
        self._names.setdefault(body.text, name)
        self._characters += len(body.text)
        self._repetitions += sum(int(found[1]) for found in _TOKEN.finditer(body.text) if found[1])
        if len(self._bodies) > MOST_RULES or self._characters > MOST_CHARACTERS:
            raise TooLarge(
                f"its grammar has more than {MOST_RULES} rules or {MOST_CHARACTERS} characters; "
                "ask for fewer properties, alternatives or enum values"
            )
        if self._repetitions > MOST_REPETITIONS:
            raise TooLarge(
                f"its counts add up to more than {MOST_REPETITIONS}; "
                "lower its maxItems and maxLength or leave them out"
            )

    def repeat(self, part: Expression, least: int, most: int | None, hint: str) -> Expression:
        """At least `least` and at most `most` (None: any number) of these."""
        if most is not None and most >= ENDLESS:
            most = None
        highest = max(least, most or 0)
        if highest > LONGEST_GROUP or "(" in part.text:
            part = part if part.binding is Binding.ATOM else self.define(hint, part)
        if highest <= LONGEST_REPEAT:
            return repeated(part, least, most)
        block = self.define(f"{hint}-x{LONGEST_REPEAT}", repeated(part, LONGEST_REPEAT, LONGEST_REPEAT))
        blocks, rest = divmod(least, LONGEST_REPEAT)
        needed = sequence(repeated(block, blocks, blocks), repeated(part, rest, rest))
        if most is None:
            return sequence(needed, repeated(part, 0, None))
        blocks, rest = divmod(most - least, LONGEST_REPEAT)
        if blocks == 0:
            return sequence(needed, repeated(part, 0, rest))
        # Fewer blocks and any rest, or all the blocks and a limited rest: few ways to count what is said.
        below = self.define(f"{hint}-under{LONGEST_REPEAT}", repeated(part, 0, LONGEST_REPEAT - 1))
        fewer = sequence(repeated(block, 0, blocks - 1), below)
        full = sequence(repeated(block, blocks, blocks), repeated(part, 0, rest))
        return sequence(needed, self.define(f"{hint}-to-{most - least}", choice(fewer, full)))

    def text(self, root: Expression) -> str:
        """The whole grammar: the rules that `root` needs, from the outside in."""
        self.fill("root", root)
        written: dict[str, str] = {}
        waiting = ["root"]
        while waiting:
            name = waiting.pop()
            if name not in written:
                written[name] = self._bodies[name]
                waiting += [each for each in reversed(_names_in(written[name])) if each in self._bodies]
        return "".join(f"{name} ::= {body}\n" for name, body in written.items())


def _names_in(body: str) -> list[str]:
    """Everything in a body that may be a name."""
    return [found[2] for found in _TOKEN.finditer(body) if found[2]]
