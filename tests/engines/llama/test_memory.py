"""How much memory a model takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.llama.tiny import write_text, write_vision
from vidi.engines.llama.catalog import WORKING
from vidi.engines.llama.gguf import Header, Value, check_pair
from vidi.engines.llama.memory import cache_bytes, memory_needed
from vidi.engines.machine import machine_memory


def _text(**settings: Value) -> Header:
    usual: dict[str, Value] = {
        "general.architecture": "x",
        "x.block_count": 4,
        "x.embedding_length": 64,
        "x.attention.head_count": 8,
    }
    return Header(usual | {f"x.{name.replace('__', '.')}": value for name, value in settings.items()}, {}, 0)


def test_every_layer_keeps_a_key_and_a_value_of_two_bytes_a_number() -> None:
    # 4 layers * 100 tokens * 8 heads * (8 + 8) numbers * 2 bytes
    assert cache_bytes(_text(), 100, 1) == 4 * 100 * 8 * 16 * 2
    assert cache_bytes(_text(), 100, 3) == 3 * cache_bytes(_text(), 100, 1)


def test_fewer_heads_for_keys_and_other_lengths_are_heeded() -> None:
    header = _text(attention__head_count_kv=2, attention__key_length=16, attention__value_length=32)
    assert cache_bytes(header, 100, 1) == 4 * 100 * 2 * 48 * 2


def test_layers_without_attention_and_shared_ones_keep_nothing() -> None:
    assert cache_bytes(_text(attention__head_count_kv=(0, 2, 0, 2)), 100, 1) == 2 * 100 * 2 * 16 * 2
    assert cache_bytes(_text(full_attention_interval=4), 100, 1) == 1 * 100 * 8 * 16 * 2
    assert cache_bytes(_text(attention__shared_kv_layers=3), 100, 1) == 1 * 100 * 8 * 16 * 2


def test_a_sliding_window_bounds_the_layers_that_have_one() -> None:
    header = _text(attention__sliding_window=88, attention__sliding_window_pattern=(True, True, True, False))
    assert cache_bytes(header, 10_000, 1) == (3 * 600 + 10_000) * 8 * 16 * 2


@pytest.mark.parametrize("settings", [{}, {"x.block_count": 2**60}, {"x.attention.head_count": 2**62}])
def test_nonsense_is_no_crash(settings: dict[str, Value]) -> None:
    header = Header({"general.architecture": "x"} | settings, {}, 0)
    assert cache_bytes(header, 8192, 2) >= 0


def test_the_files_count_and_working_memory_too(tmp_path: Path) -> None:
    text, vision = write_text(tmp_path / "a.gguf"), write_vision(tmp_path / "b.gguf")
    pair = check_pair(text, vision)
    files = text.stat().st_size + vision.stat().st_size
    assert memory_needed(pair, 512, 2) == files + WORKING + 2 * 512 * 2 * 2 * 32 * 2


def test_a_container_has_what_its_limit_says(tmp_path: Path) -> None:
    whole = machine_memory(())
    (tmp_path / "limit").write_text("1000000\n")
    (tmp_path / "none").write_text("max\n")
    assert machine_memory((tmp_path / "none", tmp_path / "absent")) == whole
    assert machine_memory((tmp_path / "limit", tmp_path / "none")) == 1_000_000
    assert 10**8 < whole < 10**14
