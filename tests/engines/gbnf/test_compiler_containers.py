"""Arrays and objects out of what may stand in them."""

from __future__ import annotations

from itertools import product

import pytest

from tests.engines.gbnf.gbnf_reader import Grammar
from vidi.engines.gbnf.compiler import ItemBounds, ObjectMember, array_of, object_of
from vidi.engines.gbnf.expression import Expression, Rules, literal


@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize(("least", "most"), [(0, None), (0, 0), (0, 2), (1, 1), (2, 4), (3, None)])
@pytest.mark.parametrize("open_ended", [True, False])
def test_arrays_have_their_counts(first: int, least: int, most: int | None, open_ended: bool) -> None:
    items = literal("x") if open_ended else None
    if items is None:
        most = first if most is None else min(first, most)
        least = min(least, most)
    rules = Rules()
    shapes = [literal(str(at)) for at in range(first)]
    grammar = Grammar(rules.text(array_of(shapes[:most], items, ItemBounds(least, most), rules, "a")))
    for count in range(6):
        said = [*map(str, range(first)), *"x" * count][:count]
        fits = least <= count <= (count if most is None else most)
        assert grammar.matches(f"[{','.join(said)}]") == fits, said


@pytest.mark.parametrize("required", [*product([True, False], repeat=3)])
@pytest.mark.parametrize("more", [literal("m"), None])
def test_members_come_in_order_and_may_be_left_out(
    required: tuple[bool, ...], more: Expression | None
) -> None:
    rules = Rules()
    members = [ObjectMember(literal(name), needed) for name, needed in zip("abc", required, strict=True)]
    grammar = Grammar(rules.text(object_of(members, more, rules, "o")))
    for there in product([True, False], repeat=3):
        named = [name for name, is_there in zip("abc", there, strict=True) if is_there]
        fits = all(is_there or not needed for is_there, needed in zip(there, required, strict=True))
        for others in range(3):
            said = [*named, *"m" * others]
            assert grammar.matches("{" + ",".join(said) + "}") == (fits and (others == 0 or more is not None))
    assert not grammar.matches("{c,a}")
    assert not grammar.matches("{,a}")
