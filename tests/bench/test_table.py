import json

import pytest

from bench.table import Row, Target, as_json, table


@pytest.mark.parametrize(
    ("row", "compared", "met"),
    [
        (Row("ours", 3.0, 6.0, most=4), 3.0, True),
        (Row("ours", 5.0, most=4), 5.0, False),
        (Row("added", 3.0, 2.0, "peer", Target.ADDED, 1.5), 1.0, True),
        (Row("added", 4.0, 2.0, "peer", Target.ADDED, 1.5), 2.0, False),
        (Row("ratio", 3.0, 4.0, "peer", Target.RATIO, 0.75), 0.75, True),
        (Row("ratio", 3.0, 2.0, "peer", Target.RATIO, 1.1), 1.5, False),
        (Row("of nothing", 3.0, 0.0, "peer", Target.RATIO, 1.1), None, None),
        (Row("no peer", 3.0, target=Target.RATIO, most=1.1), None, None),
        (Row("no target", 3.0, 4.0, "peer", Target.RATIO), 0.75, None),
        (Row("skipped", most=1.0, skipped="no weights"), 0.0, None),
    ],
)
def test_a_target_is_about_one_number(row: Row, compared: float | None, met: bool | None) -> None:
    assert row.compared == compared
    assert row.met is met


def test_columns_line_up_and_say_what_was_met() -> None:
    text = table(
        [
            Row("small request", 1.234, 0.5, "bare handler", Target.ADDED, 1.5),
            Row("parse", 123.4, 100.0, "json", Target.RATIO, 0.15),
            Row("idle", 1234.5, most=2000, unit="MB"),
            Row("lite", most=250, skipped="no weights"),
        ]
    )
    assert text.splitlines() == [
        "figure         ours      yardstick             compared  target           met",
        "small request  1.23 ms   0.50 ms bare handler  +0.73 ms  +1.5 ms at most  yes",
        "parse          123 ms    100 ms json           x 1.23    x 0.15 at most   NO",
        "idle           1,234 MB                                  2000 MB at most  yes",
        "lite           skipped   no weights",
    ]


def test_rows_as_json_are_whole() -> None:
    (row,) = json.loads(as_json([Row("parse", 3.0, 4.0, "json", Target.RATIO)]))
    assert row == {
        "figure": "parse",
        "ours": 3.0,
        "theirs": 4.0,
        "yardstick": "json",
        "target": "ours / yardstick",
        "most": None,
        "unit": "ms",
        "skipped": "",
        "compared": 0.75,
        "met": None,
    }
