"""What may stand in a field of a spec: the tests that validators are made of."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import attrs
from returns.result import Success

from orchestrator.core.names import is_env_key, is_port_name
from orchestrator.core.table import Table
from orchestrator.core.templates import parse_template

__all__ = (
    "LATER",
    "Json",
    "Validator",
    "are_all",
    "are_numbers",
    "are_port_names",
    "holds",
    "is_command",
    "is_env_table",
    "is_header_table",
    "is_json_table",
    "is_port_table",
    "is_url_path",
    "pairs",
)

LATER: Final = {"written": "unless default"}
"""Marks a field that the first records did not have.

Where it is at its default it is not written, so that the record of a container, and
the digest of a journal that holds it, stay what they were.
"""

if TYPE_CHECKING:
    Json: TypeAlias = (
        "bool | int | float | str | tuple[Json, ...] | Table[str, Json] | None"
    )
    """A frozen JSON value: arrays are tuples, objects are tables."""
else:

    class Json:
        """A frozen JSON value, for who reads types at run time.

        Two evaluations of an alias that names itself cannot be compared: Python 3.11
        follows them without an end.
        """


Validator: TypeAlias = "Callable[[Any, attrs.Attribute[Any], Any], None]"


def holds(test: Callable[[Any], bool], what: str) -> Validator:
    """Return a validator: the *test* must hold, or *what* was expected is said."""

    def validate(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if not test(value):
            msg = f"{attribute.name}: expected {what}, found {value!r}"
            raise ValueError(msg)

    return validate


def are_numbers(low: int, high: int) -> Callable[[object], bool]:
    """Return a test: a tuple of integers from *low* to *high*.

    >>> are_numbers(0, 9)((1, 2)), are_numbers(0, 9)((True,)), are_numbers(0, 9)([1])
    (True, False, False)

    """

    def test(value: object) -> bool:
        return isinstance(value, tuple) and all(
            type(each) is int and low <= each <= high
            for each in cast("tuple[object, ...]", value)
        )

    return test


def are_all(kind: type) -> Callable[[object], bool]:
    """Return a test: a tuple of values of a class.

    >>> are_all(str)(("a",)), are_all(str)((1,))
    (True, False)

    """

    def test(value: object) -> bool:
        return isinstance(value, tuple) and all(
            isinstance(each, kind) for each in cast("tuple[object, ...]", value)
        )

    return test


def _parses(text: object) -> bool:
    if not isinstance(text, str) or "\0" in text:
        return False
    return "${" not in text or isinstance(parse_template(text), Success)


def is_command(value: object) -> bool:
    """Say whether a value is words of a command, with known placeholders."""
    if not isinstance(value, tuple):
        return False
    words = cast("tuple[object, ...]", value)
    return all(_parses(word) for word in words)


def pairs(value: object) -> list[tuple[object, object]] | None:
    """Return the pairs of a table; None where a value is none."""
    if not isinstance(value, Table):
        return None
    return list(cast("Table[object, object]", value).items())


def is_port_table(value: object) -> bool:
    """Say whether a value is a table of ports by name."""
    entries = pairs(value)
    return entries is not None and all(
        isinstance(name, str) and is_port_name(name) and _is_port(port)
        for name, port in entries
    )


def _is_port(value: object) -> bool:
    return type(value) is int and 0 < value < 65_536  # noqa: PLR2004 - 16 bits


def are_port_names(value: object) -> bool:
    """Say whether a value is a tuple of names of ports."""
    if not isinstance(value, tuple):
        return False
    names = cast("tuple[object, ...]", value)
    return all(isinstance(name, str) and is_port_name(name) for name in names)


def is_env_table(value: object) -> bool:
    """Say whether a value is a table of environment variables."""
    entries = pairs(value)
    return entries is not None and all(
        isinstance(key, str) and is_env_key(key) and _parses(text)
        for key, text in entries
    )


def is_json_table(value: object) -> bool:
    """Say whether a value is a table of frozen JSON, all the way down.

    >>> is_json_table(Table.of([("a", (1, None))]))
    True
    >>> is_json_table(Table.of([("a", [1])]))
    False

    """
    if not isinstance(value, Table):
        return False
    rest: list[object] = [value]
    while rest:
        one = rest.pop()
        entries = pairs(one)
        if entries is not None:
            if not all(isinstance(key, str) for key, _ in entries):
                return False
            rest += [inner for _, inner in entries]
        elif isinstance(one, tuple):
            rest += cast("tuple[object, ...]", one)
        elif not (one is None or isinstance(one, bool | int | float | str)):
            return False
    return True


_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
"""The name of a header field (RFC 9110, section 5.6.2)."""


def is_header_table(value: object) -> bool:
    """Say whether a value is a table of header fields, their values templates."""
    entries = pairs(value)
    return entries is not None and all(
        isinstance(key, str)
        and _TOKEN.fullmatch(key) is not None
        and _parses(text)
        and not any(control in str(text) for control in "\r\n")
        for key, text in entries
    )


def is_url_path(value: object) -> bool:
    """Say whether a value is a path, perhaps with a query, that a request can ask for.

    >>> is_url_path("/ready?full=1"), is_url_path("ready"), is_url_path("/a b")
    (True, False, False)

    """
    return (
        isinstance(value, str)
        and value.startswith("/")
        and value.isascii()
        and value.isprintable()
        and " " not in value
        and "#" not in value
    )
