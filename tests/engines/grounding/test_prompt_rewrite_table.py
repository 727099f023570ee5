"""The table of words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidi.engines.grounding.prompt_rewrite import RULES, Category, matches, matches_category


def test_every_category_has_a_rule() -> None:
    assert set(RULES) == set(Category)
    assert all(RULES.values())


@pytest.mark.parametrize(
    ("category", "text"),
    [
        (Category.BOXES, "the BOUNDING-BOX of it"),
        (Category.BOXES, "sinirlayici kutu"),
        (Category.POINTS, "Please point at the cat"),
        (Category.NEITHER, "without any bounding boxes"),
        (Category.FORM, "normalised to 0 - 1000"),
        (Category.FORM, "maskeleri döndürme"),
        (Category.LIMIT, "at most 5 things"),
        (Category.SEEKS, "find the cat"),
        (Category.TAIL, "socks, naming them by colour"),
        (Category.FILLER, "cats in this picture"),
        (Category.ARTICLE, "all of the cats"),
        (Category.ANYTHING, "prominent objects"),
    ],
)
def test_a_rule_of_each_category(category: Category, text: str) -> None:
    assert matches_category(category, text)


def test_letters_of_every_script_are_letters() -> None:
    (match, *_) = matches(Category.SEEKS, "Resimdeki ağaçların sınırlayıcı kutularını göster")
    assert match.group("targets") == "ağaçların"


@given(st.sampled_from(Category), st.text())
def test_any_text_can_be_matched(category: Category, text: str) -> None:
    matches_category(category, text)
