from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidi.storage.clock import END_OF_TIME, from_micros, to_micros, utc_now


def test_utc_now_knows_its_zone() -> None:
    assert utc_now().utcoffset() is not None


@given(moment=st.datetimes(timezones=st.just(UTC)))
def test_a_moment_outlives_the_database_exactly(moment: datetime) -> None:
    assert from_micros(to_micros(moment)) == moment


def test_the_end_of_time_is_the_last_moment() -> None:
    with pytest.raises(OverflowError):
        from_micros(to_micros(END_OF_TIME) + 1)
