"""How parsed JSON of somebody else becomes a value, or is refused with its place.

A reader is a function of a ``Node``, which is a piece of JSON that knows where it
stands. Unlike the codec's, these ignore what they do not know: the other side may say
more than we ask for. Values are never shown, since any of them could be a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias, TypeVar

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.moments import Moment

__all__ = (
    "Malformed",
    "Node",
    "Reader",
    "each",
    "flag",
    "moment",
    "number",
    "read",
    "text",
    "whole",
)

T = TypeVar("T")

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Malformed:
    """An answer is not what the API promises."""

    place: str
    expected: str
    found: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return f"at {self.place} expected {self.expected}, found {self.found}"


class _NotUnderstood(Exception):
    """A reader gives up; it never leaves ``read``."""

    def __init__(self, malformed: Malformed) -> None:
        super().__init__(malformed)
        self.malformed = malformed


@attrs.frozen
class Node:
    """A piece of JSON, and where it stands."""

    tree: Any
    place: str = "$"

    def need(self, key: str, reader: Reader[T]) -> T:
        """Read the entry of a table, which must be there."""
        return reader(self._entry(key))

    def maybe(self, key: str, reader: Reader[T]) -> T | None:
        """Read the entry of a table; None where it is missing, or null."""
        entry = self._entry(key)
        return None if entry.tree is None else reader(entry)

    def inside(self, key: str) -> Node:
        """Enter a table of a table; one that is missing is empty."""
        entry = self._entry(key)
        return Node({}, entry.place) if entry.tree is None else entry

    def keys(self) -> tuple[str, ...]:
        """Return the keys of a table."""
        return tuple(self._table())

    def entries(self) -> Iterator[Node]:
        """Yield what stands in an array."""
        if not isinstance(self.tree, list):
            raise self.wrong("an array")
        for index, entry in enumerate(self.tree):
            yield Node(entry, f"{self.place}[{index}]")

    def wrong(self, expected: str) -> Exception:
        """Return the exception of a reader that expected something else."""
        return _NotUnderstood(
            Malformed(place=self.place, expected=expected, found=_kind(self.tree))
        )

    def _entry(self, key: str) -> Node:
        return Node(self._table().get(key), f"{self.place}.{key}")

    def _table(self) -> dict[str, Any]:
        if not isinstance(self.tree, dict):
            raise self.wrong("a table")
        return self.tree


Reader: TypeAlias = Callable[[Node], T]


def read(tree: Any, reader: Reader[T], place: str = "$") -> Result[T, Malformed]:
    """Read parsed JSON as what *reader* makes of it.

    >>> read({"size": 3}, lambda node: node.need("size", whole))
    <Success: 3>
    >>> read({"size": "3"}, lambda node: node.need("size", whole)).failure().message
    'at $.size expected a whole number, found a text'

    """
    try:
        return Success(reader(Node(tree, place)))
    except _NotUnderstood as refusal:
        return Failure(refusal.malformed)


def text(node: Node) -> str:
    """Read a text."""
    if not isinstance(node.tree, str):
        raise node.wrong("a text")
    return node.tree


def flag(node: Node) -> bool:
    """Read true or false."""
    if not isinstance(node.tree, bool):
        raise node.wrong("true or false")
    return node.tree


def whole(node: Node) -> int:
    """Read a whole number."""
    if not isinstance(node.tree, int) or isinstance(node.tree, bool):
        raise node.wrong("a whole number")
    return node.tree


def number(node: Node) -> float:
    """Read any number."""
    if not isinstance(node.tree, int | float) or isinstance(node.tree, bool):
        raise node.wrong("a number")
    return float(node.tree)


def moment(node: Node) -> Moment:
    """Read a time as RFC 3339 writes it; one without a zone is in UTC.

    >>> read("1970-01-01T00:00:01.5Z", moment)
    <Success: 1500>

    """
    try:
        time = datetime.fromisoformat(text(node))
        aware = time if time.tzinfo else time.replace(tzinfo=UTC)
        return (aware - EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        raise node.wrong("a time") from None


def each(reader: Reader[T]) -> Reader[tuple[T, ...]]:
    """Return the reader of an array of what *reader* reads."""
    return lambda node: tuple(reader(entry) for entry in node.entries())


def _kind(tree: Any) -> str:
    """Say what kind of thing was found; bool first, for it is a number too."""
    for kind, name in _KINDS:
        if isinstance(tree, kind):
            return name
    return "nothing"


_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (bool, "true or false"),
    (int, "a number"),
    (float, "a number"),
    (str, "a text"),
    (list, "an array"),
    (dict, "a table"),
)
