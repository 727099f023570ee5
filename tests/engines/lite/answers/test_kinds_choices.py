"""Choosing among options, and the least wrong one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engines.lite.fakes import KITCHEN, LANGUAGES, NOTHING, PARK, STREET, Scene, evidence_of
from vidi.domain.geometry import Box
from vidi.engines.lite.answers.kinds import best_option, plain
from vidi.engines.lite.vision.ocr import TextLine

LEXICON = LANGUAGES.lexicons["en"]


@pytest.mark.parametrize(
    ("scene", "options", "best"),
    [
        (STREET, ("KITCHEN", "CITY_STREET", "BEACH", "street"), "street"),
        (STREET, ("cat", "bus", "car"), "bus"),
        (STREET, ("food", "vehicle"), "vehicle"),
        (PARK, ("animal", "dog"), "dog"),
        (PARK, ("Labrador retriever", "golden retriever"), "golden retriever"),
        (KITCHEN, ("outdoor", "indoor"), "indoor"),
        (KITCHEN, ("nature", "interior"), "interior"),
        (STREET, ("sports", "transportation"), "transportation"),
        (STREET, ("blue", "red"), "red"),
    ],
)
def test_what_the_evidence_supports_wins(scene: Scene, options: tuple[str, ...], best: str) -> None:
    assert best_option(options, evidence_of(scene), LEXICON) == (best, True)


def test_equal_options_give_the_earlier() -> None:
    assert best_option(("bus", "BUS"), evidence_of(STREET), LEXICON)[0] == "bus"


@pytest.mark.parametrize(
    ("options", "least_wrong"),
    [
        (("cat", "other", "dog"), "other"),
        (("cat", "dog", "NONE_OF_THE_ABOVE"), "NONE_OF_THE_ABOVE"),
        (("cat", "dog"), "cat"),
        (("cat", "tench"), "tench"),
    ],
)
def test_where_nothing_is_supported_the_least_wrong_is_taken(
    options: tuple[str, ...], least_wrong: str
) -> None:
    scene = replace(NOTHING, labels=(("tench", 0.05),))
    assert best_option(options, evidence_of(scene), LEXICON) == (least_wrong, False)


def test_text_in_the_picture_supports_an_option() -> None:
    sign = replace(NOTHING, text=(TextLine("Exit here", 0.9, Box(0, 0, 10, 10)),))
    assert best_option(("entrance", "exit"), evidence_of(sign, reads=True), LEXICON) == ("exit", True)


def test_options_are_read_as_words() -> None:
    assert [plain(each) for each in ("STREET_SCENE", "streetScene", " Street-scene! ")] == [
        "street scene"
    ] * 3
