"""Annotation files in both forms, and questions."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from bench.dataset import Photo, Thing, load_photos, load_questions

DOG = Thing("dog", (1, 2, 4, 6), crowd=False)
CAT = Thing("cat", (0, 0, 9, 9), crowd=True)
PHOTO = Photo("a.jpg", 40, 30, ("a dog",), (DOG, CAT))
SIMPLE = {
    "about": "ignored",
    "photos": [
        {
            "file": "a.jpg",
            "width": 40,
            "height": 30,
            "licence": "ignored",
            "captions": ["a dog"],
            "objects": [
                {"label": "dog", "bbox_xywh_px": [1, 2, 3, 4], "crowd": False},
                {"label": "cat", "bbox_xywh_px": [0, 0, 9, 9], "crowd": True},
            ],
        }
    ],
}
COCO = {
    "images": [
        {"id": 8, "file_name": "b.jpg", "width": 10, "height": 10},
        {"id": 7, "file_name": "a.jpg", "width": 40, "height": 30, "license": 1},
    ],
    "annotations": [
        {
            "id": 1,
            "image_id": 7,
            "category_id": 18,
            "bbox": [1, 2, 3, 4],
            "area": 12,
            "iscrowd": 0,
        },
        {"id": 2, "image_id": 7, "category_id": 17, "bbox": [0, 0, 9, 9], "iscrowd": 1},
    ],
    "categories": [{"id": 17, "name": "cat"}, {"id": 18, "name": "dog", "supercategory": "animal"}],
}
CAPTIONS = {"annotations": [{"id": 5, "image_id": 7, "caption": "a dog"}]}


def written(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_the_simple_form(tmp_path: Path) -> None:
    assert load_photos(written(tmp_path / "simple.json", SIMPLE)) == (PHOTO,)


def test_cocos_form_with_captions(tmp_path: Path) -> None:
    instances = written(tmp_path / "instances.json", COCO)
    captions = written(tmp_path / "captions.json", CAPTIONS)
    assert load_photos(instances, captions) == (PHOTO, Photo("b.jpg", 10, 10, (), ()))
    assert load_photos(instances)[0].captions == ()


@pytest.mark.parametrize("content", [{}, {"photos": [{"file": "a.jpg"}]}, [], {"images": []}])
def test_another_form_is_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(ValidationError):
        load_photos(written(tmp_path / "odd.json", content))


def test_questions_as_toml_and_as_json(tmp_path: Path) -> None:
    toml = tmp_path / "questions.toml"
    toml.write_text(
        "[[question]]\nphotos = ['a.jpg']\nask = 'How many?'\nkind = 'count'\n"
        "accept = [1, true, '\\bone\\b']\njson = true\n"
    )
    fields = {"photos": ["a.jpg"], "ask": "How many?", "kind": "count", "accept": [1, True, r"\bone\b"]}
    same = written(tmp_path / "questions.json", {"question": [fields | {"json": True}]})
    assert load_questions(toml) == load_questions(same)
    (question,) = load_questions(toml)
    assert question.accept == (1, True, r"\bone\b")
    assert [type(one) for one in question.accept] == [int, bool, str]
    assert question.json_wanted
    assert question.language == "en"


def test_a_misspelt_question_is_refused(tmp_path: Path) -> None:
    odd = {"question": [{"photos": ["a.jpg"], "ask": "?", "kind": "count", "acept": [1]}]}
    with pytest.raises(ValidationError, match="acept"):
        load_questions(written(tmp_path / "questions.json", odd))


def test_our_questions_are_balanced_and_enough() -> None:
    questions = load_questions(Path(__file__).parents[2] / "bench" / "questions.toml")
    yes_no = [question.accept[0] for question in questions if question.kind == "yes/no"]
    assert len(yes_no) == 2 * yes_no.count(False)
    assert len([q for q in questions if q.language == "en" and not q.cant_tell]) >= 60
    assert len([q for q in questions if q.language == "tr"]) >= 10
    assert all(question.accept or question.cant_tell for question in questions)
