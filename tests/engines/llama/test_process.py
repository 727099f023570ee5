"""What a model's process is told, and what it tells llama.cpp."""

from __future__ import annotations

import subprocess
import sys

import pytest

from vidi.engines.llama.supervisor import Launch

pytest.importorskip("xllamacpp", reason="needs the extra `llama`")
process = pytest.importorskip("vidi.engines.llama.process", reason="needs the extra `llama`")


def launch(most: int) -> Launch:
    return Launch("t.gguf", "v.gguf", context=2048, slots=3, threads=2, max_image_tokens=most, key="k")


@pytest.mark.parametrize(("most", "step"), [(-1, 512), (256, 512), (1120, 1120), (4096, 2048)])
def test_a_picture_fits_into_one_step(most: int, step: int) -> None:
    chosen = process.parameters(launch(most))
    assert chosen.n_ubatch == step
    assert chosen.n_batch == 2048


def test_every_slot_has_the_context_and_nobody_gets_in_without_the_key() -> None:
    chosen = process.parameters(launch(-1))
    assert (chosen.n_ctx, chosen.n_parallel) == (3 * 2048, 3)
    assert chosen.cpuparams.n_threads == chosen.cpuparams_batch.n_threads == 2
    assert chosen.api_keys == ["k"]
    assert not chosen.ui
    assert not chosen.endpoint_slots


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


def test_a_server_that_runs_models_does_not_load_llama_cpp_itself() -> None:
    loaded = "import sys, vidi.engines.llama.engine; print('xllamacpp' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", loaded], text=True) == "False\n"
