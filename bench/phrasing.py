"""How a language asks the bank's questions, and which words are right in its answers: `phrasing.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

_FILE = Path(__file__).with_name("phrasing.toml")


class _Where(BaseModel):
    model_config = ConfigDict(frozen=True)

    columns: tuple[str, str, str]
    rows: tuple[str, str, str]


class Phrasing(BaseModel):
    """One language's words; patterns are regular expressions for the inside of a group.

    Attributes:
        unknown: Things that no model knows, as the object of a request.
        forms: What else a noun is called, by the endings or the kinds of nouns.
        asks: The questions.
        again: The same questions in other words.
        where: Patterns for left to right and top to bottom.
        also: A pattern for another word for a class.
        places: Patterns by the word that captions have for a place.
        doing: Patterns by the word that captions have for what is done.
        colours: Patterns by colour.
        nouns: Each class as one, several and, unless its ending tells, the name of its forms.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    unknown: tuple[str, ...]
    forms: Mapping[str, Mapping[str, str]]
    asks: Mapping[str, str]
    again: Mapping[str, str]
    where: _Where
    also: Mapping[str, str]
    places: Mapping[str, str]
    doing: Mapping[str, str]
    colours: Mapping[str, str]
    nouns: Mapping[str, tuple[str, str] | tuple[str, str, str]]

    def reworded(self) -> Phrasing:
        """The same words, asking the other way."""
        return self.model_copy(update={"asks": self.again})

    def ask(self, what: str, label: str) -> str:
        """A question about a class."""
        one, many, *kind = self.nouns[label]
        form = kind[0] if kind else next(ending for ending in self.forms if many.endswith(ending))
        forms = {name: text.format(one=one, many=many) for name, text in self.forms[form].items()}
        return self.asks[what].format(one=one, many=many, **forms)

    def detect_unknown(self, at: int) -> str:
        """A request for one of the things that no model knows."""
        thing = self.unknown[at % len(self.unknown)]
        return self.asks["detect"].format(many=thing, object=thing)

    def names(self, label: str) -> str:
        """A pattern for what an answer may call a class."""
        return "|".join([self.nouns[label][0], *([self.also[label]] if label in self.also else [])])


def phrasings() -> Mapping[str, Phrasing]:
    """Every language's words, by its id; the first is English."""
    tables = tomllib.loads(_FILE.read_text("utf-8"))
    return {name: Phrasing.model_validate(table) for name, table in tables.items()}
