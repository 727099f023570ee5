"""The segmenter contract on the one that is built in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.segmenter_suite import SegmenterSuite
from tests.engines.lite.fakes import PARK
from vidi.domain.errors import Unavailable
from vidi.domain.prompt import Picture
from vidi.engines.base import EngineContext
from vidi.engines.colour_segmenter import ColourSegmenter
from vidi.engines.registry import open_segmenter
from vidi.engines.segmenter import OpenedLate, Segmenter


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
        assert isinstance(segmenter, OpenedLate)
        assert isinstance(segmenter.opened, ColourSegmenter)

    def test_its_libraries_are_loaded_for_the_first_mask(self, segmenter: Segmenter) -> None:
        program = (
            "import sys; from pathlib import Path; from vidi.engines.base import EngineContext\n"
            "from vidi.engines.segmenter import open_colour\n"
            "open_colour(EngineContext(Path(), threads=1, progress=print)).close()\n"
            "sys.exit('numpy' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_segmenter_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"no segmenter 'sam'\. Installed: colour\."):
        open_segmenter("sam", context(tmp_path))
