"""What turns a family's answer into the caller's, stretch by stretch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from vidi.engines.dialect import Dialect, Form
from vidi.engines.grounding.document import DocumentReader
from vidi.engines.grounding.marks import MarkSource
from vidi.engines.grounding.objects import ObjectSource
from vidi.engines.grounding.shape import Shape, surroundings
from vidi.engines.grounding.units import JsonObject, UnitWriter

JSON_FORMS = frozenset({Form.JSON, Form.REGIONS, Form.BOX_MARKS})
"""Forms in which places are members of objects, at times at least."""


class Reader(Protocol):
    """Reads one candidate's answer. The texts of all `push` and of `end` together are one JSON value."""

    def push(self, text: str) -> str:
        """Take a stretch of the answer in the family's form; gives what can be told of it, or ""."""
        ...

    def end(self) -> str:
        """The answer is over, or was cut off: the rest, so that the JSON is whole."""
        ...


class Source(Protocol):
    """Finds objects in an answer."""

    def push(self, text: str) -> Iterable[JsonObject]:
        """Take a stretch; gives the objects that it completes."""
        ...

    def end(self) -> Iterable[JsonObject]:
        """The answer is over; gives the last objects."""
        ...


class ListReader:
    """Writes an array of objects, each as soon as it is complete."""

    def __init__(
        self, source: Source, write: Callable[[JsonObject], Iterator[str]], shape: Shape | None
    ) -> None:
        """Take where objects come from, how one is written, and the caller's shape around them."""
        self._source = source
        self._write = write
        self._around = surroundings(shape)
        self._written = 0

    def push(self, text: str) -> str:
        """As `Reader.push`."""
        return self._told(self._source.push(text))

    def end(self) -> str:
        """As `Reader.end`."""
        told = self._told(self._source.end())
        return told + (self._around.after if self._written else self._around.empty)

    def _told(self, found: Iterable[JsonObject]) -> str:
        return "".join(self._each(found))

    def _each(self, found: Iterable[JsonObject]) -> Iterator[str]:
        for value in found:
            for text in self._write(value):
                if self._written and not self._around.many:
                    return
                yield (", " if self._written else self._around.before) + text
                self._written += 1


def reader_for(dialect: Dialect, writer: UnitWriter, shape: Shape | None) -> Reader:
    """The reader of one candidate.

    Args:
        dialect: How the family writes.
        writer: Writes the caller's objects.
        shape: The caller's schema; None where there is none, and the API's own array is written.
    """
    if shape is not None and dialect.form is Form.JSON and not _plain_listing(shape):
        return DocumentReader(shape, writer)
    unit = shape.first_unit() if shape else None

    def wanted(value: JsonObject) -> bool:
        own = unit is not None and any(name in value for name in unit.slots)
        return own or writer.has_place(value)

    def write(value: JsonObject) -> Iterator[str]:
        return writer.shaped(value, unit) if unit else writer.plain(value)

    source: Source = ObjectSource(dialect, wanted) if dialect.form in JSON_FORMS else MarkSource(dialect)
    return ListReader(source, write, shape)


def _plain_listing(shape: Shape) -> bool:
    """Whether the answer is an array of objects with nothing but their own places in them."""
    return shape.items is not None and shape.items.unit and not shape.items.members
