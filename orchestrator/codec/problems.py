"""What cattrs raises, told as problems: the place, what was expected, what was found.

All problems of an input are told at once. ``Wrong`` is raised by our own hooks and
never leaves the codec.
"""

# pyright: basic
# Exceptions of cattrs carry what they will; mypy holds the rest.
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

import attrs
from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ForbiddenExtraKeysError,
    IterableValidationNote,
)

from orchestrator.core.errors import InvalidSpec, Problem

__all__ = (
    "Refusal",
    "Wrong",
    "emptiness",
    "invalid",
    "listed",
    "shown",
    "suggestion",
    "told",
)

SHOWN_MAX = 60
"""Characters of a found value that are shown."""


class Wrong(Exception):
    """A value is not what was expected."""

    def __init__(self, expected: str, found: object, hint: str = "") -> None:
        """Keep what was expected, and the value that was found."""
        super().__init__(expected, found)
        self.expected = expected
        self.found = shown(found)
        self.hint = hint
        self.path = ""

    def under(self, step: str) -> Wrong:
        """Return this, told from one step further out: ``.key`` or ``[0]``."""
        self.path = step + self.path
        return self


class Refusal(Exception):
    """An error that is already told, on its way out of the codec."""

    def __init__(self, error: InvalidSpec) -> None:
        """Carry the error."""
        super().__init__(error)
        self.error = error


def shown(value: object) -> str:
    """Show a found value, shortened; tables and arrays by their kind only.

    >>> shown(True), shown("True"), shown(["a"])
    ('true', "'True'", 'an array')

    """
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return "an array"
    text = repr(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}..."


def listed(value: object) -> list[object]:
    """Return what an array holds; nothing where a value is none.

    >>> listed([1, "a"]), listed("ab")
    ([1, 'a'], [])

    """
    return list[object](value) if isinstance(value, list) else []


def emptiness(value: object) -> str:
    """Show what was found where an array with something in it was expected.

    >>> emptiness([]), emptiness(None), emptiness(3)
    ('an empty one', 'nothing', '3')

    """
    if value is None:
        return "nothing"
    return "an empty one" if isinstance(value, list) else shown(value)


def suggestion(key: str, known: Iterator[str] | list[str]) -> str:
    """Suggest the known key that a misspelt one may have meant.

    >>> suggestion("replicsa", ["replicas", "restart"])
    'did you mean "replicas"?'

    """
    close = get_close_matches(key, list(known), n=1)
    return f'did you mean "{close[0]}"?' if close else ""


def invalid(place: str, expected: str, found: object, hint: str = "") -> InvalidSpec:
    """Return one problem as an error."""
    problem = Problem(place=place, expected=expected, found=shown(found), hint=hint)
    return InvalidSpec(problems=(problem,))


def told(error: Exception, place: str = "$") -> InvalidSpec:
    """Tell everything that an exception of the converter knows."""
    return InvalidSpec(problems=tuple(_problems(error, place)))


def _problems(error: BaseException, place: str) -> Iterator[Problem]:
    match error:
        case BaseValidationError():
            for inner, inner_place in _inside(error, place):
                yield from _problems(inner, inner_place)
        case Wrong(expected=expected, found=found, hint=hint):
            where = place + error.path
            yield Problem(place=where, expected=expected, found=found, hint=hint)
        case ForbiddenExtraKeysError(extra_fields=keys, cl=kind):
            known = [field.name for field in attrs.fields(kind)]
            for key in sorted(keys):
                yield Problem(
                    place=f"{place}.{key}",
                    expected="a known key",
                    found=shown(key),
                    hint=suggestion(key, known),
                )
        case KeyError():
            yield Problem(place=place, expected="a value", found="nothing")
        case _:
            yield _refused(error, place)


def _inside(
    error: BaseValidationError, place: str
) -> Iterator[tuple[BaseException, str]]:
    """Yield the exceptions of a group, each with the place it belongs to."""
    for inner in error.exceptions:
        step = ""
        for note in getattr(inner, "__notes__", ()):
            if isinstance(note, IterableValidationNote):
                step = f"[{note.index}]"
            if isinstance(note, AttributeValidationNote):
                step = f".{note.name}"
        yield inner, place + step


def _refused(error: BaseException, place: str) -> Problem:
    """Tell what a validator of the core refused; its first argument is the message."""
    message = str(error.args[0]) if error.args else type(error).__name__
    for pattern in _REFUSALS:
        said = pattern.fullmatch(message)
        if said:
            return Problem(
                place=f"{place}.{said['field']}",
                expected=said["expected"].replace("'", ""),
                found=said["found"],
            )
    return Problem(place=place, expected="a valid value", found=message)


_REFUSALS: Final = tuple(
    re.compile(rf"(?s)'?(?P<field>[\w.]+)'?{pattern}")
    for pattern in (
        r": expected (?P<expected>.*), found (?P<found>.*)",
        r" must be (?P<expected>[^:]*): (?P<found>.*)",
        r" must be (?P<expected>in .*) \(got (?P<found>.*)\)",
    )
)
"""How validators of the core, and those of attrs, say what they refuse."""
