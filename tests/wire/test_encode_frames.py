"""The frames of a stream, as strict clients want them."""

from __future__ import annotations

import json

from vidi.domain.errors import Internal
from vidi.wire.encode import ARRAY_END, array_element, array_error, sse_error, sse_event


def test_an_event_is_one_line_and_a_blank_one() -> None:
    assert sse_event(b'{"a":1}') == b'data: {"a":1}\r\n\r\n'


def test_an_error_amid_events_is_a_bare_line_with_error_first() -> None:
    frame = sse_error(Internal("broken\nhere"))
    assert frame.startswith(b'{"error":{"code":500,')
    assert frame.endswith(b"}\r\n\r\n")
    assert frame.count(b"\n") == 2


def test_an_array_grows_element_by_element() -> None:
    parts = [array_element(b'{"n":%d}' % n, first=n == 0) for n in range(3)]
    assert parts[1].startswith(b",\r\n")
    assert json.loads(b"".join([*parts, ARRAY_END])) == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_an_error_closes_the_array() -> None:
    begun = array_element(b"{}", first=True) + array_error(Internal("broken"), first=False)
    assert json.loads(begun)[1]["error"]["status"] == "INTERNAL"
    assert json.loads(array_error(Internal("broken")))[0]["error"]["message"] == "broken"
