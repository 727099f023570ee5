"""Objects out of a stream."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vidi.engines.grounding.json_stream import DEEPEST, LONGEST_OBJECT, ObjectSource
from vidi.engines.grounding.object_writer import JsonObject
from vidi.engines.profile import Dialect, Form, Order

DIALECT = Dialect(Form.JSON, Order.XYXY, box_key="bbox")
MARKED = Dialect(Form.BOX_MARKS, Order.XYXY, box_key="bbox")


def found(*pieces: str, dialect: Dialect = DIALECT) -> list[JsonObject]:
    source = ObjectSource(dialect, lambda value: "bbox" in value)
    return [value for piece in pieces for value in source.push(piece)] + list(source.end())


def test_the_innermost_object_that_is_meant_counts() -> None:
    inner = '{"bbox": [1, 2, 3, 4]}'
    assert found(f'{{"a": [{inner}, {inner}], "bbox": [5, 6, 7, 8]}}') == [
        {"bbox": [1, 2, 3, 4]},
        {"bbox": [1, 2, 3, 4]},
        {"a": [None, None], "bbox": [5, 6, 7, 8]},
    ]


def test_braces_and_quotation_marks_in_texts_are_texts() -> None:
    text = r'{"bbox": [1], "label": "a } \" { \\"}'
    assert found(*text) == found(text) == [{"bbox": [1], "label": 'a } " { \\'}]


def test_a_stray_quotation_mark_costs_a_line() -> None:
    assert found('{"bbox": [1], "label": "5" pipe"}\n{"bbox": [2]}') == [{"bbox": [2]}]


def test_an_object_that_is_too_long_is_passed_over_and_the_next_is_read() -> None:
    long = '{"bbox": [1], "label": "' + "a" * LONGEST_OBJECT + '"}'
    assert found(long, '{"bbox": [2]}') == [{"bbox": [2]}]


def test_a_list_of_any_length_is_read_object_by_object() -> None:
    one = '{"bbox": [1, 2, 3, 4], "label": "a"}, '
    many = LONGEST_OBJECT // len(one) + 100
    assert len(found('{"objects": [', *[one] * many)) == many


def test_objects_too_deep_are_not_looked_into() -> None:
    deep = '{"a": ' * DEEPEST + '{"bbox": [1]}' + "}" * DEEPEST
    assert found(deep, '{"bbox": [2]}') == [{"bbox": [2]}]


def test_bare_arrays_are_believed_without_words_or_where_the_family_writes_them() -> None:
    assert found("[[1, 2, 3, 4], [5,6]]") == [{"bbox": [1, 2, 3, 4]}, {"point": [5, 6]}]
    assert found("The list [1, 2, 3, 4]") == []
    assert found("Here: (1, 2, 3, 4)", dialect=MARKED) == [{"bbox": [1, 2, 3, 4]}]
    assert found("[1, 2, 3, 4] and once more [1, 2, 3, 4]", dialect=MARKED) == [{"bbox": [1, 2, 3, 4]}]


@given(st.lists(st.text(alphabet='{}[]":,\\ \n1b', max_size=8)))
def test_pieces_do_not_matter_for_objects(pieces: list[str]) -> None:
    whole = "".join(pieces)

    def objects(*parts: str) -> list[JsonObject]:
        source = ObjectSource(DIALECT, lambda value: True)
        source._loose.close()
        return [value for part in parts for value in source.push(part)]

    assert objects(*pieces) == objects(whole)
