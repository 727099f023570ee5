from __future__ import annotations

import pytest

from vidi.domain.errors import InvalidRequest
from vidi.files.metadata import UploadRequest, validate


def test_validate_normalizes() -> None:
    upload = UploadRequest("me", "files/a-b", "x" * 512, "Image/PNG; charset=binary", 0)
    assert validate(upload) == UploadRequest("me", "a-b", "x" * 512, "image/png", 0)


def test_validate_takes_an_empty_request() -> None:
    assert validate(UploadRequest("me")) == UploadRequest("me")


@pytest.mark.parametrize(
    ("upload", "where"),
    [
        (UploadRequest("me", name="files/-a"), "file.name"),
        (UploadRequest("me", display_name="x" * 513), "file.display_name"),
        (UploadRequest("me", display_name="\ud800"), "file.display_name"),
        (UploadRequest("me", mime_type="bad/mime_type"), "file.mime_type"),
        (UploadRequest("me", mime_type="png"), "file.mime_type"),
        (UploadRequest("me", mime_type="image/"), "file.mime_type"),
        (UploadRequest("me", mime_type="image/" + "x" * 1_000_000), "file.mime_type"),
        (UploadRequest("me", length=-1), "file.size_bytes"),
    ],
)
def test_validate_refuses_bad_fields(upload: UploadRequest, where: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        validate(upload)
    assert caught.value.where == where
    assert len(caught.value.message) < 300
