"""The messages: every spelling of every field, and nothing else."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from vidi.wire import schema
from vidi.wire.schema import GenerateContentRequest, GenerationConfig, Message, Part

MESSAGES = [each for each in vars(schema).values() if isinstance(each, type) and issubclass(each, Message)]


@pytest.mark.parametrize("message", MESSAGES)
def test_every_field_has_both_spellings(message: type[Message]) -> None:
    for name in message.model_fields:
        for spelling in (name, to_camel(name)):
            assert message.model_validate({spelling: None}).model_fields_set == {name}


@pytest.mark.parametrize("message", MESSAGES)
def test_unknown_names_are_refused(message: type[Message]) -> None:
    with pytest.raises(ValidationError):
        message.model_validate({"nonsense": None})


def test_spellings_may_be_mixed_but_not_doubled() -> None:
    config = GenerationConfig.model_validate({"topK": 1, "top_p": 0.5, "_responseJsonSchema": {}})
    assert (config.top_k, config.top_p, config.response_json_schema) == (1, 0.5, {})
    with pytest.raises(ValidationError):
        GenerationConfig.model_validate({"topK": 1, "top_k": 2})


@pytest.mark.parametrize("name", ["inlineData", "file_data", "functionCall", "executable_code"])
def test_a_part_holds_one_datum(name: str) -> None:
    with pytest.raises(ValidationError, match=f"Cannot set '{to_camel(name)}'"):
        Part.model_validate({"text": "a", name: {}})
    assert Part.model_validate({"text": "a", name: None}).text == "a"


def test_a_bare_string_is_a_system_instruction() -> None:
    request = GenerateContentRequest.model_validate({"systemInstruction": "Be brief."})
    assert request.system_instruction
    assert request.system_instruction.parts == [Part(text="Be brief.")]
