"""The photographs, their annotations and the questions, read from files into checked values."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, TypeAdapter

Corners = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Thing:
    """An annotated object; its box is xmin, ymin, xmax, ymax in pixels of the photograph.

    Attributes:
        polygons: What of the box belongs to it: x and y of each corner in turn; () where nobody drew any.
    """

    label: str
    box: Corners
    crowd: bool
    polygons: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Photo:
    """A photograph with what people wrote and drew about it; captions may be empty."""

    file: str
    width: int
    height: int
    captions: tuple[str, ...]
    things: tuple[Thing, ...]


class Question(BaseModel):
    """A question about one or more photographs and what a right answer is.

    Attributes:
        photos: File names, in the order in which they are sent.
        ask: The question.
        kind: Under which name its result is added up.
        accept: What is right, as `answers.judge` reads it.
        reject: Regular expressions that make an answer wrong.
        language: Language of the question and of the answer wanted.
        json_wanted: Ask for `application/json`; the answer counts in the JSON validity.
        cant_tell: The picture does not say: "I can't tell" is the right answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    photos: tuple[str, ...] = Field(min_length=1)
    ask: str
    kind: str
    accept: tuple[StrictBool | StrictInt | StrictStr, ...] = ()
    reject: tuple[str, ...] = ()
    language: Literal["en", "tr", "es"] = "en"
    json_wanted: bool = Field(default=False, alias="json")
    cant_tell: bool = False


class _Questions(BaseModel):
    question: tuple[Question, ...]


class _SimpleObject(BaseModel):
    label: str
    bbox_xywh_px: Corners
    crowd: bool = False


class _SimplePhoto(BaseModel):
    file: str
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    captions: tuple[str, ...] = ()
    objects: tuple[_SimpleObject, ...] = ()


class _SimpleFile(BaseModel):
    photos: tuple[_SimplePhoto, ...]


class _CocoImage(BaseModel):
    id: int
    file_name: str
    width: int = Field(gt=0)
    height: int = Field(gt=0)


class _CocoBox(BaseModel):
    image_id: int
    category_id: int
    bbox: Corners
    iscrowd: bool = False
    segmentation: tuple[tuple[float, ...], ...] | dict[str, object] = ()


class _CocoCategory(BaseModel):
    id: int
    name: str


class _CocoFile(BaseModel):
    images: tuple[_CocoImage, ...]
    annotations: tuple[_CocoBox, ...]
    categories: tuple[_CocoCategory, ...]


class _CocoCaption(BaseModel):
    image_id: int
    caption: str


class _CocoCaptions(BaseModel):
    annotations: tuple[_CocoCaption, ...]


_AnyFile: TypeAdapter[_SimpleFile | _CocoFile] = TypeAdapter(_SimpleFile | _CocoFile)


def load_photos(annotations: Path, captions: Path | None = None) -> tuple[Photo, ...]:
    """Read an annotation file, in order of file name.

    Args:
        annotations: COCO's `instances_*.json` (images, annotations, categories), or the simple form
            `{"photos": [{file, width, height, captions, objects: [{label, bbox_xywh_px, crowd}]}]}`.
        captions: COCO's `captions_*.json`, for the same images; only beside COCO's form.

    Raises:
        OSError: A file cannot be read.
        pydantic.ValidationError: It has neither form; the text says where.
    """
    content = _AnyFile.validate_json(annotations.read_bytes())
    if isinstance(content, _SimpleFile):
        photos = [_simple(photo) for photo in content.photos]
    else:
        photos = _coco(content, _coco_captions(captions))
    return tuple(sorted(photos, key=lambda photo: photo.file))


def load_questions(path: Path) -> tuple[Question, ...]:
    """Read a questions file: TOML with `[[question]]` tables, or the same as JSON.

    Raises:
        OSError: The file cannot be read.
        tomllib.TOMLDecodeError: It is not TOML.
        pydantic.ValidationError: A question is not as `CacheKey` says; the text says where.
    """
    if path.suffix == ".json":
        return _Questions.model_validate_json(path.read_bytes()).question
    return _Questions.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).question


def _simple(photo: _SimplePhoto) -> Photo:
    things = tuple(Thing(one.label, _corners(one.bbox_xywh_px), one.crowd) for one in photo.objects)
    return Photo(photo.file, photo.width, photo.height, photo.captions, things)


def _coco(content: _CocoFile, captions: dict[int, list[str]]) -> list[Photo]:
    names = {category.id: category.name for category in content.categories}
    things: dict[int, list[Thing]] = defaultdict(list)
    for one in content.annotations:
        # A crowd has a bitmap in the place of polygons.
        polygons = one.segmentation if isinstance(one.segmentation, tuple) else ()
        outlines = tuple(each for each in polygons if len(each) >= 6)
        things[one.image_id].append(Thing(names[one.category_id], _corners(one.bbox), one.iscrowd, outlines))
    return [
        Photo(
            image.file_name,
            image.width,
            image.height,
            tuple(captions.get(image.id, ())),
            tuple(things[image.id]),
        )
        for image in content.images
    ]


def _coco_captions(path: Path | None) -> dict[int, list[str]]:
    captions: dict[int, list[str]] = defaultdict(list)
    if path is not None:
        for one in _CocoCaptions.model_validate_json(path.read_bytes()).annotations:
            captions[one.image_id].append(one.caption)
    return captions


def _corners(xywh: Corners) -> Corners:
    left, top, width, height = xywh
    return (left, top, left + width, top + height)
