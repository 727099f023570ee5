"""Words for masks, and the words for boxes that stand in their place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidi.engines.grounding.prompt_rewrite import (
    boxes_for_masks,
    means_masks,
    picture_named,
    rewrite,
    without_form,
)

COOKBOOK = (
    "Give the segmentation masks for the wooden and glass items. Output a JSON list of segmentation masks "
    'where each entry contains the 2D bounding box in the key "box_2d", the segmentation mask in key "mask", '
    'and the text label in the key "label". Use descriptive labels.'
)


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        (COOKBOOK, "wooden and glass items"),
        ("Segment the cup and the plate.", "cup and the plate"),
        ("Please segment out the dog", "dog"),
        ("Give me segmentation masks of the dogs.", "dogs"),
        ("Generate a segmentation mask for each dog", "dog"),
        ("Masks for every person please", "person"),
        ("Perform instance segmentation of the cars.", "cars"),
        ("Detect the dogs with segmentation masks", "dogs"),
        ("Give bounding boxes and masks for the dogs", "dogs"),
        ("Find the dogs. Return box_2d, mask and label. The mask is a base64 PNG.", "dogs"),
        ("Köpeklerin segmentasyon maskelerini ver.", "Köpeklerin"),
        ("Bana köpeklerin maskelerini ver", "köpeklerin"),
        ("Köpekleri bul ve maskelerini çıkar.", "Köpekleri"),
        ("Köpeği bölütle.", "Köpeği"),
        ("kişileri segmente et", "kişileri"),
    ],
)
def test_masks_are_wanted_and_boxes_are_asked_for(text: str, targets: str) -> None:
    assert means_masks(text)
    asked = boxes_for_masks(text)
    assert "mask" not in asked.lower()
    assert rewrite(asked).targets == targets


@pytest.mark.parametrize(
    "text", ["Segment all objects in this image", "Give the segmentation masks for all objects."]
)
def test_masks_of_whatever_there_is(text: str) -> None:
    assert means_masks(text)
    assert rewrite(boxes_for_masks(text)).anything


@pytest.mark.parametrize(
    "text",
    [
        "Never return masks or code fencing.",
        "Detect the people wearing masks.",
        "Is the person wearing a mask?",
        "Detect all masks in the picture",
        "Segment this text into sentences.",
        "What is segmentation?",
        "maskeleri döndürme",
        "Maske takan kişileri bul.",
        "",
    ],
)
def test_masks_are_not_wanted(text: str) -> None:
    assert not means_masks(text)
    assert boxes_for_masks(text) == text


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Dame las máscaras de segmentación de los perros", "Dame las cajas delimitadoras de los perros"),
        ("mascaras de segmentacion de los coches", "cajas delimitadoras de los coches"),
        ("Dame máscaras de segmentación.", "Dame cajas delimitadoras."),
        ("Genera una mascara para cada perro", "Genera cajas delimitadoras para cada perro"),
        ("Detecta los perros y dame sus máscaras", "Detecta los perros y dame sus cajas delimitadoras"),
        ("Segmenta los perros.", "detecta los perros."),
        ("Haz la segmentación semántica de los perros", "detecta los perros"),
    ],
)
def test_masks_are_asked_for_in_spanish(text: str, asked: str) -> None:
    assert means_masks(text)
    assert boxes_for_masks(text) == asked


@pytest.mark.parametrize(
    "text",
    [
        "No devuelvas máscaras de segmentación",
        "¿La persona lleva una máscara?",
        "Detecta las personas con máscara.",
        "¿De qué color es la máscara?",
    ],
)
def test_masks_that_are_worn_in_spanish_are_not_asked_for(text: str) -> None:
    assert not means_masks(text)
    assert boxes_for_masks(text) == text


def test_what_only_describes_the_answer_goes_and_limits_stay() -> None:
    text = "Return JSON. At most 3 objects as JSON. Detect the dogs. Dogs are friendly."
    assert without_form(text) == "At most 3 objects as JSON. Detect the dogs. Dogs are friendly."


@pytest.mark.parametrize(
    ("texts", "number"),
    [
        (["Segment the dogs in image 2."], 2),
        (["Segment the dogs", "of picture no. 3"], 3),
        (["2. resimdeki köpekleri bölütle."], 2),
        (["görsel 4"], 4),
        (["image 2 and image 3"], None),
        (["image 2 beside image 2"], 2),
        (["an image of 2 dogs", "images 1000x800"], None),
        ([], None),
    ],
)
def test_a_picture_is_named_by_its_number(texts: list[str], number: int | None) -> None:
    assert picture_named(texts) == number


@given(st.text() | st.text(alphabet="segment masks of the box {}maske ver .", max_size=300))
def test_any_text_can_ask_for_boxes(text: str) -> None:
    means_masks(text)
    picture_named([text])
    without_form(boxes_for_masks(text))
