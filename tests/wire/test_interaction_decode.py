"""Reading interactions, as far as the golden files do not say: what came before, and limits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vidi.domain.errors import InvalidRequest
from vidi.domain.prompt import FileReference, ImageSource, Role, Turn
from vidi.wire.errors import InvalidFields, UnknownFields
from vidi.wire.interaction_decode import NewInteraction, PastInteraction, decode_interaction, with_history
from vidi.wire.schema import MAX_PARTS

PICTURE = {"type": "image", "data": "iVBORw=="}


def decoded(max_images: int = 10, **fields: Any) -> NewInteraction:
    return decode_interaction(json.dumps({"model": "m", "input": "hi", **fields}).encode(), max_images)


def past(name: str, asked: Any, *said: str) -> PastInteraction:
    contents = [{"type": "text", "text": words} for words in said]
    steps = [{"type": "thought", "summary": []}, {"type": "model_output", "content": contents}]
    return PastInteraction(
        name, json.dumps(asked).encode(), json.dumps({"steps": steps, "usage": {}}).encode()
    )


@pytest.mark.parametrize(
    "given", ["hi", {"type": "text", "text": "hi"}, [{"type": "text", "text": "hi"}], ["hi"]]
)
def test_a_text_is_one_in_every_form(given: Any) -> None:
    assert decoded(input=given).conversation.turns == (Turn(Role.USER, ("hi",)),)


def test_the_input_is_kept_as_it_came() -> None:
    given = [{"type": "text", "text": "hä\u2028"}, {**PICTURE, "mimeType": "image/png"}]
    assert json.loads(decoded(input=given).input) == given


def test_it_is_kept_and_whole_unless_said_otherwise() -> None:
    assert (decoded().kept, decoded().streamed) == (True, False)
    assert (decoded(store=False).kept, decoded(stream=True).streamed) == (False, True)
    assert decoded(store=None).kept


def test_what_came_before_becomes_the_first_turns() -> None:
    new = decoded(input="And now?").conversation
    first = past("a1", [{"type": "text", "text": "What?"}, PICTURE], "A ", "ball.")
    second = past("b2", [{"type": "user_input", "content": [{"type": "image", "uri": "files/x"}]}], "")
    whole = with_history(new, [first, second], 10)
    assert whole.turns == (
        Turn(Role.USER, ("What?", ImageSource(b"\x89PNG", "a1.input[1]"))),
        Turn(Role.MODEL, ("A ball.",)),
        Turn(Role.USER, (FileReference("files/x", "b2.input[0].content[0]"),)),
        Turn(Role.USER, ("And now?",)),
    )
    assert whole.output == new.output


def test_pictures_of_all_turns_are_counted() -> None:
    new = decoded(input=[PICTURE]).conversation
    earlier = past("a1", [PICTURE, PICTURE], "Two.")
    assert len(list(with_history(new, [earlier], 3).images())) == 3
    with pytest.raises(InvalidRequest, match="previous_interaction_id: 3 images are more than the 2"):
        with_history(new, [earlier], 2)


@pytest.mark.slow
def test_too_many_contents_are_refused_before_any_is_looked_at() -> None:
    many = [{"type": "text", "text": "a"}] * (MAX_PARTS + 1)
    for given in (many, [{"type": "user_input", "content": many}]):
        with pytest.raises(InvalidRequest, match=f"more than {MAX_PARTS} (contents|elements)"):
            decoded(input=given)


def test_few_of_many_faults_are_told() -> None:
    for given in ([""] * 1000, [{"type": "user_input", "content": [""]}] * 1000):
        with pytest.raises(InvalidFields) as refused:
            decoded(input=given)
        assert len(refused.value.violations) == 20


def test_only_unknown_fields_are_told_apart() -> None:
    with pytest.raises(UnknownFields):
        decoded(contents=[])
    with pytest.raises(InvalidRequest) as refused:
        decoded(contents=[], store="maybe")
    assert not isinstance(refused.value, UnknownFields)


@pytest.mark.parametrize(("role", "kind"), [("user", "user_input"), ("model", "model_output")])
def test_turns_of_the_older_api_are_told_what_they_became(role: str, kind: str) -> None:
    with pytest.raises(InvalidFields, match=f'input.0.: turns of role .*"type": "{kind}"'):
        decoded(input=[{"role": role, "content": "hi"}])


@pytest.mark.parametrize("label", ["image/gif", "image/bmp", "image/tiff"])
def test_formats_that_the_sdk_lists_and_nobody_reads_here_are_named(label: str) -> None:
    with pytest.raises(
        InvalidRequest, match=rf"{label} at input\[0\]. Convert the picture to one of image/png"
    ):
        decoded(input=[{"type": "image", "data": "AAAA", "mime_type": label}])
