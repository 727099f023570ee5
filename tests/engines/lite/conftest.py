"""What the tests of the built-in engine share."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
import pytest

from vidi.domain.errors import Unavailable
from vidi.engines.base import EngineContext
from vidi.engines.lite.weights.assets import Weights, ensure


@pytest.fixture(scope="session")
def real_weights() -> Weights:
    """The published weights, in the user's own cache; fetched there by whichever test asks first."""
    named = os.environ.get("VIDI_CACHE_DIR")
    cache = Path(named) if named else platformdirs.user_cache_path("vidi")
    try:
        return ensure(EngineContext(cache, threads=1, progress=lambda step, done, total: None))
    except Unavailable as missing:
        pytest.skip(f"the weights of vidi-lite cannot be fetched here: {missing.message}")
