from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidi.domain.errors import InvalidRequest
from vidi.files.metadata import MAX_SPELLING, find_id, new_id, parse_name, wanted_id

IDS = st.from_regex(r"\A[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?\Z")

SPELLINGS = [
    "{}",
    "files/{}",
    "/files/{}",
    "files/files/{}",
    "http://localhost:8484/v1beta/files/{}",
    "https://generativelanguage.googleapis.com/v1beta/files/{}",
    "https://generativelanguage.googleapis.com/v1/files/{}?key=secret&alt=media",
    "https://any.host/some/prefix/v1alpha/files/{}",
    "https://[::1]:8484/v1beta/files/{}#part",
    "https://any.host/v1beta/files/files/{}",
    "files/https://any.host/v1beta/files/{}",
    "files/https:/any.host/v1beta/files/{}",
    "  files/{}\n",
]

NO_NAMES = [
    "",
    "files/",
    "files/-a",
    "files/a-",
    "files/A",
    "files/a_b",
    "files/" + "a" * 41,
    "files/../etc/passwd",
    "../files/a",
    "files/a/../b",
    "files/..",
    "files/%2e%2e",
    "files/a%00",
    "files/a\0",
    "files/ä",
    "files/a b",
    "models/a",
    "gs://bucket/files/a",
    "file:///v1beta/files/a",
    "https://example.com/picture.png",
    "https://example.com/files/a",
    "https://example.com/v1beta/models/a",
    "https:///v1beta/files/a",
    "ftp://host/v1beta/files/a",
    "data:image/png;base64,AAAA",
    "a" * (MAX_SPELLING + 1),
]


@pytest.mark.parametrize("spelling", SPELLINGS)
@given(file_id=IDS)
def test_parse_name_reads_every_spelling(spelling: str, file_id: str) -> None:
    assert parse_name(spelling.format(file_id)) == file_id


@pytest.mark.parametrize("text", NO_NAMES)
def test_parse_name_refuses_other_texts(text: str) -> None:
    assert find_id(text) is None
    with pytest.raises(InvalidRequest, match="Unsupported file URI type"):
        parse_name(text)


@given(text=st.text(max_size=300) | st.text("files/:htpv1b?.-%", max_size=300))
def test_find_id_returns_only_ids(text: str) -> None:
    found = find_id(text)
    assert found is None or re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", found)


@pytest.mark.parametrize("text", ["files/" * 340, "/v1" * 680, "https://h" + "/v1/files" * 220 + "/A"])
def test_find_id_of_hostile_texts_is_fast(text: str) -> None:
    assert find_id(text) is None


def test_parse_name_error_hides_an_api_key() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_name("https://example.com/x?key=secret")
    assert "secret" not in caught.value.message
    assert "https://example.com/x" in caught.value.message


def test_new_id_is_twelve_characters_and_unique() -> None:
    made = {new_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(one) == 12 and set(one) <= {*string.ascii_lowercase, *string.digits} for one in made)


@given(file_id=IDS)
def test_wanted_id_with_and_without_files_prefix(file_id: str) -> None:
    assert wanted_id(file_id) == wanted_id(f"files/{file_id}") == file_id


@pytest.mark.parametrize(
    "name", ["-a", "a-", "A", "a_b", "a" * 41, "files/", "files/files/a", "x/a", "../a", "a\n"]
)
def test_wanted_id_refuses_a_bad_name(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        wanted_id(name)
    assert caught.value.where == "file.name"


def test_wanted_id_of_no_name_is_empty() -> None:
    assert wanted_id("") == ""
