"""Headers of GGUF files, honest and hostile."""

from __future__ import annotations

import resource
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.engines.llama.tiny import write_text, write_vision
from vidi.engines.llama.gguf import LARGEST_HEADER, BadGguf, read_header


def _string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def _file(path: Path, entries: bytes, *, keys: int = 1, tensors: int = 0, version: int = 3) -> Path:
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", version, tensors, keys) + entries)
    return path


def _list(key: bytes, kind: int, length: int, content: bytes) -> bytes:
    return _string(key) + struct.pack("<IIQ", 9, kind, length) + content


def test_settings_and_tensors_are_read_and_the_vocabulary_is_passed_over(tmp_path: Path) -> None:
    path = write_text(tmp_path / "text.gguf")
    header = read_header(path)
    assert header.architecture == "llama"
    assert header.number("llama.embedding_length") == 64
    assert header.text("tokenizer.ggml.model") == "gpt2"
    assert "tokenizer.ggml.tokens" not in header.metadata
    assert header.tensors["token_embd.weight"].shape == (64, 32)
    assert header.size == path.stat().st_size
    # The last tensor ends where the file does, but for padding.
    assert 0 <= header.size - max(tensor.end for tensor in header.tensors.values()) < 32


def test_a_setting_of_each_layer_may_be_one_number_or_a_list(tmp_path: Path) -> None:
    entries = (
        _string(b"one") + struct.pack("<II", 4, 3)
        + _list(b"many", 4, 3, struct.pack("<III", 1, 2, 3))
        + _list(b"odd", 6, 2, struct.pack("<ff", float("nan"), -1))
        + _string(b"negative") + struct.pack("<Ii", 5, -7)
    )  # fmt: skip
    header = read_header(_file(tmp_path / "x.gguf", entries, keys=4))
    assert list(header.numbers("one", 2)) == [3, 3]
    assert list(header.numbers("many", 2)) == [1, 2]
    assert list(header.numbers("many", 5)) == [1, 2, 3, 0, 0]
    assert list(header.numbers("odd", 2)) == [0, 0]
    assert list(header.numbers("absent", 2)) == [0, 0]
    assert header.number("negative") == 0


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not a GGUF"),
        (b"PK\x03\x04" + bytes(100), "not a GGUF"),
        (b"GGUF", "ends within its header"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "byte order"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**63), "claims"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**40, 0), "claims"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**62), "a text"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + _string(b"k") + struct.pack("<I", 99), "kind 99"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + _list(b"k", 9, 1, b""), "kind 9"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + _list(b"k", 8, 2**60, bytes(99)), "ends within"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + _list(b"k", 0, 2**60, bytes(99)), "ends within"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + _string(b"t") + struct.pack("<I", 2**31), "dimensions"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + _string(b"t") + struct.pack("<I", 0), "dimensions"),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + _string(b"t")
            + struct.pack("<IQQQQIQ", 4, 2**63, 2**63, 2**63, 2**63, 0, 0),
            "cut off",
        ),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + _string(b"general.alignment") + struct.pack("<II", 4, 0),
            "alignment",
        ),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 2, 0)
            + (_string(b"t") + struct.pack("<IQIQ", 1, 1, 24, 0)) * 2 + bytes(64),
            "two tensors",
        ),
    ],
)  # fmt: skip
def test_what_is_no_whole_gguf_is_said_in_a_sentence(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(BadGguf, match=told) as caught:
        read_header(path)
    assert "model.gguf" in caught.value.message


def test_a_file_cut_off_anywhere_is_noticed(tmp_path: Path) -> None:
    whole = write_vision(tmp_path / "whole.gguf").read_bytes()
    last = max(tensor.end for tensor in read_header(tmp_path / "whole.gguf").tensors.values())
    cut = tmp_path / "cut.gguf"
    for length in [*range(0, 1200, 7), last // 2, last - 1]:
        cut.write_bytes(whole[:length])
        with pytest.raises(BadGguf):
            read_header(cut)


def test_a_type_that_is_not_known_yet_is_measured_by_its_begin(tmp_path: Path) -> None:
    tensor = _string(b"t") + struct.pack("<IQIQ", 1, 1 << 40, 200, 32)
    _file(tmp_path / "new.gguf", tensor + bytes(128), keys=0, tensors=1)
    assert read_header(tmp_path / "new.gguf").tensors["t"].shape == (1 << 40,)


@settings(
    max_examples=examples(300),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(at=st.integers(0, 1500), bits=st.integers(1, 255), length=st.integers(1, 8))
def test_no_damage_is_a_crash(tmp_path: Path, at: int, bits: int, length: int) -> None:
    data = bytearray(write_text(tmp_path / "x.gguf").read_bytes())
    for index in range(at, min(at + length, len(data))):
        data[index] ^= bits
    (tmp_path / "x.gguf").write_bytes(data)
    try:
        read_header(tmp_path / "x.gguf")
    except BadGguf as error:
        assert "x.gguf" in error.message


@pytest.mark.parametrize("kind", ["strings", "lists"])
@pytest.mark.slow
def test_a_hostile_header_of_the_largest_size_eats_neither_memory_nor_hours(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "hostile.gguf"
    if kind == "strings":
        count = (LARGEST_HEADER - 1000) // 8
        _file(path, _list(b"k", 8, count, bytes(8 * count)))
    else:
        entries = b"".join(_list(b"%d" % key, 6, 1024, bytes(4096)) for key in range(2000))
        _file(path, entries, keys=2000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read_header(path)  # It takes a second or two; what takes hours, pytest's own limit ends.
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 300, f"{grown:.0f} MB"
