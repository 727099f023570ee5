"""Schemas for property tests: every keyword, sensible or not."""

from __future__ import annotations

from hypothesis import strategies as st

from vidi.domain.schema import Kind, Property, Schema

NAMES = st.sampled_from(
    (
        *("label", "box_2d", "bbox2d", "point", "points", "count", "color", "text", "caption", "isIndoor"),
        *("has_dog", "dogs"),
        *("width", "x_min", "score", "tags", "objects", "scene", "position", "answer", "zzz", "size", ""),
    )
)
SMALL = st.none() | st.integers(0, 5)
SCALARS = st.sampled_from(["dog", "cat", "indoor", "yes", "no", "", 0, 1, 2.5, True, None])


def schemas(depth: int = 2) -> st.SearchStrategy[Schema]:
    """Schemas nested at most `depth` deep; some contradict themselves."""
    inner = schemas(depth - 1) if depth else st.nothing()
    some = st.lists(inner, max_size=2).map(tuple) if depth else st.just(())
    return st.builds(
        Schema,
        kinds=st.frozensets(st.sampled_from(Kind), max_size=2),
        enum=st.none() | st.none() | st.lists(SCALARS, max_size=3).map(tuple),
        properties=_properties(inner) if depth else st.just(()),
        items=(st.none() | inner) if depth else st.none(),
        prefix_items=some,
        any_of=st.just(()) | some,
        minimum=st.none() | st.floats(-5, 5),
        maximum=st.none() | st.floats(-5, 1000),
        min_items=SMALL,
        max_items=SMALL,
        min_length=SMALL,
        max_length=SMALL,
        pattern=st.none() | st.none() | st.sampled_from(["^[a-z]+$", "^#[0-9a-f]{6}$", "("]),
        format=st.none() | st.sampled_from(["date", "date-time", "uri"]),
        description=st.sampled_from(
            ["", "How many dogs are there?", "What color is the car?", "Is there a cat?"]
        ),
    )


def _properties(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[tuple[Property, ...]]:
    each = st.builds(Property, name=NAMES, schema=inner, required=st.booleans())
    return st.lists(each, max_size=3, unique_by=lambda member: member.name).map(tuple)
