from hypothesis import given
from hypothesis import strategies as st

from tests.model.scenes import Scene
from tools.shapes import dialogue
from tools.shapes.tokenizer import SPECIAL, Tokenizer, chunks, learn

WORDS = dialogue.tokenizer()


@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    assert WORDS.decode(WORDS.encode(text)) == text


def test_a_known_answer_takes_few_tokens() -> None:
    answer = dialogue.boxes(Scene("red", "circle", (12, 16, 32, 36)))
    assert answer == '[{"bbox_2d":[188,250,500,563],"label":"red circle"}]'
    pieces = [WORDS.decode([number]) for number in WORDS.encode(answer)]
    assert pieces[:9] == ['[{"', "bbox", "_", "2", "d", '":[', "188", ",", "250"]
    assert pieces[-3:] == ["red", " circle", '"}]']


def test_every_word_of_the_corpus_is_one_token() -> None:
    for text in dialogue.corpus():
        assert len(WORDS.encode(text)) == len(chunks(text)), text


def test_the_vocabulary_has_no_token_twice() -> None:
    assert len(set(WORDS.tokens)) == len(WORDS.tokens)
    assert WORDS.tokens[: len(SPECIAL)] == SPECIAL


def test_merges_are_applied_in_the_order_in_which_they_were_learnt() -> None:
    words = Tokenizer(learn(["abab", "ab", "bc"]))
    assert words.merges[0] == ("a", "b")
    assert [words.decode([number]) for number in words.encode("abc")] == ["ab", "c"]


def test_the_name_of_a_special_token_is_plain_text() -> None:
    assert WORDS.special("<|im_end|>") not in WORDS.encode("<|im_end|>")
    assert WORDS.decode(WORDS.encode("<|im_end|>")) == "<|im_end|>"


def test_text_is_cut_as_gpt_2_cuts_it() -> None:
    assert chunks("It's 10  red_dots!") == ["It", "'s", "Ġ10", "Ġ", "Ġred", "_", "dots", "!"]
