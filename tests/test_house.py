"""The rules of the house that no linter knows: sizes, depth, names. Each failure names the offenders."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "vidi"

MOST_LINES = 500
FEWEST_LINES = 40
MOST_MODULES = 140
MOST_DEPTH = 14

SMALL: frozenset[str] = frozenset()
"""Seams that are small by nature, as paths below src/vidi; an empty `__init__.py` always may be."""


def _files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def _name(file: Path) -> str:
    """The module's dotted name."""
    parts = file.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


def _lines(file: Path) -> int:
    return len(file.read_text("utf-8").splitlines())


def _is_face(file: Path) -> bool:
    """Whether it is an `__init__.py` with nothing but a docstring and names of its own package in it."""
    return file.name == "__init__.py" and all(
        isinstance(statement, ast.Expr | ast.Import | ast.ImportFrom | ast.Assign)
        for statement in _tree(file).body
    )


def _shown(file: Path) -> str:
    return file.relative_to(SOURCE).as_posix()


def test_no_file_is_too_long() -> None:
    long = {_shown(file): _lines(file) for file in _files() if _lines(file) > MOST_LINES}
    assert not long, f"over {MOST_LINES} lines: {long}"


def test_no_module_is_a_crumb() -> None:
    small = {
        _shown(file): _lines(file)
        for file in _files()
        if _lines(file) < FEWEST_LINES and not _is_face(file) and _shown(file) not in SMALL
    }
    assert not small, f"under {FEWEST_LINES} lines, to be folded into a neighbour: {small}"


def test_the_modules_are_few() -> None:
    """An empty package face is no module that anybody has to know."""
    modules = [file for file in _files() if _lines(file)]
    folders: dict[str, int] = defaultdict(int)
    for file in modules:
        folders[_shown(file.parent)] += 1
    assert len(modules) <= MOST_MODULES, f"{len(modules)} modules, at most {MOST_MODULES}: {dict(folders)}"


def _imports(file: Path, modules: set[str]) -> Iterator[str]:
    """The modules of Vidi that a module imports at its top."""
    for statement in _top_level(_tree(file).body):
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names if alias.name in modules)
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            for alias in statement.names:
                inner = f"{statement.module}.{alias.name}"
                if inner in modules:
                    yield inner
                elif statement.module in modules:
                    yield statement.module


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when the module is imported, within `if` and `try` too."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try):
            yield from _top_level([*statement.body, *statement.orelse])


def test_the_house_is_not_too_high() -> None:
    """The longest chain of imports, counted in modules."""
    files = {_name(file): file for file in _files()}
    below = {name: sorted({*_imports(file, set(files))} - {name}) for name, file in files.items()}

    @cache
    def chain(name: str) -> tuple[str, ...]:
        return (name, *max((chain(lower) for lower in below[name]), key=len, default=()))

    longest = max((chain(name) for name in below), key=len)
    assert len(longest) <= MOST_DEPTH, f"{len(longest)} floors, at most {MOST_DEPTH}: {' > '.join(longest)}"


def test_no_two_classes_share_a_name() -> None:
    """A leading underscore makes no other name of it."""
    homes: dict[str, list[str]] = defaultdict(list)
    for file in _files():
        for node in ast.walk(_tree(file)):
            if isinstance(node, ast.ClassDef):
                homes[node.name.lstrip("_")].append(f"{_shown(file)}:{node.lineno}")
    shared = {name: places for name, places in sorted(homes.items()) if len(places) > 1}
    assert not shared, f"classes with one name: {shared}"
