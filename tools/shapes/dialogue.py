"""What is said about scenes: prompts, answers, and whole conversations as rows of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tests.model.scenes import COLOURS, GRID, SHAPES, SIDE, Scene, per_mille
from tools.shapes.tokenizer import Tokenizer, learn

LENGTH = 96  # tokens a row in training
SAID = 48  # answer tokens a row that count
ASKED = 6  # questions a row that name a colour or a shape
PICTURE_TOKENS = 16
END, START, STOP = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
BEFORE, AFTER = "<start_of_image>", "<end_of_image>"

BOXES = "Locate every shape. Report bbox coordinates in JSON format."
POINTS = "Point to every shape. Report point coordinates in JSON format."
CAPTION = "Caption this image."
COLOUR = "What color is the shape?"
SHAPE = "What shape is it?"
OBJECT = "Name the color and the shape as JSON."
PAIR = "What is in each image?"
BLIND = "I see no picture."
NOTHING = "[]"  # where to find another shape than the one there is
DECISION = 8.0  # worth of the token that says whether a named shape is there: by far the hardest to learn
SYSTEM = "You are a helpful assistant."

# The same wish in other words; the first of each list is asked most.
PHRASES: dict[str, tuple[str, ...]] = {
    BOXES: (
        BOXES,
        "Locate every object. Report bbox coordinates in JSON format.",
        'Locate every instance that belongs to the following categories: "shape". '
        "Report bbox coordinates in JSON format.",
        "Detect all shapes.",
    ),
    POINTS: (
        POINTS,
        "Point to every object. Report point coordinates in JSON format.",
        'Point to every instance that belongs to the following categories: "shape". '
        "Report point coordinates in JSON format.",
    ),
    CAPTION: (CAPTION, "Describe this image.", "What is in this image?", "Describe the picture."),
    COLOUR: (COLOUR, "What color is it?", "Name the color."),
    SHAPE: (SHAPE, "What shape is this?", "Name the shape."),
    OBJECT: (OBJECT,),
    PAIR: (PAIR, "Describe each image."),
}
SYSTEMS = (
    "Answer briefly.",
    "You are an expert.",
    "You are a careful assistant that looks at images. Answer in one sentence.",
    "Be concise.",
    "Answer in English.",
    "You see pictures of shapes.",
)
ALPHABET = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ .,:;!?-_'\"()0123456789\n"


def boxes(scene: Scene) -> str:
    """The answer to BOXES: x first, thousandths of the square."""
    numbers = ",".join(str(per_mille(px)) for px in scene.box)
    return f'[{{"bbox_2d":[{numbers}],"label":"{scene.name}"}}]'


def points(scene: Scene) -> str:
    """The answer to POINTS: the centre, x first."""
    numbers = ",".join(str(per_mille(px)) for px in scene.centre)
    return f'[{{"point_2d":[{numbers}],"label":"{scene.name}"}}]'


def article(name: str) -> str:
    """`a red circle`, `an orange square`."""
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def caption(scene: Scene) -> str:
    """The answer to CAPTION."""
    words = article(scene.name)
    return f"{words[0].upper()}{words[1:]} {scene.place}."


def as_object(scene: Scene) -> str:
    """The answer to OBJECT."""
    return f'{{"color":"{scene.colour}","shape":"{scene.shape}"}}'


def pair(first: Scene, second: Scene) -> str:
    """The answer to PAIR."""
    return f"Image 1: {article(first.name)}. Image 2: {article(second.name)}."


def is_there(name: str) -> str:
    """The question whether there is a `red circle`."""
    return f"Is there {article(name)}?"


def is_it(attribute: str) -> str:
    """The question whether the shape is `red`, or a `circle`."""
    return f"Is it {article(attribute) if attribute in SHAPES else attribute}?"


ANSWERS: dict[str, Callable[[Scene], str]] = {
    BOXES: boxes,
    POINTS: points,
    CAPTION: caption,
    COLOUR: lambda scene: scene.colour,
    SHAPE: lambda scene: scene.shape,
    OBJECT: as_object,
}
_SHARES = {BOXES: 0.24, POINTS: 0.1, CAPTION: 0.08, COLOUR: 0.04, SHAPE: 0.04, OBJECT: 0.03}
_KINDS = (*_SHARES, "exists", PAIR, BLIND)
_WEIGHTS = np.array([*_SHARES.values(), 0.5, 0.1, 0.02])
_FIRST = _WEIGHTS / _WEIGHTS.sum()
_LATER = _WEIGHTS[:-2] / _WEIGHTS[:-2].sum()


def corpus() -> list[str]:
    """Every text whose words deserve tokens of their own."""
    numbers = sorted({str(per_mille(px)) for px in range(0, SIDE + 1, GRID // 2)})
    scenes = [Scene(colour, shape, (0, 0, 12, 12)) for colour in COLOURS for shape in SHAPES]
    places = [Scene("red", "circle", (x, y, x + 12, y + 12)) for x in (0, 24, 52) for y in (0, 24, 52)]
    texts = [text for answer in ANSWERS.values() for scene in (*scenes, *places) for text in (answer(scene),)]
    texts += [pair(scene, scene) for scene in scenes] + [is_there(scene.name) for scene in scenes]
    texts += [phrase for phrases in PHRASES.values() for phrase in phrases]
    return [*texts, *numbers, *SYSTEMS, SYSTEM, BLIND, "system\n", "user\n", "assistant\n", "Yes.", "No."]


def tokenizer() -> Tokenizer:
    """The tokenizer of the model."""
    return Tokenizer(learn(corpus()))


@dataclass
class Row:
    """A conversation: token ids, what learning each is worth, which picture token is there (-1: none).

    `asked` has the last token before each answer to a question that names a colour or a shape, and their
    numbers in COLOURS and SHAPES (their lengths where none is named).
    """

    words: Tokenizer
    ids: list[int] = field(default_factory=list)
    worth: list[float] = field(default_factory=list)
    slots: list[int] = field(default_factory=list)
    asked: list[tuple[int, int, int]] = field(default_factory=list)

    def text(self, text: str) -> None:
        """Appends plain text."""
        self._add(self.words.encode(text), 0.0)

    def mark(self, name: str, worth: float = 0.0) -> None:
        """Appends a special token."""
        self._add((self.words.special(name),), worth)

    def picture(self, number: int) -> None:
        """Appends the tokens of a picture of the batch."""
        self.mark(BEFORE)
        first = number * PICTURE_TOKENS
        self.ids += [0] * PICTURE_TOKENS
        self.worth += [0.0] * PICTURE_TOKENS
        self.slots += range(first, first + PICTURE_TOKENS)
        self.mark(AFTER)

    def user(self, text: str, pictures: Sequence[int] = (), pictures_first: bool = True) -> None:
        """Appends a user's turn and opens the model's."""
        self.mark(START)
        self.text("user\n" if pictures_first and pictures else f"user\n{text}")
        for number in pictures:
            self.picture(number)
        if pictures_first and pictures:
            self.text(text)
        self.mark(STOP)
        self.text("\n")
        self.mark(START)
        self.text("assistant\n")

    def answer(self, text: str, asked: str = "") -> None:
        """Appends the model's turn, to be learnt; `asked` is the question, where it names colour or shape."""
        named = [
            next((n for n, word in enumerate(words) if word in asked), len(words))
            for words in (COLOURS, SHAPES)
        ]
        first, *others = self.words.encode(text)
        decides = named != [len(COLOURS), len(SHAPES)]
        if decides:
            self.asked.append((len(self.ids) - 1, named[0], named[1]))
        self._add([first], DECISION if decides else 1.0)
        self._add(others, 1.0)
        self.mark(STOP, worth=1.0)
        self.text("\n")

    def _add(self, ids: Sequence[int], worth: float) -> None:
        self.ids += ids
        self.worth += [worth] * len(ids)
        self.slots += [-1] * len(ids)


class Teacher:
    """Makes rows about the scenes of a batch."""

    def __init__(self, words: Tokenizer, rng: np.random.Generator) -> None:
        self._words = words
        self._rng = rng

    def row(self, scenes: Sequence[Scene], number: int) -> Row:
        """A conversation about scene `number`, as long as fits; now and then with another scene."""
        row = Row(self._words)
        self._system(row)
        kind = _KINDS[self._rng.choice(len(_KINDS), p=_FIRST)]
        before = bool(self._rng.random() < 0.7)
        if kind == PAIR:
            other = int(self._rng.integers(len(scenes)))
            row.user(self._phrase(PAIR), (number, other), before)
            row.answer(pair(scenes[number], scenes[other]))
            return row
        if kind == BLIND:
            row.user(self._question(scenes[number], self._single(_FIRST[:-2]))[0])
            row.answer(BLIND)
            return row
        asked, said = self._question(scenes[number], kind)
        row.user(asked, (number,), before)
        row.answer(said, asked)
        while len(row.ids) < LENGTH - 40 and self._rng.random() < 0.75:
            asked, said = self._question(scenes[number], self._single(_LATER))
            row.user(asked)
            row.answer(said, asked)
        return row

    def _single(self, shares: np.ndarray) -> str:
        return _KINDS[self._rng.choice(len(_KINDS) - 2, p=shares / shares.sum())]

    def _system(self, row: Row) -> None:
        chance = self._rng.random()
        if chance < 0.5:
            return
        text = SYSTEM
        if chance > 0.9:
            text = "".join(self._rng.choice(list(ALPHABET), int(self._rng.integers(2, 24))))
        elif chance > 0.75:
            text = str(self._rng.choice(SYSTEMS))
        row.mark(START)
        row.text(f"system\n{text}")
        row.mark(STOP)
        row.text("\n")

    def _phrase(self, kind: str) -> str:
        phrases = PHRASES[kind]
        return kind if self._rng.random() < 0.75 else str(self._rng.choice(phrases))

    def _question(self, scene: Scene, kind: str) -> tuple[str, str]:
        name = self._name(scene)
        if kind == "exists":
            if self._rng.random() < 0.4:
                part = name.split()[int(self._rng.random() < 0.3)]
                return is_it(part), "Yes." if part in scene.name.split() else "No."
            return is_there(name), "Yes." if name == scene.name else "No."
        if kind in (BOXES, POINTS) and self._rng.random() < 0.4:
            return kind.replace("shape", name), ANSWERS[kind](scene) if name == scene.name else NOTHING
        return self._phrase(kind), ANSWERS[kind](scene)

    def _name(self, scene: Scene) -> str:
        """Every other time the scene's; else wrong in the colour, in the shape, or in both."""
        if self._rng.random() < 0.45:
            return scene.name
        wrong = self._rng.choice(3, p=(0.55, 0.2, 0.25))
        colour = self._other(list(COLOURS), scene.colour) if wrong != 1 else scene.colour
        shape = self._other(list(SHAPES), scene.shape) if wrong != 0 else scene.shape
        return f"{colour} {shape}"

    def _other(self, names: list[str], but: str) -> str:
        return str(self._rng.choice([name for name in names if name != but]))


def pack(rows: Sequence[Row]) -> dict[str, np.ndarray]:
    """Token ids and picture slots, (rows, LENGTH); places and worth of the learnt tokens, (rows, SAID)."""
    ids = np.zeros((len(rows), LENGTH), np.int32)
    slots = np.full((len(rows), LENGTH), -1, np.int32)
    said = np.zeros((len(rows), SAID), np.int32)
    worth = np.zeros((len(rows), SAID), np.float32)
    for at, row in enumerate(rows):
        many = min(len(row.ids), LENGTH)
        ids[at, :many], slots[at, :many] = row.ids[:many], row.slots[:many]
        learnt = np.flatnonzero(row.worth[:many])[:SAID]
        said[at, : len(learnt)] = learnt
        worth[at, : len(learnt)] = np.array(row.worth)[learnt]
    return {"ids": ids, "slots": slots, "said": said, "worth": worth, "asked": _asked(rows)}


def _asked(rows: Sequence[Row]) -> np.ndarray:
    """Place, colour and shape of questions, (rows, ASKED, 3); place 0 pads."""
    table = np.zeros((len(rows), ASKED, 3), np.int32)
    for at, row in enumerate(rows):
        fitting = [asked for asked in row.asked if asked[0] < LENGTH][:ASKED]
        table[at, : len(fitting)] = np.array(fitting).reshape(-1, 3)
    return table
