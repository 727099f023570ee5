"""Base64 as protobuf reads it, and labels that are checked but not believed."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidi.domain.errors import InvalidRequest
from vidi.wire.decode import IMAGE_TYPES, check_mime_type, decode_base64

WHERE = "contents[0].parts[1].inline_data.data"


@given(st.binary(max_size=100), st.booleans(), st.booleans())
def test_both_alphabets_padded_or_not(data: bytes, url_safe: bool, padded: bool) -> None:
    text = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(data).decode()
    assert decode_base64(text if padded else text.rstrip("="), WHERE) == data


@given(st.binary(min_size=60, max_size=300), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_line_breaks_are_ignored(data: bytes, line_break: str, url_safe: bool) -> None:
    text = base64.encodebytes(data).decode().replace("\n", line_break)
    if url_safe:
        text = text.replace("+", "-").replace("/", "_")
    assert decode_base64(text, WHERE) == data


@pytest.mark.parametrize(
    "text",
    [
        "not base64!",
        "AA AA",
        "A",
        "AAAAA",
        "QQ=",
        "QQ===",
        "QUI==",
        "=",
        "====",
        "QQ==QQ==",
        "QR==",
        "QUJ",
        "-_-_+/+/",
        "+/-_",
        "é" * 4,
        "AAAA\0AAA",
        "data:image/png,AAAA",
        "\ud800AAA",
    ],
)
def test_junk_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_base64(text, WHERE)
    assert caught.value.message == (
        f"Invalid value at '{WHERE}' (TYPE_BYTES), Base64 decoding failed for \"{text}\""
    )
    assert caught.value.where == WHERE


def test_junk_behind_a_data_urls_prefix_is_refused_without_it() -> None:
    with pytest.raises(InvalidRequest, match='failed for "A=A"'):
        decode_base64("data:image/png;base64,A=A", WHERE)


@pytest.mark.parametrize(
    "prefix", ["data:image/png;base64,", "data:;base64,", "data:image/svg+xml;charset=x;base64,"]
)
def test_the_prefix_of_a_data_url_is_read_past(prefix: str) -> None:
    assert decode_base64(f"{prefix}SGVsbG8=", WHERE) == b"Hello"


@given(st.text(max_size=20))
def test_any_text_gives_its_bytes_or_a_refusal(text: str) -> None:
    try:
        data = decode_base64(text, WHERE)
    except InvalidRequest:
        return
    letters = text.replace("\n", "").replace("\r", "").rstrip("=").replace("-", "+").replace("_", "/")
    assert base64.b64encode(data).decode().rstrip("=") == letters


def test_a_long_text_is_quoted_in_part() -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_base64("A" * 100_000 + "!", WHERE)
    assert len(caught.value.message) < 250


@pytest.mark.parametrize(
    "label", [*IMAGE_TYPES, "image/jpg", "IMAGE/Png", "image/jpeg; charset=binary", " image/webp ", "", None]
)
def test_labels_of_pictures_pass(label: str | None) -> None:
    check_mime_type(label, "contents[0].parts[0].inline_data")


@pytest.mark.parametrize(
    "label", ["image/gif", "image/svg+xml", "image/avif", "image/bmp", "png", "application/octet-stream"]
)
def test_other_labels_are_refused_by_name(label: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_mime_type(label, "contents[0].parts[0].inline_data")
    assert caught.value.message.startswith(f"Unsupported MIME type: {label}")
    assert caught.value.where == "contents[0].parts[0].inline_data.mime_type"


@pytest.mark.parametrize("label", ["audio/mp3", "video/mp4", "application/pdf"])
def test_other_media_are_told_where_and_what_else(label: str) -> None:
    with pytest.raises(InvalidRequest, match=r"parts\[2\]\.file_data.*image/png"):
        check_mime_type(label, "contents[0].parts[2].file_data")
