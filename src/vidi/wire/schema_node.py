"""One node of a response schema: its keywords, read and checked on their own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from vidi.domain.schema import Kind, Scalar
from vidi.wire.scalars import integer, member, number
from vidi.wire.violations import TYPE_URL, FieldViolation, InvalidFields, Scope, unknown_name, wrong_value


class _Type(IntEnum):
    """The API's `Type`, with its numbers."""

    TYPE_UNSPECIFIED = 0
    STRING = 1
    NUMBER = 2
    INTEGER = 3
    BOOLEAN = 4
    ARRAY = 5
    OBJECT = 6
    NULL = 7


_GROUPS = (
    "type format title description nullable enum const default example examples",
    "properties required additionalProperties propertyOrdering minProperties maxProperties",
    "items prefixItems minItems maxItems minLength maxLength pattern",
    "minimum maximum exclusiveMinimum exclusiveMaximum anyOf oneOf allOf",
    "defs definitions ref $defs $ref $id $anchor $schema $comment",
)
_KEYWORDS = frozenset(name for group in _GROUPS for name in group.split())
_CAMEL = {re.sub("[A-Z]", lambda big: f"_{big[0].lower()}", name): name for name in _KEYWORDS}
_NULL_MEANS_SOMETHING = ("const", "default")
_IMPLIED = {"properties": Kind.OBJECT, "items": Kind.ARRAY, "prefixItems": Kind.ARRAY}
_LIMITS = (("minItems", "maxItems"), ("minLength", "maxLength"), ("minimum", "maximum"))
_MAX_REPORTED = 20


@dataclass(frozen=True, slots=True)
class Place:
    """A node's path, twice: with entries of a map by number, as reading names them, and by their keys."""

    scope: Scope
    numbered: str
    named: str

    def member(self, name: str) -> Place:
        """The place of a keyword's value."""
        return Place(self.scope, f"{self.numbered}.{_snake(name)}", f"{self.named}.{_snake(name)}")

    def item(self, index: int) -> Place:
        """The place of a list's element."""
        return Place(self.scope, f"{self.numbered}[{index}]", f"{self.named}[{index}]")

    def entry(self, index: int, key: str) -> Place:
        """The place of a map's value."""
        return Place(self.scope, f"{self.numbered}[{index}].value", f"{self.named}[{key[:80]}]")

    def fault(self, text: str) -> InvalidFields:
        """The error for a node that was read but makes no sense."""
        return InvalidFields([FieldViolation(self.named, f"* {self.scope.request}.{self.named}: {text}\n")])

    def wrong(self, kind: str, value: object) -> InvalidFields:
        """The error for a value that the keyword cannot hold."""
        return InvalidFields([wrong_value(self.numbered, kind, value)])


def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda big: f"_{big[0].lower()}", name)


@dataclass(frozen=True, slots=True)
class Node:
    """The keywords of one node under their camelCase names; absent ones and nulls are left out."""

    keywords: dict[str, object]
    place: Place

    @staticmethod
    def read(raw: dict[str, object], place: Place, *, closed: bool) -> Node:
        """Normalise names; unknown ones are refused if `closed`, else ignored.

        Raises:
            InvalidFields: A name is unknown.
        """
        keywords: dict[str, object] = {}
        unknown: list[str] = []
        for name, value in raw.items():
            keyword = name if name in _KEYWORDS else _CAMEL.get(name)
            if keyword is None:
                unknown.append(name)
            elif value is not None or keyword in _NULL_MEANS_SOMETHING:
                keywords[keyword] = value
        if unknown and closed:
            raise InvalidFields(unknown_name(name, place.numbered) for name in unknown[:_MAX_REPORTED])
        return Node(keywords, place)

    def text(self, name: str) -> str:
        """A string, "" if absent."""
        value = self.keywords.get(name, "")
        if not isinstance(value, str):
            raise self.place.member(name).wrong("TYPE_STRING", value)
        return value

    def flag(self, name: str) -> bool:
        """A bool, false if absent."""
        value = self.keywords.get(name, False)
        if not isinstance(value, bool):
            raise self.place.member(name).wrong("TYPE_BOOL", value)
        return value

    def count(self, name: str) -> int | None:
        """A number of things: an integer from 0 on, perhaps in a string."""
        if name not in self.keywords:
            return None
        value = integer(self.keywords[name])
        if value is None:
            raise self.place.member(name).wrong("TYPE_INT64", self.keywords[name])
        if value < 0:
            raise self.place.member(name).fault("must not be negative.")
        return value

    def number(self, name: str) -> float | None:
        """A number, perhaps in a string."""
        if name not in self.keywords:
            return None
        value = number(self.keywords[name])
        if value is None or abs(value) > 1e308:
            raise self.place.member(name).wrong("TYPE_DOUBLE", self.keywords[name])
        return value

    def listed(self, name: str) -> list[object]:
        """A list; a lone value is a list of one, an absent one is empty."""
        value = self.keywords.get(name, [])
        return value if isinstance(value, list) else [value]

    def mapped(self, name: str) -> dict[str, object]:
        """An object, empty if absent."""
        value = self.keywords.get(name, {})
        if not isinstance(value, dict):
            raise self.place.member(name).wrong(f"{TYPE_URL}Schema", value)
        return value

    def kinds(self) -> frozenset[Kind]:
        """The allowed types; told by `properties` or `items` where no type is given."""
        kinds: set[Kind] = set()
        for value in self.listed("type"):
            kind = member(_Type, value)
            if kind is None:
                raise self.place.member("type").wrong(f"{TYPE_URL}Type", value)
            if kind is not _Type.TYPE_UNSPECIFIED:
                kinds.add(Kind[kind.name])
        if not kinds:
            kinds = {kind for name, kind in _IMPLIED.items() if name in self.keywords}
        if kinds and self.flag("nullable"):
            kinds.add(Kind.NULL)
        return frozenset(kinds)

    def enum(self, kinds: frozenset[Kind]) -> tuple[Scalar, ...] | None:
        """The allowed values, without those of another type; OpenAPI writes numbers as strings."""
        if "const" in self.keywords:
            values = [self.keywords["const"]]
        elif "enum" in self.keywords:
            values = self.listed("enum")
        else:
            return None
        place = self.place.member("const" if "const" in self.keywords else "enum")
        if not values:
            raise place.fault("must hold at least one value.")
        chosen = [_typed(value, kinds, place.item(index)) for index, value in enumerate(values)]
        if self.flag("nullable"):
            chosen.append(None)
        kept = tuple(value for value in chosen if not kinds or _kind(value) & kinds)
        if not kept:
            raise place.fault("none of the values has the type of the schema.")
        return kept

    def check_limits(self) -> None:
        """Refuse limits that no value can keep."""
        for low, high in _LIMITS:
            least, most = self.number(low), self.number(high)
            if least is not None and most is not None and least > most:
                raise self.place.member(low).fault(f"must not be greater than {_snake(high)}.")


def _typed(value: object, kinds: frozenset[Kind], place: Place) -> Scalar:
    if isinstance(value, str) and kinds and Kind.STRING not in kinds:
        read = integer(value) if Kind.INTEGER in kinds else number(value)
        return value if read is None else read
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise place.wrong("TYPE_STRING", value)


def _kind(value: Scalar) -> frozenset[Kind]:
    """The types that a value has; an integral number is both."""
    if value is None:
        return frozenset({Kind.NULL})
    if isinstance(value, bool):
        return frozenset({Kind.BOOLEAN})
    if isinstance(value, str):
        return frozenset({Kind.STRING})
    return frozenset({Kind.NUMBER, Kind.INTEGER} if integer(value) is not None else {Kind.NUMBER})
