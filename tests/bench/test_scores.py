"""The scores of boxes and captions against cases worked out by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.scores import Detection, Truth, average_precision, bleu4, cider_d, ngrams, words

Box = tuple[float, float, float, float]

FIRST: Box = (0, 0, 10, 10)
SECOND: Box = (20, 0, 30, 10)
ELSEWHERE: Box = (100, 100, 110, 110)


def dog(box: Box, *, image: str = "a", crowd: bool = False) -> Truth:
    return Truth(image, "dog", box, crowd)


def claim(box: Box, score: float, *, image: str = "a", label: str = "dog") -> Detection:
    return Detection(image, label, box, score)


def test_exact_boxes_score_one() -> None:
    result = average_precision([dog(FIRST), dog(SECOND)], [claim(FIRST, 0.9), claim(SECOND, 0.8)])
    assert (result.mean, result.at_50) == (1.0, 1.0)


def test_a_loose_box_counts_up_to_its_overlap() -> None:
    # The second box overlaps by 78/100: right at .50 .. .75 (6 thresholds, AP 1), wrong at .80 .. .95.
    # There recall ends at 1/2 with precision 1: 51 of the 101 recalls (0, .01, ... .50) read 1, the rest 0.
    loose = claim((20, 0, 30, 7.8), 0.8)
    result = average_precision([dog(FIRST), dog(SECOND)], [claim(FIRST, 0.9), loose])
    assert result.mean == pytest.approx((6 + 4 * 51 / 101) / 10)
    assert result.at_50 == 1.0


def test_a_false_box_ahead_of_the_only_true_one_halves_precision() -> None:
    result = average_precision([dog(FIRST)], [claim(ELSEWHERE, 0.9), claim(FIRST, 0.8)])
    assert result.mean == pytest.approx(0.5)


def test_precision_is_made_monotone_and_read_at_101_recalls() -> None:
    # right, wrong, right: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1.
    # 51 recalls up to .50 read 1, the other 50 read 2/3: (51 + 50 * 2/3) / 101 = 0.834983.
    claims = [claim(FIRST, 0.9), claim(ELSEWHERE, 0.8), claim(SECOND, 0.7)]
    result = average_precision([dog(FIRST), dog(SECOND)], claims)
    assert result.at_50 == pytest.approx(0.834983, abs=1e-6)


def test_an_object_is_found_once() -> None:
    # The surer claim overlaps by .62. At .50, .55, .60 it takes the object and the exact one comes too
    # late to hurt (AP 1); from .65 on it is wrong and stands ahead of the right one (AP 1/2).
    claims = [claim((0, 0, 10, 6.2), 0.9), claim(FIRST, 0.8)]
    result = average_precision([dog(FIRST)], claims)
    assert result.mean == pytest.approx((3 * 1 + 7 * 0.5) / 10)


def test_a_claim_takes_the_free_object_that_it_overlaps_most() -> None:
    # The surer claim is the second object exactly and overlaps the first by 80 / (200 - 80) = 2/3. The other
    # overlaps the first by 6/10 and the second by 40 / (160 - 40) = 1/3: so the first must be left.
    near: Box = (2, 0, 12, 10)
    claims = [claim(near, 0.9), claim((0, 0, 6, 10), 0.8)]
    assert average_precision([dog(FIRST), dog(near)], claims).at_50 == 1.0


def test_what_falls_on_a_crowd_is_not_counted() -> None:
    # The surest claim covers 1 % of the crowd box, but lies in it with its whole area.
    crowd = dog((200, 200, 300, 300), crowd=True)
    claims = [claim((210, 210, 220, 220), 0.9), claim((230, 230, 240, 240), 0.85), claim(FIRST, 0.8)]
    assert average_precision([dog(FIRST), crowd], claims).mean == 1.0


def test_a_crowd_is_not_to_be_found() -> None:
    crowd = dog((200, 200, 300, 300), crowd=True)
    assert average_precision([dog(FIRST), crowd], [claim(FIRST, 0.8)]).mean == 1.0
    assert math.isnan(average_precision([crowd], [claim(FIRST, 0.8)]).mean)


def test_scores_rank_across_pictures_and_boxes_stay_in_theirs() -> None:
    # Picture b's false box is surer than a's true one: precision 1/2 at recall 1/2. b's own dog is missed,
    # though picture a has a claim at its place: 51 recalls read 1/2.
    truths = [dog(FIRST), dog(SECOND, image="b")]
    claims = [claim(ELSEWHERE, 0.9, image="b"), claim(FIRST, 0.8), claim(SECOND, 0.7)]
    assert average_precision(truths, claims).at_50 == pytest.approx(0.5 * 51 / 101)


def test_the_mean_is_over_classes_that_have_objects() -> None:
    # dog 1, cat (missed) 0, bird (claimed, but nowhere in the truth) not counted: 1/2.
    truths = [dog(FIRST), Truth("a", "cat", SECOND)]
    claims = [claim(FIRST, 0.9), claim(SECOND, 0.9, label="bird")]
    assert average_precision(truths, claims).mean == 0.5


@pytest.mark.parametrize(("ahead", "expected"), [(99, 1 / 100), (100, 0.0)])
def test_only_the_best_hundred_boxes_count(ahead: int, expected: float) -> None:
    wrong = [claim(ELSEWHERE, 0.9) for _ in range(ahead)]
    assert average_precision([dog(FIRST)], [*wrong, claim(FIRST, 0.5)]).mean == pytest.approx(expected)


def test_degenerate_detections() -> None:
    assert math.isnan(average_precision([], []).mean)
    assert math.isnan(average_precision([], [claim(FIRST, 0.9)]).at_50)
    assert average_precision([dog(FIRST)], []).mean == 0.0
    assert average_precision([dog(FIRST)], [claim((5, 5, 5, 5), 0.9)]).mean == 0.0


edges = st.integers(min_value=0, max_value=50)
sides = st.integers(min_value=1, max_value=30)
boxes = st.builds(lambda x, y, w, h: (x, y, x + w, y + h), edges, edges, sides, sides)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["cat", "dog"]), boxes), min_size=1, max_size=8)
)
def test_the_truth_itself_scores_one(objects: list[tuple[str, str, Box]]) -> None:
    truths = [Truth(*one) for one in objects]
    claims = [Detection(*one, score=0.5) for one in objects]
    assert average_precision(truths, claims).mean == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A man's t-shirt, well-worn (and blue).", ["a", "man", "'s", "t-shirt", "well-worn", "and", "blue"]),
        ("It isn’t here; they can't run!", ["it", "is", "n't", "here", "they", "ca", "n't", "run"]),
        ("3.5 cakes... 1,000 feet", ["3.5", "cakes", "1,000", "feet"]),
        (" ,.;-- ", []),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert list(words(text)) == expected


def test_ngrams_count_runs_of_words() -> None:
    assert ngrams(("a", "b", "a", "b"), 2) == {("a", "b"): 2, ("b", "a"): 1}
    assert not ngrams(("a",), 2)


def test_bleu_of_one_word_too_many() -> None:
    # 6/7 * 5/6 * 4/5 * 3/4 = 3/7; longer than the reference, so no penalty.
    score = bleu4(["The cat sat on the mat today"], [["the cat sat on the mat."]])
    assert score == pytest.approx((3 / 7) ** 0.25)


def test_bleu_penalises_brevity() -> None:
    # All n-grams match; 4 words against 6: exp(1 - 6/4).
    assert bleu4(["the cat sat on"], [["the cat sat on the mat"]]) == pytest.approx(math.exp(-0.5))


def test_bleu_takes_the_closest_length_and_the_shorter_on_a_tie() -> None:
    # 5 words against 4 and 6: 4 is taken, so no penalty; all n-grams are in the longer reference.
    assert bleu4(["a b c d e"], [["a b c d", "a b c d e f"]]) == pytest.approx(1.0)


def test_bleu_clips_repeats_by_the_richest_reference() -> None:
    # "a a a a b" against "a a a b" and "b b b b b": words a 3 of 4 + b 1 of 1 = 4/5; pairs aa 2 of 3 + ab 1
    # = 3/4; triples aaa 1 of 2 + aab 1 = 2/3; aaaa 0 + aaab 1 = 1/2. Product 1/5. The lengths are equal.
    assert bleu4(["a a a a b"], [["a a a b", "b b b b b"]]) == pytest.approx(0.2**0.25)


def test_bleu_adds_up_over_the_corpus_before_dividing() -> None:
    # First pair 4/4 3/3 2/2 1/1, second 0/4 0/3 0/2 0/1: each precision is 1/2, and 8 words on each side.
    assert bleu4(["a b c d", "x x x x"], [["a b c d"], ["e f g h"]]) == pytest.approx(0.5)


def test_bleu_without_a_common_run_of_four_is_zero() -> None:
    assert bleu4(["a cat"], [["a cat"]]) == 0.0
    assert bleu4([""], [["a cat"]]) == 0.0
    assert bleu4([], []) == 0.0


def test_cider_d_of_two_pictures() -> None:
    # idf: "a" ln(2/2) = 0; "cat", "dog", "a cat", "a dog" ln 2.
    # First: n = 1 and 2 agree fully (1 each), n = 3 and 4 do not exist (0): 10 * 2/4 = 5.
    # Second: only the weightless "a" is shared: 0. Mean 2.5.
    assert cider_d(["A cat.", "a cat"], [["a cat"], ["a dog"]]) == pytest.approx(2.5)


def test_cider_d_clips_repeats_and_penalises_length() -> None:
    # "a cat cat" against "a cat": n = 1: min(2, 1) * 1 / (2 * 1) = 1/2; n = 2: "cat cat" is in no reference
    # and weighs ln 2 as well: 1 / sqrt(2); n = 3: no such run in the reference. One word longer: exp(-1/72).
    # 10 * 0.986207 * 1.207107 / 4 = 2.976143; the other picture's answer is perfect: 5.
    score = cider_d(["a cat cat", "a dog"], [["a cat"], ["a dog"]])
    assert score == pytest.approx((2.976143 + 5) / 2, abs=1e-6)


def test_cider_d_is_the_mean_over_references() -> None:
    # Document frequencies count pictures, not references. Against "a cat" 5; against "one bird" 0.
    score = cider_d(["a cat", "a dog"], [["a cat", "one bird"], ["a dog"]])
    assert score == pytest.approx((2.5 + 5) / 2)


def test_cider_d_of_a_perfect_long_caption_is_ten() -> None:
    assert cider_d(["a b c d", "e f g h"], [["a b c d"], ["e f g h"]]) == pytest.approx(10.0)


def test_degenerate_cider_d() -> None:
    assert cider_d([], []) == 0.0
    assert cider_d(["a cat"], [["a cat"]]) == 0.0  # with one picture, nothing is telling
    assert cider_d(["", "?"], [["a cat"], ["a dog"]]) == 0.0


@pytest.mark.parametrize("score", [bleu4, cider_d])
def test_answers_and_references_must_pair(score: object) -> None:
    assert callable(score)
    with pytest.raises(ValueError, match="1 answers for 0"):
        score(["a"], [])
    with pytest.raises(ValueError, match="at least one reference"):
        score(["a"], [[]])


texts = st.lists(st.sampled_from(["a", "cat", "dog", "on", "the"]), max_size=9).map(" ".join)


@given(st.lists(st.tuples(texts, st.lists(texts, min_size=1, max_size=3)), max_size=5))
def test_caption_scores_stay_in_range(corpus: list[tuple[str, list[str]]]) -> None:
    answers, references = [one for one, _ in corpus], [many for _, many in corpus]
    assert 0 <= bleu4(answers, references) <= 1 + 1e-9
    assert 0 <= cider_d(answers, references) <= 10 + 1e-9
