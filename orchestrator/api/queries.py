"""Queries and headers read as their routes say: strictly, and all problems at once.

A parameter of the query that a route does not have is refused, as is one that is given
twice: what was misspelt must not pass for "everything". Words of a list stand between
commas.
"""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias, get_args

from multidict import MultiMapping

from orchestrator.api.moments import place_of
from orchestrator.api.route import Parameter, Route
from orchestrator.codec.problems import invalid, shown, suggestion
from orchestrator.core.errors import InvalidSpec, Problem
from orchestrator.replay.places import Place

__all__ = ("Asked", "read_query")

Asked: TypeAlias = dict[str, Any]
"""What a query asks for, by the names of its parameters."""

WORDS: Final = tuple[str, ...]


def read_query(
    query: MultiMapping[str], headers: MultiMapping[str], route: Route
) -> Asked | InvalidSpec:
    """Read what a request asks for beside its body, each part as its route says."""
    known = {parameter.name: parameter for parameter in route.query}
    asked: Asked = {one.name: one.default for one in (*route.query, *route.headers)}
    problems: list[Problem] = []
    for key in dict.fromkeys(query):
        parameter = known.get(key)
        if parameter is None:
            found: Any = _unknown(key, tuple(known))
        else:
            found = _read(f"query.{key}", query.getall(key), parameter)
        if isinstance(found, InvalidSpec):
            problems += found.problems
        asked[key] = found
    for parameter in route.headers:
        texts = headers.getall(parameter.name, [])
        if texts:
            found = _read(f"header {parameter.name}", texts, parameter)
            if isinstance(found, InvalidSpec):
                problems += found.problems
            asked[parameter.name] = found
    return InvalidSpec(problems=tuple(problems)) if problems else asked


def _unknown(key: str, known: tuple[str, ...]) -> InvalidSpec:
    expected = f"one of {', '.join(known)}" if known else "no parameter"
    place = f"query.{shown(key)[1:-1]}"
    return invalid(place, expected, key, suggestion(key, list(known)))


def _read(place: str, texts: list[str], parameter: Parameter) -> Any:
    """Read one parameter, or say what is wrong with it."""
    if parameter.form == WORDS:
        return _words(place, texts, parameter.known)
    text = texts[0]
    if len(texts) > 1:
        found = f"{len(texts)} of them"
        problem = Problem(place=place, expected="one value", found=found)
        return InvalidSpec(problems=(problem,))
    if parameter.form is int:
        return _number(place, text, parameter)
    if parameter.form == Place:
        return place_of(text, place)
    if parameter.form is bool:
        return _flag(place, text)
    if parameter.form is str:
        return _text(place, text, parameter)
    return _word(place, text, get_args(parameter.form))


def _flag(place: str, text: str) -> bool | InvalidSpec:
    found = {"true": True, "false": False}.get(text)
    return invalid(place, "true or false", text) if found is None else found


def _text(place: str, text: str, parameter: Parameter) -> str | InvalidSpec:
    if re.fullmatch(parameter.pattern, text):
        return text
    return invalid(place, parameter.expected, text)


def _number(place: str, text: str, parameter: Parameter) -> int | InvalidSpec:
    if text.isascii() and text.isdigit() and len(text) <= len(str(parameter.most)):
        found = int(text)
        if parameter.least <= found <= parameter.most:
            return found
    expected = f"a number from {parameter.least} to {parameter.most}"
    return invalid(place, expected, text)


def _words(
    place: str, texts: list[str], known: tuple[str, ...]
) -> tuple[str, ...] | InvalidSpec:
    found = tuple(word for text in texts for word in text.split(","))
    for word in found:
        if not word or (known and word not in known):
            expected = f"one of {', '.join(known)}" if known else "words and commas"
            return invalid(place, expected, word, suggestion(word, list(known)))
    return found


def _word(place: str, text: str, known: tuple[str, ...]) -> str | InvalidSpec:
    if text in known:
        return text
    expected = f"one of {', '.join(known)}"
    return invalid(place, expected, text, suggestion(text, list(known)))
