from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vidi.engines.lite.vision.detector import RawBoxes, decode, join, overlaps, suppress
from vidi.engines.lite.vision.onnx import Floats

PERSON, CAR = 0, 2


def found(*rows: tuple[int, float, tuple[float, float, float, float]]) -> RawBoxes:
    labels, scores, corners = zip(*rows, strict=True) if rows else ((), (), ())
    return RawBoxes(
        np.array(labels, np.intp), np.array(scores, np.float32), np.array(corners, np.float32).reshape(-1, 4)
    )


def levels() -> list[Floats]:
    """The output for a picture of 64 x 32 pixels that shows nothing."""
    outputs = [np.zeros((124, 32 // stride, 64 // stride), np.float32) for stride in (8, 16, 32)]
    for output in outputs:
        output[:80] = -20
    return outputs


def put(output: Floats, label: int, logit: float, cell: tuple[int, int], bins: tuple[int, ...]) -> None:
    """Show a class at a cell, its sides certain to be so many strides away."""
    row, column = cell
    output[label, row, column] = logit
    for side, distance in enumerate(bins):
        output[80 + side * 11 + distance, row, column] = 50


def test_distances_are_counted_in_strides_from_the_cell_s_centre() -> None:
    outputs = levels()
    put(outputs[1], CAR, 0.0, (1, 2), (1, 0, 2, 3))
    seen = decode(outputs, floor=0.3)
    assert seen.labels.tolist() == [CAR]
    assert seen.scores.tolist() == [0.5]
    assert seen.corners.tolist() == [[40 - 16, 24 - 0, 40 + 32, 24 + 48]]


def test_an_undecided_distance_is_its_mean() -> None:
    outputs = levels()
    outputs[0][PERSON, 0, 0] = 3
    assert decode(outputs, floor=0.3).corners.tolist() == [[4 - 40, 4 - 40, 4 + 40, 4 + 40]]


@pytest.mark.parametrize(("floor", "expected"), [(0.49, [CAR, PERSON]), (0.51, [PERSON]), (0.99, [])])
def test_what_is_under_the_floor_is_left_out(floor: float, expected: list[int]) -> None:
    outputs = levels()
    put(outputs[0], CAR, 0.0, (0, 0), (1, 1, 1, 1))
    put(outputs[2], PERSON, 2.0, (0, 1), (1, 1, 1, 1))
    assert decode(outputs, floor).labels.tolist() == expected


def test_a_cell_may_show_two_classes() -> None:
    outputs = levels()
    put(outputs[0], CAR, 1.0, (0, 0), (1, 1, 1, 1))
    put(outputs[0], PERSON, 1.0, (0, 0), (1, 1, 1, 1))
    assert decode(outputs, 0.3).labels.tolist() == [PERSON, CAR]


def test_the_best_of_one_thing_is_kept_and_other_classes_stay() -> None:
    kept = suppress(
        found(
            (CAR, 0.5, (0, 0, 10, 10)),
            (CAR, 0.9, (0, 0, 10, 9)),
            (CAR, 0.4, (50, 50, 60, 60)),
            (PERSON, 0.3, (0, 0, 10, 10)),
        )
    )
    assert kept.labels.tolist() == [CAR, CAR, PERSON]
    assert kept.scores.tolist() == pytest.approx([0.9, 0.4, 0.3])


def test_a_chain_of_boxes_does_not_vanish_with_its_middle() -> None:
    boxes = [(0, 0, 10, 10), (0, 0, 14, 10), (0, 0, 20, 10)]
    kept = suppress(found(*((CAR, 0.9 - index / 10, box) for index, box in enumerate(boxes))))
    assert kept.corners[:, 2].tolist() == [10, 20]


def test_nothing_in_nothing_out() -> None:
    assert len(suppress(found()).scores) == 0
    assert len(suppress(join([found(), found()])).scores) == 0


corner = st.floats(0, 100, width=32)
boxes = st.lists(st.tuples(corner, corner, corner, corner), min_size=1, max_size=12)


@given(boxes=boxes, labels=st.lists(st.integers(0, 2), min_size=12, max_size=12), seed=st.integers(0, 99))
def test_what_is_kept_never_overlaps_within_a_class(
    boxes: list[tuple[float, float, float, float]], labels: list[int], seed: int
) -> None:
    scores = np.random.default_rng(seed).random(len(boxes))
    given_ones = found(*zip(labels, scores.tolist(), boxes, strict=False))
    kept = suppress(given_ones)
    assert kept.scores.tolist() == sorted(kept.scores.tolist(), reverse=True)
    assert kept.scores[0] == given_ones.scores.max()
    same = (kept.labels[:, None] == kept.labels) & ~np.eye(len(kept.labels), dtype=np.bool_)
    assert not (overlaps(kept.corners, kept.corners)[same] > 0.5).any()


@given(arrays(np.float32, (3, 4), elements=st.floats(-50, 50, width=32)))
def test_overlap_is_symmetric_and_at_most_one(values: Floats) -> None:
    ratio = overlaps(values, values)
    np.testing.assert_allclose(ratio, ratio.T)
    assert ratio.min() >= 0
    assert ratio.max() <= 1 + 1e-5


def test_overlap_by_hand() -> None:
    one = np.array([[0, 0, 4, 4]], np.float32)
    others = np.array([[2, 2, 6, 6], [0, 0, 4, 4], [5, 5, 6, 6], [3, 3, 1, 1]], np.float32)
    np.testing.assert_allclose(overlaps(one, others), [[4 / 28, 1, 0, 0]])
