"""From a prompt to llama.cpp's request."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from vidi.domain.answer import FunctionCall
from vidi.domain.errors import InvalidRequest
from vidi.domain.geometry import Placement
from vidi.domain.prompt import (
    FunctionDeclaration,
    FunctionResponse,
    Picture,
    Request,
    Role,
    Sampling,
    Thinking,
    Turn,
)
from vidi.domain.schema import Kind, Schema
from vidi.engines.calls import declaration, instruction
from vidi.engines.chat.messages import (
    EncodedImage,
    black_picture,
    encode_picture,
    function_tools,
    messages,
    sampling_options,
    should_think,
    template_options,
)
from vidi.engines.profile import Template, Thinks

CAT, DOG = EncodedImage("data:cat"), EncodedImage("data:dog")


def image_of(picture: EncodedImage) -> Image.Image:
    data = base64.b64decode(picture.uri.partition(";base64,")[2])
    return Image.open(io.BytesIO(data))


def test_a_picture_is_a_jpeg_of_the_same_pixels_and_always_the_same() -> None:
    pixels = np.full((20, 30, 3), (200, 30, 60), np.uint8)
    picture = Picture(30, 20, pixels.tobytes(), Placement(30, 20, 0, 0, 30, 20), "digest")
    once, again = encode_picture(picture), encode_picture(picture)
    assert once == again
    assert once.uri.startswith("data:image/jpeg;base64,")
    image = image_of(once)
    assert image.size == (30, 20)
    assert np.abs(np.asarray(image).astype(int) - pixels).max() <= 3


def test_a_blank_has_the_size_that_is_counted() -> None:
    assert image_of(black_picture(224, 112)).size == (224, 112)


def test_parts_keep_their_order_and_turns_their_roles() -> None:
    ask: Request[EncodedImage] = Request(
        system="Be brief.",
        turns=(
            Turn(Role.USER, ("first", CAT, "", DOG, "last")),
            Turn(Role.MODEL, ("A ", "cat.")),
            Turn(Role.USER, ("Sure?",)),
        ),
    )
    assert messages(ask) == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "first"},
                {"type": "image_url", "image_url": {"url": "data:cat"}},
                {"type": "image_url", "image_url": {"url": "data:dog"}},
                {"type": "text", "text": "last"},
            ],
        },
        {"role": "assistant", "content": "A cat."},
        {"role": "user", "content": [{"type": "text", "text": "Sure?"}]},
    ]


def test_calls_and_responses_are_the_templates_or_texts() -> None:
    look = FunctionDeclaration("look", "Looks.", Schema(frozenset({Kind.OBJECT})))
    ask: Request[EncodedImage] = Request(
        system="Be brief.",
        turns=(
            Turn(Role.USER, ("Look!",)),
            Turn(Role.MODEL, ("Yes. ", FunctionCall("look", '{"n": 1}', "call_12-3"))),
            Turn(Role.USER, (FunctionResponse("look", '{"seen": 2}', "call_12-3"), CAT)),
        ),
        functions=(look,),
    )
    picture = {"type": "image_url", "image_url": {"url": "data:cat"}}
    assert messages(ask, tools=True) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Look!"}]},
        {
            "role": "assistant",
            "content": "Yes. ",
            "tool_calls": [
                {
                    "id": "00call123",
                    "type": "function",
                    "function": {"name": "look", "arguments": '{"n": 1}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "00call123", "name": "look", "content": '{"seen": 2}'},
        {"role": "user", "content": [picture]},
    ]
    told = messages(ask)
    assert told[0] == {"role": "system", "content": "Be brief.\n\n" + instruction(ask)}
    assert told[2:] == [
        {"role": "assistant", "content": 'Yes. <call>{"name":"look","args":{"n": 1}}</call>'},
        {
            "role": "user",
            "content": [{"type": "text", "text": 'The function look gave: {"seen": 2}'}, picture],
        },
    ]
    (tool,) = function_tools(ask)
    assert tool == {"type": "function", "function": declaration(look)}


def test_a_picture_in_a_turn_of_the_models_is_refused() -> None:
    ask: Request[EncodedImage] = Request(turns=(Turn(Role.MODEL, ("look", CAT)),))
    with pytest.raises(InvalidRequest, match="role model holds a picture"):
        messages(ask)


@pytest.mark.parametrize(
    ("thinks", "thinking", "wanted"),
    [
        (Thinks.NEVER, Thinking(budget=-1, include=True), False),
        (Thinks.ALWAYS, Thinking(budget=0), True),
        (Thinks.SWITCHED, Thinking(), False),
        (Thinks.SWITCHED, Thinking(include=True), True),
        (Thinks.SWITCHED, Thinking(budget=0, include=True), False),
        (Thinks.SWITCHED, Thinking(budget=-1), True),
        (Thinks.SWITCHED, Thinking(budget=512), True),
        (Thinks.SWITCHED, Thinking(level="HIGH"), True),
        (Thinks.SWITCHED, Thinking(level="minimal"), False),
    ],
)
def test_it_thinks_only_where_it_can_and_is_asked_to(
    thinks: Thinks, thinking: Thinking, wanted: bool
) -> None:
    assert should_think(thinking, Template(thinks=thinks)) is wanted


def test_the_template_gets_its_options_and_the_switch_only_where_there_is_one() -> None:
    switched = Template(options={"a": 1}, thinks=Thinks.SWITCHED, switch="think")
    assert template_options(switched, thinks=True) == {"a": 1, "think": True}
    assert template_options(Template(options={"a": 1}), thinks=True) == {"a": 1}


def test_what_the_caller_left_open_is_left_to_the_model() -> None:
    assert sampling_options(Sampling(), 100) == {"max_tokens": 100}


def test_what_the_caller_chose_has_llama_cpps_names_and_the_cards_limit() -> None:
    chosen = Sampling(
        temperature=0.0,
        top_p=0.5,
        top_k=3,
        seed=-1,
        max_output_tokens=1000,
        stop_sequences=("", "END"),
        presence_penalty=0.1,
        frequency_penalty=0.2,
    )
    assert sampling_options(chosen, 100) == {
        "temperature": 0.0,
        "top_p": 0.5,
        "top_k": 3,
        "seed": 0xFFFFFFFF,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "max_tokens": 100,
        "stop": ["END"],
    }
    assert sampling_options(Sampling(max_output_tokens=7), 100)["max_tokens"] == 7
