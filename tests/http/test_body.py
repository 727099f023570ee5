"""The budget of bytes that are held for requests, as far as it concerns bytes that came earlier."""

from __future__ import annotations

import pytest

from vidi.domain.errors import Unavailable
from vidi.http.body import BODIES_IN_FLIGHT, BodyReader


def test_bytes_from_elsewhere_count_as_held() -> None:
    bodies = BodyReader(1000)
    too_much = pytest.raises(Unavailable, match="too many large")
    with bodies.hold(BODIES_IN_FLIGHT * 1000), too_much, bodies.hold(1):
        pass
    with bodies.hold(BODIES_IN_FLIGHT * 1000):
        pass


def test_they_are_free_again_whatever_happens() -> None:
    bodies = BodyReader(1000)
    for _ in range(BODIES_IN_FLIGHT + 1):
        with pytest.raises(KeyError), bodies.hold(1000):
            raise KeyError
