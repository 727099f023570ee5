"""Functions as both APIs declare them, and their calls and responses as parts of a turn."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from vidi.domain.answer import FunctionCall
from vidi.domain.budget import Budget
from vidi.domain.errors import InvalidRequest
from vidi.domain.prompt import (
    FileReference,
    FunctionDeclaration,
    FunctionPart,
    FunctionResponse,
    ImageSource,
    Turn,
)
from vidi.domain.schema import Kind, Schema
from vidi.wire.errors import FieldViolation, Scope, refuse
from vidi.wire.response_schema import SHARED_WORK, compile_schema
from vidi.wire.schema import CallingMode, FunctionCallingConfig, Message, Struct, Tool

MAX_FUNCTIONS = 512
"""Google's limit. A grammar of as many is large, and a model that reads of as many is slow."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}", re.ASCII)
_SHOWN = 64
_BAD_NAME = (
    "Invalid function name. Must start with a letter or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), "
    "underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 64."
)
_NO_ARGUMENTS = Schema(kinds=frozenset({Kind.OBJECT}))
CONFIG = "tool_config.function_calling_config"


@dataclass(frozen=True, slots=True)
class DeclaredFunction:
    """A function as a caller declares it, its shape not read yet.

    Attributes:
        at: Path of the declaration, as `tools[0].function_declarations[1]`.
        schema: Of its arguments, as JSON; None if it has none.
        schema_at: The field that holds it.
        closed: Whether that is Google's own dialect (`compile_schema`).
    """

    at: str
    name: str
    description: str
    schema: object
    schema_at: str = "parameters"
    closed: bool = False


@dataclass(frozen=True, slots=True)
class CallingChoice:
    """Whether functions may, must or must not be called, and which.

    Attributes:
        mode: Read of any spelling.
        allowed: Names; empty for all.
        at: Path of these names.
    """

    mode: CallingMode = CallingMode.AUTO
    allowed: tuple[str, ...] = ()
    at: str = f"{CONFIG}.allowed_function_names"

    @staticmethod
    def of(config: FunctionCallingConfig | None) -> CallingChoice:
        """As generateContent says it."""
        config = config or FunctionCallingConfig()
        return CallingChoice(config.mode or CallingMode.AUTO, tuple(config.allowed_function_names or ()))


def declared_in(tools: Sequence[Tool]) -> list[DeclaredFunction]:
    """The functions of generateContent's tools."""
    found: list[DeclaredFunction] = []
    for index, tool in enumerate(tools):
        for at, each in enumerate(tool.function_declarations or []):
            closed = each.parameters is not None
            found.append(
                DeclaredFunction(
                    at=f"tools[{index}].function_declarations[{at}]",
                    name=each.name or "",
                    description=each.description or "",
                    schema=each.parameters if closed else each.parameters_json_schema,
                    schema_at="parameters" if closed else "parameters_json_schema",
                    closed=closed,
                )
            )
    return found


def tool_faults(tools: Sequence[Tool], scope: Scope) -> Iterator[FieldViolation]:
    """Tools that would run at Google, and shapes that are given twice."""
    for index, tool in enumerate(tools):
        for name in Tool.model_fields:
            if name != "function_declarations" and _is_set(tool, name):
                text = f"{name} is not served: only functions that the caller runs are. Leave it out."
                yield scope.fault(f"tools[{index}].{name}", text)
        for at, each in enumerate(tool.function_declarations or []):
            if each.parameters is not None and each.parameters_json_schema is not None:
                text = "parameters and parameters_json_schema must not both be set."
                yield scope.fault(f"tools[{index}].function_declarations[{at}].parameters_json_schema", text)


def _is_set(message: Message, name: str) -> bool:
    return getattr(message, name) not in (None, [])


def function_faults(
    declared: Sequence[DeclaredFunction], choice: CallingChoice, scope: Scope
) -> Iterator[FieldViolation]:
    """Names that cannot be, or are there twice; a choice among functions that are not there."""
    if len(declared) > MAX_FUNCTIONS:
        yield scope.fault("tools", f"at most {MAX_FUNCTIONS} functions may be declared.")
        return
    names: set[str] = set()
    for each in declared:
        if not _NAME.fullmatch(each.name):
            yield scope.fault(f"{each.at}.name", _BAD_NAME)
        elif each.name in names:
            yield scope.fault(f"{each.at}.name", f"Duplicate function declaration found: {each.name}")
        names.add(each.name)
    if choice.mode is CallingMode.ANY and not declared:
        yield scope.fault(CONFIG, "Function calling config is set without function_declarations.")
    if choice.allowed and choice.mode not in (CallingMode.ANY, CallingMode.VALIDATED):
        yield scope.fault(choice.at, "only allowed where the mode is ANY or VALIDATED.")
    unknown = [(at, name) for at, name in enumerate(choice.allowed) if name not in names]
    for at, name in unknown[:_SHOWN]:
        yield scope.fault(f"{choice.at}[{at}]", f"no function {name[:_SHOWN]!r} is declared.")


def read_functions(
    declared: Sequence[DeclaredFunction], choice: CallingChoice, scope: Scope
) -> tuple[FunctionDeclaration, ...]:
    """The functions that may be called, with the shapes of their arguments.

    Raises:
        InvalidFields: Names or shapes are wrong, or there are too many.
    """
    refuse(function_faults(declared, choice, scope))
    if choice.mode is CallingMode.NONE:
        return ()
    allowed = set(choice.allowed) or {each.name for each in declared}
    work = Budget(SHARED_WORK)
    return tuple(_read(each, scope, work) for each in declared if each.name in allowed)


def _read(declared: DeclaredFunction, scope: Scope, work: Budget) -> FunctionDeclaration:
    shape, before = _NO_ARGUMENTS, work.spent
    if declared.schema is not None:
        path = f"{declared.at}.{declared.schema_at}"
        shape = compile_schema(declared.schema, path, scope, closed=declared.closed, shared=work)
        if shape.kinds and Kind.OBJECT not in shape.kinds:
            refuse([scope.fault(path, "schema should be of type OBJECT.")])
        shape = replace(shape, kinds=_NO_ARGUMENTS.kinds)
    return FunctionDeclaration(declared.name, declared.description, shape, work.spent - before)


def as_json(value: Struct | None) -> str:
    """Arguments, or a response, as the text that the domain holds; nothing is an empty object."""
    return json.dumps(value or {}, ensure_ascii=False)


Turns = tuple[Turn[ImageSource | FileReference], ...]


def match_responses(turns: Turns) -> Turns:
    """The turns with the name of its function in each response.

    A response belongs to an earlier call of its id; one without an id, or to a call that had none, to any
    earlier call of its name.

    Raises:
        InvalidRequest: There is no such call; names the part.
    """
    called = _Called({}, set(), set())
    return tuple(replace(turn, parts=tuple(map(called.follow, turn.parts))) for turn in turns)


@dataclass(frozen=True, slots=True)
class _Called:
    """What was called so far: names by id, all names, and those of calls without an id."""

    by_id: dict[str, str]
    names: set[str]
    unnumbered: set[str]

    def follow(
        self, part: str | ImageSource | FileReference | FunctionPart
    ) -> str | ImageSource | FileReference | FunctionPart:
        if isinstance(part, FunctionResponse):
            return replace(part, name=self._name(part))
        if isinstance(part, FunctionCall):
            self.names.add(part.name)
            if part.id:
                self.by_id[part.id] = part.name
            else:
                self.unnumbered.add(part.name)
        return part

    def _name(self, response: FunctionResponse) -> str:
        name = self.by_id.get(response.id, response.name)
        known = response.id in self.by_id or name in (self.unnumbered if response.id else self.names)
        if known and response.name in ("", name):
            return name
        shown = (response.id or response.name)[:_SHOWN]
        raise InvalidRequest(
            f"{response.where}: it responds to {shown!r}, a call that was never made. Send the turn with the "
            "call before it.",
            where=response.where,
        )
