"""A family for tests, as a profile and as its file."""

from __future__ import annotations

import json
from pathlib import Path

from vidi.engines.profile import Licence, Model, Pictures, Profile, Template, TokenBudgets, WeightsFile

TEXT, VISION = WeightsFile("text-Q4.gguf"), WeightsFile("mmproj-F16.gguf")
LIMITS = "Not for firms that earn more than a fortune."


def family(*models: Model, name: str = "tiny", unserved: str = "") -> Profile:
    """A family of these members."""
    return Profile(
        family=name,
        display_name=name.title(),
        good_at="Being small.",
        bad_at="Everything else.",
        licence=Licence("Tiny-1.0", "https://example.org/licence", LIMITS),
        template=Template(),
        pictures=Pictures(32, 0, 8, TokenBudgets(64, 128, 256, 512)),
        dialect=None,
        models=models,
        unserved=unserved,
    )


def member(
    name: str = "tiny-1b",
    *,
    repository: str = "someone/tiny-GGUF",
    text: WeightsFile = TEXT,
    vision: WeightsFile = VISION,
    memory: int = 0,
) -> Model:
    """A member of a family."""
    return Model(name, name.title(), repository, text, vision, memory=memory, context=512, slots=3)


def write_family(path: Path, *models: Model, name: str = "mine") -> Path:
    """The file of a family of these members."""
    lines = [
        f"family = {json.dumps(name)}",
        'display_name = "Mine"',
        'good_at = "Being small."',
        'bad_at = "Everything else."',
        "[licence]",
        'name = "Tiny-1.0"',
        'url = "https://example.org/licence"',
        f"limits = {json.dumps(LIMITS)}",
        "[template]",
        'thinks = "never"',
        "[pictures]",
        "token_side = 32",
        "square = 0",
        "min_tokens = 8",
        "[pictures.budgets]",
        "low = 64",
        "medium = 128",
        "high = 256",
        "ultra_high = 512",
    ]
    for model in models:
        lines += [
            "[[models]]",
            f"id = {json.dumps(model.id)}",
            f"display_name = {json.dumps(model.display_name)}",
            f"repository = {json.dumps(model.repository)}",
            f"text = {{ name = {json.dumps(model.text.name)} }}",
            f"vision = {{ name = {json.dumps(model.vision.name)} }}",
            f"context = {model.context}",
        ]
    path.write_text("\n".join(lines), "utf-8")
    return path
