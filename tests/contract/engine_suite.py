"""What every engine promises (`vidi.engines.base.Engine`), as properties of an engine and a picture."""

from __future__ import annotations

import json
from dataclasses import replace

from vidi.domain.answer import Finish, FunctionCall, fold
from vidi.domain.prompt import (
    FunctionDeclaration,
    FunctionResponse,
    ImageFormat,
    ImageHeader,
    Output,
    Picture,
    Prompt,
    PromptHeaders,
    Request,
    Role,
    Sampling,
    TextFormat,
    Turn,
)
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.base import Engine
from vidi.engines.calls import forced
from vidi.engines.validation import satisfies, validate

TEXT = Schema(kinds=frozenset({Kind.STRING}))
SHAPE = Schema(
    kinds=frozenset({Kind.ARRAY}),
    items=Schema(
        kinds=frozenset({Kind.OBJECT}),
        properties=(
            Property("label", TEXT, required=True),
            Property(
                "box_2d",
                Schema(
                    kinds=frozenset({Kind.ARRAY}),
                    items=Schema(kinds=frozenset({Kind.INTEGER})),
                    min_items=4,
                    max_items=4,
                ),
                required=True,
            ),
        ),
    ),
)
FUNCTIONS = (
    FunctionDeclaration(
        "save",
        "Save what is seen.",
        Schema(frozenset({Kind.OBJECT}), properties=(Property("items", SHAPE, required=True),)),
    ),
    FunctionDeclaration("wait", "", Schema(frozenset({Kind.OBJECT}))),
)
OPTIONS = Schema(kinds=frozenset({Kind.STRING}), enum=("dog", "bus", "other"))


class EngineSuite:
    """Properties of an engine; a subclass gives `engine` and `picture` fixtures."""

    def test_the_card_names_it(self, engine: Engine) -> None:
        card = engine.card
        assert card.id
        assert card.display_name
        assert card.description
        assert card.slots >= 1
        assert min(card.input_token_limit, card.output_token_limit) > 0

    def test_only_the_last_piece_has_a_finish(self, engine: Engine, picture: Picture) -> None:
        pieces = list(engine.generate(prompt(picture, "Describe this image in detail.")))
        assert [piece.finish for piece in pieces[:-1]] == [None] * (len(pieces) - 1)
        assert pieces[-1].finish is Finish.STOP

    def test_an_answer_has_text_and_costs_tokens(self, engine: Engine, picture: Picture) -> None:
        (answer,) = fold(engine.generate(prompt(picture, "Caption this image.")))
        assert answer.text.strip()
        assert 0 < answer.tokens <= len(answer.text)

    def test_the_same_prompt_gets_the_same_answer(self, engine: Engine, picture: Picture) -> None:
        asked = prompt(picture, "Describe this image in detail.", sampling=Sampling(temperature=0, seed=1))
        assert fold(engine.generate(asked)) == fold(engine.generate(asked))

    def test_a_stream_can_be_closed_at_any_piece(self, engine: Engine, picture: Picture) -> None:
        asked = prompt(picture, "Describe this image in detail.", sampling=Sampling(temperature=0, seed=1))
        whole = fold(engine.generate(asked))
        for kept in range(4):
            stream = engine.generate(asked)
            for _ in range(kept):
                next(stream, None)
            stream.close()
        # In how many pieces an answer comes is a matter of time, what it says is not.
        assert fold(engine.generate(asked)) == whole

    def test_the_token_limit_holds(self, engine: Engine, picture: Picture) -> None:
        asked = prompt(picture, "Describe this image in detail.")
        (whole,) = fold(engine.generate(asked))
        (cut,) = fold(engine.generate(replace(asked, sampling=Sampling(max_output_tokens=2))))
        assert (cut.finish, cut.tokens) == (Finish.MAX_TOKENS, 2)
        assert whole.text.startswith(cut.text)

    def test_stop_sequences_hold_and_are_not_part_of_the_answer(
        self, engine: Engine, picture: Picture
    ) -> None:
        asked = prompt(picture, "Caption this image.")
        (whole,) = fold(engine.generate(asked))
        stop = whole.text[4:8]
        (stopped,) = fold(engine.generate(replace(asked, sampling=Sampling(stop_sequences=("#none#", stop)))))
        assert stopped.text == whole.text[: whole.text.index(stop)]
        assert stopped.finish is Finish.STOP

    def test_json_is_bare_json(self, engine: Engine, picture: Picture) -> None:
        (answer,) = fold(
            engine.generate(
                prompt(
                    picture,
                    "Caption this image.",
                    output=Output(TextFormat.JSON),
                    sampling=Sampling(temperature=0.0),
                )
            )
        )
        json.loads(answer.text)

    def test_an_answer_has_the_shape_that_is_asked_for(self, engine: Engine, picture: Picture) -> None:
        for output in (Output(TextFormat.JSON, SHAPE), Output(TextFormat.ENUM, OPTIONS)):
            # Without chance: a model that is sampled may run on to its limit and be cut in mid-answer.
            asked = prompt(picture, "Detect all items.", output=output, sampling=Sampling(temperature=0.0))
            (answer,) = fold(engine.generate(asked))
            assert answer.finish is Finish.STOP
            assert output.schema is not None
            validate(answer.text, output.schema, output.format)

    def test_a_call_that_must_be_made_is_a_schema_like_any_other(
        self, engine: Engine, picture: Picture
    ) -> None:
        asked = replace(
            prompt(picture, "Detect all items.", sampling=Sampling(temperature=0.0)),
            functions=FUNCTIONS,
            must_call=True,
        )
        for several in (False, True):
            request = forced(asked, several=several)
            (answer,) = fold(engine.generate(request))
            assert request.output.schema is not None
            if answer.finish is Finish.STOP:
                validate(answer.text, request.output.schema)
            else:
                assert answer.finish is Finish.MAX_TOKENS  # a model that is too small to come to an end

    def test_an_engine_calls_only_if_its_card_says_so_and_only_what_is_declared(
        self, engine: Engine, picture: Picture
    ) -> None:
        asked = prompt(picture, "call=save Detect all items.", sampling=Sampling(temperature=0.0))
        (answer,) = fold(engine.generate(replace(asked, functions=FUNCTIONS)))
        assert answer.finish is not None
        assert engine.card.calls or not answer.calls
        shapes = {each.name: each.parameters for each in FUNCTIONS}
        assert all(satisfies(json.loads(call.args), shapes[call.name]) for call in answer.calls)

    def test_what_was_called_and_what_it_gave_may_be_in_a_prompt(
        self, engine: Engine, picture: Picture
    ) -> None:
        turns: tuple[Turn[Picture], ...] = (
            Turn(Role.USER, ("Look!",)),
            Turn(Role.MODEL, ("Yes.", FunctionCall("wait", "{}", "c1"))),
            Turn(Role.USER, (FunctionResponse("wait", '{"done": true}', "c1"), picture)),
        )
        (answer,) = fold(engine.generate(Request(turns=turns, sampling=Sampling(temperature=0.0))))
        assert answer.finish is not None

    def test_functions_cost_tokens(self, engine: Engine) -> None:
        bare: PromptHeaders = Request(turns=(Turn(Role.USER, ("hello",)),))
        declaring = replace(bare, functions=FUNCTIONS)
        assert engine.count_tokens(bare).total < engine.count_tokens(declaring).total

    def test_prompts_without_pictures_and_without_words_are_answered(
        self, engine: Engine, picture: Picture
    ) -> None:
        for parts in (("hello",), (picture,), (picture, picture, "Compare."), ("",)):
            (answer,) = fold(engine.generate(replace(prompt(*parts), sampling=Sampling(temperature=0.0))))
            assert answer.finish is Finish.STOP

    def test_counting_needs_no_pixels_and_adds_up(self, engine: Engine) -> None:
        header = ImageHeader(ImageFormat.PNG, 640, 480)

        def cost(*parts: str | ImageHeader) -> int:
            outline: PromptHeaders = Request(turns=(Turn(Role.USER, parts),))
            return engine.count_tokens(outline).total

        assert 0 < cost("hello world") < cost("hello world", header) < cost("hello world", header, header)


def prompt(*parts: str | Picture, output: Output | None = None, sampling: Sampling | None = None) -> Prompt:
    """A prompt of one turn."""
    return Request(
        turns=(Turn(Role.USER, parts),),
        output=output or Output(),
        sampling=sampling or Sampling(),
    )
