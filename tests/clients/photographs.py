"""Photographs that scikit-image ships, as files."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from PIL import Image

_PACKAGE = importlib.util.find_spec("skimage")
_FOLDERS = [Path(folder) / "data" for folder in (_PACKAGE and _PACKAGE.submodule_search_locations) or ()]

needed = pytest.mark.skipif(
    not _FOLDERS,
    reason="the photographs come with scikit-image, which is not installed (requirements/photos.txt)",
)


def path_of(name: str) -> Path:
    """Where a photograph lies."""
    return _FOLDERS[0] / name


def photograph(name: str) -> Image.Image:
    """A photograph by its file name."""
    with Image.open(path_of(name)) as image:
        return image.convert("RGB")
