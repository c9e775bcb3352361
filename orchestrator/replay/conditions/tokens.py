"""The words of a condition: numbers, durations, texts, names and signs, each in place.

A character that belongs to nothing ends the reading, with its column. What other
languages write for the same is told how it is written here.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

import attrs

from orchestrator.core.errors import Problem
from orchestrator.core.moments import parse_duration
from orchestrator.replay.conditions.kinds import Value

__all__ = ("HINTS", "Mark", "Mistake", "Token", "problem", "quoted", "tokens_of")

SHOWN_MAX: Final = 40
"""Characters of what was found that are shown."""

DIGITS_MAX: Final = 18
"""Digits of a number: all of them fit into 64 bits."""

_PATTERN: Final = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
  | (?P<text>'[^']*'|"[^"]*")
  | (?P<number>-?[0-9][0-9A-Za-z_.]*)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)
  | (?P<other>&&|\|\||.)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)

HINTS: Final = {
    "=": 'write "=="',
    "is": 'write "=="',
    "&": 'write "and"',
    "&&": 'write "and"',
    "|": 'write "or"',
    "||": 'write "or"',
    "!": 'write "not"',
}
"""How what other languages write is written here."""


class Mark(StrEnum):
    """What a token is."""

    NUMBER = "number"
    DURATION = "duration"
    TEXT = "text"
    NAME = "name"
    SIGN = "sign"
    END = "end"


@attrs.frozen(kw_only=True)
class Token:
    """One word, as it was written, and the value it stands for, if it does.

    ``column`` counts characters, from 1.
    """

    mark: Mark
    text: str
    column: int
    value: Value = ""


class Mistake(Exception):
    """A mistake behind which nothing can be understood; it never leaves replay."""

    def __init__(self, found: Problem) -> None:
        """Carry the mistake."""
        super().__init__(found)
        self.problem = found


def problem(column: int, expected: str, found: str, hint: str = "") -> Problem:
    """Return a mistake at a column."""
    return Problem(place=f"column {column}", expected=expected, found=found, hint=hint)


def quoted(text: str) -> str:
    r"""Show what was found: quoted, shortened, and harmless on any terminal.

    >>> quoted("é")
    "'\\xe9'"

    """
    return ascii(text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}...")


def tokens_of(text: str) -> tuple[Token, ...]:
    """Return the words of a text, and its end; raise ``Mistake`` where there are none.

    >>> [token.text for token in tokens_of("seq >= 10")]
    ['seq', '>=', '10', '']

    """
    found = [
        _token(str(match.lastgroup), match[0], match.start() + 1)
        for match in _PATTERN.finditer(text)
        if match.lastgroup != "space"
    ]
    end = Token(mark=Mark.END, text="", column=len(text) + 1)
    return (*found, end)


def _token(group: str, text: str, column: int) -> Token:
    if group == "number":
        return _number(text, column)
    if group == "text":
        return _text(text, column)
    if group == "other":
        raise Mistake(_stranger(text, column))
    return Token(mark=Mark(group), text=text, column=column)


def _number(text: str, column: int) -> Token:
    if not text.removeprefix("-").isdigit():
        duration = parse_duration(text).value_or(None)
        if duration is None:
            expected = 'a number, or a duration such as "10s"'
            raise Mistake(problem(column, expected, quoted(text)))
        return Token(mark=Mark.DURATION, text=text, column=column, value=duration)
    if len(text) > DIGITS_MAX:
        expected = f"a number of at most {DIGITS_MAX} digits"
        raise Mistake(problem(column, expected, "a longer one"))
    return Token(mark=Mark.NUMBER, text=text, column=column, value=int(text))


def _text(text: str, column: int) -> Token:
    value = text[1:-1]
    if not value.isprintable():
        raise Mistake(problem(column, "a text without control signs", quoted(value)))
    return Token(mark=Mark.TEXT, text=text, column=column, value=value)


def _stranger(text: str, column: int) -> Problem:
    if text in {"'", '"'}:
        return problem(column, f"a text that ends with {text}", "no end of it")
    expected = "a name, a number, a text or a sign"
    return problem(column, expected, quoted(text), HINTS.get(text, ""))
