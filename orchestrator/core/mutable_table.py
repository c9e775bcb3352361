"""A table that is changed in place: for folding a whole journal at full speed.

It has the look-ups and changes of ``core.table.Table``, so that the same code drives
both, and iterates in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Any, Final, Generic, TypeVar, final

from orchestrator.core.table import Table

__all__ = ("MutableTable",)

K = TypeVar("K")
V = TypeVar("V")

SLACK: Final = 64
"""Dropped keys that the heap may hold beyond as many as there are keys."""


@final
class MutableTable(Generic[K, V]):
    """The same map, changed in place: for folding a whole journal at full speed.

    ``put`` and ``drop`` return the table itself, so that code written for ``Table``
    drives both. It is private to whoever thawed it; ``freeze`` gives a ``Table``.
    """

    __slots__ = ("_heap", "_items")

    def __init__(self, table: Table[K, V]) -> None:
        """Copy a table."""
        self._items: dict[K, V] = dict(table.items())
        self._heap: list[Any] | None = None

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
        if self._heap is not None and key not in self._items:
            heappush(self._heap, key)
        self._items[key] = value
        return self

    def drop(self, key: K) -> MutableTable[K, V]:
        """Remove *key*, if it is there."""
        _ = self._items.pop(key, None)
        return self

    def first(self) -> tuple[K, V] | None:
        """Return the pair with the smallest key, or None.

        Once it was asked for, all keys are kept in a heap; dropped ones leave it when
        they come to its top, or when they are too many.
        """
        heap = self._heap
        if heap is None or len(heap) > 2 * len(self._items) + SLACK:
            heap = self._heap = sorted(self._items)
        while heap and heap[0] not in self._items:
            _ = heappop(heap)
        return (heap[0], self._items[heap[0]]) if heap else None

    def items(self) -> Iterator[tuple[K, V]]:
        """Yield the pairs in key order, sorted for each time: it is seldom asked."""
        order: list[Any] = sorted(self._items)
        return ((key, self._items[key]) for key in order)

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
