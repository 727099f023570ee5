from __future__ import annotations

import numpy as np
import pytest

from vidi.engines.lite.vision.detector import RawBoxes, fuse, yield_to_better

CAR, TRUCK = 2, 7
SMALL, LARGE = (0, 0, 20, 20), (0, 0, 900, 900)
"""Boxes in a picture of 1,000 pixels."""

Row = tuple[int, float, tuple[float, float, float, float]]


def found(*rows: Row) -> RawBoxes:
    labels, scores, corners = zip(*rows, strict=True) if rows else ((), (), ())
    return RawBoxes(
        np.array(labels, np.intp), np.array(scores, np.float32), np.array(corners, np.float32).reshape(-1, 4)
    )


def rows(of: RawBoxes) -> list[tuple[int, float]]:
    return [
        (label, round(score, 3)) for label, score in zip(of.labels.tolist(), of.scores.tolist(), strict=True)
    ]


def test_two_looks_that_agree_keep_their_score_and_box() -> None:
    for box in (SMALL, LARGE, (10, 10, 200, 150)):
        fused = fuse(found((CAR, 0.6, box)), found((CAR, 0.6, box)), 1000)
        assert rows(fused) == [(CAR, 0.6)]
        np.testing.assert_allclose(fused.corners, [box], rtol=1e-6)


@pytest.mark.parametrize(("box", "overview", "close_up"), [(SMALL, 0.3, 0.7), (LARGE, 0.8, 0.2)])
def test_each_look_is_trusted_with_its_own_sizes(
    box: tuple[float, float, float, float], overview: float, close_up: float
) -> None:
    assert rows(fuse(found((CAR, 1.0, box)), found(), 1000)) == [(CAR, overview)]
    assert rows(fuse(found(), found((CAR, 1.0, box)), 1000)) == [(CAR, close_up)]


def test_trust_moves_over_between_the_sizes() -> None:
    scores = [
        float(fuse(found((CAR, 1.0, (0, 0, side, side))), found(), 1000).scores[0])
        for side in (50, 100, 200, 300, 500)
    ]
    assert scores == sorted(scores)
    assert len(set(scores)) == 5


def test_a_box_lies_between_its_two_looks() -> None:
    fused = fuse(found((CAR, 0.5, (0, 0, 500, 500))), found((CAR, 0.5, (100, 0, 500, 500))), 1000)
    assert rows(fused) == [(CAR, 0.5)]
    np.testing.assert_allclose(fused.corners, [(20, 0, 500, 500)], rtol=1e-5)


def test_other_classes_and_other_places_stay_apart() -> None:
    fused = fuse(found((CAR, 0.9, SMALL), (CAR, 0.9, (500, 500, 520, 520))), found((TRUCK, 0.9, SMALL)), 1000)
    assert rows(fused) == [(TRUCK, 0.63), (CAR, 0.27), (CAR, 0.27)]


def test_a_thing_is_paired_once_with_its_best_partner() -> None:
    fused = fuse(
        found((CAR, 0.9, (0, 0, 20, 20)), (CAR, 0.5, (0, 0, 20, 16))),
        found((CAR, 0.8, (0, 0, 20, 18))),
        1000,
    )
    assert rows(fused) == [(CAR, 0.83), (CAR, 0.15)]


def test_two_empty_looks() -> None:
    assert rows(fuse(found(), found(), 1000)) == []
    assert rows(yield_to_better(found())) == []


def test_the_worse_of_two_names_for_one_place_is_doubted() -> None:
    doubted = yield_to_better(
        found((CAR, 0.6, SMALL), (TRUCK, 0.5, SMALL), (TRUCK, 0.45, LARGE), (CAR, 0.4, (0, 0, 20, 10)))
    )
    assert rows(doubted) == [(CAR, 0.6), (TRUCK, 0.45), (TRUCK, 0.4), (CAR, 0.4)]
