from __future__ import annotations

import shutil

import pytest

from bench import cluster


@pytest.mark.slow
def test_uploads_outlive_gateways_that_are_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run of `python -m bench cluster`, small."""
    if shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin") is None:
        pytest.skip("needs haproxy: apt-get install haproxy")
    try:
        rows = {row.figure.rpartition(": ")[2].strip(): row.ours for row in cluster.run(0.02)}
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    assert (rows["lost"], rows["torn"], rows["doubled"]) == (0, 0, 0)
