"""Grammars in llama.cpp's GBNF, so that a model can say nothing but what a schema allows."""

from vidi.engines.gbnf.compiler import compile_calls, compile_json, compile_schema
from vidi.engines.gbnf.literals import ThinkingTags

__all__ = ["ThinkingTags", "compile_calls", "compile_json", "compile_schema"]
