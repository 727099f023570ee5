"""Files that are on this machine already."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from vidi.domain.errors import InvalidRequest, NotFound, VidiError
from vidi.engines.llama.sources import LocalFile, copied_bytes, find_local, link_or_copy
from vidi.engines.weights import PullRequest, free_bytes

MODEL, PROJECTOR = "application/vnd.ollama.image.model", "application/vnd.ollama.image.projector"


def quiet(step: str, done: int, total: int) -> None:
    pass


def _touch(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _ollama(folder: Path, name: str, **layers: bytes) -> None:
    """What `ollama pull` leaves; a layer's name is the end of its media type."""
    told = []
    for kind, content in layers.items():
        digest = hashlib.sha256(content).hexdigest()
        _touch(folder / "blobs" / f"sha256-{digest}", content)
        told.append(
            {
                "mediaType": f"application/vnd.ollama.image.{kind}",
                "digest": f"sha256:{digest}",
                "size": len(content),
            }
        )
    _touch(folder / "manifests" / name, json.dumps({"schemaVersion": 2, "layers": told}).encode())


def test_two_files_of_the_users_own(tmp_path: Path) -> None:
    text, vision = _touch(tmp_path / "a.gguf"), _touch(tmp_path / "eyes.gguf")
    pair = find_local(PullRequest("x", source=str(text), vision=vision))
    assert (pair.text.path, pair.vision.path, pair.text.immutable) == (text, vision, False)
    with pytest.raises(NotFound, match=r"absent\.gguf"):
        find_local(PullRequest("x", source=str(tmp_path / "absent.gguf"), vision=vision))


def test_the_only_vision_file_beside_is_taken_and_several_are_named(tmp_path: Path) -> None:
    text = _touch(tmp_path / "a.gguf")
    with pytest.raises(InvalidRequest, match=r"--mmproj FILE\. There is none beside a\.gguf"):
        find_local(PullRequest("x", source=str(text)))
    vision = _touch(tmp_path / "mmproj-F16.gguf")
    assert find_local(PullRequest("x", source=str(text))).vision.path == vision
    _touch(tmp_path / "a-MMPROJ.gguf")
    with pytest.raises(InvalidRequest, match=r"several beside a\.gguf: a-MMPROJ\.gguf, mmproj-F16\.gguf"):
        find_local(PullRequest("x", source=str(text)))


@pytest.mark.parametrize(
    ("name", "manifest"),
    [
        ("gemma4:e2b", "registry.ollama.ai/library/gemma4/e2b"),
        ("gemma4", "registry.ollama.ai/library/gemma4/latest"),
        ("someone/gemma4:e2b", "registry.ollama.ai/someone/gemma4/e2b"),
        ("hf.co/owner/name-GGUF:Q4_K_M", "hf.co/owner/name-GGUF/Q4_K_M"),
    ],
)
def test_a_model_that_ollama_has(tmp_path: Path, name: str, manifest: str) -> None:
    _ollama(tmp_path / "second", manifest, model=b"text", projector=b"eyes", license=b"free")
    pair = find_local(
        PullRequest("x", source=f"ollama:{name}", ollama=(tmp_path / "first", tmp_path / "second"))
    )
    assert pair.text.path.read_bytes() == b"text"
    assert pair.vision.path.read_bytes() == b"eyes"
    assert pair.text.sha256 == hashlib.sha256(b"text").hexdigest()
    assert pair.text.immutable
    assert pair.origin == f"Ollama's {name}"


def test_what_ollama_lacks_is_said(tmp_path: Path) -> None:
    home = (tmp_path,)
    with pytest.raises(NotFound, match=f"ollama list.*{tmp_path}"):
        find_local(PullRequest("x", source="ollama:absent", ollama=home))
    _ollama(tmp_path, "registry.ollama.ai/library/blind/latest", model=b"text")
    with pytest.raises(InvalidRequest, match="no vision file of its own"):
        find_local(PullRequest("x", source="ollama:blind", ollama=home))
    eyes = _touch(tmp_path / "eyes.gguf")
    assert find_local(PullRequest("x", source="ollama:blind", vision=eyes, ollama=home)).vision.path == eyes
    _ollama(tmp_path, "registry.ollama.ai/library/half/latest", model=b"more text", projector=b"eyes")
    (tmp_path / "blobs" / f"sha256-{hashlib.sha256(b'more text').hexdigest()}").unlink()
    with pytest.raises(NotFound, match="ollama pull half"):
        find_local(PullRequest("x", source="ollama:half", ollama=home))


@pytest.mark.parametrize(
    "name", ["", "../../etc:passwd", "a/../b", "a//b", "a:../x", "a/b/c/d", ".hidden", "a:b:c", "a:/etc"]
)
def test_no_name_leads_out_of_a_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest):
        find_local(PullRequest("x", source=f"ollama:{name}", ollama=(tmp_path,)))
    with pytest.raises(InvalidRequest):
        find_local(PullRequest("x", source=f"lmstudio:{name}", lm_studio=(tmp_path,)))


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"[" * 99_999,
        b"\xff",
        b'{"layers": 7}',
        b'{"layers": [7, {}, {"mediaType": 1, "digest": 2}]}',
        b'{"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:../../x"}]}',
    ],
)
def test_a_damaged_list_of_ollama_is_an_error_in_words(tmp_path: Path, manifest: bytes) -> None:
    _touch(tmp_path / "manifests/registry.ollama.ai/library/x/latest", manifest)
    with pytest.raises(VidiError, match="Ollama"):
        find_local(PullRequest("x", source="ollama:x", ollama=(tmp_path,)))


def test_a_model_that_lm_studio_has(tmp_path: Path) -> None:
    folder = tmp_path / "owner" / "name-GGUF"
    text, vision = _touch(folder / "name-Q4.gguf"), _touch(folder / "mmproj-name-F16.gguf")
    request = PullRequest("x", source="lmstudio:owner/name-GGUF", lm_studio=(tmp_path / "absent", tmp_path))
    pair = find_local(request)
    assert (pair.text.path, pair.vision.path, pair.vision.immutable) == (text, vision, True)
    _touch(folder / "name-Q8.gguf")
    with pytest.raises(InvalidRequest, match=r"name-Q4\.gguf, name-Q8\.gguf.*--from FILE --mmproj FILE"):
        find_local(request)
    with pytest.raises(NotFound, match="LM Studio has no model owner/other"):
        find_local(PullRequest("x", source="lmstudio:owner/other", lm_studio=(tmp_path,)))


def test_settled_files_are_linked_and_others_copied(tmp_path: Path) -> None:
    source = _touch(tmp_path / "source.gguf", b"content" * 1000)
    link = tmp_path / "link.gguf"
    link.symlink_to(source)
    link_or_copy(LocalFile(link, "x", immutable=True), tmp_path / "linked", quiet)
    assert (tmp_path / "linked").stat().st_ino == source.stat().st_ino
    assert copied_bytes(LocalFile(link, "x", immutable=True), tmp_path) == 0
    told: list[int] = []
    link_or_copy(LocalFile(source, "x"), tmp_path / "linked", lambda step, done, total: told.append(done))
    assert (tmp_path / "linked").read_bytes() == b"content" * 1000
    assert (tmp_path / "linked").stat().st_ino != source.stat().st_ino
    assert told == [7000]
    assert copied_bytes(LocalFile(source, "x"), tmp_path) == 7000


def test_somebody_elses_files_are_counted_as_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = _touch(tmp_path / "source.gguf", b"content")
    monkeypatch.setattr(os, "geteuid", lambda: source.stat().st_uid + 1)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert copied_bytes(LocalFile(source, "x", immutable=True), tmp_path) == 7


def test_where_links_are_not_possible_a_copy_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    source = _touch(tmp_path / "source.gguf", b"content")
    link_or_copy(LocalFile(source, "x", immutable=True), tmp_path / "target", quiet)
    assert (tmp_path / "target").read_bytes() == b"content"


def test_the_disk_is_asked_where_a_folder_will_be(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "yet") > 0
