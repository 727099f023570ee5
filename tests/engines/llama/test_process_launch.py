"""What a model's process is told."""

from __future__ import annotations

import pytest

from vidi.engines.llama.process import Launch


def test_a_launch_is_one_line_and_comes_back_as_it_was() -> None:
    launch = Launch("/a b/ü\n.gguf", "/v.gguf", 8192, 2, 3, 16, 256, 1 << 40, "key")
    packed = launch.pack()
    assert packed.count(b"\n") == 1
    assert packed.endswith(b"\n")
    assert Launch.unpack(packed.decode()) == launch


@pytest.mark.parametrize("message", ["", "{", "[]", '{"text": "t"}', '{"other": 1}', "7"])
def test_anything_else_is_refused(message: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        Launch.unpack(message)
