import pytest

from vidi.domain.answer import Piece, TokenCount
from vidi.domain.prompt import Ask, MediaResolution, Role, Sampling, Turn
from vidi.engines.base import ModelCard
from vidi.engines.recall import AnswerCache, KnownAnswer, Question, SeenPicture, is_settled

CARD = ModelCard("m", "M", "M.", samples=True)


def question(text: str, digest: str = "d", version: str = "1") -> Question:
    seen = SeenPicture(digest, MediaResolution.HIGH)
    return Question("m", version, Ask(turns=(Turn(Role.USER, (seen, text)),)))


def answer(text: str) -> KnownAnswer:
    return KnownAnswer(TokenCount(text=7, image=256), (Piece(text, tokens=3),))


def test_an_answer_comes_back_with_its_cost_for_the_same_question_only() -> None:
    answers = AnswerCache(100_000)
    answers.put(question("what?"), answer("a dog"))
    assert answers.get(question("what?")) == answer("a dog")
    for other in (question("where?"), question("what?", digest="e"), question("what?", version="2")):
        assert answers.get(other) is None


def test_the_least_recently_used_answer_goes_first_and_room_is_kept() -> None:
    answers = AnswerCache(40_000)
    for number in range(30):
        answers.put(question(str(number)), answer("yes"))
        assert answers.get(question("0")) is not None
        assert answers.used <= 40_000
    assert answers.get(question("1")) is None
    assert answers.get(question("29")) is not None


def test_the_same_question_takes_room_once() -> None:
    answers = AnswerCache(100_000)
    answers.put(question("what?"), answer("a dog"))
    used = answers.used
    answers.put(question("what?"), answer("a cat"))
    assert answers.used == used
    assert answers.get(question("what?")) == answer("a cat")


def test_a_large_answer_and_any_in_no_room_are_not_kept() -> None:
    for answers, text in ((AnswerCache(40_000), "x" * 3000), (AnswerCache(0), "x")):
        answers.put(question("what?"), answer(text))
        assert answers.get(question("what?")) is None
        assert answers.used == 0


@pytest.mark.parametrize(
    ("sampling", "settled"),
    [
        (Sampling(), False),
        (Sampling(temperature=0.5), False),
        (Sampling(temperature=0), True),
        (Sampling(temperature=0.5, seed=1), True),
    ],
)
def test_only_what_chance_has_no_say_in_is_settled(sampling: Sampling, settled: bool) -> None:
    assert is_settled(CARD, sampling) is settled
    assert not is_settled(ModelCard("m", "M", "M."), sampling)
