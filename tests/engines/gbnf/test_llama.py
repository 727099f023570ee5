"""llama.cpp itself, with a model of random weights: it says all that a grammar allows, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.engines.gbnf.shapes import DETECTION, SHAPES, checkable
from tests.engines.schemas import schemas
from vidi.domain.answer import Finish, Piece, fold
from vidi.domain.prompt import FunctionDeclaration, Output, Request, TextFormat
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.calls import read_marked
from vidi.engines.gbnf import ThinkingTags, compile_calls, compile_json, compile_schema
from vidi.engines.gbnf.expression import LONGEST_GROUP, LONGEST_REPEAT
from vidi.engines.schemas import Unfillable
from vidi.engines.validation import validate

xllamacpp = pytest.importorskip("xllamacpp", reason="needs the extra `llama`")
random_gguf = pytest.importorskip("tests.model.random_gguf", reason="needs the package gguf")

UNSAID = [[token, False] for token in (*random_gguf.MARKS, *map(random_gguf.token_of, (0xE0, 0xF0)))]
"""No trained model says these in an answer. A mark (`<s>`) counts as its letters in a grammar and is then
left out of the text; the two bytes begin characters spelled longer than UTF-8 allows, which llama.cpp's
grammars count as one and its decoder as three wrong ones."""

ROOM = 1500
"""Tokens; a model that never ends its answer inside them proves nothing."""

Say = Callable[[str, int], str | None]
"""A grammar and a seed to a whole text; None if the model did not come to an end."""


@pytest.fixture(scope="module")
def say(tmp_path_factory: pytest.TempPathFactory) -> Say:
    path: Path = tmp_path_factory.mktemp("random") / "model.gguf"
    random_gguf.write_text_model(path)
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx, params.n_parallel, params.cpuparams.n_threads = ROOM + 100, 1, 1
    params.warmup = params.ui = False
    params.verbosity = 0
    params.api_keys = ["unused"]
    server = xllamacpp.Server(params)

    def complete(grammar: str, seed: int) -> str | None:
        asked = {"prompt": "x", "n_predict": ROOM, "grammar": grammar, "seed": seed, "logit_bias": UNSAID}
        # As even as it gets: all tokens that the grammar allows have a chance.
        reply = server.handle_completions(
            {**asked, "temperature": 5.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
        )
        assert "choices" in reply, reply
        choice = reply["choices"][0]
        assert choice["finish_reason"] in ("stop", "length")
        return str(choice["text"]) if choice["finish_reason"] == "stop" else None

    return complete


@pytest.mark.parametrize("name", SHAPES)
def test_whatever_a_random_model_says_validates(say: Say, name: str) -> None:
    schema = SHAPES[name]
    grammar = compile_schema(schema)
    texts = [text for text in (say(grammar, seed) for seed in range(1, 9)) if text is not None]
    assert texts
    for text in texts:
        validate(text, schema)
        assert json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False).count(
            " "
        ) <= text.count(" ")


def test_an_option_is_said_bare(say: Say) -> None:
    schema = Schema(kinds=frozenset({Kind.STRING}), enum=("a dog", 'a "cat"', "naïve\nline"))
    grammar = compile_schema(schema, TextFormat.ENUM)
    said = {say(grammar, seed) for seed in range(1, 20)}
    assert said <= set(schema.enum or ())
    assert len(said) > 1


def test_json_without_a_schema_is_an_object_or_an_array(say: Say) -> None:
    texts = [text for text in (say(compile_json(), seed) for seed in range(1, 15)) if text is not None]
    assert texts
    for text in texts:
        assert isinstance(json.loads(text), dict | list)


def test_thinking_may_come_first_and_must_where_it_has_begun(say: Say) -> None:
    # A mark of one character: a longer one does not happen by chance.
    begun, free = (
        compile_schema(
            Schema(kinds=frozenset({Kind.BOOLEAN})), thinking=ThinkingTags("<", ">", opened=opened)
        )
        for opened in (True, False)
    )
    for seed in range(1, 6):
        thought, mark, answer = (say(begun, seed) or "").partition(">")
        assert thought
        assert mark
        assert json.loads(answer) in (True, False)
    said = [say(free, seed) or "" for seed in range(1, 6)]
    assert all(json.loads(text.rpartition(">")[2]) in (True, False) for text in said)


@pytest.mark.parametrize(
    "count", [LONGEST_GROUP, LONGEST_GROUP + 1, LONGEST_REPEAT, LONGEST_REPEAT + 1, 2001, 12_345]
)
def test_large_counts_are_kept(say: Say, count: int) -> None:
    text = Schema(kinds=frozenset({Kind.STRING}), min_length=50, max_length=count)
    pair = Schema(kinds=frozenset({Kind.ARRAY}), items=Schema(kinds=frozenset({Kind.INTEGER, Kind.NULL})))
    many = Schema(kinds=frozenset({Kind.ARRAY}), items=pair, min_items=2, max_items=count)
    for schema in (text, many):
        said = say(compile_schema(schema), 3)
        if said is not None:
            validate(said, schema)


@pytest.mark.slow
def test_exactly_so_many_above_what_llama_cpp_repeats(say: Say) -> None:
    schema = Schema(kinds=frozenset({Kind.STRING}), pattern=f"^[01]{{{LONGEST_REPEAT + 1}}}$")
    said = say(compile_schema(schema), 1)
    assert said is not None
    assert len(json.loads(said)) == LONGEST_REPEAT + 1


@pytest.mark.slow
def test_many_members_and_options_are_taken(say: Say) -> None:
    flag = Schema(kinds=frozenset({Kind.BOOLEAN}))
    wide = Schema(
        kinds=frozenset({Kind.OBJECT}),
        properties=tuple(Property(f"p{at}", flag, required=at % 2 == 0) for at in range(100)),
    )
    labels = Schema(enum=tuple(f"label {at} of many" for at in range(2000)))
    for schema in (wide, labels):
        said = say(compile_schema(schema), 2)
        assert said is not None
        validate(said, schema)


def test_the_detection_answer_is_plain(say: Say) -> None:
    said = next(
        text for seed in range(1, 30) if (text := say(compile_schema(DETECTION), seed)) not in (None, "[]")
    )
    assert said is not None
    assert said.startswith('[{"box_2d":[')


@settings(max_examples=examples(40))
@given(schemas().map(checkable), st.integers(1, 1000))
@pytest.mark.slow
def test_random_schemas_are_taken_and_kept(say: Say, schema: Schema, seed: int) -> None:
    try:
        grammar = compile_schema(schema)
    except Unfillable:
        return
    said = say(grammar, seed)
    if said is not None:
        validate(said, schema)


def test_a_random_model_that_may_call_says_text_or_calls_that_validate(say: Say) -> None:
    functions = tuple(
        FunctionDeclaration(name, "", schema)
        for name, schema in SHAPES.items()
        if schema.kinds == {Kind.OBJECT}
    )
    assert len(functions) > 1
    for output in (Output(), Output(TextFormat.JSON, DETECTION)):
        grammar = compile_calls(Request(turns=(), functions=functions, output=output))
        texts = [text for text in (say(grammar, seed) for seed in range(1, 33)) if text is not None]
        read = [fold(read_marked([Piece(text, finish=Finish.STOP)], functions))[0] for text in texts]
        assert any(answer.text for answer in read), texts
        # Of all the ways to begin a free text one is a call's; an array has two ways, and they are as likely.
        assert output.schema is None or any(answer.calls for answer in read), texts
        for text, answer in zip(texts, read, strict=True):
            assert bool(answer.calls) is not bool(answer.text)
            assert bool(answer.calls) is text.startswith("<")
            if output.schema is not None and not answer.calls:
                validate(text, output.schema)
