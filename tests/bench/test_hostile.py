"""The families of hostile requests: what they send is small, whatever it asks for."""

import pytest

from bench import hostile
from bench.hostile_requests import FAMILIES, LARGEST
from bench.table import Row


def test_every_family_is_under_a_megabyte_and_unlike_the_others() -> None:
    made = {name: family() for name, family in FAMILIES.items()}
    sizes = {name: len(each.path) + len(each.headers) + len(each.body) for name, each in made.items()}
    assert {name: size for name, size in sizes.items() if size > LARGEST - 1000} == {}
    assert len({(each.path, each.headers, each.body, each.upload) for each in made.values()}) == len(made)


def test_every_part_runs_in_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {name: lambda name=name: iter([Row(name)]) for name in ("one", "other")}
    monkeypatch.setattr(hostile, "PARTS", parts)
    assert [row.figure for row in hostile.run()] == ["one", "other"]
