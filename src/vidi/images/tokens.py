"""What a picture costs in tokens, from its header: the guide's tiles, or Gemini 3's budgets."""

from __future__ import annotations

import math

from vidi.domain.prompt import LEVEL_TOKENS, ImageHeader, MediaResolution

TILE = 258
"""Tokens of one tile."""

_SMALL = 384
"""A picture with both sides up to this many pixels is one tile."""

_STRIP = 48
_STRIP_UNIT = 256


def tile_tokens(width: int, height: int) -> int:
    """Tokens by the guide's tile rule.

    One tile of 258 for both sides up to 384 px; else ceil(width / unit) * ceil(height / unit) tiles with
    unit = floor(min(width, height) / 1.5). Source: the guide's image understanding page (960x540 costs
    6 tiles). A short side under 48 px takes a unit of 256, the lower bound that the rule once had:
    without it a strip two pixels high would cost a million tokens.

    Args:
        width: Columns, at least 1.
        height: Rows, at least 1.
    """
    if max(width, height) <= _SMALL:
        return TILE
    short = min(width, height)
    unit = _STRIP_UNIT if short < _STRIP else short * 2 // 3
    return -(-width // unit) * -(-height // unit) * TILE


def budget_tokens(width: int, height: int, resolution: MediaResolution) -> int:
    """Tokens at a media resolution, by the rule that Gemini 3's replies follow.

    cols * rows with cols = floor(sqrt(B * width / height)), rows = floor(sqrt(B * height / width)) and B
    the resolution's budget; a ratio beyond B is one row of min(floor(long / short), B). Only the ratio
    of the sides matters.

    Args:
        width: Columns, at least 1.
        height: Rows, at least 1.
        resolution: UNSPECIFIED counts as HIGH.
    """
    budget = LEVEL_TOKENS.get(resolution, LEVEL_TOKENS[MediaResolution.HIGH])
    cols = math.isqrt(budget * width // height)
    rows = math.isqrt(budget * height // width)
    if cols and rows:
        return cols * rows
    return min(max(width, height) // min(width, height), budget)


def image_tokens(header: ImageHeader) -> int:
    """Tokens of a picture: its own budget, or its media resolution's, or tiles where neither is in force."""
    if isinstance(header.resolution, int):
        return header.resolution
    if header.resolution is MediaResolution.UNSPECIFIED:
        return tile_tokens(header.width, header.height)
    return budget_tokens(header.width, header.height, header.resolution)
