"""Writes the table of dialects in docs/grounding.md from the profiles that come with Vidi.

.venv/bin/python tools/dialect_table.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vidi.engines.profile import Dialect, Form, Order, Profile
from vidi.engines.profile_files import load_profiles

PAGE = Path(__file__).parent.parent / "docs" / "grounding.md"
COMMAND = ".venv/bin/python tools/dialect_table.py"
BEGIN = f"<!-- written by {COMMAND} -->"
END = "<!-- end of the table -->"

HEAD = (
    "| family | asked for boxes with | answers with | order | far edge | points | image tokens |",
    "|---|---|---|---|---|---|---|",
)


def table() -> Iterator[str]:
    """The table's lines, families in the order of their names."""
    yield from HEAD
    for profile in load_profiles():
        yield _row(profile)


def page(text: str) -> str:
    """The page with the table of today."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([before + BEGIN, *table(), END + after])


def _row(profile: Profile) -> str:
    name = f"{profile.display_name}{' (not served)' if profile.unserved else ''}"
    dialect = profile.dialect
    if dialect is None:
        return f"| {name} | not trained on places: asked as it stands | | | | | |"
    linked = f"[{name}]({dialect.source})" if dialect.source else name
    asked = "as it stands" if dialect.native else f"`{_cell(dialect.boxes_prompt)}`"
    points = "yes" if dialect.points_prompt else "middle of the box"
    order = "y, x" if dialect.order is Order.YXYX else "x, y"
    return (
        f"| {linked} | {asked} | `{_cell(_sample(dialect))}` | {order} "
        f"| {_edge(dialect)} | {points} | {dialect.image_tokens or 'any'} |"
    )


def _edge(dialect: Dialect) -> str:
    if dialect.scale == 0:
        return "its pixel"
    notes = [f"{dialect.scale:g}"]
    notes += ["or 1"] if dialect.fractions else []
    notes += ["middle of the bin"] if dialect.centred else []
    return ", ".join(notes)


def _sample(dialect: Dialect) -> str:
    """The box from y 0.2, x 0.1 to y 0.8, x 0.3 of a picture of 1000 x 500 pixels, as it is written."""
    x0, y0, x1, y1 = (0.1, 0.2, 0.3, 0.8)
    if dialect.scale == 0:
        numbers = [round(x0 * 1000), round(y0 * 500), round(x1 * 1000), round(y1 * 500)]
    elif dialect.scale == 1:
        return _written(dialect, ["0.1", "0.2", "0.3", "0.8"])
    else:
        numbers = [round(edge * dialect.scale) for edge in (x0, y0, x1, y1)]
    if dialect.order is Order.YXYX:
        numbers = [numbers[1], numbers[0], numbers[3], numbers[2]]
    return _written(dialect, [str(number) for number in numbers])


def _written(dialect: Dialect, numbers: list[str]) -> str:
    listed = ", ".join(numbers)
    place, label = f'"{dialect.box_key}": [{listed}]', f'"{dialect.label_key}": "cat"'
    members = f"{label}, {place}" if dialect.label_first else f"{place}, {label}"
    padded = "".join(f"<loc{int(number):04d}>" for number in numbers) if dialect.scale > 1 else ""
    plain = "".join(f"<loc_{number}>" for number in numbers)
    edges = ", ".join(
        f'"{name}": {number}'
        for name, number in zip(("x_min", "y_min", "x_max", "y_max"), numbers, strict=True)
    )
    return {
        Form.JSON: f"[{{{members}}}]",
        Form.BOX_TAGS: f"<ref>cat</ref><box>[[{listed}]]</box>",
        Form.BOX_MARKS: f"<|begin_of_box|>[{listed}]<|end_of_box|>",
        Form.LOC_TOKENS: f"{padded} cat" if dialect.order is Order.YXYX else f"cat{plain}",
        Form.DET_MARKS: f"<|ref|>cat<|/ref|><|det|>[[{listed}]]<|/det|>",
        Form.QUAD_TOKENS: "cat<|LOC_…|> and seven more",
        Form.POINTS: '<points coords="1 1 100 200">cat</points>',
        Form.REGIONS: f'{{"objects": [{{{edges}}}]}}',
    }[dialect.form]


def _cell(text: str) -> str:
    """A text that does not end its cell."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
