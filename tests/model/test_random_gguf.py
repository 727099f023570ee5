"""The files of random weights are taken by llama.cpp, pictures included."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import picture

xllamacpp = pytest.importorskip("xllamacpp", reason="needs the extra `llama`")
random_gguf = pytest.importorskip("tests.model.random_gguf", reason="needs the package gguf")


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    for write in (random_gguf.write_text_model, random_gguf.write_vision_tower):
        for name, seed in (("one", 1), ("same", 1), ("other", 2)):
            write(tmp_path / name, seed=seed)
        one, same, other = ((tmp_path / name).read_bytes() for name in ("one", "same", "other"))
        assert one == same
        assert one != other
        assert len(one) < 1_000_000


def served(folder: Path) -> Any:
    """llama.cpp's server in this process, over the files in a folder."""
    params = xllamacpp.CommonParams()
    params.model.path, params.mmproj.path = str(folder / "text.gguf"), str(folder / "vision.gguf")
    params.n_ctx, params.n_parallel, params.cpuparams.n_threads, params.verbosity = 2048, 1, 1, 0
    params.warmup = params.ui = False
    params.api_keys = ["unused"]
    return xllamacpp.Server(params)


def test_a_picture_is_looked_at(tmp_path: Path) -> None:
    random_gguf.write_text_model(tmp_path / "text.gguf")
    random_gguf.write_vision_tower(tmp_path / "vision.gguf")

    def tokens(content: list[dict[str, object]]) -> int:
        messages = [{"role": "user", "content": content}]
        request = {"messages": messages, "max_tokens": 4, "grammar": 'root ::= "yes"'}
        # It throws now and then, more often over random weights, and rarely one of its servers each time. The
        # engine asks once more too.
        servers = (served(tmp_path) for _ in range(3))
        replies = (server.handle_chat_completions(request) for server in servers for _ in range(10))
        for reply in replies:
            if "choices" in reply:
                break
        assert "choices" in reply, f"it throws each time: {reply}"
        assert reply["choices"][0]["message"]["content"] == "yes"
        return int(reply["usage"]["prompt_tokens"])

    text: dict[str, object] = {"type": "text", "text": "What is it?"}
    url = "data:image/png;base64," + base64.b64encode(picture(112, 84)).decode()
    assert tokens([{"type": "image_url", "image_url": {"url": url}}, text]) - tokens([text]) >= 48
