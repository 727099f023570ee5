"""The schemas of structured output, in both dialects, as one `Schema`.

`responseSchema` is an OpenAPI subset (upper-case types, `nullable`, numbers as strings, unknown names
refused), `responseJsonSchema` is JSON Schema (lists of types, `$ref`, unknown keywords ignored). Their
keywords do not clash, so each is understood in the other: what SDKs and validators emit mostly just works.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import IntEnum
from urllib.parse import unquote

from vidi.domain.budget import Budget, BudgetSpent
from vidi.domain.schema import Kind, Property, Scalar, Schema
from vidi.wire.errors import TYPE_URL, FieldViolation, InvalidFields, Scope, unknown_name, wrong_value
from vidi.wire.fields import integer, member, number


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
_NULL_IS_A_VALUE = ("const", "default")
_IMPLIED = {"properties": Kind.OBJECT, "items": Kind.ARRAY, "prefixItems": Kind.ARRAY}
_LIMITS = (("minItems", "maxItems"), ("minLength", "maxLength"), ("minimum", "maximum"))
_MAX_REPORTED = 20


@dataclass(frozen=True, slots=True)
class SchemaPath:
    """A node's path, twice: with entries of a map by number, as reading names them, and by their keys."""

    scope: Scope
    numbered: str
    named: str

    def member(self, name: str) -> SchemaPath:
        """The place of a keyword's value."""
        return SchemaPath(self.scope, f"{self.numbered}.{_snake(name)}", f"{self.named}.{_snake(name)}")

    def item(self, index: int) -> SchemaPath:
        """The place of a list's element."""
        return SchemaPath(self.scope, f"{self.numbered}[{index}]", f"{self.named}[{index}]")

    def entry(self, index: int, key: str) -> SchemaPath:
        """The place of a map's value."""
        return SchemaPath(self.scope, f"{self.numbered}[{index}].value", f"{self.named}[{key[:80]}]")

    def fault(self, text: str) -> InvalidFields:
        """The error for a node that was read but makes no sense."""
        return InvalidFields([FieldViolation(self.named, f"* {self.scope.request}.{self.named}: {text}\n")])

    def wrong(self, kind: str, value: object) -> InvalidFields:
        """The error for a value that the keyword cannot hold."""
        return InvalidFields([wrong_value(self.numbered, kind, value)])


def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda big: f"_{big[0].lower()}", name)


@dataclass(frozen=True, slots=True)
class SchemaNode:
    """The keywords of one node under their camelCase names; absent ones and nulls are left out."""

    keywords: dict[str, object]
    place: SchemaPath

    @staticmethod
    def read(raw: dict[str, object], place: SchemaPath, *, closed: bool) -> SchemaNode:
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
            elif value is not None or keyword in _NULL_IS_A_VALUE:
                keywords[keyword] = value
        if unknown and closed:
            raise InvalidFields(unknown_name(name, place.numbered) for name in unknown[:_MAX_REPORTED])
        return SchemaNode(keywords, place)

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
        chosen = [_parse_scalar(value, kinds, place, index) for index, value in enumerate(values)]
        if self.flag("nullable"):
            chosen.append(None)
        kept = tuple(value for value in chosen if not kinds or _kinds_of(value) & kinds)
        if not kept:
            raise place.fault("none of the values has the type of the schema.")
        return kept

    def check_limits(self) -> None:
        """Refuse limits that no value can keep."""
        for low, high in _LIMITS:
            least, most = self.number(low), self.number(high)
            if least is not None and most is not None and least > most:
                raise self.place.member(low).fault(f"must not be greater than {_snake(high)}.")


def _parse_scalar(value: object, kinds: frozenset[Kind], place: SchemaPath, index: int) -> Scalar:
    if isinstance(value, str) and kinds and Kind.STRING not in kinds:
        read = integer(value) if Kind.INTEGER in kinds else number(value)
        return value if read is None else read
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise place.item(index).wrong("TYPE_STRING", value)


def _kinds_of(value: Scalar) -> frozenset[Kind]:
    """The types that a value has; an integral number is both."""
    if value is None:
        return frozenset({Kind.NULL})
    if isinstance(value, bool):
        return frozenset({Kind.BOOLEAN})
    if isinstance(value, str):
        return frozenset({Kind.STRING})
    return frozenset({Kind.NUMBER, Kind.INTEGER} if integer(value) is not None else {Kind.NUMBER})


MAX_NODES = 10_000
"""Most nodes after references are unrolled."""

MAX_ENTRIES = 100_000
"""Most names, values and stretches of text in all nodes together, each as often as it is referred to. With
MAX_NODES the bound on the work that a schema asks for, here and of everything that walks over it later."""

_UNROLLINGS = (4, 2, 1)
"""How often a recursive reference is followed along one path; less often if the result grows too large."""

_ENTRIES_PER_NODE = 10
SHARED_WORK = len(_UNROLLINGS) * (_ENTRIES_PER_NODE * MAX_NODES + MAX_ENTRIES)
"""Entries that all schemas of one request may take together: as much as the worst one alone."""

LONGEST_REFERENCE = 2_000
"""Letters of a `$ref`."""

_ENTRIES_PER_PATTERN = 100
"""A pattern costs as much as so many entries: it is compiled, again and again."""

_LETTERS_PER_ENTRY = 100
"""A text of so many letters counts as another entry."""

MAX_DEPTH = 64

_REFERENCES = ("$ref", "ref")


class _SchemaTooLarge(Exception):
    """More nodes, entries or levels than allowed at this number of unrollings; holds the error for it."""

    def __init__(self, fault: InvalidFields) -> None:
        super().__init__(fault.message)
        self.fault = fault


def compile_schema(
    raw: object, field: str, scope: Scope, *, closed: bool, shared: Budget | None = None
) -> Schema:
    """Read a schema of either dialect.

    References are unrolled; where a recursive one has been followed often enough, a property that is not
    required is dropped, an array ends empty and an alternative falls away. `oneOf` is taken as `anyOf`.

    Args:
        raw: The schema as JSON.
        field: Its field, as `generation_config.response_schema`.
        scope: Whose field it is.
        closed: Whether unknown keywords are refused (responseSchema) or ignored (responseJsonSchema).
        shared: Of SHARED_WORK, for all schemas of a request that has several.

    Raises:
        InvalidFields: It is no schema, contradicts itself, or is too large; the message shows where.
    """
    place = SchemaPath(scope, scope.path(field), scope.path(field))
    shared = shared or Budget(SHARED_WORK)
    for unrollings in _UNROLLINGS:
        compiler = _Compiler(raw, unrollings, shared, closed=closed)
        try:
            schema = compiler.node(raw, place, ())
        except _SchemaTooLarge as error:
            if unrollings == _UNROLLINGS[-1] or not compiler.recursive:
                raise error.fault from None
            continue
        if schema is not None:
            return schema
        break
    text = "no value satisfies the schema: it refers to itself without an end, or has an empty anyOf."
    raise place.fault(text)


class _Compiler:
    """Walks over one schema, at one number of unrollings.

    A `Schema` is a tree, for a grammar and a validator that need no names. So a reference is replaced by what
    it names, and a recursive one, which would never end, by nothing after a while. `node` then returns None:
    no value can be written there. The node above decides whether it can do without: a property that is not
    required is dropped, an array ends, an alternative falls away. If it cannot, it is None itself.

    `chain` holds what led to a node: "" for a level of the schema, else the reference that was followed. Its
    length is the depth, and counting a reference in it tells how often it was unrolled on this path.
    """

    def __init__(self, root: object, unrollings: int, shared: Budget, *, closed: bool) -> None:
        self._root = root
        self._unrollings = unrollings
        self._closed = closed
        self.recursive = False
        """Whether a reference was met again behind itself: fewer unrollings then make the schema smaller."""
        self._nodes = Budget(MAX_NODES)
        self._entries = Budget(MAX_ENTRIES)
        self._shared = shared

    def node(self, raw: object, place: SchemaPath, chain: tuple[str, ...]) -> Schema | None:
        """Read one node; None where a recursive reference ends."""
        self._count(raw, place)
        # If references may be what makes it too deep, the schema is tried again with fewer unrollings.
        if len(chain) >= MAX_DEPTH:
            fault = place.fault(f"the schema is nested more than {MAX_DEPTH} levels deep.")
            raise _SchemaTooLarge(fault) if self.recursive else fault
        if raw is True:
            return Schema()
        if not isinstance(raw, dict):
            raise place.wrong(f"{TYPE_URL}Schema", raw)
        node = SchemaNode.read(raw, place, closed=self._closed)
        for name in _REFERENCES:
            if name in node.keywords:
                return self._follow(node, node.text(name), chain)
        if "allOf" in node.keywords:
            return self._all_of(node, chain)
        return self._plain(node, (*chain, ""))

    def _count(self, raw: object, place: SchemaPath) -> None:
        """Count a node and what is in it, before it is read."""
        self._spend_shared(_ENTRIES_PER_NODE, place)
        try:
            self._nodes.spend(1)
        except BudgetSpent:
            text = f"the schema has more than {MAX_NODES} nodes. Use a smaller one."
            raise _SchemaTooLarge(place.fault(text)) from None
        if isinstance(raw, dict):
            # The number of names first: they may be many, and are gone through for the rest.
            self._spend(len(raw), place)
            self._spend(sum(map(_entries_in, raw.values())), place)
            if "pattern" in raw:
                self._spend(_ENTRIES_PER_PATTERN, place)

    def _spend_shared(self, amount: int, place: SchemaPath) -> None:
        try:
            self._shared.spend(amount)
        except BudgetSpent:
            raise place.fault("all schemas are too large together. Use fewer or smaller ones.") from None

    def _spend(self, amount: int, place: SchemaPath) -> None:
        self._spend_shared(amount, place)
        try:
            self._entries.spend(amount)
        except BudgetSpent:
            text = (
                f"the schema has more than {MAX_ENTRIES} names and values, each counted as often as it is "
                "referred to. Use shorter enums and texts, or refer to them less often."
            )
            raise _SchemaTooLarge(place.fault(text)) from None

    def _follow(self, node: SchemaNode, reference: str, chain: tuple[str, ...]) -> Schema | None:
        """The node that a reference names; keywords next to the reference replace the node's own."""
        if len(reference) > LONGEST_REFERENCE:
            raise node.place.member("$ref").fault(f"has more than {LONGEST_REFERENCE} letters.")
        followed = chain.count(reference)
        self.recursive = self.recursive or followed > 0
        if followed >= self._unrollings:
            return None
        others = {name: value for name, value in node.keywords.items() if name not in _REFERENCES}
        target = self._target(reference, node.place)
        merged = {**target, **others} if isinstance(target, dict) else target
        return self.node(merged, node.place, (*chain, reference))

    def _target(self, reference: str, place: SchemaPath) -> object:
        target = self._root
        self._spend(reference.count("/"), place)
        steps = [unquote(step) for step in reference.removeprefix("#").split("/") if step]
        for step in steps:
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(target, dict) or name not in target:
                raise place.fault(f"the reference {reference[:80]!r} leads nowhere.")
            target = target[name]
        return target

    def _all_of(self, node: SchemaNode, chain: tuple[str, ...]) -> Schema | None:
        parts = node.listed("allOf")
        if len(parts) != 1 or not isinstance(parts[0], dict):
            raise node.place.member("allOf").fault("is not supported. Merge the schemas into one.")
        others = {name: value for name, value in node.keywords.items() if name != "allOf"}
        return self.node({**parts[0], **others}, node.place, (*chain, ""))

    def _plain(self, node: SchemaNode, chain: tuple[str, ...]) -> Schema | None:
        node.check_limits()
        kinds = node.kinds()
        shape = Schema(
            kinds=kinds,
            enum=node.enum(kinds),
            minimum=_minimum(node, kinds),
            maximum=_maximum(node, kinds),
            min_items=node.count("minItems"),
            max_items=node.count("maxItems"),
            min_length=node.count("minLength"),
            max_length=node.count("maxLength"),
            pattern=node.text("pattern") or None,
            format=_format(node),
            title=node.text("title"),
            description=node.text("description"),
        )
        with_options = self._with_options(node, shape, chain)
        with_properties = with_options and self._with_properties(node, with_options, chain)
        return with_properties and self._with_items(node, with_properties, chain)

    def _with_options(self, node: SchemaNode, shape: Schema, chain: tuple[str, ...]) -> Schema | None:
        options: list[Schema] = []
        names = [name for name in ("anyOf", "oneOf") if name in node.keywords]
        for name in names:
            place = node.place.member(name)
            read = (self.node(raw, place.item(at), chain) for at, raw in enumerate(node.listed(name)))
            options += [option for option in read if option is not None]
        if not names:
            return shape
        if not options:
            return None
        if node.flag("nullable") and not shape.kinds:
            options.append(Schema(kinds=frozenset({Kind.NULL})))
        return replace(shape, any_of=tuple(options))

    def _with_properties(self, node: SchemaNode, shape: Schema, chain: tuple[str, ...]) -> Schema | None:
        """With an object's properties; None if a required one has no end."""
        raw = node.mapped("properties")
        required = {name: at for at, name in enumerate(node.listed("required")) if isinstance(name, str)}
        for name, at in required.items():
            if "properties" in node.keywords and name not in raw:
                raise node.place.member("required").item(at).fault("property is not defined")
        place = node.place.member("properties")
        properties: list[Property] = []
        for at, (name, value) in enumerate(raw.items()):
            schema = self.node(value, place.entry(at, name), chain)
            if schema is None and name in required:
                return None
            if schema is not None:
                properties.append(Property(name, schema, name in required))
        order = {name: at for at, name in enumerate(node.listed("propertyOrdering")) if isinstance(name, str)}
        properties.sort(key=lambda each: order.get(each.name, len(order)))
        return replace(shape, properties=tuple(properties), additional=self._additional(node, shape, chain))

    def _additional(self, node: SchemaNode, shape: Schema, chain: tuple[str, ...]) -> Schema | None:
        # An object that names no properties at all may have any.
        free = Kind.OBJECT in shape.kinds and "properties" not in node.keywords
        given = node.keywords.get("additionalProperties", free)
        return None if given is False else self.node(given, node.place.member("additionalProperties"), chain)

    def _with_items(self, node: SchemaNode, shape: Schema, chain: tuple[str, ...]) -> Schema | None:
        """With an array's items; a recursion that has to end ends with an empty array."""
        place = node.place.member("prefixItems")
        first = [self.node(raw, place.item(at), chain) for at, raw in enumerate(node.listed("prefixItems"))]
        prefix = tuple(each for each in first if each is not None)
        if len(prefix) < len(first):
            return None
        given = node.keywords.get("items", True)
        if given is True:
            return replace(shape, prefix_items=prefix)
        items = None if given is False else self.node(given, node.place.member("items"), chain)
        if items is None:
            return _only_prefix(shape, prefix)
        return replace(shape, items=items, prefix_items=prefix)


def _entries_in(value: object) -> int:
    if isinstance(value, str):
        return len(value) // _LETTERS_PER_ENTRY
    return len(value) if isinstance(value, list | dict) else 0


def _only_prefix(shape: Schema, prefix: tuple[Schema, ...]) -> Schema | None:
    """An array of nothing but its first items; None if it must be longer."""
    longest = len(prefix) if shape.max_items is None else min(shape.max_items, len(prefix))
    if (shape.min_items or 0) > longest:
        return None
    return replace(shape, max_items=longest, prefix_items=prefix)


def _format(node: SchemaNode) -> str | None:
    given = node.text("format")
    # "enum" only announces that there is an enum.
    return None if given in ("", "enum") else given


def _minimum(node: SchemaNode, kinds: frozenset[Kind]) -> float | None:
    """The inclusive minimum; an exclusive one has a next number only among integers."""
    above = node.number("exclusiveMinimum")
    if above is not None and above == int(above) and kinds - {Kind.NULL} == {Kind.INTEGER}:
        return above + 1
    return node.number("minimum")


def _maximum(node: SchemaNode, kinds: frozenset[Kind]) -> float | None:
    below = node.number("exclusiveMaximum")
    if below is not None and below == int(below) and kinds - {Kind.NULL} == {Kind.INTEGER}:
        return below - 1
    return node.number("maximum")
