import time

import psutil

from bench.memory import footprint, watching
from bench.servers import Server
from tests.waiting import HANG_SECONDS


def test_a_peak_is_seen_and_outlives_its_memory() -> None:
    own = Server(0, psutil.Process())
    before = footprint(own)
    end = time.monotonic() + HANG_SECONDS
    with watching(own) as peak:
        held = bytearray(b"x") * 200_000_000
        while peak.size < before + 100 and time.monotonic() < end:
            time.sleep(0.01)
        del held
    assert before > 1
    assert peak.size >= before + 100
