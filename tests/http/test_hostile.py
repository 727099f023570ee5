"""What a small request makes the server do, counted in calls: no clock, so no busy machine fails it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import hostile_requests as hostile
from bench.hostile_requests import Json
from tests.conftest import examples
from tests.engines.grounding.setting import DIALECTS
from tests.engines.lite.fakes import FakeModels, Scene, lite_of
from vidi.domain.errors import InvalidRequest
from vidi.domain.prompt import Conversation, TextFormat
from vidi.domain.schema import Schema
from vidi.engines.echo import Echo
from vidi.engines.gbnf import compile_schema
from vidi.engines.grounding.request import grounding_request
from vidi.engines.validation import satisfies, to_json_schema
from vidi.wire.decode import RequestLimits, decode_generate
from vidi.wire.interaction_decode import decode_interaction

MOST_CALLS = 10_000_000
"""Of functions in Python and in C, for one request and all that is done about it here, by all the engines:
a few seconds' work. What is legitimate takes a thirtieth of it."""


class TooMuchWork(Exception):
    """More calls than allowed."""


class Work:
    """Counts calls; the first one too many ends what makes them."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, _frame: FrameType, event: str, _argument: object) -> None:
        if event in ("call", "c_call"):
            self.calls += 1
            if self.calls >= MOST_CALLS:
                raise TooMuchWork


@contextmanager
def counted() -> Iterator[Work]:
    """Count the calls in the block."""
    work = Work()
    before = sys.getprofile()
    sys.setprofile(work)
    try:
        yield work
    finally:
        sys.setprofile(before)


Decode = Callable[[bytes], Conversation]


def _decode_generate(body: bytes) -> Conversation:
    return decode_generate(body, RequestLimits(model="m"))


def _decode_interaction(body: bytes) -> Conversation:
    return decode_interaction(body, 3_600).conversation


def calls_for(body: bytes, decode: Decode = _decode_generate) -> int:
    """Do with a body what the server and its engines do, and count."""
    models = FakeModels()
    picture = models.know(Scene())
    with counted() as work, suppress(InvalidRequest):
        conversation = decode(body)
        prompt = conversation.with_images([picture] * sum(1 for _ in conversation.images()))
        asked: tuple[Callable[[], object], ...] = (
            lambda: grounding_request(conversation, DIALECTS["qwen2.5-vl"]),
            lambda: list(Echo().generate(prompt)),
            lambda: list(lite_of(models).generate(prompt)),
            lambda: _grammar(prompt.output.schema, prompt.output.format),
        )
        for each in asked:
            with suppress(InvalidRequest):
                each()
    return work.calls


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    """What is built for the first request of a process, once for all of them, is no work of a hostile one."""
    calls_for(hostile.json_schema({"type": "object", "properties": {"people": {"type": "integer"}}}))


def _grammar(schema: Schema | None, form: TextFormat) -> None:
    if schema is not None:
        to_json_schema(schema)
        satisfies([[]] * 100, schema)
        compile_schema(schema, form)


def _asked(made: Callable[[], Json]) -> bytes:
    return hostile.json_schema(made())


BODIES: Mapping[str, Callable[[], bytes]] = {
    **{f"JSON: {name}": made for name, made in hostile.JSON_FAMILIES.items()},
    **{f"message: {name}": made for name, made in hostile.MESSAGE_FAMILIES.items()},
    **{f"schema: {name}": partial(_asked, made) for name, made in hostile.SCHEMA_FAMILIES.items()},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BODIES)
def test_no_family_of_requests_asks_for_more_work_than_is_done(name: str) -> None:
    assert calls_for(BODIES[name]()) < MOST_CALLS


@pytest.mark.slow
@pytest.mark.parametrize("name", hostile.INTERACTION_FAMILIES)
def test_nor_does_an_interaction(name: str) -> None:
    assert calls_for(hostile.INTERACTION_FAMILIES[name](), _decode_interaction) < MOST_CALLS


SCALARS = st.sampled_from(["dog", "a red car", "", 0, 1, 2.5, True, None])
WORDS = st.sampled_from(("label", "box_2d", "points", "count", "x_min", "caption", "zzz", "objects"))
LEAVES: st.SearchStrategy[Json] = st.one_of(
    st.just({"type": "string"}),
    st.just({"type": "integer", "minimum": 0, "maximum": 1000}),
    st.builds(
        lambda values, by: {"enum": [f"{value} {at}" for at in range(by) for value in values]},
        st.lists(SCALARS, min_size=1, max_size=3),
        st.sampled_from((1, 30, 3_000)),
    ),
    st.sampled_from(("^[a-z]+$", "(a|b)?{900}", "((a|b)?){300}x", r"\d{3}-\d{4}")).map(
        lambda pattern: {"type": "string", "pattern": pattern, "minLength": 3}
    ),
    st.just({"type": "string", "description": "Is there a dog, or how many? " * 60}),
)


def _grown(parts: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """One level more, of the kinds that multiply what is below."""
    many = st.sampled_from((1, 2, 12, 300))
    grown: list[st.SearchStrategy[Json]] = [
        st.builds(lambda part, by: {"anyOf": [part] * by}, parts, many),
        st.builds(lambda part, other: {"anyOf": [other], **_as_object(part)}, parts, parts),
        st.builds(
            lambda part, word, by, needed: {
                "type": "object",
                "properties": {f"{word}{'_' * at}": part for at in range(by)},
                "required": [f"{word}{'_' * at}" for at in range(by if needed else 0)],
            },
            parts,
            WORDS,
            many,
            st.booleans(),
        ),
        st.builds(
            lambda part, least: {"type": "array", "items": part, "minItems": least},
            parts,
            st.sampled_from((0, 2, 9_000)),
        ),
        st.builds(lambda part, by: {"type": "array", "prefixItems": [part] * by}, parts, many),
        st.builds(lambda part: {"type": "object", "additionalProperties": part}, parts),
    ]
    return st.one_of(grown)


def _as_object(part: Json) -> dict[str, Json]:
    return part if isinstance(part, dict) else {}


def _defined(levels: list[Json], fan: int) -> Json:
    """Definitions of which each refers to the one before, many times."""
    definitions: dict[str, Json] = {"l0": levels[0]}
    for at, level in enumerate(levels[1:], start=1):
        below: list[Json] = [{"$ref": f"#/$defs/l{at - 1}"}] * fan
        definitions[f"l{at}"] = {"anyOf": [*below, level]}
    return {"$defs": definitions, "$ref": f"#/$defs/l{len(levels) - 1}"}


SCHEMAS = st.recursive(LEAVES, _grown, max_leaves=4)


@settings(max_examples=examples(25))
@given(
    st.lists(st.recursive(LEAVES, _grown, max_leaves=4), min_size=1, max_size=5), st.sampled_from((1, 3, 25))
)
def test_no_schema_asks_for_more_work_than_is_done(levels: list[Json], fan: int) -> None:
    body = hostile.json_schema(_defined(levels, fan))
    if len(body) < hostile.LARGEST:
        assert calls_for(body) < MOST_CALLS


def test_what_is_legitimate_takes_a_thirtieth_of_it() -> None:
    labels: Json = {"type": "string", "enum": [f"label {at}" for at in range(1_000)]}
    fields: Json = {
        "type": "object",
        "properties": {f"field_{at}": {"anyOf": [{"type": "string"}, {"type": "null"}]} for at in range(50)},
        "required": [f"field_{at}" for at in range(25)],
    }
    for schema in (labels, fields, {"type": "array", "items": fields}):
        assert calls_for(hostile.json_schema(schema)) < MOST_CALLS / 30
