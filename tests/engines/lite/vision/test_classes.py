from __future__ import annotations

from vidi.engines.lite.vision.detector import COCO_CLASSES
from vidi.engines.lite.world import IMAGENET_CLASSES


def test_every_class_has_a_name_of_its_own() -> None:
    assert len(set(COCO_CLASSES)) == len(COCO_CLASSES) == 80
    assert len(set(IMAGENET_CLASSES)) == len(IMAGENET_CLASSES) == 1000
    assert all(name and name == name.strip() for name in (*COCO_CLASSES, *IMAGENET_CLASSES))


def test_the_order_is_the_published_one() -> None:
    assert [COCO_CLASSES[index] for index in (0, 15, 39, 62, 79)] == [
        "person",
        "cat",
        "bottle",
        "tv",
        "toothbrush",
    ]
    assert [IMAGENET_CLASSES[index] for index in (0, 207, 340, 463, 559, 817, 954, 999)] == [
        "tench",
        "golden retriever",
        "zebra",
        "bucket",
        "folding chair",
        "sports car",
        "banana",
        "toilet paper",
    ]
