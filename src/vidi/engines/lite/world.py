"""What belongs to what: read once from `vocabulary/world.toml`, the same for every language."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from vidi.engines.lite.vision.classes import IMAGENET_CLASSES


@dataclass(frozen=True, slots=True)
class Room:
    """A place that is told by the things in it.

    Attributes:
        scene: The place.
        every: Classes that must all be there.
        some: Classes of which one must be there; empty asks for none.
        large: Whether one of them must take a good part of the picture.
        many: Whether there must be at least two of them.
        hint: Least probability that the classifier must give the place.
    """

    scene: str
    every: frozenset[str]
    some: frozenset[str]
    large: bool = False
    many: bool = False
    hint: float = 0.0


@dataclass(frozen=True, slots=True)
class Relation:
    """What one thing does with another where their boxes lie so.

    Attributes:
        who: Detector classes that may do it.
        what: Detector classes that it may be done with.
        how: A relation of `places`, or "apart" where being in the same picture is enough.
        says: The phrase of the languages.
    """

    who: frozenset[str]
    what: frozenset[str]
    how: str
    says: str


@dataclass(frozen=True, slots=True)
class Theme:
    """The subject of a whole picture, told by detector classes and places."""

    things: frozenset[str]
    scenes: frozenset[str]


@dataclass(frozen=True, slots=True)
class World:
    """The tables of `vocabulary/world.toml`, ready to ask.

    Attributes:
        groups: Hypernym to detector classes.
        confusions: Sets of detector classes that are often taken for each other.
        lookalikes: Sets of detector classes of which one may be called by another's name.
        herds: Sets of detector classes of which one kind stands together as a rule.
        family: Classifier class to the detector class that it is a kind of.
        scene_of: Classifier class to the place that it speaks for.
        rooms: Places told by things, most telling first.
        inside, outside: Places that are indoors and outdoors.
        inside_things, outside_things: Detector classes that are found there.
        relations: What things do with each other, most telling first.
        coloured: Detector classes whose colour is worth a word.
        known_colours: Detector classes that have one colour.
        themes: Subjects of whole pictures.
    """

    groups: Mapping[str, frozenset[str]]
    confusions: tuple[frozenset[str], ...]
    lookalikes: tuple[frozenset[str], ...]
    herds: tuple[frozenset[str], ...]
    family: Mapping[str, str]
    scene_of: Mapping[str, str]
    rooms: tuple[Room, ...]
    inside: frozenset[str]
    outside: frozenset[str]
    inside_things: frozenset[str]
    outside_things: frozenset[str]
    relations: tuple[Relation, ...]
    coloured: frozenset[str]
    known_colours: Mapping[str, str]
    themes: Mapping[str, Theme]

    def confusable(self, one: str, other: str) -> bool:
        """Whether two detector classes are often taken for each other."""
        return one == other or any(one in group and other in group for group in self.confusions)


def load_world() -> World:
    """Read the tables."""
    text = files("vidi.engines.lite").joinpath("vocabulary", "world.toml").read_text("utf-8")
    tables = tomllib.loads(text)
    groups = {name: frozenset(labels) for name, labels in tables["groups"].items()}
    sides = tables["indoors"]
    worth = tables["worth"]
    return World(
        groups=groups,
        lookalikes=tuple(frozenset(labels) for labels in tables["lookalikes"].values()),
        herds=tuple(frozenset(labels) for labels in tables["herds"].values()),
        confusions=tuple(frozenset(labels) for labels in tables["confusions"].values()),
        family=_inverted(tables["families"]),
        scene_of=_inverted(tables["scenes"]),
        rooms=tuple(
            Room(
                scene=room["scene"],
                every=frozenset(room.get("all", ())),
                some=frozenset(room.get("any", ())),
                large=room.get("large", False),
                many=room.get("many", False),
                hint=room.get("hint", 0.0),
            )
            for room in tables["rooms"]
        ),
        inside=frozenset(sides["inside"]),
        outside=frozenset(sides["outside"]),
        inside_things=frozenset(sides["inside_things"]),
        outside_things=frozenset(sides["outside_things"]),
        relations=tuple(
            Relation(
                who=groups.get(rule["who"], frozenset({rule["who"]})),
                what=frozenset(rule["what"]),
                how=rule["how"],
                says=rule["says"],
            )
            for rule in tables["relations"]
        ),
        coloured=frozenset(worth["colour"]),
        known_colours=worth["colour_known"],
        themes={
            name: Theme(frozenset(theme["things"]), frozenset(theme["scenes"]))
            for name, theme in tables["themes"].items()
        },
    )


def _inverted(table: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """From classifier class to the name it is listed under; `a..b` is a stretch of the classifier's list."""
    return {
        label: name for name, stretches in table.items() for each in stretches for label in _stretch(each)
    }


def _stretch(text: str) -> Sequence[str]:
    first, _, last = text.partition("..")
    start = IMAGENET_CLASSES.index(first)
    return IMAGENET_CLASSES[start : IMAGENET_CLASSES.index(last or first) + 1]
