"""How the parts of a record are reworded: texts, tables, templates, the core's reasons.

A *treatment* takes the value of a field and words (``replay.redacted.pseudonyms``), and
returns what stands there instead. Which field is treated how is said in
``replay.redacted.redaction``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from orchestrator.core import errors
from orchestrator.core.table import Table
from orchestrator.core.templates import Placeholder, parse_template
from orchestrator.replay.redacted.pseudonyms import Kind, Words

__all__ = (
    "Treatment",
    "as_",
    "both",
    "choice",
    "each",
    "json",
    "one_of",
    "reason",
    "same",
    "table",
    "template",
    "url_path",
)

Treatment: TypeAlias = Callable[[Any, Words], Any]
"""What is done to the value of a field."""


def as_(kind: Kind) -> Treatment:
    """Treat a text as one of a kind; None stays."""
    return lambda text, words: None if text is None else words.text(kind, text)


def each(treatment: Treatment) -> Treatment:
    """Treat each of a tuple; None stays."""

    def treat(row: Any, words: Words) -> Any:
        return None if row is None else tuple(treatment(one, words) for one in row)

    return treat


def both(first: Treatment, second: Treatment) -> Treatment:
    """Treat a pair."""
    return lambda pair, words: (first(pair[0], words), second(pair[1], words))


def table(key: Treatment, value: Treatment) -> Treatment:
    """Treat a table; an empty one stays."""

    def treat(table: Table[Any, Any], words: Words) -> Table[Any, Any]:
        if not len(table):
            return table
        return Table.of(
            (key(each, words), value(inner, words)) for each, inner in table.items()
        )

    return treat


def one_of(*known: str) -> Treatment:
    """Leave a word of ours as it is; any other is a free text."""
    return lambda text, words: text if text in known else words.text(Kind.TEXT, text)


def choice(kind: Kind, choices: tuple[str, ...]) -> Treatment:
    """Exchange a word for another of a closed list; None stays."""

    def treat(text: str | None, words: Words) -> str | None:
        return None if text is None else words.choice(kind, text, choices)

    return treat


def json(key: Kind, leaf: Kind) -> Treatment:
    """Treat the owner's JSON, of bounded depth; true, false and null stay."""

    def treat(value: Any, words: Words) -> Any:
        match value:
            case None | bool():
                return value
            case str():
                return words.text(leaf, value)
            case int() | float():
                return words.number(leaf, value)
            case tuple():
                return each(treat)(value, words)
            case _:
                return table(as_(key), treat)(value, words)

    return treat


_FAMILIES: Final = {
    "config": Kind.CONFIG_KEY,
    "port": Kind.PORT,
    "secret": Kind.SECRET,
}


def template(text: str, words: Words) -> str:
    """Treat a template: what is literal is one word, placeholders name other keys."""
    said: list[str] = []
    literal = ""
    for part in parse_template(text).value_or((text,)):
        if isinstance(part, str):
            literal += part
            continue
        said += [_literal(literal, words), _place(part, words)]
        literal = ""
    return "".join((*said, _literal(literal, words)))


def _literal(text: str, words: Words) -> str:
    return words.text(Kind.WORD, text).replace("${", "$${")


def _place(part: Placeholder, words: Words) -> str:
    """Treat a placeholder; a dotted path goes by its steps, unless it is one key."""
    kind = _FAMILIES.get(part.family)
    if kind is None:
        return f"${{{part.path}}}"
    keys = [part.key]
    if kind is Kind.CONFIG_KEY and not words.is_known(kind, part.key):
        keys = part.key.split(".")
    return f"${{{part.family}.{'.'.join(words.text(kind, key) for key in keys)}}}"


def url_path(text: str, words: Words) -> str:
    """Treat the path of a request; the shortest one tells nothing."""
    return text if text == "/" else words.text(Kind.PATH, text)


_TOO_SLOW: Final = re.compile(r"not (?:ready|started) within (?:\d+(?:d|h|m|s|ms))+")
"""Why a start failed that took too long (``core.timing``): nothing of the owner's."""


def _opening(error: Any) -> tuple[str, str]:
    """Return what an error's message says before its name, and before its cause."""
    before, _, rest = error.message.removesuffix("CAUSE").rpartition("'NAME'")
    return before, rest


_NAMED: Final = tuple(
    _opening(kind(name="NAME", cause="CAUSE"))
    for kind in (errors.ContainerStartFailed, errors.ContainerStopFailed)
)
_CAUSED: Final = (
    _opening(errors.Refused(cause="CAUSE"))[1],
    "its startup check failed: ",
)
"""How the reasons begin that the core makes of a cause (``core.checkups``)."""


def reason(text: str, words: Words) -> str:
    """Treat why a start failed: the platform's own text, or one that the core made."""
    if _TOO_SLOW.fullmatch(text) or f"{text}: " in _CAUSED:
        return text
    for opening in _CAUSED:
        if text.startswith(opening):
            return opening + words.text(Kind.TEXT, text.removeprefix(opening))
    for before, between in _NAMED:
        quoted, found, cause = text.removeprefix(before).partition(between)
        name = quoted[1:-1]
        if found and before + repr(name) == text[: len(before) + len(quoted)]:
            other = words.text(Kind.NAME, name)
            return f"{before}{other!r}{between}{words.text(Kind.TEXT, cause)}"
    return words.text(Kind.TEXT, text)


def same(value: Any, words: Words) -> Any:
    """Leave a value as it is."""
    del words
    return value
