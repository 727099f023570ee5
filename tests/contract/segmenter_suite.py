"""What every segmenter promises (`vidi.engines.segmenter.Segmenter`), as properties of one and a picture."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from vidi.domain.geometry import Box
from vidi.domain.prompt import Picture
from vidi.engines.segmenter import Segmenter

BOXES = (
    Box(0, 0, 1000, 1000),
    Box(250, 250, 750, 750),
    Box(0, 0, 1, 1),
    Box(999, 999, 1000, 1000),
    Box(0, 500, 1000, 501),
    Box(400, 0, 401, 1000),
    Box(0, 0, 300, 300),
    Box(700, 700, 1000, 1000),
)


class SegmenterSuite:
    """Give it the fixtures `segmenter` and `picture`."""

    @pytest.mark.parametrize("box", BOXES, ids=str)
    def test_a_mask_has_the_size_that_it_tells(
        self, segmenter: Segmenter, picture: Picture, box: Box
    ) -> None:
        mask = segmenter.mask(picture, box, "thing")
        assert min(mask.width, mask.height) >= 1
        assert len(mask.grey) == mask.width * mask.height

    def test_a_thing_without_a_name_has_a_mask(self, segmenter: Segmenter, picture: Picture) -> None:
        assert segmenter.mask(picture, BOXES[1], "").grey

    def test_the_same_box_has_the_same_mask_whoever_asks(
        self, segmenter: Segmenter, picture: Picture
    ) -> None:
        alone = [segmenter.mask(picture, box, "thing") for box in BOXES]
        with ThreadPoolExecutor(4) as threads:
            together = list(threads.map(lambda box: segmenter.mask(picture, box, "thing"), BOXES * 4))
        assert together == alone * 4
