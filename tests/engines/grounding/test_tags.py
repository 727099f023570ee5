"""Tags and texts out of a stream."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vidi.engines.grounding.tags import LONGEST_TAG, MarkupTag, TagScanner


def scanned(pieces: list[str]) -> list[MarkupTag | str]:
    scanner = TagScanner()
    found = [part for piece in pieces for part in scanner.push(piece)] + list(scanner.end())
    merged: list[MarkupTag | str] = []
    for part in found:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return merged


def test_tags_and_texts() -> None:
    assert scanned(["a <b> c</b>", "d < e <f>"]) == [
        "a ",
        MarkupTag("b"),
        " c",
        MarkupTag("/b"),
        "d < e ",
        MarkupTag("f"),
    ]


def test_a_tag_may_come_in_pieces() -> None:
    assert scanned(["<|LO", "C_1", "|>x"]) == [MarkupTag("|LOC_1|"), "x"]


def test_what_is_never_closed_is_text() -> None:
    assert scanned(["a <b"]) == ["a <b"]
    long = "<" + "b" * (LONGEST_TAG + 1)
    assert scanned([long, "> c"]) == [long + "> c"]


@given(st.lists(st.text(alphabet="<>ab", max_size=6)))
def test_pieces_do_not_matter(pieces: list[str]) -> None:
    assert scanned(pieces) == scanned(["".join(pieces)])
