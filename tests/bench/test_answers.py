"""What counts as right, as "I can't tell" and as the JSON that was asked for."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.answers import Accepted, Verdict, count_in, is_json, judge, read_boxes, says_cant_tell

RIGHT = Verdict(right=True, cant_tell=False)
WRONG = Verdict(right=False, cant_tell=False)
CANT_TELL = Verdict(right=False, cant_tell=True)


@pytest.mark.parametrize(
    ("text", "accepted", "expected"),
    [
        ("Yes, there is a bus.", True, RIGHT),
        ("**No.**", False, RIGHT),
        ("No, I see no bus.", True, WRONG),
        ("There is a bus, yes.", True, WRONG),  # a yes/no question deserves yes or no first
        ("Nothing", False, WRONG),
        ("There are about 5 horses.", 5, RIGHT),
        ("Five horses and two people.", 5, RIGHT),
        ("Two people and five horses.", 5, WRONG),
        ("A blue car.", r"\bblue\b", RIGHT),
        ("A BLUISH car.", r"\bblue\b", WRONG),
        ("I can't tell that from this picture. I see a blue car.", r"\bblue\b", CANT_TELL),
        ("", r"\bblue\b", WRONG),
        ("", True, WRONG),
        ("", 0, WRONG),
    ],
)
def test_judge(text: str, accepted: Accepted, expected: Verdict) -> None:
    assert judge(text, [accepted]) == expected


def test_any_accepted_answer_suffices_and_a_rejected_word_spoils_it() -> None:
    assert judge("Six or so.", [5, 6]).right
    assert judge("It is on the left.", [r"\bleft\b"], [r"\bright\b"]).right
    assert not judge("Left or right.", [r"\bleft\b"], [r"\bright\b"]).right
    assert not judge("Left.", []).right


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("Hayır, köpek görmüyorum.", False),
        ("Evet.", True),
        ("Masada dört kişi var.", 4),
        ("Bir masada üç kişi var.", 3),
        ("Bir köpek var.", 1),
        ("KIRMIZI", r"\bkırmızı\b"),
        ("İki", 2),
    ],
)
def test_turkish(text: str, accepted: Accepted) -> None:
    assert judge(text, [accepted], language="tr").right


@pytest.mark.parametrize(
    "text",
    [
        "I can't tell that from this picture.",
        "I can’t really say.",
        "I cannot determine the year.",
        "Sorry, I am not able to see that.",
        "I don't know.",
        "Bunu bu resimden söyleyemem.",
        "Anlayamıyorum.",
        "Tam olarak anlayamam.",
        "Bunu bilemem.",
    ],
)
def test_says_cant_tell(text: str) -> None:
    assert says_cant_tell(text)


@pytest.mark.parametrize("text", ["There is a can on the table.", "No, I can't see a dog.", "", "Bir kedi."])
def test_does_not_say_cant_tell(text: str) -> None:
    assert not says_cant_tell(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("12 birds", 12),
        ("There are twelve.", 12),
        ("a couple of dogs", 2),
        ("There are no people.", 0),
        ("There aren't any.", 0),
        ("Nobody.", 0),
        ("There is a dog.", 1),
        ("Horses.", None),
        ("", None),
        ("Someone", None),
    ],
)
def test_count_in(text: str, count: int | None) -> None:
    assert count_in(text) == count


def test_boxes_are_read() -> None:
    first = '{"box_2d": [0, 10, 1000, 20], "label": "dog"}'
    second = '{"box_2d": [1, 2, 3, 4], "label": "a", "score": 0.5}'
    boxes = read_boxes(f"[{first}, {second}]")
    assert boxes is not None
    assert [(box.box_2d, box.label, box.score) for box in boxes] == [
        ((0, 10, 1000, 20), "dog", None),
        ((1, 2, 3, 4), "a", 0.5),
    ]
    assert read_boxes("[]") == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        '{"box_2d": [1, 2, 3, 4], "label": "dog"}',
        '```json\n[{"box_2d": [1, 2, 3, 4], "label": "dog"}]\n```',
        '[{"box_2d": [1, 2, 3], "label": "dog"}]',
        '[{"box_2d": [1.5, 2, 3, 4], "label": "dog"}]',
        '[{"box_2d": ["1", 2, 3, 4], "label": "dog"}]',
        '[{"box_2d": [1, 2, 3, 1001], "label": "dog"}]',
        '[{"box_2d": [-1, 2, 3, 4], "label": "dog"}]',
        '[{"box_2d": [5, 2, 3, 4], "label": "dog"}]',
        '[{"box_2d": [1, 5, 3, 4], "label": "dog"}]',
        '[{"box_2d": [1, 2, 3, 4]}]',
        '[{"box_2d": [1, 2, 3, 4], "label": ""}]',
    ],
)
def test_what_is_not_the_array_asked_for(text: str) -> None:
    assert read_boxes(text) is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
@pytest.mark.slow
def test_json_is_json(value: object) -> None:
    assert is_json(json.dumps(value))


@pytest.mark.parametrize("text", ["", "{", "NaN", "[Infinity]", "{'a': 1}", '{"a": 1} and so on', "[1,]"])
def test_what_is_not_json(text: str) -> None:
    assert not is_json(text)
