"""Answers that are given again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from vidi.domain.answer import Finish, Piece, TokenCount
from vidi.domain.prompt import MediaResolution, Output, Request, Role, Sampling, TextFormat, Turn
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.answer_cache import AnswerCache, CachedAnswer, CacheKey, PictureKey, is_deterministic
from vidi.engines.base import ModelCard

CAT = PictureKey("cat", MediaResolution.HIGH)
SHAPE = Schema(
    kinds=frozenset({Kind.OBJECT}),
    properties=(Property("a", Schema(kinds=frozenset({Kind.STRING}), enum=("x",)), required=True),),
)
ASK: Request[PictureKey] = Request(
    turns=(Turn(Role.USER, (CAT, "What is it?")),), output=Output(TextFormat.JSON, SHAPE)
)
ASKED = CacheKey("model", "1", ASK)
ANSWER = CachedAnswer(TokenCount(5, 258), (Piece("A cat.", tokens=2), Piece("", finish=Finish.STOP)))


def key(text: str) -> CacheKey:
    return CacheKey("model", "1", Request(turns=(Turn(Role.USER, (text,)),)))


@pytest.mark.parametrize(
    ("samples", "sampling", "deterministic"),
    [
        (True, Sampling(), False),
        (True, Sampling(temperature=1.0), False),
        (True, Sampling(temperature=0.0), True),
        (True, Sampling(seed=0), True),
        (False, Sampling(temperature=0.0, seed=1), False),
    ],
)
def test_only_what_chance_has_no_say_in_is_deterministic(
    samples: bool, sampling: Sampling, deterministic: bool
) -> None:
    assert is_deterministic(ModelCard("m", "M", "", samples=samples), sampling) is deterministic


def test_the_same_question_has_the_same_answer() -> None:
    cache = AnswerCache(100_000)
    assert cache.get(ASKED) is None
    cache.put(ASKED, ANSWER)
    assert cache.get(replace(ASKED)) == ANSWER


@pytest.mark.parametrize(
    "other",
    [
        replace(ASKED, model="other"),
        replace(ASKED, version="2"),
        replace(ASKED, request=replace(ASK, system="Be brief.")),
        replace(ASKED, request=replace(ASK, output=Output())),
        replace(ASKED, request=replace(ASK, candidates=2)),
        replace(ASKED, request=replace(ASK, sampling=Sampling(max_output_tokens=3))),
        replace(ASKED, request=ASK.with_images([PictureKey("dog", MediaResolution.HIGH)])),
        replace(ASKED, request=ASK.with_images([PictureKey("cat", MediaResolution.LOW)])),
        replace(ASKED, request=replace(ASK, turns=(Turn(Role.USER, ("What is it?", CAT)),))),
    ],
)
def test_whatever_differs_is_another_question(other: CacheKey) -> None:
    cache = AnswerCache(100_000)
    cache.put(ASKED, ANSWER)
    assert cache.get(other) is None


def test_no_room_keeps_nothing() -> None:
    cache = AnswerCache(0)
    cache.put(ASKED, ANSWER)
    assert cache.get(ASKED) is None
    assert cache.used == 0


def test_the_room_holds_and_the_least_recently_used_goes_first() -> None:
    cache = AnswerCache(60_000)
    cache.put(key("first"), ANSWER)
    for index in range(200):
        cache.put(key(f"{index}"), ANSWER)
        assert cache.get(key("first")) == ANSWER
        assert 0 < cache.used <= 60_000
    assert cache.get(key("0")) is None
    assert cache.get(key("199")) == ANSWER


def test_an_answer_that_would_put_out_many_is_not_kept() -> None:
    cache = AnswerCache(60_000)
    cache.put(ASKED, ANSWER)
    cache.put(key("long"), CachedAnswer(TokenCount(), (Piece("x" * 10_000, finish=Finish.STOP),)))
    assert cache.get(key("long")) is None
    assert cache.get(ASKED) == ANSWER


def test_what_is_kept_anew_takes_no_more_room() -> None:
    cache = AnswerCache(100_000)
    cache.put(ASKED, ANSWER)
    used = cache.used
    cache.put(ASKED, ANSWER)
    assert cache.used == used


async def _pieces(fails: bool) -> AsyncIterator[Piece]:
    for piece in ANSWER.pieces:
        yield piece
    if fails:
        raise RuntimeError


async def _collect(pieces: AsyncIterator[Piece]) -> tuple[Piece, ...]:
    return tuple([piece async for piece in pieces])


def test_an_answer_is_kept_when_it_has_come_to_its_end() -> None:
    cache = AnswerCache(100_000)
    passed = asyncio.run(_collect(cache.keep(ASKED, ANSWER.cost, _pieces(fails=False))))
    kept = cache.get(ASKED)
    assert kept == ANSWER
    assert asyncio.run(_collect(kept.replay())) == passed == ANSWER.pieces


def test_an_answer_that_breaks_off_is_not_kept() -> None:
    cache = AnswerCache(100_000)
    with pytest.raises(RuntimeError):
        asyncio.run(_collect(cache.keep(ASKED, ANSWER.cost, _pieces(fails=True))))
    assert cache.get(ASKED) is None
