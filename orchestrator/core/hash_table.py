"""Containers and their indexes: found by hash, where the package for it can be had.

A ``HashTable`` is a ``Table`` to whoever has one: it iterates in key order, and equals
any that holds the same. What differs is how a key is found: not by comparing it with
others on the way, but by its hash, in a trie that the C of ``immutables`` walks. For
Python 3.14 that package has no wheel, and nobody is to need a compiler: there the
tables of a fleet stay plain ones. Each has the same laws, and a fleet the same bytes.

Hashes of texts differ from process to process, and with them the order of such a trie.
No answer depends on it: keys are put in order when somebody goes through them, once for
all tables that have the same keys, and what is pickled are the pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar, final

from orchestrator.core.table import Table

try:
    import immutables
except ImportError:
    immutables = None  # type: ignore[assignment]

__all__ = ("HashTable", "many")

K = TypeVar("K")
V = TypeVar("V")
NewK = TypeVar("NewK")
NewV = TypeVar("NewV")

_Map: Final[Any] = None if immutables is None else immutables.Map


@final
class HashTable(Table[K, V]):
    """A persistent map, found by hash and iterated in key order.

    >>> one = HashTable.of([("b", 2), ("a", 1)])
    >>> one.put("c", 3).drop("a") == Table.of([("b", 2), ("c", 3)])
    True

    """

    __slots__ = ("_map", "_order")

    def __init__(self) -> None:
        """Make an empty table; ``HashTable.of`` makes a filled one."""
        self._map: Any = _Map()
        self.size = 0
        self._order: list[K] = []
        """The keys in order; empty until somebody asks. Tables that differ in values
        only share it, so that it is filled for all of them at once."""

    @staticmethod
    def of(pairs: Iterable[tuple[NewK, NewV]]) -> HashTable[NewK, NewV]:
        """Build a table; of equal keys the last one counts. O(n log n)."""
        latest = dict(pairs)
        keys: list[Any] = sorted(latest)  # mostly they are: then it is one look at each
        return _made(_Map(latest), len(latest), keys)

    def get(self, key: K) -> V | None:
        """Return the value of *key*, or None."""
        value: V | None = self._map.get(key)
        return value

    def __contains__(self, key: K) -> bool:
        """Say whether *key* is there, also with None for its value."""
        return key in self._map

    def put(self, key: K, value: V) -> HashTable[K, V]:
        """Return a table in which *key* has *value*. O(log n)."""
        table = _blank(_KIND)  # as `_made` does: each event would call it once more
        table._map = after = self._map.set(key, value)  # noqa: SLF001
        table.size = size = len(after)
        table._order = self._order if size == self.size else []  # noqa: SLF001
        return table

    def drop(self, key: K) -> HashTable[K, V]:
        """Return a table without *key*; the same table if it is absent. O(log n)."""
        if key not in self._map:
            return self
        return _made(self._map.delete(key), self.size - 1, [])

    def first(self) -> tuple[K, V] | None:
        """Return the pair with the smallest key, or None."""
        return next(self.items(), None)

    def items(self) -> Iterator[tuple[K, V]]:
        """Yield the pairs in key order."""
        return zip(self._ordered(), self.values(), strict=True)

    def values(self) -> Iterator[V]:
        """Yield the values in key order."""
        return map(self._map.__getitem__, self._ordered())

    def __iter__(self) -> Iterator[K]:
        """Yield the keys in order."""
        return iter(self._ordered())

    def __len__(self) -> int:
        """Count the keys. O(1)."""
        return self.size

    def __eq__(self, other: object) -> bool:
        """Compare by content, with a table of either kind."""
        if not isinstance(other, Table):
            return NotImplemented
        theirs: Table[Any, Any] = other  # pyright: ignore[reportUnknownVariableType]
        if isinstance(theirs, HashTable):
            same: bool = self._map is theirs._map or self._map == theirs._map
            return same
        return len(self) == len(theirs) and [*self.items()] == [*theirs.items()]

    def __hash__(self) -> int:
        """Hash the content, as a table of the other kind does."""
        return super().__hash__()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the pairs: another process may have no such package."""
        return many, (Table.of(self.items()),)

    def __repr__(self) -> str:
        """Show the content in key order."""
        return f"HashTable.of({list(self.items())!r})"

    def _ordered(self) -> list[K]:
        """Return the keys in order; to be read only."""
        order = self._order
        if len(order) != self.size:
            # In one step: another thread that does the same comes to the same.
            keys: list[Any] = sorted(self._map)
            order[:] = keys
        return order


def _made(map_: Any, size: int, order: list[Any]) -> HashTable[Any, Any]:
    table = _blank(_KIND)
    table._map = map_  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    table.size = size
    table._order = order  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return table


_KIND: Final[type[HashTable[Any, Any]]] = HashTable
_blank: Final = object.__new__


def many(table: Table[Any, Any]) -> Table[Any, Any]:
    """Return a table of the same that is found by hash, as far as that can be had.

    For the tables of names into which each event looks.

    >>> many(Table.of([("web", 1)])) == Table.of([("web", 1)])
    True

    """
    if _Map is None or isinstance(table, HashTable):
        return table
    return HashTable.of(table.items())
