"""Structured answers, rewritten as they stream."""

from __future__ import annotations

import pytest

from tests.engines.grounding.setting import BOX, DIALECTS, TEXT, WHOLE, array, members, read, reader
from vidi.domain.schema import JsonValue
from vidi.engines.grounding.json_stream import DEEPEST, LONGEST_TOKEN

SCHEMA = members(caption=TEXT, objects=array(members(box_2d=BOX)), more=WHOLE)
UNIT = '{"bbox_2d": [100, 200, 300, 800]}'
BOXED: JsonValue = {"box_2d": [200, 100, 800, 300]}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            f'{{"caption": "a", "objects": [{UNIT}], "more": 1}}',
            {"caption": "a", "objects": [BOXED], "more": 1},
        ),
        (f'Sure:\n```json\n{{"objects": [{UNIT}]}}\n``` {{"objects": []}}', {"objects": [BOXED]}),
        (f'{{"objects": {UNIT}, "more": 1}}', {"objects": [BOXED], "more": 1}),
        (f'{{"objects": [[{UNIT}]]}}', {"objects": [[BOXED]]}),
        (f'{{"objects": [{UNIT},], "more": 1,}}', {"objects": [BOXED], "more": 1}),
        (f'{{"objects": [{UNIT} {UNIT}]}}', {"objects": [BOXED, BOXED]}),
        (f'{{"objects": [{UNIT}, {{"bbox_2d": [1, 1', {"objects": [BOXED]}),
        (f'{{"objects": [{UNIT}, null, 5]}}', {"objects": [BOXED, None, 5]}),
        ('{"caption": "a \\"quoted\\" \\u015f word", "mo', {"caption": 'a "quoted" ş word'}),
        ('{"caption": "cut o', {}),
        ('{"caption": }', {}),
        ('{"caption": ]', {}),
        ('{"more": 1e999, "caption": "a"}', {"caption": "a"}),
        ('{"more": 01}', {}),
        ('{"more": -0.5, "caption": nonsense', {"more": -0.5}),
        (
            '{"caption": "a", "extra": {"deep": [1, {"x": null}]}}',
            {"caption": "a", "extra": {"deep": [1, {"x": None}]}},
        ),
    ],
)
@pytest.mark.parametrize("size", [1, 4, 1000])
def test_documents(answer: str, expected: JsonValue, size: int) -> None:
    assert read(reader(DIALECTS["qwen3.5"], schema=SCHEMA), answer, size) == expected


def test_one_object_in_the_place_of_a_list_of_them() -> None:
    schema = array(members(box_2d=BOX, parts=array(members(box_2d=BOX))))
    answer = f'{{"bbox_2d": [100, 200, 300, 800], "parts": [{UNIT}]}}'
    assert read(reader(DIALECTS["qwen3.5"], schema=schema), answer) == [
        {"box_2d": [200, 100, 800, 300], "parts": [BOXED]}
    ]


def test_a_string_that_never_ends_ends_the_answer() -> None:
    answer = '{"more": 1, "caption": "' + "a" * (2 * LONGEST_TOKEN) + '", "objects": []}'
    assert read(reader(DIALECTS["qwen3.5"], schema=SCHEMA), answer, 1000) == {"more": 1}


def test_a_value_that_is_too_deep_ends_the_answer() -> None:
    answer = '{"more": 1, "caption": ' + "[" * DEEPEST
    value = read(reader(DIALECTS["qwen3.5"], schema=SCHEMA), answer)
    assert isinstance(value, dict)
    assert value["more"] == 1
