"""Whether one picture is an edited copy of another: mirrored, turned, cropped, toned, or changed in places.

Both pictures are shrunk to a small grid of averages. Copies are recognised by the correlation of brightness
and of its details, first as they are, then mirrored and turned, then as a crop of each other at a series of
scales (normalised cross-correlation by FFT; Lewis 1995). What a linear change of each colour channel does not
explain has changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidi.domain.geometry import GRID, Box
from vidi.domain.prompt import Picture
from vidi.engines.lite.vision.colours import Grid, light, lighting, robust_line, sharpness

SIDE = 64
"""Cells of the grid on each side."""

COPY = 0.8
COPY_DETAIL = 0.45
"""Correlation of brightness, and of what remains after blurring, from which two pictures are copies."""

CROP = 0.9
"""Correlation from which a picture is a crop of another; chance finds more among many places."""

CHECK = 32
"""Cells on each side of the grid on which a crop that was found is checked."""

SCALES = tuple(scale / 100 for scale in range(40, 99, 2))
"""Sizes of a crop that are tried, as parts of the whole."""

FLAT = 2.0
"""Standard deviation of brightness under which a picture has nothing to compare."""

CHANGED = 34.0
TONED = 1.6
"""Difference, in steps of 255, from which a cell has changed; so many times that where the light has."""

SMALLEST_CHANGE = 6
"""Changed cells that belong together before they are told."""

ALIKE = 0.5
ALIKE_LIGHT = 0.9
ALIKE_DETAIL = 0.85
"""Part of the cells that must be the same for a copy of which more was changed, and their correlations."""

SAME_STRUCTURE = 0.75
"""Correlation of details from which a changed place shows the same thing in another colour."""

FINE = 256
"""Cells on each side of the grid on which sharpness is compared; smaller pictures are not."""

TURNS = ("", "mirrored", "flipped", "turned_right", "turned_left")
"""Ways in which a copy may be turned; `flipped` is by half a turn, the last two by a quarter."""

Array = TypeVar("Array", NDArray[np.float32], NDArray[np.bool_])


@dataclass(frozen=True, slots=True)
class Change:
    """A place that differs.

    Attributes:
        before: Where it lies in the first picture.
        after: Where it lies in the second.
        recoloured: Whether it shows the same shapes in other colours.
    """

    before: Box
    after: Box
    recoloured: bool = False


@dataclass(frozen=True, slots=True)
class Alignment:
    """How the second picture was made from the first.

    Attributes:
        identical: Whether nothing differs.
        turned: One of TURNS: what was done to the first.
        crop: The part of the larger picture that the smaller shows, on the larger one's grid.
        crop_of_first: Whether it is the first that was cropped.
        lighting: Names of changes of light and colour over the whole picture.
        tint: The colour that the second is shifted toward, or "".
        changes: Places that differ, the largest first.
    """

    identical: bool = False
    turned: str = ""
    crop: Box | None = None
    crop_of_first: bool = True
    lighting: tuple[str, ...] = ()
    tint: str = ""
    changes: tuple[Change, ...] = ()


def align(one: Picture, other: Picture) -> Alignment | None:
    """How the second picture was made from the first; None if they are not copies."""
    if one.digest == other.digest:
        return Alignment(identical=True)
    first, second = _grid(one), _grid(other)
    if min(light(first).std(), light(second).std()) < FLAT:
        return None
    turned = _turned(first, second)
    if turned is None:
        return _cropped(one, other)
    found = _compared(first, _undone(second, turned), turned)
    if min(one.width, one.height, other.width, other.height) < FINE:
        return found
    fine = sharpness(_grid(one, FINE, FINE), _undone(_grid(other, FINE, FINE), turned))
    return replace(found, lighting=(*found.lighting, fine)) if fine else found


def _grid(picture: Picture, width: int = SIDE, height: int = SIDE, part: Box | None = None) -> Grid:
    """Mean colours of the cells of a picture, or of a part of it: shape (height, width, 3), 0..255."""
    image = Image.frombuffer("RGB", (picture.width, picture.height), picture.rgb)
    across, down = picture.width / GRID, picture.height / GRID
    box = (part.xmin * across, part.ymin * down, part.xmax * across, part.ymax * down) if part else None
    return np.asarray(image.resize((width, height), Image.Resampling.BOX, box), np.float32)


def _undone(grid: Array, turned: str) -> Array:
    if turned == "mirrored":
        return grid[:, ::-1]
    return np.rot90(grid, {"flipped": 2, "turned_right": 1, "turned_left": -1}.get(turned, 0))


def _redone(grid: Array, turned: str) -> Array:
    """A grid turned as the copy was: half turns and mirrors are their own inverse."""
    opposite = {"turned_right": "turned_left", "turned_left": "turned_right"}
    return _undone(grid, opposite.get(turned, turned))


def _turned(first: Grid, second: Grid) -> str | None:
    """The turn that makes two pictures copies: "" if they are as they lie, None if they are not."""
    fits = {turn: _correlation(light(first), light(_undone(second, turn))) for turn in TURNS}
    best = max(fits, key=lambda turn: fits[turn])
    undone = _undone(second, best)
    detail = _correlation(_detail(light(first)), _detail(light(undone)))
    whole = fits[best] >= COPY and detail >= COPY_DETAIL
    return best if whole or _mostly_alike(first, undone) else None


def _mostly_alike(first: Grid, second: Grid) -> bool:
    """Whether much of two pictures is the same down to its details, whatever the rest is."""
    same = ~_changed(first, second, CHANGED)
    one, other = light(first), light(second)
    return (
        float(same.mean()) >= ALIKE
        and _correlation(one[same], other[same]) >= ALIKE_LIGHT
        and _correlation(_detail(one)[same], _detail(other)[same]) >= ALIKE_DETAIL
    )


def _detail(light: Grid) -> Grid:
    """What blurring over five by five cells takes away."""
    padded = np.pad(light, 2, mode="edge")
    blurred = _window_sums(padded, 5, 5) / 25
    return np.asarray(light - blurred, np.float32)


def _correlation(one: Grid, other: Grid) -> float:
    a, b = one - one.mean(), other - other.mean()
    return float((a * b).sum() / max(1e-6, float(np.sqrt((a * a).sum() * (b * b).sum()))))


def _compared(first: Grid, second: Grid, turned: str) -> Alignment:
    """Light, colour and places that differ between two grids that show the same."""
    names, tint = lighting(first, second, ~_changed(first, second, CHANGED))
    if {"grey", "coloured_back"} & set(names):
        first, second = (np.repeat(light(grid)[..., None], 3, axis=-1) for grid in (first, second))
    changed = _changed(first, second, CHANGED * (TONED if names else 1))
    details = _detail(light(first)), _detail(light(second))
    changes = tuple(
        Change(
            _box(region),
            _box(_redone(region, turned)),
            recoloured=_correlation(details[0][region], details[1][region]) >= SAME_STRUCTURE,
        )
        for region in _regions(changed)
    )
    return Alignment(turned=turned, lighting=names, tint=tint, changes=changes)


def _changed(first: Grid, second: Grid, least: float) -> NDArray[np.bool_]:
    """Cells that differ by more than a change of the whole picture's light and colour explains."""
    fitted = np.empty_like(first)
    for channel in range(3):
        a, b = first[..., channel].ravel(), second[..., channel].ravel()
        slope, shift = robust_line(a, b)
        fitted[..., channel] = slope * first[..., channel] + shift
    return np.asarray(np.abs(second - np.clip(fitted, 0, 255)).max(axis=-1) > least)


def _regions(changed: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
    """Connected patches of changed cells, largest first; none if all has changed."""
    left = changed.copy()
    patches: list[NDArray[np.bool_]] = []
    while left.any():
        seed = np.zeros_like(left)
        seed[np.unravel_index(int(left.argmax()), left.shape)] = True
        patch = _flooded(seed, left)
        left &= ~patch
        patches.append(patch)
    patches = [patch for patch in patches if patch.sum() >= SMALLEST_CHANGE]
    return iter(sorted(patches, key=lambda patch: -int(patch.sum())))


def _flooded(seed: NDArray[np.bool_], within: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Everything in `within` that hangs together with the seed, over gaps of one cell."""
    patch = seed
    while True:
        padded = np.pad(patch, 2)
        height, width = patch.shape
        wider = np.zeros_like(patch)
        for dy in range(5):
            for dx in range(5):
                wider |= padded[dy : dy + height, dx : dx + width]
        wider &= within
        if (wider == patch).all():
            return patch
        patch = wider


def _box(region: NDArray[np.bool_]) -> Box:
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    height, width = region.shape
    return Box(
        ymin=float(rows[0]) / height * GRID,
        xmin=float(columns[0]) / width * GRID,
        ymax=float(rows[-1] + 1) / height * GRID,
        xmax=float(columns[-1] + 1) / width * GRID,
    )


def _cropped(one: Picture, other: Picture) -> Alignment | None:
    found = [(*_best_crop(one, other), True), (*_best_crop(other, one), False)]
    fit, crop, of_first = max(found, key=lambda each: each[0])
    if fit < CROP or crop is None:
        return None
    whole, part = (one, other) if of_first else (other, one)
    seen, shown = light(_grid(whole, CHECK, CHECK, crop)), light(_grid(part, CHECK, CHECK))
    if _correlation(_detail(seen), _detail(shown)) < COPY_DETAIL:
        return None
    return Alignment(crop=crop, crop_of_first=of_first)


def _best_crop(whole: Picture, part: Picture) -> tuple[float, Box | None]:
    """The best place of `part` within `whole`, at any of the scales, and how well it fits."""
    side = 2 * SIDE
    scale = side / max(whole.width, whole.height)
    width, height = max(8, round(whole.width * scale)), max(8, round(whole.height * scale))
    field_of_view = light(_grid(whole, width, height))
    best: tuple[float, Box | None] = (-1.0, None)
    for size in SCALES:
        w, h = _crop_size(part, size, width, height)
        if min(w, h) < 8:
            continue
        fit, top, left = _match(field_of_view, light(_grid(part, w, h)))
        if fit > best[0]:
            box = Box(top / height, left / width, (top + h) / height, (left + w) / width)
            best = fit, Box(*(edge * GRID for edge in (box.ymin, box.xmin, box.ymax, box.xmax)))
    return best


def _crop_size(part: Picture, size: float, width: int, height: int) -> tuple[int, int]:
    """The largest size with the part's own shape that takes `size` of the whole's width or height."""
    ratio = part.width / part.height
    w, h = size * width, size * width / ratio
    if h > height * size:
        w, h = size * height * ratio, size * height
    return round(w), round(h)


def _match(field_of_view: Grid, pattern: Grid) -> tuple[float, int, int]:
    """Where a pattern fits best, and its correlation there."""
    h, w = pattern.shape
    height, width = field_of_view.shape
    if h > height or w > width or float(pattern.std()) < FLAT:
        return -1.0, 0, 0
    zero_mean = pattern - pattern.mean()
    spectrum = np.fft.rfft2(field_of_view) * np.conj(np.fft.rfft2(zero_mean, s=field_of_view.shape))
    products = np.fft.irfft2(spectrum, s=field_of_view.shape)[: height - h + 1, : width - w + 1]
    spread = _window_sums(field_of_view**2, h, w) - _window_sums(field_of_view, h, w) ** 2 / (h * w)
    fits = products / np.sqrt(np.maximum(spread, h * w * FLAT**2) * float((zero_mean**2).sum()))
    at = int(fits.argmax())
    top, left = divmod(at, fits.shape[1])
    return float(fits.flat[at]), top, left


def _window_sums(grid: Grid, h: int, w: int) -> NDArray[np.float64]:
    """Sums over every window of a size, by an integral image."""
    integral = np.pad(grid.astype(np.float64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    return np.asarray(integral[h:, w:] - integral[:-h, w:] - integral[h:, :-w] + integral[:-h, :-w])
