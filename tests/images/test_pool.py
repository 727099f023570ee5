"""Decoders are killed, replaced and cleaned up; callers get a refusal and the next picture is taken."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import shutil
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tests.images import drawn, hostile
from tests.waiting import HANG_SECONDS, until
from vidi.domain.errors import InvalidImage, Unavailable
from vidi.domain.geometry import Fit
from vidi.domain.prompt import ImageFormat, ImageHeader, ImageSource, MediaResolution, Picture
from vidi.images.header import ImageLimits, read_header
from vidi.images.pool import DecoderLimits, DecoderPool
from vidi.images.source import PictureSource
from vidi.settings import child_environment

WHERE = "contents[0].parts[1].inline_data"
LIMITS = ImageLimits(max_scans=100_000)
GOOD = drawn.encoded(drawn.drawing(), "PNG")
BROKEN = GOOD[:100] + b"\0\0\0\0" + GOOD[104:]
STUCK = hostile.jpeg_of_scans(8_000, 6_000, 9_000)
"""Keeps a decoder busy for most of a minute."""

Story = Callable[[DecoderPool], Coroutine[None, None, None]]


def _pool() -> DecoderPool:
    return DecoderPool(size=1, limits=DecoderLimits(HANG_SECONDS, 1 << 30))


def _source(data: bytes) -> PictureSource:
    return PictureSource.inline(ImageSource(data, WHERE))


async def _prepare(pool: DecoderPool, data: bytes = GOOD) -> Picture:
    header = read_header(data, where=WHERE, limits=LIMITS)
    return await pool.prepare(_source(data), header, Fit(1 << 20))


async def _refused(pool: DecoderPool, data: bytes, reason: str) -> None:
    with pytest.raises(InvalidImage, match=reason) as caught:
        await _prepare(pool, data)
    assert caught.value.where == WHERE
    assert caught.value.message.startswith(f"Unable to process input image. The picture at {WHERE} ")


async def _goes_on(pool: DecoderPool) -> None:
    assert (await _prepare(pool)).rgb == drawn.drawing().tobytes()


def _decoders() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        try:
            if "vidi.images.decoder" in child.cmdline():
                found.append(child)
        except psutil.NoSuchProcess:  # It has just ended.
            continue
    return found


async def _busy() -> psutil.Process:
    """The one decoder, as soon as it has had something to do for a while."""
    async with asyncio.timeout(HANG_SECONDS):
        while not (found := _decoders()) or found[0].cpu_times().user < 0.3:
            await asyncio.sleep(0.02)
    return found[0]


def _run(story: Story, pool: Callable[[], DecoderPool] = _pool) -> None:
    """Tell a story with a pool, which has to leave no process and no descriptor behind."""

    async def told() -> None:
        teller = pool()
        try:
            await story(teller)
        finally:
            await teller.close()

    before = psutil.Process().num_fds()
    asyncio.run(told())
    assert _decoders() == []
    assert psutil.Process().num_fds() == before


def _keeping() -> DecoderPool:
    return DecoderPool(size=1, limits=DecoderLimits(HANG_SECONDS, 1 << 30), keep=4 << 20)


def test_a_file_that_comes_again_is_not_decoded_again() -> None:
    async def story(pool: DecoderPool) -> None:
        first = await _prepare(pool)
        (decoder,) = _decoders()
        decoder.kill()
        decoder.wait()
        again = await _prepare(pool)
        assert again == first
        assert again.rgb is first.rgb
        assert _decoders() == []

    _run(story, _keeping)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_lies_upright_on_its_square(orientation: int) -> None:
    data = drawn.turned("PNG", orientation)

    async def story(pool: DecoderPool) -> None:
        header = read_header(data, where=WHERE, limits=LIMITS)
        picture = await pool.prepare(_source(data), header, Fit(1, square=48))
        assert (picture.width, picture.height) == (48, 48)
        placed = picture.placement
        assert (placed.source_width, placed.source_height) == drawn.SIZE
        assert (placed.left, placed.top, placed.width, placed.height) == (0, 8, 48, 32)

    _run(story)


def test_a_file_that_comes_again_is_fitted_and_marked_as_this_request_wants() -> None:
    async def story(pool: DecoderPool) -> None:
        first = await _prepare(pool)
        header = replace(read_header(GOOD, where=WHERE, limits=LIMITS), resolution=MediaResolution.LOW)
        low = await pool.prepare(_source(GOOD), header, Fit(1 << 20))
        small = await pool.prepare(_source(GOOD), header, Fit(100))
        assert (low.rgb, low.resolution) == (first.rgb, MediaResolution.LOW)
        assert small.width * small.height <= 100
        assert (await _prepare(pool)) == first

    _run(story, _keeping)


def test_another_file_of_the_same_size_is_another_picture() -> None:
    async def story(pool: DecoderPool) -> None:
        colours = ("red", "lime", "blue")
        files = [drawn.encoded(Image.new("RGB", (8, 8), colour), "PNG") for colour in colours]
        alone = [(await _prepare(pool, file)).rgb[:3] for file in files]
        again = [(await _prepare(pool, file)).rgb[:3] for file in files]
        assert alone == again == [b"\xff\0\0", b"\0\xff\0", b"\0\0\xff"]

    _run(story, _keeping)


def test_a_refusal_is_not_kept() -> None:
    async def story(pool: DecoderPool) -> None:
        for _ in range(2):
            await _refused(pool, BROKEN, "broken")
        await _goes_on(pool)

    _run(story, _keeping)


def test_decoders_start_with_the_first_picture_and_stay() -> None:
    async def story(pool: DecoderPool) -> None:
        assert _decoders() == []
        await _goes_on(pool)
        first = _decoders()
        await _goes_on(pool)
        assert _decoders() == first

    _run(story)


def test_no_more_decoders_than_allowed_and_callers_in_order() -> None:
    done: list[int] = []

    async def one(pool: DecoderPool, number: int) -> None:
        await _prepare(pool)
        done.append(number)

    async def story(pool: DecoderPool) -> None:
        await asyncio.gather(*(one(pool, number) for number in range(20)))
        assert done == list(range(20))
        assert len(_decoders()) == 1

    _run(story)


def test_several_decoders_work_at_once_until_they_idle() -> None:
    async def story(pool: DecoderPool) -> None:
        await asyncio.gather(*(_goes_on(pool) for _ in range(9)))
        async with asyncio.timeout(HANG_SECONDS):
            while len(_decoders()) > 1:
                await asyncio.sleep(0.02)
        await _goes_on(pool)

    _run(story, lambda: DecoderPool(size=3, limits=DecoderLimits(HANG_SECONDS, 1 << 30), idle_seconds=0.1))


def test_what_is_kept_goes_when_nothing_is_decoded_for_a_while() -> None:
    async def story(pool: DecoderPool) -> None:
        await _goes_on(pool)
        decoded = pool.decoded
        async with asyncio.timeout(HANG_SECONDS):
            while pool.decoded == decoded:
                await asyncio.sleep(0.02)
                await _goes_on(pool)

    limits = DecoderLimits(HANG_SECONDS, 1 << 30)
    _run(story, lambda: DecoderPool(size=1, limits=limits, idle_seconds=0.1, keep=1 << 20))


def test_big_pictures_are_decoded_one_at_a_time() -> None:
    big = drawn.encoded(Image.new("1", (5_000, 4_000)), "PNG")

    async def story(pool: DecoderPool) -> None:
        await asyncio.gather(_prepare(pool, big), _prepare(pool, big))
        assert len(_decoders()) == 1

    _run(story, lambda: DecoderPool(size=2, limits=DecoderLimits(HANG_SECONDS, 1 << 30)))


def test_a_killed_decoder_costs_one_picture() -> None:
    async def story(pool: DecoderPool) -> None:
        task = asyncio.create_task(_refused(pool, STUCK, "crashed the decoder"))
        (await _busy()).kill()
        await task
        await _goes_on(pool)

    _run(story)


def test_a_decoder_that_died_idle_costs_nothing() -> None:
    async def story(pool: DecoderPool) -> None:
        await _goes_on(pool)
        victim = _decoders()[0]
        victim.kill()
        victim.wait(HANG_SECONDS)
        await _goes_on(pool)

    _run(story)


def test_a_stuck_decoder_is_killed_at_the_deadline() -> None:
    async def story(pool: DecoderPool) -> None:
        await _goes_on(pool)
        stuck = _decoders()
        # Only the stuck one has to hurry: on a busy machine a good picture may take any time.
        pool._limits = replace(pool._limits, seconds=0.5)
        await _refused(pool, STUCK, "took longer than 0.5 s to decode")
        pool._limits = replace(pool._limits, seconds=HANG_SECONDS)
        await _goes_on(pool)
        assert _decoders() != stuck

    _run(story)


def test_a_picture_that_needs_too_much_memory_is_refused() -> None:
    big = drawn.encoded(Image.new("RGB", (8_000, 8_000)), "PNG", compress_level=1)

    async def story(pool: DecoderPool) -> None:
        await _refused(pool, big, "needs more than 150 MB of memory")
        await _goes_on(pool)

    _run(story, lambda: DecoderPool(size=1, limits=DecoderLimits(HANG_SECONDS, 150 << 20)))


def test_a_header_that_lied_is_refused() -> None:
    async def story(pool: DecoderPool) -> None:
        lie = ImageHeader(ImageFormat.PNG, 90, 60)
        with pytest.raises(InvalidImage, match="do not have the size that its header announces"):
            await pool.prepare(_source(GOOD), lie, Fit(1 << 20))
        with pytest.raises(InvalidImage, match="broken"):
            await pool.prepare(_source(GOOD), ImageHeader(ImageFormat.JPEG, *drawn.SIZE), Fit(1 << 20))
        await _goes_on(pool)

    _run(story)


@pytest.mark.parametrize("working", [True, False], ids=["at work", "waiting"])
def test_a_caller_who_goes_away_frees_its_decoder(working: bool) -> None:
    async def story(pool: DecoderPool) -> None:
        first = asyncio.create_task(_prepare(pool, STUCK))
        second = asyncio.create_task(_prepare(pool, STUCK))
        await _busy()
        for task in (second, first) if working else (first, second):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await _goes_on(pool)

    _run(story)


def test_closing_ends_work_in_progress() -> None:
    async def story(pool: DecoderPool) -> None:
        task = asyncio.create_task(_prepare(pool, STUCK))
        waiting = asyncio.create_task(_prepare(pool, GOOD))
        await _busy()
        await pool.close()
        for late in (task, waiting, asyncio.create_task(_prepare(pool))):
            with pytest.raises(Unavailable, match="shutting down"):
                await late
        await pool.close()

    _run(story)


@pytest.mark.parametrize(
    ("program", "reason"), [(shutil.which("false"), "does not start"), ("/no/such/python", "can be started")]
)
def test_a_decoder_that_cannot_start_is_no_fault_of_the_picture(
    monkeypatch: pytest.MonkeyPatch, program: str, reason: str
) -> None:
    async def story(pool: DecoderPool) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", program)
            with pytest.raises(Unavailable, match=reason):
                await _prepare(pool)
        await _goes_on(pool)

    _run(story)


def test_a_forgotten_pool_leaves_nothing() -> None:
    async def forget() -> None:
        await _goes_on(DecoderPool(size=1, limits=DecoderLimits(HANG_SECONDS, 1 << 30), idle_seconds=0.0))
        await asyncio.sleep(0.05)

    before = psutil.Process().num_fds()
    asyncio.run(forget())
    gc.collect()
    until(lambda: not _decoders())
    assert psutil.Process().num_fds() == before


def test_large_files_pass_and_their_memory_is_given_back() -> None:
    noise = Image.effect_noise((2_400, 2_400), 90)
    large = drawn.encoded(
        Image.merge("RGB", (noise, noise.rotate(90), noise.rotate(180))), "PNG", compress_level=0
    )
    assert len(large) > 16 << 20

    async def story(pool: DecoderPool) -> None:
        picture = await _prepare(pool, large)
        assert picture.digest == hashlib.sha256(large).hexdigest()
        assert picture.width * picture.height <= 1 << 20
        assert all(size <= 16 << 20 for size in _shared_sizes())
        await _goes_on(pool)

    _run(story)


def _shared_sizes() -> list[int]:
    """Sizes of this process's anonymous files, where the system can tell."""
    links = Path("/proc/self/fd")
    names = list(links.iterdir()) if links.exists() else []
    return [name.stat().st_size for name in names if name.exists() and "vidi-picture" in str(name.readlink())]


def _status(process: psutil.Process) -> dict[str, str]:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_a_decoder_has_no_keys_no_new_rights_and_few_system_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDI_API_KEYS", "a-secret-of-the-owner")
    monkeypatch.setenv("HF_TOKEN", "a-secret-of-the-owner")

    async def story(pool: DecoderPool) -> None:
        await _goes_on(pool)
        (decoder,) = psutil.Process().children()
        assert "a-secret-of-the-owner" not in decoder.environ().values()
        status = _status(decoder)
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")

    _run(
        story,
        lambda: DecoderPool(
            size=1,
            limits=DecoderLimits(HANG_SECONDS, 1 << 30, child_environment()),
        ),
    )
