"""Measure the source tree: modules, lines, the longest chain of imports, comments, docstrings, names.

    python tools/house.py [src/vidi]

An empty `__init__.py` is not counted; a chain counts modules; an import counts if it runs when its
module is imported. `tests/test_house.py` holds the limits.
"""

from __future__ import annotations

import ast
import io
import statistics
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "vidi"


@dataclass(frozen=True)
class Module:
    """A source file.

    Attributes:
        name: Dotted, as it is imported.
        shown: Its path below the package.
        text: What is in it.
    """

    name: str
    shown: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text)

    @property
    def lines(self) -> int:
        """How many lines it has, blank ones included."""
        return len(self.text.splitlines())

    def comment_lines(self) -> int:
        """Lines with a comment on them."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return len({token.start[0] for token in tokens if token.type == tokenize.COMMENT})

    def docstring_lines(self) -> int:
        """Lines of strings that stand by themselves: docstrings, and those below constants."""
        strings = [
            node
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ]
        return sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in strings)

    def imports(self, modules: Mapping[str, Module]) -> Iterator[str]:
        """Names of the modules of the tree that it imports."""
        for statement in _top_level(self.tree.body):
            if isinstance(statement, ast.Import):
                yield from (alias.name for alias in statement.names if alias.name in modules)
            elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
                for alias in statement.names:
                    inner = f"{statement.module}.{alias.name}"
                    if inner in modules:
                        yield inner
                    elif statement.module in modules:
                        yield statement.module


def modules_of(source: Path = SOURCE) -> list[Module]:
    """Every module of a package, empty ones left out."""
    found = []
    for file in sorted(source.rglob("*.py")):
        text = file.read_text("utf-8")
        parts = file.relative_to(source.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if text.strip():
            found.append(Module(name, file.relative_to(source).as_posix(), text))
    return found


def longest_chain(modules: Sequence[Module]) -> tuple[str, ...]:
    """The longest chain of imports, from the top; there must be no circle."""
    named = {module.name: module for module in modules}
    chains: dict[str, tuple[str, ...]] = {}

    def chain(name: str) -> tuple[str, ...]:
        if name not in chains:
            below = sorted({*named[name].imports(named)} - {name})
            chains[name] = (name, *max((chain(lower) for lower in below), key=len, default=()))
        return chains[name]

    return max((chain(name) for name in named), key=len)


def shared_class_names(modules: Sequence[Module]) -> dict[str, list[str]]:
    """Names of more than one class, with where they stand; a leading underscore makes no other name."""
    homes: dict[str, list[str]] = defaultdict(list)
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                homes[node.name.lstrip("_")].append(f"{module.shown}:{node.lineno}")
    return {name: places for name, places in sorted(homes.items()) if len(places) > 1}


def _top_level(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when the module is imported, within `if` and `try` too."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try):
            yield from _top_level([*statement.body, *statement.orelse])


def main() -> None:
    """Print the figures."""
    modules = modules_of(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE)
    lines = sorted(module.lines for module in modules)
    total = sum(lines)
    chain = longest_chain(modules)
    rows = {
        "modules": len(modules),
        "lines": total,
        "lines of a module, median / p90 / max": f"{statistics.median(lines):.0f} / "
        f"{lines[int(0.9 * len(lines))]} / {lines[-1]}",
        "modules under 40 lines": sum(count < 40 for count in lines),
        "longest chain of imports": len(chain),
        "lines with a comment": f"{100 * sum(module.comment_lines() for module in modules) / total:.1f} %",
        "lines of docstrings": f"{100 * sum(module.docstring_lines() for module in modules) / total:.1f} %",
        "names of more than one class": len(shared_class_names(modules)),
    }
    for label, value in rows.items():
        sys.stdout.write(f"{label:<40}{value}\n")
    sys.stdout.write(f"{' > '.join(chain)}\n")


if __name__ == "__main__":
    main()
