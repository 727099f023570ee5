import time

from bench.speed import in_turns, medians


def test_actions_take_turns_and_the_first_round_does_not_count() -> None:
    done: list[str] = []
    times = in_turns(3, lambda: done.append("a"), lambda: done.append("b"))
    assert "".join(done) == "abababab"
    assert [len(own) for own in times] == [3, 3]


def test_medians_are_in_milliseconds() -> None:
    (took,) = medians(3, lambda: time.sleep(0.01))
    assert took >= 10
