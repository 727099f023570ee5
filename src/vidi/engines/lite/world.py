"""What belongs to what, the same for every language, and how the boxes of two things can lie."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib.resources import files

from vidi.domain.geometry import GRID, Box

IMAGENET_CLASSES: tuple[str, ...] = tuple(
    files("vidi.engines.lite").joinpath("imagenet_labels.txt").read_text("utf-8").splitlines()
)
"""The classifier's 1,000 classes under everyday names, no two alike, in the order of ILSVRC 2012."""


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
class Ground:
    """A place that is told by what a thing stands on.

    Attributes:
        scene: The place.
        who: Detector classes that are found there.
        colour: The colour of the lower half, or "" if the thing alone tells the place.
        least: The part of the lower half that has it, 0..1.
    """

    scene: str
    who: frozenset[str]
    colour: str
    least: float


class BoxRelation(Enum):
    """How one thing's box lies to another's."""

    TOUCHING = "touching"
    AT_FEET = "at_feet"
    MOUNTED = "mounted"
    HELD = "held"
    AT_MOUTH = "at_mouth"
    RESTING_ON = "resting_on"
    LYING_ON = "lying_on"
    APART = "apart"

    def holds(self, one: Box, other: Box) -> bool:
        """Whether two boxes lie so."""
        return _HOLDS[self](one, other)


class Action(Enum):
    """What one thing is said to do with another."""

    RIDING_WAVE = "riding_wave"
    SKIING = "skiing"
    SNOWBOARDING = "snowboarding"
    RIDING = "riding"
    WEARING = "wearing"
    HOLDING = "holding"
    EATING = "eating"
    USING = "using"
    PLAYING_WITH = "playing_with"
    FLYING = "flying"
    SITTING_ON = "sitting_on"
    ON = "on"
    AT = "at"


@dataclass(frozen=True, slots=True)
class Relation:
    """What one thing does with another where their boxes lie so.

    Attributes:
        who: Detector classes that may do it.
        what: Detector classes that it may be done with.
        how: How their boxes must lie.
        says: What it is then said to do.
    """

    who: frozenset[str]
    what: frozenset[str]
    how: BoxRelation
    says: Action


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
        wild: Animals that the detector has no class for.
        family: Classifier class to the detector class, or the wild animal, that it is a kind of.
        scene_of: Classifier class to the place that it speaks for.
        rooms: Places told by things, most telling first.
        grounds: Places told by the leading thing and the pixels under it.
        carriers: Detector classes that other things stand or lie on.
        grazers: Detector classes of animals that stand or graze where there is grass.
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
    wild: frozenset[str]
    family: Mapping[str, str]
    scene_of: Mapping[str, str]
    rooms: tuple[Room, ...]
    grounds: tuple[Ground, ...]
    carriers: frozenset[str]
    grazers: frozenset[str]
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
    wild = frozenset(tables["wild"])
    groups["animal"] |= wild
    sides = tables["indoors"]
    worth = tables["worth"]
    return World(
        groups=groups,
        lookalikes=tuple(frozenset(labels) for labels in tables["lookalikes"].values()),
        confusions=tuple(frozenset(labels) for labels in tables["confusions"].values()),
        wild=wild,
        family=_inverted(tables["families"] | tables["wild"]),
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
        grounds=tuple(
            Ground(each["scene"], frozenset(each["who"]), each.get("colour", ""), each.get("least", 0.0))
            for each in tables["grounds"]
        ),
        carriers=frozenset(tables["carriers"]["what"]),
        grazers=frozenset(tables["grazers"]["what"]),
        inside=frozenset(sides["inside"]),
        outside=frozenset(sides["outside"]),
        inside_things=frozenset(sides["inside_things"]),
        outside_things=frozenset(sides["outside_things"]),
        relations=tuple(
            Relation(
                who=groups.get(rule["who"], frozenset({rule["who"]})),
                what=frozenset(rule["what"]),
                how=BoxRelation(rule["how"]),
                says=Action(rule["says"]),
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


ROWS = ("top", "middle", "bottom")
COLUMNS = ("left", "centre", "right")

CELLS: tuple[str, ...] = tuple(f"{row} {column}" for row in ROWS for column in COLUMNS)
"""The nine cells, row by row; languages name them."""


def cell_of(box: Box) -> str:
    """The cell that holds the middle of a box, as "top left"; "middle centre" for a box that spans all."""
    centre = box.centre()
    return f"{ROWS[_third(centre.y)]} {COLUMNS[_third(centre.x)]}"


def _third(value: float) -> int:
    return min(2, max(0, int(value * 3 / GRID)))


def shared(one: Box, other: Box) -> float:
    """The part of `one` that `other` covers, 0..1."""
    common = one.common(other)
    return common / one.area() if common else 0.0


def grown(box: Box, by: float) -> Box:
    """A box made larger on every side by a part of its own sides."""
    dy, dx = (box.ymax - box.ymin) * by, (box.xmax - box.xmin) * by
    return Box(box.ymin - dy, box.xmin - dx, box.ymax + dy, box.xmax + dx)


def touching(one: Box, other: Box) -> bool:
    """Whether two boxes meet, with a little slack."""
    return shared(grown(one, 0.05), grown(other, 0.05)) > 0


def resting_on(one: Box, other: Box) -> bool:
    """Whether `one` ends within `other` and stands over it: its foot is covered, its middle is higher."""
    foot = Box(one.ymax - (one.ymax - one.ymin) * 0.25, one.xmin, one.ymax, one.xmax)
    narrow = Box(foot.ymin, foot.centre().x - 30, foot.ymax, foot.centre().x + 30)
    carried = shared(foot, other) > 0.35 or shared(narrow, other) > 0.6
    return carried and one.centre().y < other.centre().y


def lying_on(one: Box, other: Box) -> bool:
    """Whether `one` lies within `other`, as a plate on a table seen from above."""
    return shared(one, other) > 0.6 and one.area() < other.area()


def at_feet(one: Box, other: Box) -> bool:
    """Whether `other` lies at the lower end of `one`."""
    line = one.ymin + (one.ymax - one.ymin) * 0.65
    return other.centre().y > line and shared(other, grown(one, 0.25)) > 0.3


def mounted(one: Box, other: Box) -> bool:
    """Whether `one` sits on `other`: above it, over it, and ending before it ends."""
    over = other.xmin - 20 < one.centre().x < other.xmax + 20
    return over and one.ymin < other.ymin + 20 and one.ymax < other.ymax + 10 and shared(one, other) > 0.25


def held(one: Box, other: Box) -> bool:
    """Whether `other` is within reach of `one`: overlapping it, and smaller."""
    return shared(other, grown(one, 0.1)) > 0.4 and other.area() < one.area()


def at_mouth(one: Box, other: Box) -> bool:
    """Whether `other` is within reach of `one` and reaches up to its head."""
    return held(one, other) and other.ymin < one.ymin + (one.ymax - one.ymin) * 0.35


def beside(one: Box, other: Box) -> bool:
    """Whether two boxes stand next to each other: level, and apart by less than the narrower is wide."""
    gap = max(one.xmin, other.xmin) - min(one.xmax, other.xmax)
    level = min(one.ymax, other.ymax) - max(one.ymin, other.ymin)
    height = min(one.ymax - one.ymin, other.ymax - other.ymin)
    return gap < min(one.xmax - one.xmin, other.xmax - other.xmin) and level > 0.3 * height


def _anywhere(_one: Box, _other: Box) -> bool:
    """Being in the same picture is enough."""
    return True


_HOLDS: Mapping[BoxRelation, Callable[[Box, Box], bool]] = {
    BoxRelation.TOUCHING: touching,
    BoxRelation.AT_FEET: at_feet,
    BoxRelation.MOUNTED: mounted,
    BoxRelation.HELD: held,
    BoxRelation.AT_MOUTH: at_mouth,
    BoxRelation.RESTING_ON: resting_on,
    BoxRelation.LYING_ON: lying_on,
    BoxRelation.APART: _anywhere,
}
