import io
import json

import pytest
from PIL import Image

from bench import pictures
from vidi.domain.prompt import ImageSource
from vidi.wire.decode import RequestLimits, decode_generate


@pytest.mark.parametrize(
    ("data", "size", "megabytes"),
    [(pictures.camera_jpeg(), (4000, 3000), 3.0), (pictures.huge_jpeg(), (4000, 3000), 15.0)],
    ids=["camera", "huge"],
)
def test_pictures_have_the_size_that_rows_name(data: bytes, size: tuple[int, int], megabytes: float) -> None:
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size) == ("JPEG", size)
    assert len(data) / 1e6 == pytest.approx(megabytes, rel=0.05)


def test_small_pictures_are_always_the_same_and_each_is_another_file() -> None:
    many = pictures.small_jpegs(130)
    assert many == pictures.small_jpegs(130)
    assert len(set(many)) == 130
    assert sum(map(len, many)) / len(many) == pytest.approx(5000, rel=0.05)


def test_a_trailing_comma_takes_the_lenient_way_to_the_same_request() -> None:
    body = pictures.request(pictures.small_jpegs(2))
    sloppy = pictures.with_trailing_comma(body)
    with pytest.raises(json.JSONDecodeError):
        json.loads(sloppy)
    asked = decode_generate(body, RequestLimits(model="echo"))
    assert decode_generate(sloppy, RequestLimits(model="echo")) == asked
    found = [image.data for image in asked.images() if isinstance(image, ImageSource)]
    assert found == pictures.small_jpegs(2)


def test_a_stamped_picture_is_another_file_with_the_same_pixels() -> None:
    plain = pictures.small_jpegs(1)[0]
    one, other = (pictures.stamped(plain, number) for number in (1, 999_999))
    assert len({plain, one, other}) == 3
    with Image.open(io.BytesIO(plain)) as image, Image.open(io.BytesIO(other)) as twin:
        assert image.tobytes() == twin.tobytes()


def test_a_request_is_stamped_anew_in_place() -> None:
    plain = pictures.small_jpegs(1)[0]
    body = bytearray(pictures.request([pictures.stamped(plain, 0)]))
    pictures.restamp(body, 123)
    assert bytes(body) == pictures.request([pictures.stamped(plain, 123)])
