"""Arrays and objects out of what may stand in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vidi.engines.gbnf.expression import EMPTY, Expression, choice, literal, optional, repeated, sequence
from vidi.engines.gbnf.rules import Rules

_COMMA = literal(",")


@dataclass(frozen=True, slots=True)
class Counts:
    """How many elements an array has; None is no limit."""

    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object, name and value, and whether it must be there."""

    said: Expression
    required: bool


def array(
    first: Sequence[Expression], items: Expression | None, counts: Counts, rules: Rules, hint: str
) -> Expression:
    """An array that begins with `first`, one each, and goes on with any number of `items`, within the counts.

    Args:
        first: Shapes of the first elements.
        items: Shape of all others; None if there are no others, then `counts.most` is at most `len(first)`.
        counts: Least and most elements; the array may end wherever they allow.
        rules: Where parts get their names.
        hint: What the names begin with.
    """
    lead = list(first) if items is None else [*first, items][: max(1, len(first))]
    if counts.most == 0 or not lead:
        return literal("[]")
    rest = EMPTY
    if items is not None:
        most = None if counts.most is None else counts.most - len(lead)
        rest = rules.repeat(sequence(_COMMA, items), max(0, counts.least - len(lead)), most, f"{hint}-more")
    for at in range(len(lead) - 1, 0, -1):
        rest = sequence(_COMMA, lead[at], rest)
        if at >= counts.least:
            rest = rules.define(f"{hint}-rest", optional(rest))
    whole = sequence(lead[0], rest)
    return sequence(literal("["), whole if counts.least else optional(whole), literal("]"))


def members_in_order(
    members: Sequence[Member], more: Expression | None, rules: Rules, hint: str
) -> Expression:
    """An object with these members in this order, those that are not required left out or not.

    Args:
        members: The named ones.
        more: Any other member; as many as there may be, after the named ones. None if there are none.
        rules: Where parts get their names.
        hint: What the names begin with.
    """
    others = EMPTY if more is None else repeated(sequence(_COMMA, more), 0, None)
    anchor = next((at for at, member in enumerate(members) if member.required), None)
    if anchor is None:
        inside = _all_optional(members, more, others, rules, hint)
    else:
        before = [optional(sequence(member.said, _COMMA)) for member in members[:anchor]]
        after = [
            sequence(_COMMA, member.said) if member.required else optional(sequence(_COMMA, member.said))
            for member in members[anchor + 1 :]
        ]
        inside = sequence(*before, members[anchor].said, *after, others)
    return sequence(literal("{"), inside, literal("}"))


def _all_optional(
    members: Sequence[Member], more: Expression | None, others: Expression, rules: Rules, hint: str
) -> Expression:
    """Nothing, or whichever member comes first and then what may follow it."""
    openings = [] if more is None else [sequence(more, others)]
    rest = others
    for member in reversed(members):
        openings.append(sequence(member.said, rest))
        following = sequence(optional(sequence(_COMMA, member.said)), rest)
        rest = rules.define(f"{hint}-rest", following) if member is not members[0] else following
    return optional(choice(*reversed(openings))) if openings else EMPTY
