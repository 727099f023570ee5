"""The official JavaScript SDK uploads pictures and asks about them, pointed at a server by environment."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import picture
from tests.http.live import Live
from tests.waiting import HANG_SECONDS

SCRIPTS = Path(__file__).parent / "js"
MISSING = [name for name in ("node", "npm") if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed here: {', '.join(MISSING)}")

INSTALL = (
    "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline",
    "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000",
    "--fetch-timeout=30000",
)  # fmt: skip
NO_NETWORK = re.compile(
    r"ECONNREFUSED|ECONNRESET|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ERR_SOCKET_TIMEOUT"
)


@pytest.fixture(scope="session")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts beside the SDK, in the versions that the lock file names."""
    folder = tmp_path_factory.mktemp("javascript")
    for file in SCRIPTS.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    installed = subprocess.run(
        INSTALL, cwd=folder, capture_output=True, text=True, timeout=HANG_SECONDS, check=False
    )
    if installed.returncode and (unreachable := NO_NETWORK.search(installed.stderr)):
        pytest.skip(f"npm cannot reach its registry: {unreachable[0]}")
    assert installed.returncode == 0, installed.stderr
    return folder


def _script(scripts: Path, server: Live, *words: str | Path) -> Any:
    """What a script prints; it must end well."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GOOGLE_")}
    variables |= {"GOOGLE_GEMINI_BASE_URL": f"http://127.0.0.1:{server.port}", "GEMINI_API_KEY": "any"}
    ran = subprocess.run(
        ["node", *map(str, words)],
        cwd=scripts,
        env=variables,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize("size", [0, 9 << 20, 16 << 20], ids=["one chunk", "two chunks", "two whole chunks"])
def test_a_picture_is_uploaded_used_and_deleted(
    scripts: Path, echo_server: Live, tmp_path: Path, size: int
) -> None:
    drawn = picture(640, 480, "JPEG")
    data = drawn + bytes(max(0, size - len(drawn)))
    uploaded, inline = tmp_path / "first.jpg", tmp_path / "second.png"
    uploaded.write_bytes(data)
    inline.write_bytes(picture(30, 20))
    told = _script(scripts, echo_server, "upload.mjs", uploaded, "image/jpeg", inline)
    file = told["uploaded"]
    assert told["got"] == file
    assert (file["displayName"], file["mimeType"], file["state"]) == ("A ball", "image/jpeg", "ACTIVE")
    assert file["sizeBytes"] == str(len(data))
    assert base64.b64decode(file["sha256Hash"]).decode() == hashlib.sha256(data).hexdigest()
    assert told["alone"] == "Echo: 1 image (640x480), text: Caption this image."
    assert told["mixed"].startswith("Echo: 2 images (640x480, 30x20)")
    assert told["fromBlob"]["sizeBytes"] == str(len(data))
    assert {file["name"], told["fromBlob"]["name"]} <= set(told["listed"])
    assert told["gone"] == 403


def test_interactions(scripts: Path, echo_server: Live, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(picture(640, 480, "JPEG"))
    told = _script(scripts, echo_server, "interactions.mjs", photo, "image/jpeg", "Caption this image.")
    answer = "Echo: 1 image (640x480), text: Caption this image."
    for same in ("first", "firstText", "streamed", "byUri", "got"):
        assert told[same] == answer
    assert told["again"] == "Echo: 1 image (640x480), text: And what else?"
    assert told["previous"][0] == told["previous"][1]
    assert told["structured"] == {"kind": "photograph"}
    assert told["events"][:2] == ["interaction.created", "step.start"]
    assert told["events"][-2:] == ["step.stop", "interaction.completed"]
    for missing in ("unkept", "gone", "broken"):
        assert told[missing][0] == 404
        assert "There is no interaction" in told[missing][1]
    assert told["refused"][0] == 400
    assert "google_search is not served" in told["refused"][1]
