"""The table of words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidi.engines.grounding.prompt_rewrite import RULES, Means, matches, says


def test_every_meaning_has_a_rule() -> None:
    assert {rule.means for rule in RULES} == set(Means)


@pytest.mark.parametrize(
    ("means", "text"),
    [
        (Means.BOXES, "the BOUNDING-BOX of it"),
        (Means.BOXES, "sinirlayici kutu"),
        (Means.POINTS, "Please point at the cat"),
        (Means.NEITHER, "without any bounding boxes"),
        (Means.FORM, "normalised to 0 - 1000"),
        (Means.FORM, "maskeleri döndürme"),
        (Means.LIMIT, "at most 5 things"),
        (Means.SEEKS, "find the cat"),
        (Means.TAIL, "socks, naming them by colour"),
        (Means.FILLER, "cats in this picture"),
        (Means.ARTICLE, "all of the cats"),
        (Means.ANYTHING, "prominent objects"),
    ],
)
def test_a_rule_of_each_meaning(means: Means, text: str) -> None:
    assert says(means, text)


def test_letters_of_every_script_are_letters() -> None:
    (match, *_) = matches(Means.SEEKS, "Resimdeki ağaçların sınırlayıcı kutularını göster")
    assert match.group("targets") == "ağaçların"


@given(st.sampled_from(Means), st.text())
def test_any_text_can_be_matched(means: Means, text: str) -> None:
    says(means, text)
