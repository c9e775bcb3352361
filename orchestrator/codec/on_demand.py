"""A table whose entries are made when they are first asked for.

To write the readers and writers of every class of the core takes longer than the
command that needs three of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, TypeVar

__all__ = ("OnDemand",)

K = TypeVar("K")
V = TypeVar("V")


class OnDemand(dict[K, V], Generic[K, V]):
    """Makes the entry of a *known* key once; there are no others.

    >>> lengths = OnDemand(["one", "three"], len)
    >>> lengths["three"], dict(lengths), "one" in lengths.known
    (5, {'three': 5}, True)

    """

    def __init__(self, known: Iterable[K], make: Callable[[K], V]) -> None:
        """Know what may be asked for, and make nothing yet."""
        super().__init__()
        self.known: Final[frozenset[Any]] = frozenset(known)
        self._make: Final = make

    def __missing__(self, key: K) -> V:
        """Make what is asked for the first time; two threads may both make it."""
        if key not in self.known:
            raise KeyError(key)
        made = self._make(key)
        self[key] = made
        return made
