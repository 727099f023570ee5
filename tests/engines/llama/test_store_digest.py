"""Digests of large files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from vidi.engines.llama.store import sha256_of


def test_a_file_is_read_in_steps_that_are_told(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    (tmp_path / "x").write_bytes(content)
    told: list[tuple[str, int, int]] = []
    digest = sha256_of(tmp_path / "x", lambda *step: told.append(step), "Checking x")
    assert digest == hashlib.sha256(content).hexdigest()
    assert [done for _, done, _ in told] == [1 << 20, 2 << 20, len(content)]
    assert told[-1] == ("Checking x", len(content), len(content))
