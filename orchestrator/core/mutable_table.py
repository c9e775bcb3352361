"""A table that is changed in place: for folding a whole journal at full speed.

It has the look-ups and changes of ``core.table.Table``, so that the same code drives
both, and iterates in the same order.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Any, Generic, TypeVar, final

from orchestrator.core.table import Table

__all__ = ("MutableTable",)

K = TypeVar("K")
V = TypeVar("V")


@final
class MutableTable(Generic[K, V]):
    """The same map, changed in place: for folding a whole journal at full speed.

    ``put`` and ``drop`` return the table itself, so that code written for ``Table``
    drives both. It is private to whoever thawed it; ``freeze`` gives a ``Table``.
    """

    __slots__ = ("_items", "_order")

    def __init__(self, table: Table[K, V]) -> None:
        """Copy a table."""
        self._items: dict[K, V] = dict(table.items())
        self._order: list[Any] | None = None

    def get(self, key: K) -> V | None:
        """Return the value of *key*, or None."""
        return self._items.get(key)

    def __getitem__(self, key: K) -> V:
        """Return the value of *key*, which is there."""
        return self._items[key]

    def __contains__(self, key: K) -> bool:
        """Say whether *key* is there."""
        return key in self._items

    def put(self, key: K, value: V) -> MutableTable[K, V]:
        """Set *key* to *value*."""
        if self._order is not None and key not in self._items:
            insort(self._order, key)
        self._items[key] = value
        return self

    def drop(self, key: K) -> MutableTable[K, V]:
        """Remove *key*, if it is there."""
        if key in self._items:
            del self._items[key]
            if self._order is not None:
                del self._order[bisect_left(self._order, key)]
        return self

    def first(self) -> tuple[K, V] | None:
        """Return the pair with the smallest key, or None."""
        return next(iter(self.items()), None)

    def items(self) -> Iterator[tuple[K, V]]:
        """Yield the pairs in key order; sorted once, then kept in order."""
        if self._order is None:
            self._order = sorted(self._items)
        return ((key, self._items[key]) for key in self._order)

    def values(self) -> Iterator[V]:
        """Yield the values in key order."""
        return (value for _, value in self.items())

    def __iter__(self) -> Iterator[K]:
        """Yield the keys in order."""
        return (key for key, _ in self.items())

    def __len__(self) -> int:
        """Count the keys."""
        return len(self._items)

    def freeze(self) -> Table[K, V]:
        """Return the persistent table of the same content."""
        return Table.of(self._items.items())
