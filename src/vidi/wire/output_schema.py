"""The schemas of structured output, in both dialects, as one `Schema`.

`responseSchema` is an OpenAPI subset (upper-case types, `nullable`, numbers as strings, unknown names
refused), `responseJsonSchema` is JSON Schema (lists of types, `$ref`, unknown keywords ignored). Their
keywords do not clash, so each is understood in the other: what SDKs and validators emit mostly just works.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import unquote

from vidi.domain.schema import Kind, Property, Schema
from vidi.wire.schema_node import Node, Place
from vidi.wire.violations import TYPE_URL, Scope

MAX_NODES = 10_000
MAX_DEPTH = 64
_UNROLLINGS = (4, 2, 1)
"""How often a recursive reference is followed along one path; less often if the result grows too large."""

_REFERENCES = ("$ref", "ref")


class _TooLarge(Exception):
    """More nodes or levels than allowed at this number of unrollings."""


def compile_schema(raw: object, field: str, scope: Scope, *, closed: bool) -> Schema:
    """Read a schema of either dialect.

    References are unrolled; where a recursive one has been followed often enough, a property that is not
    required is dropped, an array ends empty and an alternative falls away. `oneOf` is taken as `anyOf`.

    Args:
        raw: The schema as JSON.
        field: Its field, as `generation_config.response_schema`.
        scope: Whose field it is.
        closed: Whether unknown keywords are refused (responseSchema) or ignored (responseJsonSchema).

    Raises:
        InvalidFields: It is no schema, contradicts itself, or is too large; the message shows where.
    """
    place = Place(scope, scope.path(field), scope.path(field))
    for unrollings in _UNROLLINGS:
        try:
            schema = _Compiler(raw, unrollings, closed=closed).node(raw, place, ())
        except _TooLarge:
            continue
        if schema is None:
            raise place.fault(
                "no value satisfies the schema: it refers to itself without an end, or has an empty anyOf."
            )
        return schema
    raise place.fault(f"the schema has more than {MAX_NODES} nodes. Use a smaller one.")


class _Compiler:
    """Walks over one schema; `chain` holds what led to a node: "" for a node, else a reference."""

    def __init__(self, root: object, unrollings: int, *, closed: bool) -> None:
        self._root = root
        self._unrollings = unrollings
        self._closed = closed
        self._nodes = 0

    def node(self, raw: object, place: Place, chain: tuple[str, ...]) -> Schema | None:
        """Read one node; None where a recursive reference ends."""
        self._nodes += 1
        too_deep = len(chain) >= MAX_DEPTH
        if self._nodes > MAX_NODES or (too_deep and any(chain) and self._unrollings > _UNROLLINGS[-1]):
            raise _TooLarge
        if too_deep:
            raise place.fault(f"the schema is nested more than {MAX_DEPTH} levels deep.")
        if raw is True:
            return Schema()
        if not isinstance(raw, dict):
            raise place.wrong(f"{TYPE_URL}Schema", raw)
        node = Node.read(raw, place, closed=self._closed)
        for name in _REFERENCES:
            if name in node.keywords:
                return self._follow(node, node.text(name), chain)
        if "allOf" in node.keywords:
            return self._all_of(node, chain)
        return self._plain(node, (*chain, ""))

    def _follow(self, node: Node, reference: str, chain: tuple[str, ...]) -> Schema | None:
        """The node that a reference names, with the keywords beside the reference laid over it."""
        if chain.count(reference) >= self._unrollings:
            return None
        beside = {name: value for name, value in node.keywords.items() if name not in _REFERENCES}
        target = self._target(reference, node.place)
        merged = {**target, **beside} if isinstance(target, dict) else target
        return self.node(merged, node.place, (*chain, reference))

    def _target(self, reference: str, place: Place) -> object:
        target = self._root
        steps = [unquote(step) for step in reference.removeprefix("#").split("/") if step]
        for step in steps:
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(target, dict) or name not in target:
                raise place.fault(f"the reference {reference[:80]!r} leads nowhere.")
            target = target[name]
        return target

    def _all_of(self, node: Node, chain: tuple[str, ...]) -> Schema | None:
        parts = node.listed("allOf")
        if len(parts) != 1 or not isinstance(parts[0], dict):
            raise node.place.member("allOf").fault("is not supported. Merge the schemas into one.")
        beside = {name: value for name, value in node.keywords.items() if name != "allOf"}
        return self.node({**parts[0], **beside}, node.place, (*chain, ""))

    def _plain(self, node: Node, chain: tuple[str, ...]) -> Schema | None:
        node.check_limits()
        kinds = node.kinds()
        shape = Schema(
            kinds=kinds,
            enum=node.enum(kinds),
            minimum=_at_least(node, kinds),
            maximum=_at_most(node, kinds),
            min_items=node.count("minItems"),
            max_items=node.count("maxItems"),
            min_length=node.count("minLength"),
            max_length=node.count("maxLength"),
            pattern=node.text("pattern") or None,
            format=_format(node),
            title=node.text("title"),
            description=node.text("description"),
        )
        with_options = self._options(node, shape, chain)
        with_members = with_options and self._members(node, with_options, chain)
        return with_members and self._elements(node, with_members, chain)

    def _options(self, node: Node, shape: Schema, chain: tuple[str, ...]) -> Schema | None:
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

    def _members(self, node: Node, shape: Schema, chain: tuple[str, ...]) -> Schema | None:
        """The members of an object; None if a required one cannot be given an end."""
        raw = node.mapped("properties")
        required = [name for name in node.listed("required") if isinstance(name, str)]
        for at, name in enumerate(required):
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

    def _additional(self, node: Node, shape: Schema, chain: tuple[str, ...]) -> Schema | None:
        """An object that names no properties at all is free."""
        free = Kind.OBJECT in shape.kinds and "properties" not in node.keywords
        given = node.keywords.get("additionalProperties", free)
        return None if given is False else self.node(given, node.place.member("additionalProperties"), chain)

    def _elements(self, node: Node, shape: Schema, chain: tuple[str, ...]) -> Schema | None:
        """The elements of an array; a recursion that has to end ends with an empty one."""
        place = node.place.member("prefixItems")
        first = [self.node(raw, place.item(at), chain) for at, raw in enumerate(node.listed("prefixItems"))]
        prefix = tuple(each for each in first if each is not None)
        if len(prefix) < len(first):
            return None
        given = node.keywords.get("items", True)
        items = None if given is False else self.node(given, node.place.member("items"), chain)
        if items is None:
            return self._ended(shape, prefix)
        return replace(shape, items=None if given is True else items, prefix_items=prefix)

    def _ended(self, shape: Schema, prefix: tuple[Schema, ...]) -> Schema | None:
        longest = len(prefix) if shape.max_items is None else min(shape.max_items, len(prefix))
        if (shape.min_items or 0) > longest:
            return None
        return replace(shape, max_items=longest, prefix_items=prefix)


def _format(node: Node) -> str | None:
    """`enum` only announces that there is an enum."""
    given = node.text("format")
    return None if given in ("", "enum") else given


def _at_least(node: Node, kinds: frozenset[Kind]) -> float | None:
    """The inclusive minimum; an exclusive one is known for whole numbers only."""
    above = node.number("exclusiveMinimum")
    if above is not None and above == int(above) and kinds - {Kind.NULL} == {Kind.INTEGER}:
        return above + 1
    return node.number("minimum")


def _at_most(node: Node, kinds: frozenset[Kind]) -> float | None:
    below = node.number("exclusiveMaximum")
    if below is not None and below == int(below) and kinds - {Kind.NULL} == {Kind.INTEGER}:
        return below - 1
    return node.number("maximum")
