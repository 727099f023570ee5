"""The official Python SDK and the Files API: upload, get, list, delete, and uploaded pictures in prompts."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from google import genai
from google.genai import errors, types

from tests.conftest import picture
from tests.http.live import Live, live
from tests.sdk.conftest import point_at

MODEL = "gemini-3-flash-preview"
CAPTION = "Caption this image."
CHUNK = 8 << 20


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "sample.jpg"
    file.write_bytes(picture(640, 480, "JPEG"))
    return file


@pytest.fixture
def new(client: genai.Client) -> Iterator[list[types.File]]:
    """What is put in here is deleted at the end."""
    files: list[types.File] = []
    yield files
    for file in files:
        client.files.delete(name=_name(file))


def _name(file: types.File) -> str:
    assert file.name
    return file.name


def _contents(*parts: types.PartUnionDict) -> list[types.PartUnionDict]:
    return list(parts)


def _holds(file: types.File, data: bytes) -> bool:
    assert file.sha256_hash
    assert file.size_bytes == len(data)
    return base64.b64decode(file.sha256_hash).decode() == hashlib.sha256(data).hexdigest()


def test_upload_and_generate_as_in_the_guide(
    client: genai.Client, photo: Path, new: list[types.File]
) -> None:
    my_file = client.files.upload(file=str(photo))
    new.append(my_file)
    response = client.models.generate_content(model=MODEL, contents=_contents(my_file, CAPTION))
    assert response.text == f"Echo: 1 image (640x480), text: {CAPTION}"
    assert my_file.state is types.FileState.ACTIVE
    assert my_file.source is types.FileSource.UPLOADED
    assert my_file.mime_type == "image/jpeg"
    assert my_file.create_time
    assert my_file.expiration_time
    assert (my_file.expiration_time - my_file.create_time).total_seconds() == 48 * 3600
    assert _holds(my_file, photo.read_bytes())


def test_one_uploaded_and_one_inline_picture(
    client: genai.Client, photo: Path, new: list[types.File]
) -> None:
    uploaded_file = client.files.upload(file=photo)
    new.append(uploaded_file)
    response = client.models.generate_content(
        model=MODEL,
        contents=_contents(
            "What is different between these two images?",
            uploaded_file,
            types.Part.from_bytes(data=picture(30, 20), mime_type="image/png"),
        ),
    )
    said = "Echo: 2 images (640x480, 30x20), text: What is different between these two images?"
    assert response.text == said


def test_an_open_file_and_chosen_names(client: genai.Client, new: list[types.File]) -> None:
    config = types.UploadFileConfig(name="my-ball", display_name="A ball", mime_type="image/png")
    file = client.files.upload(file=io.BytesIO(picture(64, 48)), config=config)
    new.append(file)
    assert (file.name, file.display_name, file.mime_type) == ("files/my-ball", "A ball", "image/png")
    part = types.Part.from_uri(file_uri=file.uri or "", mime_type="image/png")
    response = client.models.generate_content(model=MODEL, contents=_contents(part, CAPTION))
    assert (response.text or "").startswith("Echo: 1 image (64x48)")
    with pytest.raises(errors.ClientError, match="taken"):
        client.files.upload(file=io.BytesIO(b"x"), config=config)


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1, 2 * CHUNK + 12_345])
def test_every_size_arrives(client: genai.Client, new: list[types.File], size: int) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    config = types.UploadFileConfig(mime_type="text/plain")
    new.append(client.files.upload(file=io.BytesIO(data[:size]), config=config))
    assert _holds(new[0], data[:size])


def test_get_by_name_and_list_through_the_pager(
    client: genai.Client, photo: Path, new: list[types.File]
) -> None:
    new += [client.files.upload(file=photo) for _ in range(13)]
    for file in new:
        assert client.files.get(name=_name(file)) == file
    mine = {file.name for file in new}
    for size in (None, 1, 5, 100):
        pager = client.files.list(config=types.ListFilesConfig(page_size=size))
        listed = [file.name for file in pager if file.name in mine]
        assert listed == [file.name for file in reversed(new)]


def test_what_is_deleted_is_gone(client: genai.Client, photo: Path) -> None:
    file = client.files.upload(file=photo)
    client.files.delete(name=_name(file))
    for again in (client.files.get, client.files.delete):
        with pytest.raises(errors.ClientError, match="do not have permission") as refused:
            again(name=_name(file))
        assert refused.value.code == 403
        assert refused.value.status == "PERMISSION_DENIED"
    with pytest.raises(errors.ClientError, match="do not have permission"):
        client.models.generate_content(model=MODEL, contents=_contents(file, CAPTION))


def test_a_file_that_can_never_be_used_says_why(
    client: genai.Client, tmp_path: Path, new: list[types.File]
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(picture(30, 20)[:60])
    file = client.files.upload(file=broken)
    new.append(file)
    assert file.state is types.FileState.FAILED
    assert file.error
    assert "Unable to process input image" in (file.error.message or "")
    with pytest.raises(errors.ClientError, match="not in an ACTIVE state"):
        client.models.generate_content(model=MODEL, contents=_contents(file, CAPTION))


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_every_version_uploads(
    echo_server: Live, photo: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    point_at(echo_server, monkeypatch)
    with genai.Client(http_options=types.HttpOptions(api_version=version)) as client:
        file = client.files.upload(file=photo)
        assert client.files.get(name=_name(file)) == file
        assert client.models.count_tokens(model=MODEL, contents=_contents(file)).total_tokens == 258 * 4
        client.files.delete(name=_name(file))


def test_the_async_client(echo_server: Live, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    point_at(echo_server, monkeypatch)
    data = photo.read_bytes() + bytes(CHUNK)
    photo.write_bytes(data)

    async def flow() -> str | None:
        async with genai.Client().aio as client:
            first, second = await asyncio.gather(
                client.files.upload(file=photo), client.files.upload(file=str(photo))
            )
            assert _holds(first, data)
            assert first.name != second.name
            assert await client.files.get(name=_name(first)) == first
            listed = [file.name async for file in await client.files.list()]
            assert {first.name, second.name} <= set(listed)
            response = await client.models.generate_content(
                model=MODEL, contents=_contents(first, second, CAPTION)
            )
            for file in (first, second):
                await client.files.delete(name=_name(file))
            return response.text

    assert asyncio.run(flow()) == f"Echo: 2 images (2 of 640x480), text: {CAPTION}"


def test_a_locked_server_takes_the_bytes_without_a_key(
    tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK shows its key when an upload starts, and none with the bytes."""
    with live(tmp_path, key="secret", VIDI_API_KEYS="secret") as locked:
        point_at(locked, monkeypatch)
        monkeypatch.setenv("GEMINI_API_KEY", "secret")
        with genai.Client() as client:
            file = client.files.upload(file=photo)
            assert [each.name for each in client.files.list()] == [file.name]
