from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.files.file_server import ME, YOU, FileServer
from vidi.domain.errors import InvalidRequest
from vidi.files.service import page_size, page_token, parse_page_token
from vidi.files.store import Position


@pytest.mark.parametrize(("requested", "size"), [(0, 10), (1, 1), (100, 100), (101, 100), (10**20, 100)])
def test_page_size(requested: int, size: int) -> None:
    assert page_size(requested) == size


def test_page_size_refuses_a_negative_size() -> None:
    with pytest.raises(InvalidRequest):
        page_size(-1)


def test_page_token_roundtrip() -> None:
    file = FileServer().add()
    assert parse_page_token(ME, page_token(ME, file)) == Position(file.created, file.id)
    assert parse_page_token(ME, "") is None


def test_page_token_of_another_listing_is_refused() -> None:
    token = page_token(ME, FileServer().add())
    with pytest.raises(InvalidRequest):
        parse_page_token(YOU, token)


@given(
    token=st.text(min_size=1, max_size=60)
    | st.binary(min_size=1, max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
)
def test_page_token_made_up_is_refused(token: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_page_token(ME, token)
    assert caught.value.where == "page_token"


def test_page_token_endless_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        parse_page_token(ME, "A" * 1_000_000)
