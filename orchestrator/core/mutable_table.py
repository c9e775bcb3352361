"""A table that is changed in place: for folding a whole journal at full speed.

It has the look-ups and changes of ``core.table.Table``, so that the same code drives
both, and iterates in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Any, Final, TypeVar, final

from orchestrator.core.table import Table

__all__ = ("MutableTable",)

K = TypeVar("K")
V = TypeVar("V")

SLACK: Final = 64
"""Dropped keys that the heap may hold beyond as many as there are keys."""


@final
class MutableTable(dict[K, V]):
    """The same map, changed in place: for folding a whole journal at full speed.

    ``put`` and ``drop`` return the table itself, so that code written for ``Table``
    drives both. It is private to whoever thawed it; ``freeze`` gives a ``Table``.

    It *is* a dict: a look-up, of which every event needs some, is no call of a function
    of Python. Whatever iterates is its own, for a dict does not keep its keys in order.
    """

    __slots__ = ("_heap", "_kind")

    def __init__(self, table: Table[K, V]) -> None:
        """Copy a table."""
        super().__init__(table.items())
        self._heap: list[Any] | None = None
        self._kind: type[Table[Any, Any]] = table.__class__

    def put(self, key: K, value: V) -> MutableTable[K, V]:
        """Set *key* to *value*."""
        if self._heap is not None and key not in self:
            heappush(self._heap, key)
        self[key] = value
        return self

    def drop(self, key: K) -> MutableTable[K, V]:
        """Remove *key*, if it is there."""
        _ = self.pop(key, None)
        return self

    def first(self) -> tuple[K, V] | None:
        """Return the pair with the smallest key, or None.

        Once it was asked for, all keys are kept in a heap; dropped ones leave it when
        they come to its top, or when they are too many.
        """
        heap = self._heap
        if heap is None or len(heap) > 2 * len(self) + SLACK:
            heap = self._heap = sorted(self.keys())
        while heap:
            key = heap[0]
            if key in self:
                return key, self[key]
            _ = heappop(heap)
        return None

    def items(self) -> Iterator[tuple[K, V]]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        """Yield the pairs in key order, sorted for each time: it is seldom asked."""
        return ((key, self[key]) for key in self)

    def values(self) -> Iterator[V]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        """Yield the values in key order."""
        return (self[key] for key in self)

    def __iter__(self) -> Iterator[K]:
        """Yield the keys in order."""
        order: list[Any] = sorted(self.keys())
        return iter(order)

    @property
    def size(self) -> int:
        """How many keys there are."""
        return super().__len__()

    def freeze(self) -> Table[K, V]:
        """Return the persistent table of the same content, of the kind it once was."""
        return self._kind.of(super().items())
