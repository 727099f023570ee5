"""Places between tags."""

from __future__ import annotations

import pytest

from tests.engines.grounding.setting import DIALECTS
from vidi.engines.grounding.object_writer import JsonObject
from vidi.engines.grounding.tags import LONGEST_TEXT, TagSource


def found(family: str, text: str, size: int = 3) -> list[JsonObject]:
    source = TagSource(DIALECTS[family])
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return [value for piece in pieces for value in source.push(piece)] + list(source.end())


BOX = {"box_2d": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("family", "text", "expected"),
    [
        # The form of the first Qwen-VL models.
        (
            "internvl3.5",
            "<|object_ref_start|>cat<|object_ref_end|><|box_start|>(1,2),(3,4)<|box_end|>",
            [{**BOX, "label": "cat"}],
        ),
        ("internvl3.5", "<box>1 2 3 4</box>", [BOX]),
        ("internvl3.5", "<box>[[1, 2, 3, 4]]</box> text <box>[[1, 2, 3", [BOX]),
        ("internvl3.5", "<ref>cat</ref> without a box", []),
        ("internvl3.5", "1 2 3 4 <box></box>", []),
        ("deepseek-ocr", "<|det|>[[1, 2, 3, 4]]<|/det|>", [BOX]),
        ("paligemma-2", "<loc0001><loc0002><loc0003><loc0004>", [BOX]),
        ("paligemma-2", "<loc0001><loc0002><loc0003> cat", []),
        ("paligemma-2", "<loc0001><loc0002><loc0003><loc0004> a ca", [{**BOX, "label": "a ca"}]),
        (
            "paligemma-2",
            "<loc0001><loc0002> x <loc0001><loc0002><loc0003><loc0004> cat",
            [{**BOX, "label": "cat"}],
        ),
        ("florence-2", "<loc_1><loc_2><loc_3><loc_4>", [BOX]),
        ("florence-2", "</s><s>cat<loc_1><loc_2><loc_3><loc_4></s>", [{**BOX, "label": "cat"}]),
        ("florence-2", "cat<loc_1><loc_2><loc_3>", []),
        ("granite-docling", "<text><loc_1><loc_2><loc_3><loc_4>words that were cut", []),
        ("paddleocr-vl", "".join(f"<|LOC_{n}|>" for n in (3, 2, 1, 2, 1, 4, 3, 4)), [BOX]),
        ("paddleocr-vl", "word" + "<|LOC_1|>" * 7, []),
    ],
)
def test_places_between_tags(family: str, text: str, expected: list[JsonObject]) -> None:
    assert found(family, text) == expected


def test_points_have_a_name_within_or_behind() -> None:
    point: JsonObject = {"point": [100, 200], "image": 1}
    assert found("molmo-2", '<points coords="1 1 100 200"/>') == [point]
    assert found("molmo-2", '<points coords="1 1 100 200" alt="cat">the cat</points>') == [
        {**point, "label": "cat"}
    ]
    assert found("molmo-2", '<points coords="1 1 100 200">the cat') == [point]
    assert found("molmo-2", '<points coords="nothing">cat</points>') == []


def test_a_label_has_a_bound() -> None:
    (value,) = found("internvl3.5", f"<ref>{'a' * 2 * LONGEST_TEXT}</ref><box>1 2 3 4</box>", 64)
    assert len(str(value["label"])) == LONGEST_TEXT
