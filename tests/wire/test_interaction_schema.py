"""The messages of the Interactions API: names, kinds, and lone values."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from vidi.wire.interaction_schema import CreateInteraction, InputContents, InputSteps, Level


def test_both_spellings_and_lone_values_are_read() -> None:
    (read,) = InputContents.model_validate(
        {"input": {"type": "image", "mimeType": "image/png", "data": "", "resolution": "ultra_high"}}
    ).input
    assert (read.mime_type, read.resolution) == ("image/png", Level.ULTRA_HIGH)
    (step,) = InputSteps.model_validate({"input": {"type": "user_input", "content": "hi"}}).input
    assert step.content is not None
    assert [each.text for each in step.content] == ["hi"]
    assert CreateInteraction.model_validate({"previousInteractionId": "a"}).previous_interaction_id == "a"


@pytest.mark.parametrize("kind", ["audio", "video", "user_input", "", None, 7, {"a": 1}, "x" * 999])
def test_other_kinds_are_refused_before_their_fields(kind: object) -> None:
    with pytest.raises(ValidationError) as refused:
        InputContents.model_validate({"input": [{"type": kind, "channels": 2, "rate": 16000}]})
    (error,) = refused.value.errors()
    assert error["loc"] == ("input", 0)
    assert "is not served" in error["msg"]
    assert len(error["msg"]) < 120


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValidationError, match="extra"):
        InputContents.model_validate({"input": [{"type": "text", "text": "a", "colour": "red"}]})
