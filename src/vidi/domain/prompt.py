"""What is asked, before and after its pictures are loaded.

`wire` makes a `Conversation` (image references), `generate` turns it into an `PromptHeaders` (headers read,
enough to count tokens) and a `Prompt` (pictures loaded, upright, fitted). Engines see only the last two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar, cast

from vidi.domain.answer import FunctionCall
from vidi.domain.geometry import Placement
from vidi.domain.schema import Schema


class Role(Enum):
    """Who speaks."""

    USER = "user"
    MODEL = "model"


class MediaResolution(Enum):
    """How closely a picture is looked at; UNSPECIFIED leaves it to the model."""

    UNSPECIFIED = "MEDIA_RESOLUTION_UNSPECIFIED"
    LOW = "MEDIA_RESOLUTION_LOW"
    MEDIUM = "MEDIA_RESOLUTION_MEDIUM"
    HIGH = "MEDIA_RESOLUTION_HIGH"
    ULTRA_HIGH = "MEDIA_RESOLUTION_ULTRA_HIGH"


ImageDetail = MediaResolution | int
"""How closely one picture is looked at: a level, or a budget of so many tokens."""

LEVEL_TOKENS = {
    MediaResolution.LOW: 280,
    MediaResolution.MEDIUM: 560,
    MediaResolution.HIGH: 1120,
    MediaResolution.ULTRA_HIGH: 2240,
}
"""What each level may cost, by the guide's page on media resolution."""


def level_of(detail: ImageDetail) -> MediaResolution:
    """The level itself, or the lowest one that has a budget's tokens."""
    if isinstance(detail, MediaResolution):
        return detail
    fitting = (level for level, tokens in LEVEL_TOKENS.items() if tokens >= detail)
    return next(fitting, MediaResolution.ULTRA_HIGH)


class ImageFormat(Enum):
    """Formats of pictures, by MIME type: the five that the API takes, then what is made one of them."""

    PNG = "image/png"
    JPEG = "image/jpeg"
    WEBP = "image/webp"
    HEIC = "image/heic"
    HEIF = "image/heif"
    GIF = "image/gif"
    BMP = "image/bmp"
    TIFF = "image/tiff"
    AVIF = "image/avif"


@dataclass(frozen=True, slots=True)
class ImageSource:
    """A picture as the caller sent it: still encoded.

    Attributes:
        data: The encoded file.
        where: Path of the part in the request, as `contents[0].parts[1].inline_data`.
        resolution: The part's own media resolution; UNSPECIFIED takes the request's.
    """

    data: bytes = field(repr=False)
    where: str
    resolution: ImageDetail = MediaResolution.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class FileReference:
    """A picture that was uploaded before and is named by its URI."""

    uri: str
    where: str
    resolution: ImageDetail = MediaResolution.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What a file's header says, before any pixel is decoded.

    Attributes:
        format: Told by the bytes, never by the label.
        width: Stored width in pixels, before orientation is applied.
        height: Stored height in pixels, before orientation is applied.
        frames: How many frames the file announces; 1 for a still picture.
        resolution: The media resolution in force for this picture.
        orientation: How to turn the stored picture upright, as EXIF counts it: 1 (as it is) to 8.
    """

    format: ImageFormat
    width: int
    height: int
    frames: int = 1
    resolution: ImageDetail = MediaResolution.UNSPECIFIED
    orientation: int = 1

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height in pixels once orientation is applied."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture ready for a model: upright, opaque, fitted to the model's pixel budget.

    Attributes:
        width: Columns.
        height: Rows.
        rgb: width * height * 3 bytes, row by row from the top, 8 bits a channel, sRGB.
        placement: The way from these pixels back to the caller's upright image.
        digest: SHA-256 of the encoded file in hex: the same file, the same digest.
        resolution: The media resolution in force for this picture.
    """

    width: int
    height: int
    rgb: bytes = field(repr=False)
    placement: Placement
    digest: str
    resolution: ImageDetail = MediaResolution.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class FunctionDeclaration:
    """A function that the model may call; the caller runs it.

    Attributes:
        parameters: The shape of the arguments: an object.
        size: About how many names and values were read to make that shape.
    """

    name: str
    description: str
    parameters: Schema
    size: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class FunctionResponse:
    """What a function gave back; its pictures follow it as parts of the same turn.

    Attributes:
        name: Of the function that was called.
        response: What it gave, as JSON.
        id: Of the call; "" where none was given.
        where: Path of the part in the request.
    """

    name: str
    response: str
    id: str = ""
    where: str = ""


FunctionPart = FunctionCall | FunctionResponse

Image = TypeVar("Image")
New = TypeVar("New")


@dataclass(frozen=True, slots=True)
class Turn(Generic[Image]):
    """One contribution to the conversation: text, images and functions in the caller's order."""

    role: Role
    parts: tuple[str | Image | FunctionPart, ...]

    def images(self) -> Iterator[Image]:
        """Its images, in the caller's order."""
        for part in self.parts:
            if not isinstance(part, str | FunctionPart):
                yield part

    def with_images(self, new: Iterator[New]) -> Turn[New]:
        """The same turn over the next of other images."""
        parts = [part if isinstance(part, str | FunctionPart) else next(new) for part in self.parts]
        return Turn(self.role, tuple(parts))


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen and where the answer ends; None leaves it to the model."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    max_output_tokens: int | None = None
    stop_sequences: tuple[str, ...] = ()
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


class TextFormat(Enum):
    """What the answer's text must be."""

    PLAIN = "text/plain"
    JSON = "application/json"
    ENUM = "text/x.enum"


@dataclass(frozen=True, slots=True)
class Output:
    """The form of the answer; with a schema the text validates against it."""

    format: TextFormat = TextFormat.PLAIN
    schema: Schema | None = None


@dataclass(frozen=True, slots=True)
class Thinking:
    """Whether and how much the model may think first, and whether the caller sees it."""

    budget: int | None = None
    level: str | None = None
    include: bool = False


@dataclass(frozen=True, slots=True)
class Request(Generic[Image]):
    """A whole request to a model, over whatever stands for an image at that stage.

    Attributes:
        functions: What the model may call; empty if nothing.
        must_call: Whether the answer must be a call of one of them.
        streamed: Whether the answer is read while it is made; it is the same answer.
    """

    turns: tuple[Turn[Image], ...]
    system: str = ""
    sampling: Sampling = Sampling()
    output: Output = Output()
    thinking: Thinking = Thinking()
    resolution: MediaResolution = MediaResolution.UNSPECIFIED
    candidates: int = 1
    functions: tuple[FunctionDeclaration, ...] = ()
    must_call: bool = False
    streamed: bool = field(default=True, compare=False)

    def images(self) -> Iterator[Image]:
        """Every image, in the caller's order."""
        for turn in self.turns:
            yield from turn.images()

    def texts(self) -> Iterator[str]:
        """Every text, what functions took and gave included: the system instruction first, then in the
        caller's order."""
        if self.system:
            yield self.system
        for turn in self.turns:
            for part in turn.parts:
                match part:
                    case str():
                        yield part
                    case FunctionCall():
                        yield part.name + part.args
                    case FunctionResponse():
                        yield part.name + part.response

    def with_images(self, images: Iterable[New]) -> Request[New]:
        """The same request over other images, one for each of `images()` and in that order."""
        if next(self.images(), None) is None:
            # Without images it is a request over whatever there may be.
            return cast("Request[New]", self)
        new = iter(images)
        return Request(
            turns=tuple(turn.with_images(new) for turn in self.turns),
            system=self.system,
            sampling=self.sampling,
            output=self.output,
            thinking=self.thinking,
            resolution=self.resolution,
            candidates=self.candidates,
            functions=self.functions,
            must_call=self.must_call,
            streamed=self.streamed,
        )


Conversation = Request[ImageSource | FileReference]
"""As decoded from the wire: images are references."""

PromptHeaders = Request[ImageHeader]
"""Images are known by their headers only; enough to count tokens."""

Prompt = Request[Picture]
"""What an engine answers: every picture loaded."""
