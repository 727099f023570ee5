"""A response schema as a grammar that llama.cpp holds a model to."""

from __future__ import annotations

import re

from vidi.domain.prompt import TextFormat
from vidi.domain.schema import Schema
from vidi.engines.blank import options, refuse
from vidi.engines.gbnf.expression import Binding, Expression, choice
from vidi.engines.gbnf.nodes import Nodes, Place
from vidi.engines.gbnf.rules import Rules, TooLarge
from vidi.engines.gbnf.thoughts import ThoughtTags, after_thinking
from vidi.engines.gbnf.words import any_of

JSON_DEPTH = 16
"""Levels of arrays and objects in an answer that only has to be JSON."""

_UNSAYABLE = re.compile("[\x00\ud800-\udfff]")
_WHOLE = Place("$", "answer")


def compile_schema(
    schema: Schema, form: TextFormat = TextFormat.JSON, *, thinking: ThoughtTags | None = None
) -> str:
    """Write the grammar (GBNF) of the answers that satisfy a schema.

    An answer is one JSON value without white space, members in the order of `Schema.properties` and then any
    others, integers as plain digits, numbers without an exponent. Everything that a schema says is in the
    grammar, except a pattern that is not simple enough, or not within the lengths beside it (`patterns`):
    that is for `grammar.validate`, which every answer should pass. Numbers have at most 15 digits before the
    point and 10 after it (20 where a limit has more); what is left open is at most FREE_DEPTH levels deep.

    Args:
        schema: The shape.
        form: JSON, or ENUM for the bare text of an option.
        thinking: How the model marks its thinking, if it may think before the answer; None if it may not.

    Returns:
        Rules of which `root` is the answer.

    Raises:
        Unfillable: No value satisfies the schema, or its grammar would be too large; says where and why.
    """
    rules = Rules()
    try:
        if form is TextFormat.ENUM:
            return _rooted(_bare_option(schema, rules), thinking, rules)
        return _rooted(Nodes(rules).value(schema, _WHOLE), thinking, rules)
    except TooLarge as error:
        raise refuse(error.path, f"{error}.") from error


def compile_json(*, thinking: ThoughtTags | None = None) -> str:
    """Write the grammar of any JSON object or array without white space, at most JSON_DEPTH levels deep.

    Args:
        thinking: As for `compile_schema`.
    """
    rules = Rules()
    nodes = Nodes(rules)
    return _rooted(choice(nodes.free_object(JSON_DEPTH), nodes.free_array(JSON_DEPTH)), thinking, rules)


def _rooted(answer: Expression, thinking: ThoughtTags | None, rules: Rules) -> str:
    if thinking is not None:
        named = answer if answer.binding is Binding.ATOM else rules.define("answer", answer)
        answer = after_thinking(named, thinking, rules)
    return rules.text(answer)


def _bare_option(schema: Schema, rules: Rules) -> Expression:
    """An option without quotes; U+0000 and lone surrogates cannot be said."""
    texts = [value for value in options(schema) if isinstance(value, str)]
    words = [text for text in texts if not _UNSAYABLE.search(text)]
    if not words:
        raise refuse("$", "its enum has no text of its type and limits.")
    return any_of(words, rules)
