"""The segmenter contract on the one that is built in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.segmenter_suite import SegmenterSuite
from tests.engines.lite.fakes import PARK
from vidi.domain.errors import Unavailable
from vidi.domain.prompt import Picture
from vidi.engines.base import EngineContext
from vidi.engines.colour_segmenter import ColourSegmenter
from vidi.engines.registry import open_segmenter
from vidi.engines.segmenter import Segmenter


def context(cache: Path) -> EngineContext:
    return EngineContext(cache, threads=1, progress=lambda step, done, total: None)


class TestColour(SegmenterSuite):
    @pytest.fixture
    def segmenter(self, tmp_path: Path) -> Segmenter:
        return open_segmenter("colour", context(tmp_path))

    @pytest.fixture
    def picture(self) -> Picture:
        return PARK.picture

    def test_it_is_found_by_its_name(self, segmenter: Segmenter) -> None:
        assert isinstance(segmenter, ColourSegmenter)


def test_a_segmenter_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"no segmenter 'sam'\. Installed: colour\."):
        open_segmenter("sam", context(tmp_path))
