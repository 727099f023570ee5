import json
from collections.abc import Iterator

import pytest

from bench import __main__ as program
from bench.servers import Broken
from bench.table import Row


def _half() -> Iterator[Row]:
    yield Row("first", 1.0)
    raise Broken("the second does not work")


def _slow() -> Iterator[Row]:
    yield Row("slow", 9.0, most=1.0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "BENCHMARKS", {"half": _half, "slow": _slow})


def test_a_missed_target_fails_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["slow"]) == 0
    assert "NO" in capsys.readouterr().out


def test_what_does_not_work_fails_the_run_but_hides_no_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main([]) == 1
    told = capsys.readouterr()
    assert "first" in told.out
    assert "slow" in told.out
    assert "half ended early: the second does not work" in told.err


def test_who_interrupts_a_run_sees_what_was_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> Iterator[Row]:
        yield Row("first", 1.0)
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "BENCHMARKS", {"long": interrupted})
    assert program.main(["long"]) == 1
    told = capsys.readouterr()
    assert "first" in told.out
    assert "interrupted" in told.err


def test_json_holds_the_rows_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    program.main(["--json"])
    assert [row["figure"] for row in json.loads(capsys.readouterr().out)] == ["first", "slow"]


def test_quality_has_flags_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(["quality", "--help"])
    assert ended.value.code == 0
    assert "--annotations" in capsys.readouterr().out


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(["nonsense"])
    assert ended.value.code == 2
