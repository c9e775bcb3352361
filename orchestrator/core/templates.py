"""Placeholders in commands and environments: ``${config.log_level}`` and its kin.

| placeholder | stands for |
|---|---|
| ``${name}`` | the container's name |
| ``${fleet}`` | the fleet's name |
| ``${replica.index}`` | 0, 1, 2 ... among the replicas of one entry |
| ``${config.KEY}`` | a value of the container's config; ``KEY`` may be a dotted path |
| ``${port.NAME}`` | the number of a port |
| ``${secret.KEY}`` | a secret; only in ``env``, resolved at each start, never stored |

``$${`` writes a literal ``${``. Nothing else is special: no defaults, no nesting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

import attrs
from returns.result import Failure, Result, Success

__all__ = ("Part", "Placeholder", "parse_template", "placeholders", "render")

_TOKEN = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_PLACEHOLDER = re.compile(
    r"name|fleet|replica\.index|(?:config|port|secret)\.[A-Za-z0-9_][A-Za-z0-9_.-]*",
    re.ASCII,
)


@attrs.frozen
class Placeholder:
    """A place to fill: ``Placeholder("config.log_level")``."""

    path: str

    @property
    def family(self) -> str:
        """The word before the first dot: config, port, secret, name, ..."""
        return self.path.partition(".")[0]

    @property
    def key(self) -> str:
        """What follows the first dot; empty for a bare word."""
        return self.path.partition(".")[2]


Part: TypeAlias = str | Placeholder


def parse_template(text: str) -> Result[tuple[Part, ...], str]:
    """Cut a text into literal parts and placeholders; a failure says what is wrong.

    >>> parse_template("--port=${port.http}").unwrap()
    ('--port=', Placeholder(path='port.http'))
    >>> parse_template("${secrte.KEY}").failure()
    'unknown placeholder ${secrte.KEY}'

    """
    parts: list[Part] = []
    place = 0
    for token in _TOKEN.finditer(text):
        literal = text[place : token.start()]
        place = token.end()
        if token[0] == "$${":
            parts.append(literal + "${")
            continue
        if not token[2]:
            return Failure(f"unclosed placeholder {token[0]}")
        if _PLACEHOLDER.fullmatch(token[1]) is None:
            return Failure(f"unknown placeholder {token[0]}")
        parts.extend((literal, Placeholder(token[1])))
    parts.append(text[place:])
    return Success(tuple(part for part in parts if part != ""))


def placeholders(text: str) -> tuple[Placeholder, ...]:
    """List the placeholders of a text; none where it does not parse.

    >>> placeholders("a ${name} b ${port.http}")
    (Placeholder(path='name'), Placeholder(path='port.http'))

    """
    if "${" not in text:  # as in nearly all texts: there is nothing to cut
        return ()
    parts = parse_template(text).value_or(())
    return tuple(part for part in parts if isinstance(part, Placeholder))


def render(text: str, values: Mapping[str, str]) -> Result[str, str]:
    """Fill every placeholder from *values*; a failure names the one that is missing.

    A filled value is never read again: a secret that holds ``${`` stays as it is.

    >>> render("${name}:${port.http}", {"name": "web-0", "port.http": "8080"})
    <Success: web-0:8080>
    >>> render("${secret.KEY}", {}).failure()
    'secret.KEY'

    """
    if "${" not in text:
        return Success(text)
    filled: list[str] = []
    for part in parse_template(text).value_or((text,)):
        if isinstance(part, str):
            filled.append(part)
        elif part.path in values:
            filled.append(values[part.path])
        else:
            return Failure(part.path)
    return Success("".join(filled))
