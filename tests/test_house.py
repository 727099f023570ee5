"""The rules of the house that no linter knows: sizes, depth, names. Each failure names the offenders."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import PurePath

from tools.house import Module, longest_chain, modules_of, shared_class_names

MOST_LINES = 500
FEWEST_LINES = 40
MOST_MODULES = 175
MOST_DEPTH = 14

MODULES = modules_of()


def _is_face(module: Module) -> bool:
    """Whether it is an `__init__.py` with nothing but a docstring and names of its own package in it."""
    return module.shown.endswith("__init__.py") and all(
        isinstance(statement, ast.Expr | ast.Import | ast.ImportFrom | ast.Assign)
        for statement in module.tree.body
    )


def test_no_module_is_too_long() -> None:
    long = {module.shown: module.lines for module in MODULES if module.lines > MOST_LINES}
    assert not long, f"over {MOST_LINES} lines: {long}"


def test_no_module_is_a_crumb() -> None:
    small = {
        module.shown: module.lines
        for module in MODULES
        if module.lines < FEWEST_LINES and not _is_face(module)
    }
    assert not small, f"under {FEWEST_LINES} lines, to be folded into a neighbour: {small}"


def test_the_modules_are_few() -> None:
    folders = Counter(PurePath(module.shown).parent.as_posix() for module in MODULES)
    assert len(MODULES) <= MOST_MODULES, f"{len(MODULES)} modules, at most {MOST_MODULES}: {dict(folders)}"


def test_the_longest_chain_of_imports_is_short() -> None:
    chain = longest_chain(MODULES)
    assert len(chain) <= MOST_DEPTH, f"{len(chain)} floors, at most {MOST_DEPTH}: {' > '.join(chain)}"


def test_no_two_classes_share_a_name() -> None:
    shared = shared_class_names(MODULES)
    assert not shared, f"classes with one name: {shared}"
