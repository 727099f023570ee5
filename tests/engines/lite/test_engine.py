"""The engine around the rules: its card, its prices, its threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.engines.lite.fakes import STREET, FakeModels, lite_of, picture_of, told
from vidi.domain.prompt import ImageFormat, ImageHeader, Prompt, PromptHeaders, Request, Role, Turn
from vidi.engines.base import EngineContext
from vidi.engines.lite.engine import open_engine
from vidi.engines.lite.weights.assets import Weights


def test_the_card() -> None:
    card = lite_of(FakeModels()).card
    assert (card.id, card.slots, card.samples, card.thinks) == ("vidi-lite", 2, False, False)


def test_prices() -> None:
    header = ImageHeader(ImageFormat.JPEG, 9000, 9000)
    outline: PromptHeaders = Request(turns=(Turn(Role.USER, (header, "Caption this image.")),))
    cost = lite_of(FakeModels()).count_tokens(outline)
    assert (cost.text, cost.image) == (5, 258)


def test_threads_that_ask_at_once_get_the_same_answers() -> None:
    models = FakeModels()
    lite = lite_of(models)
    pictures = [models.know(replace(STREET, width=200 + at % 3)) for at in range(24)]
    prompts: list[Prompt] = [
        Request(turns=(Turn(Role.USER, (picture, "Describe this image.")),)) for picture in pictures
    ]
    with ThreadPoolExecutor(8) as threads:
        answers = {answer.text for answer in threads.map(lambda prompt: told(lite, prompt), prompts)}
    assert len(answers) == 1
    assert models.looks == 3


@pytest.mark.weights
@pytest.mark.slow
def test_the_real_models_answer_about_anything(real_weights: Weights, tmp_path: Path) -> None:
    cache = real_weights.detector.parent
    while not (cache / "vidi-lite").is_dir() and cache != cache.parent:
        cache = cache.parent
    lite = open_engine(EngineContext(cache, threads=1, progress=lambda step, done, total: None))
    random = np.random.default_rng(0)
    shapes = [(1, 1), (3, 700), (700, 3), (64, 64)]
    for height, width in shapes:
        picture = picture_of(random.integers(0, 255, (height, width, 3), np.uint8))
        prompt: Prompt = Request(turns=(Turn(Role.USER, (picture, "What is in this picture?")),))
        assert told(lite, prompt).text.endswith(".")
    lite.close()
