"""A backend over TLS: trusted, and not."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.contract.engine_suite import prompt
from tests.engines.remote.fake import FAST, HELLO, Reply, always, context_of, fake
from vidi.domain.answer import fold
from vidi.domain.errors import Unavailable
from vidi.engines.base import Backend
from vidi.engines.remote.catalog import find_model
from vidi.engines.remote.engine import RemoteEngine


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1 and its key, in one file; made for this test."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the program openssl")
    key, file = tmp_path / "key.pem", tmp_path / "cert.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command = ["openssl", "req", "-x509", *kind, *names, "-keyout", str(key), "-out", str(file)]
    subprocess.run(command, check=True, capture_output=True)
    file.write_text(file.read_text() + key.read_text())
    return file


def test_a_trusted_backend_is_spoken_to_and_another_is_not(
    certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    slowly = tuple(bytes([byte]) for part in HELLO for byte in part)
    with fake(tls=tls, chat=always(Reply(parts=slowly))) as backend:
        context = context_of(tmp_path, Backend((f"https://127.0.0.1:{backend.port}/v1",), key="k"))
        with pytest.raises(Unavailable, match="certificate that this machine does not trust"):
            find_model(context)
        assert backend.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        engine = RemoteEngine(find_model(context), FAST)
        for _ in range(3):
            assert fold(engine.generate(prompt("x" * 3_000_000)))[0].text == "A red circle."
        engine.close()
