import numpy as np

from tests.model.scenes import Scene, random_scene
from tools.shapes import dialogue

SCENE = Scene("orange", "triangle", (0, 40, 20, 60))


def test_the_answers_are_what_the_readme_says() -> None:
    assert dialogue.boxes(SCENE) == '[{"bbox_2d":[0,625,313,938],"label":"orange triangle"}]'
    assert dialogue.points(SCENE) == '[{"point_2d":[156,781],"label":"orange triangle"}]'
    assert dialogue.caption(SCENE) == "An orange triangle at the bottom left."
    assert dialogue.as_object(SCENE) == '{"color":"orange","shape":"triangle"}'
    other = Scene("red", "circle", (0, 0, 12, 12))
    assert dialogue.pair(other, SCENE) == "Image 1: a red circle. Image 2: an orange triangle."


def test_a_row_teaches_only_what_the_model_says() -> None:
    words = dialogue.tokenizer()
    row = dialogue.Row(words)
    row.user(dialogue.COLOUR, (2,))
    row.answer("orange")
    taught = [number for number, worth in zip(row.ids, row.worth, strict=True) if worth]
    assert taught == [*words.encode("orange"), words.special(dialogue.STOP)]
    first = 2 * dialogue.PICTURE_TOKENS
    assert [slot for slot in row.slots if slot >= 0] == list(range(first, first + dialogue.PICTURE_TOKENS))


def test_every_row_shows_its_pictures_whole_and_teaches_something() -> None:
    rng = np.random.default_rng(5)
    scenes = [random_scene(rng) for _ in range(200)]
    teacher = dialogue.Teacher(dialogue.tokenizer(), rng)
    rows = [teacher.row(scenes, number) for number in range(len(scenes))]
    batch = dialogue.pack(rows)
    assert set(np.count_nonzero(batch["slots"] >= 0, axis=1)) == {
        n * dialogue.PICTURE_TOKENS for n in (0, 1, 2)
    }
    assert batch["said"].any(axis=1).all()
