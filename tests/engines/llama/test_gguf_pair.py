"""Pairs of files, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter

from tests.engines.llama.tiny import write_text, write_vision
from tests.model.random_gguf import write_text_model, write_vision_tower
from vidi.domain.errors import InvalidRequest
from vidi.engines.llama.gguf import check_pair, is_vision, read_header


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return write_text(tmp_path / "text.gguf")


@pytest.fixture
def vision(tmp_path: Path) -> Path:
    return write_vision(tmp_path / "mmproj.gguf")


def test_a_fitting_pair_tells_what_it_is(text: Path, vision: Path) -> None:
    pair = check_pair(text, vision)
    assert pair.context == 512
    assert pair.projector == "gemma3"
    assert is_vision(read_header(vision))
    assert not is_vision(read_header(text))


def test_what_llama_cpp_is_known_to_run_is_let_through(tmp_path: Path) -> None:
    write_text_model(tmp_path / "text.gguf")
    write_vision_tower(tmp_path / "vision.gguf")
    assert check_pair(tmp_path / "text.gguf", tmp_path / "vision.gguf").projector


def test_files_in_each_others_role_are_told_apart(text: Path, vision: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"mmproj\.gguf is a vision file.*--from"):
        check_pair(vision, text)
    with pytest.raises(InvalidRequest, match=r"text\.gguf is a language model.*--mmproj"):
        check_pair(text, text)
    with pytest.raises(InvalidRequest, match="vision file"):
        check_pair(vision, vision)


@pytest.mark.parametrize("tensor", ["token_embd.weight", "output_norm.weight"])
def test_a_language_model_without_a_tensor_that_llama_cpp_needs_is_refused(
    tmp_path: Path, vision: Path, tensor: str
) -> None:
    broken = write_text(tmp_path / "broken.gguf", leave_out=tensor)
    with pytest.raises(InvalidRequest, match=f"{tensor} is missing"):
        check_pair(broken, vision)


def test_missing_blocks_are_named(tmp_path: Path, text: Path, vision: Path) -> None:
    short = write_text(tmp_path / "short.gguf", blocks=3)
    data = short.read_bytes().replace(b"blk.1.", b"blk.9.")
    short.write_bytes(data)
    with pytest.raises(InvalidRequest, match=r"blk\.1\.\* is missing"):
        check_pair(short, vision)
    blind = write_vision(tmp_path / "blind.gguf", leave_out="v.blk.1.attn_q.weight")
    with pytest.raises(InvalidRequest, match=r"v\.blk\.1\.\* is missing"):
        check_pair(text, blind)
    patchless = write_vision(tmp_path / "patchless.gguf", leave_out="v.patch_embd.weight")
    with pytest.raises(InvalidRequest, match=r"v\.patch_embd\.weight is missing"):
        check_pair(text, patchless)


def test_a_projector_of_another_size_is_refused_unless_its_tensors_fit(tmp_path: Path, text: Path) -> None:
    other = write_vision(tmp_path / "other.gguf", width=96)
    with pytest.raises(InvalidRequest, match=r"embeddings of 96 numbers and text\.gguf takes 64"):
        check_pair(text, other)
    # Old converters wrote 768 whatever the model.
    assert check_pair(text, write_vision(tmp_path / "old.gguf", told=768))


def test_an_encoder_without_blocks_is_fine(tmp_path: Path, text: Path) -> None:
    assert check_pair(text, write_vision(tmp_path / "unified.gguf", blocks=0))


def _clip(path: Path, *, eyes: bool, projector: str, tensor: str) -> Path:
    writer = GGUFWriter(path, "clip")
    writer.add_clip_has_vision_encoder(eyes)
    if projector:
        writer.add_clip_projector_type(projector)
    writer.add_tensor(tensor, np.zeros((64, 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_ears_are_no_eyes_and_a_projector_must_have_a_kind(tmp_path: Path, text: Path) -> None:
    ears = _clip(tmp_path / "ears.gguf", eyes=False, projector="ultravox", tensor="a.conv1d.1.weight")
    with pytest.raises(InvalidRequest, match="no eyes"):
        check_pair(text, ears)
    unknown = _clip(tmp_path / "unknown.gguf", eyes=True, projector="", tensor="v.patch_embd.weight")
    with pytest.raises(InvalidRequest, match="projector"):
        check_pair(text, unknown)


def test_parts_adapters_and_files_without_a_tokenizer_are_no_models(tmp_path: Path, vision: Path) -> None:
    def model(name: str, kind: str, split: int) -> Path:
        writer = GGUFWriter(tmp_path / name, "llama")
        writer.add_type(kind)
        writer.add_uint16("split.count", split)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
        return tmp_path / name

    with pytest.raises(InvalidRequest, match="one part of several"):
        check_pair(model("part.gguf", "model", 3), vision)
    with pytest.raises(InvalidRequest, match="no language model"):
        check_pair(model("lora.gguf", "adapter", 0), vision)
    with pytest.raises(InvalidRequest, match="no tokenizer"):
        check_pair(model("mute.gguf", "model", 0), vision)


def test_errors_call_the_files_as_the_user_knows_them(tmp_path: Path, text: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"^Gemma is a language model"):
        check_pair(text, text, ("Gemma text", "Gemma"))
