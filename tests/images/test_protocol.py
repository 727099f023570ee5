"""The messages between server and decoder."""

from __future__ import annotations

import os
import struct
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidi.domain.geometry import Fit
from vidi.domain.prompt import ImageFormat
from vidi.images.protocol import JOB_SIZE, RESULT_SIZE, DecodeResult, Job, Verdict, write_at

SIZES = st.integers(0, 2**32 - 1)

FITS = st.builds(Fit, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), SIZES, SIZES)


@given(st.builds(Job, st.sampled_from(ImageFormat), st.integers(1, 8), SIZES, SIZES, FITS))
def test_jobs_survive_the_way(job: Job) -> None:
    assert len(job.pack()) == JOB_SIZE
    assert Job.unpack(job.pack()) == job


@given(st.builds(DecodeResult, st.sampled_from(Verdict), SIZES, SIZES, SIZES, SIZES))
def test_replies_survive_the_way(reply: DecodeResult) -> None:
    assert len(reply.pack()) == RESULT_SIZE
    assert DecodeResult.unpack(reply.pack()) == reply


@pytest.mark.parametrize("message", [b"", b"\1", b"\xff" * RESULT_SIZE])
def test_what_is_no_reply_is_not_read_as_one(message: bytes) -> None:
    with pytest.raises((ValueError, struct.error)):
        DecodeResult.unpack(message)


def test_writing_leaves_the_position_alone() -> None:
    with tempfile.TemporaryFile() as file:
        write_at(file.fileno(), b"world", 6)
        write_at(file.fileno(), memoryview(b"hello "), 0)
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 0
        assert file.read() == b"hello world"
