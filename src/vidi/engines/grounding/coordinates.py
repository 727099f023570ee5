"""From the numbers that a family writes to places on the caller's image."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice

from vidi.domain.geometry import Box, Point
from vidi.domain.prompt import Picture
from vidi.domain.schema import JsonValue
from vidi.engines.profile import Dialect, Order


class Unit(Enum):
    """What a caller measures places in; each picture has so many of them from edge to edge."""

    THOUSANDTHS = "0..1000"
    PARTS = "0..1"
    PIXELS = "pixels"


@dataclass(frozen=True, slots=True)
class PlaceWording:
    """How a text wants places written, as far as it says so.

    Attributes:
        x_first: Whether it spells out an order with x before y, as `[xmin, ymin, xmax, ymax]`.
        unit: What it wants them measured in; None if it does not say.
        names: What it calls the members of an object, as `bbox` and `name`.
    """

    x_first: bool = False
    unit: Unit | None = None
    names: tuple[str, ...] = ()

    @property
    def usual(self) -> bool:
        """Whether it asks for nothing but the API's own way."""
        return not self.x_first and self.unit in (None, Unit.THOUSANDTHS)

    def over(self, other: PlaceWording) -> PlaceWording:
        """This wording, and what `other` says where this one says nothing."""
        return PlaceWording(self.x_first or other.x_first, self.unit or other.unit, self.names or other.names)


USUAL = PlaceWording()
"""The API's own way."""

_READ, _NAMED, _LOOKED_AT = 20_000, 4_000, 50
"""Characters that are read, those in which names are looked for, and ranges that are looked at."""
_X_FIRST = re.compile(r"[\[(]\s*x(?:_?(?:min|[01]))?\s*,\s*y", re.IGNORECASE)
_THOUSAND = re.compile(r"\b0\s*(?:,|-|–|to|and|\.\.\.?)\s*1,?000\b")
_ONE = re.compile(r"\b0(?:\.0+)?\s*(?:,|-|–|to|and|\.\.\.?)\s*1(?:\.0+)?(?![\d.,]*\d)")
_PIXELS = re.compile(r"\b(?:in|as)\s+(?:(?:absolute|image|the)\s+)?pixels?\b", re.IGNORECASE)
_MEASURED = re.compile(
    r"(?P<place>coord|box|point|normali[sz]ed|\b[xy]_?(?:min|max|[012])\b|corner|edge)"
    r"|confiden|score|probab|certain|likel|\bsize|width of|resolution",
    re.IGNORECASE,
)


def place_wording(text: str) -> PlaceWording:
    """How a text wants places written; a range or a unit counts where it is said of coordinates."""
    text = text[:_READ]
    units = ((_THOUSAND, Unit.THOUSANDTHS), (_ONE, Unit.PARTS), (_PIXELS, Unit.PIXELS))
    said = (
        unit
        for pattern, unit in units
        for found in islice(pattern.finditer(text), _LOOKED_AT)
        if _of_places(text, found.start())
    )
    return PlaceWording(_X_FIRST.search(text) is not None, next(said, None), names_in(text[:_NAMED]))


def _of_places(text: str, at: int) -> bool:
    """Whether the last thing that is spoken of before `at` has coordinates, and not a score."""
    spoken = list(_MEASURED.finditer(text, max(0, at - 200), at))
    return bool(spoken) and spoken[-1]["place"] is not None


_EXAMPLE = re.compile(r"\{[^{}]{0,2000}\}")
_QUOTED_KEY = re.compile(r"[\"'](\w{1,40})[\"']\s*:")
_NAMES = re.compile(
    r"\b(?:keys?|fields?|properties|attributes|anahtarlar\w*)\b\s*(?:named|called|are|of)?:?\s+([^.\n;{}]+)",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"\([^()]{0,200}\)|\[[^\[\]]{0,200}\]")
_NAME = re.compile(r"[\"'`]?([A-Za-z_]\w{0,39})[\"'`]?")
_JOINTS = re.compile(r",|\band\b|\bve\b|&")


def names_in(text: str) -> tuple[str, ...]:
    """The names of an object's members that a text tells, in an example or in words; () if it tells none."""
    example = _EXAMPLE.search(text)
    if example:
        return tuple(dict.fromkeys(_QUOTED_KEY.findall(example[0])))
    told = _NAMES.search(_ASIDE.sub(" ", text))
    if told is None:
        return ()
    names = [_NAME.fullmatch(part.strip(" :()")) for part in _JOINTS.split(told[1]) if part.strip()]
    return tuple(dict.fromkeys(name[1] for name in names if name))


_FARTHEST = 1e6
"""Numbers beyond are cut to it: no picture is so large, and arithmetic stays finite."""


@dataclass(frozen=True, slots=True)
class Denormalizer:
    """Measures in one dialect on the pictures of one prompt.

    Attributes:
        dialect: Gives order, scale and bins.
        pictures: In the prompt's order; at least one. A place lies on the last unless it says otherwise.
    """

    dialect: Dialect
    pictures: Sequence[Picture]

    def box(self, numbers: Sequence[float], image: int | None = None) -> Box | None:
        """A box from four numbers in the family's order.

        Args:
            numbers: Two opposite corners; reversed ones are set right, and what lies outside is cut off.
            image: Index of the picture from 0; None, or one that is not there, is the last.

        Returns:
            The box on the caller's image, whole numbers 0..1000; None if nothing of it is left.
        """
        if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
            return None
        x0, y0 = self._pixels(numbers[:2], numbers, image)
        x1, y1 = self._pixels(numbers[2:], numbers, image)
        placement = self.picture(image).placement
        box = placement.box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
        ymin, xmin, ymax, xmax = _rounded(box).box_2d()
        return Box(ymin, xmin, ymax, xmax) if ymin < ymax and xmin < xmax else None

    def point(self, numbers: Sequence[float], image: int | None = None) -> Point | None:
        """A point from two numbers in the family's order, or the middle of a box from four."""
        if len(numbers) == 4:
            box = self.box(numbers, image)
            return box.centre() if box else None
        if len(numbers) != 2 or not all(map(math.isfinite, numbers)):
            return None
        x, y = self._pixels(numbers, numbers, image)
        place = _rounded(self.picture(image).placement.box(x, y, x, y))
        return Point(*Point(place.ymin, place.xmin).point())

    def source_size(self, image: int | None) -> tuple[int, int]:
        """Height and width in pixels of the caller's picture that a place lies on."""
        placement = self.picture(image).placement
        return placement.source_height, placement.source_width

    def picture(self, image: int | None) -> Picture:
        """The picture of that index from 0, as the model got it; the last if there is none."""
        there = image is not None and 0 <= image < len(self.pictures)
        return self.pictures[image if there and image is not None else -1]

    def _pixels(
        self, pair: Sequence[float], whole: Sequence[float], image: int | None
    ) -> tuple[float, float]:
        """A corner as x and y in pixels of the picture as the model got it."""
        dialect = self.dialect
        first, second = _cut(pair[0]), _cut(pair[1])
        x, y = (first, second) if dialect.order is Order.XYXY else (second, first)
        if dialect.scale == 0:
            return x, y
        scale = 1.0 if dialect.fractions and all(0 <= number <= 1 for number in whole) else dialect.scale
        half = 0.5 if dialect.centred and scale == dialect.scale else 0.0
        picture = self.picture(image)
        return (x + half) / scale * picture.width, (y + half) / scale * picture.height


def _cut(number: float) -> float:
    return min(_FARTHEST, max(-_FARTHEST, number))


def _rounded(box: Box) -> Box:
    """Without the last digits of floating point, so that what lies half-way is always rounded up."""
    return Box(round(box.ymin, 6), round(box.xmin, 6), round(box.ymax, 6), round(box.xmax, 6))


Group = tuple[float, ...]
"""Four numbers of a box or two of a point, in the family's order."""

EDGES: tuple[tuple[str, str, str, str], ...] = (
    ("ymin", "xmin", "ymax", "xmax"),
    ("y_min", "x_min", "y_max", "x_max"),
    ("y1", "x1", "y2", "x2"),
    ("y0", "x0", "y1", "x1"),
    ("top", "left", "bottom", "right"),
)
"""Names under which the four edges of a box are written, y first."""

SIZES: tuple[tuple[str, str, str, str], ...] = (
    ("y", "x", "height", "width"),
    ("y", "x", "h", "w"),
    ("top", "left", "height", "width"),
)
"""Names of a corner and a size, y first."""

MIDDLE = ("y", "x")
"""Names of a point's two members."""

EDGE_NAMES = frozenset(name for names in (*EDGES, *SIZES) for name in names)
"""All of these names."""

LONGEST_ARRAY = 300
"""Characters of a bare array of numbers, and of what may stand before it."""

_FENCE = re.compile(r"```(?:json)?")
_WORD = re.compile(r"[^\W\d_]{2,}")
_BRACKETED = re.compile(r"[\[(<]\s*([-\d.][-\d.eE\s,]*[\d.])\s*[\])>]")
_NUMBER = re.compile(r"[-+]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})(?:[eE][-+]?\d{1,3})?")

_DEEPEST = 6
"""Lists within lists that are looked into."""


def groups_in(value: JsonValue, order: Order, depth: int = 0) -> Iterator[Group]:
    """Every box and point in a value: `[1, 2, 3, 4]`, lists of such, `{"x1": 1, ...}`, `"1 2 3 4"`.

    Members with names are put into the family's order; other numbers are taken to be in it.
    """
    if isinstance(value, str):
        yield from grouped(numbers_in(value))
    elif isinstance(value, dict):
        group = named_group(value, order)
        if group:
            yield group
    elif isinstance(value, list):
        numbers = [_number(each) for each in value]
        if None not in numbers:
            yield from grouped([number for number in numbers if number is not None])
        elif depth < _DEEPEST:
            for each in value:
                yield from groups_in(each, order, depth + 1)


def named_group(value: Mapping[str, JsonValue], order: Order) -> Group | None:
    """The box or point whose numbers have names, in the family's order; None if there is none."""
    for edges in EDGES:
        box = _members(value, edges)
        if box:
            return _ordered(box, order)
    for sizes in SIZES:
        box = _members(value, sizes)
        if box:
            top, left, height, width = box
            return _ordered((top, left, top + height, left + width), order)
    point = _members(value, MIDDLE)
    return _ordered(point, order) if point else None


def numbers_in(text: str) -> list[float]:
    """Every number in a text, in its order."""
    return [float(found) for found in _NUMBER.findall(text)]


def grouped(numbers: Sequence[float]) -> Iterator[Group]:
    """Two numbers are a point; four, and any further four, a box; what is left over is nothing."""
    if len(numbers) == 2:
        yield tuple(numbers)
    for start in range(0, len(numbers) - 3, 4):
        yield tuple(numbers[start : start + 4])


def _members(value: Mapping[str, JsonValue], names: Sequence[str]) -> Group | None:
    numbers = [_number(value.get(name)) for name in names]
    present = tuple(number for number in numbers if number is not None)
    return present if len(present) == len(names) else None


def _ordered(numbers: Group, order: Order) -> Group:
    """From y first to the family's order."""
    if order is Order.YXYX:
        return numbers
    return tuple(numbers[index ^ 1] for index in range(len(numbers)))


def _number(value: JsonValue) -> float | None:
    if isinstance(value, int | float) and value is not True and value is not False:
        return float(value) if -1e300 < value < 1e300 else None
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    return None


class LooseArrays:
    """Arrays of numbers outside of any object: how some models answer when they forget the names.

    In prose such an array is only believed where the family is known to answer so.
    """

    def __init__(self, *, prose: bool) -> None:
        """Begin before the answer; `prose` where the family writes such arrays between words."""
        self._prose = prose
        self._open = True
        self._text = ""
        self._seen: set[Group] = set()

    def close(self) -> None:
        """An object with a place was met: from here on there are no bare arrays."""
        self._open = False
        self._text = ""

    def push(self, text: str) -> Iterator[Group]:
        """Take a stretch of text outside of objects; gives the groups in it that are new."""
        if not self._open:
            return
        self._text += text
        done = 0
        for match in _BRACKETED.finditer(self._text):
            worded = _WORD.search(_FENCE.sub("", self._text[done : match.start()]))
            done = match.end()
            if worded and not self._prose:
                self.close()
                return
            for group in grouped(numbers_in(match.group(1))):
                if group not in self._seen and len(self._seen) < 10_000:
                    self._seen.add(group)
                    yield group
        self._text = self._text[done:]
        if len(self._text) > LONGEST_ARRAY:
            self._open = self._prose
            self._text = self._text[-LONGEST_ARRAY:] if self._prose else ""
