"""A persistent, ordered map: the fleet's state and its indexes.

A ``Table`` is a value. ``put`` and ``drop`` return a new table that shares all
but one path with the old one, so every past fleet stays whole, and copying is
never needed. It is a B+ tree of tuples: a leaf holds up to ``WIDTH`` keys beside
their values, an inner node holds up to ``WIDTH`` children beside the smallest key
below each. Look-up and replacement are O(log n).

Iteration is in key order by construction. A hash map would iterate in an order
that depends on the process's hash seed, and commands derived from it would
differ on replay; here nothing is hashed at all.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, Final, Generic, TypeVar, final

__all__ = ("Table",)

K = TypeVar("K")
V = TypeVar("V")
NewK = TypeVar("NewK")
NewV = TypeVar("NewV")

WIDTH: Final = 32
"""Keys in a node at most. Measured: 16 to 64 are alike, wider nodes copy more."""

_Node = tuple[tuple[Any, ...], tuple[Any, ...]]
"""``(keys, values)`` in a leaf, ``(smallest keys, children)`` above.

A key belongs below the last child whose smallest key does not exceed it, and below the
first where all do: ``bisect_right(keys, key, 1) - 1`` does not look at the first.
"""

_EMPTY: Final[_Node] = ((), ())


@final
class Table(Generic[K, V]):
    """A persistent map, iterated in key order.

    >>> one = Table.of([("b", 2), ("a", 1)])
    >>> two = one.put("c", 3).drop("a")
    >>> list(one.items()), list(two.items())
    ([('a', 1), ('b', 2)], [('b', 2), ('c', 3)])

    """

    __slots__ = ("_depth", "_root", "_size")

    def __init__(self) -> None:
        """Make an empty table; ``Table.of`` makes a filled one."""
        self._root: _Node = _EMPTY
        self._depth = 0
        self._size = 0

    @staticmethod
    def of(pairs: Iterable[tuple[NewK, NewV]]) -> Table[NewK, NewV]:
        """Build a table; of equal keys the last one counts. O(n log n)."""
        latest = dict(pairs)
        keys: list[Any] = sorted(latest)
        if len(keys) <= WIDTH:
            leaf = (tuple(keys), tuple([latest[key] for key in keys]))
            return _made(leaf, 0, len(keys))
        level: list[_Node] = [
            (tuple(part), tuple(latest[key] for key in part)) for part in _chunks(keys)
        ]
        depth = 0
        while len(level) > 1:
            level = [
                (tuple(node[0][0] for node in part), tuple(part))
                for part in _chunks(level)
            ]
            depth += 1
        return _made(level[0], depth, len(latest))

    def get(self, key: K) -> V | None:
        """Return the value of *key*, or None."""
        node = self._root
        for _ in range(self._depth):
            keys, children = node
            node = children[bisect_right(keys, key, 1) - 1]
        keys, values = node
        place = bisect_left(keys, key)
        if place < len(keys) and keys[place] == key:
            value: V = values[place]
            return value
        return None

    def __getitem__(self, key: K) -> V:
        """Return the value of *key*, which is there."""
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: K) -> bool:
        """Say whether *key* is there, also with None for its value."""
        node = self._root
        for _ in range(self._depth):
            keys, children = node
            node = children[bisect_right(keys, key, 1) - 1]
        keys = node[0]
        place = bisect_left(keys, key)
        return place < len(keys) and bool(keys[place] == key)

    def put(self, key: K, value: V) -> Table[K, V]:
        """Return a table in which *key* has *value*. O(log n)."""
        path: list[tuple[_Node, int]] = []
        node = self._root
        for _ in range(self._depth):
            place = bisect_right(node[0], key, 1) - 1
            path.append((node, place))
            node = node[1][place]
        keys, values = node
        place = bisect_left(keys, key)
        if place < len(keys) and keys[place] == key:
            node = (keys, values[:place] + (value,) + values[place + 1 :])  # noqa: RUF005 - measured: faster
            for (keys, values), place in reversed(path):
                node = (keys, values[:place] + (node,) + values[place + 1 :])  # noqa: RUF005 - as above
            return _made(node, self._depth, self._size)
        return self._insert(key, value)

    def _insert(self, key: K, value: V) -> Table[K, V]:
        nodes = _insert(self._root, self._depth, key, value)
        size = self._size + 1
        if len(nodes) == 1:
            return _made(nodes[0], self._depth, size)
        root = (tuple(node[0][0] for node in nodes), nodes)
        return _made(root, self._depth + 1, size)

    def drop(self, key: K) -> Table[K, V]:
        """Return a table without *key*; the same table if it is absent. O(log n)."""
        if key not in self:
            return self
        root = _drop(self._root, self._depth, key)
        depth = self._depth
        while depth and len(root[1]) == 1:
            root = root[1][0]
            depth -= 1
        return _made(root, depth, self._size - 1)

    def first(self) -> tuple[K, V] | None:
        """Return the pair with the smallest key, or None. O(log n)."""
        node = self._root
        for _ in range(self._depth):
            node = node[1][0]
        return (node[0][0], node[1][0]) if node[0] else None

    def items(self) -> Iterator[tuple[K, V]]:
        """Yield the pairs in key order."""
        return self._walk() if self._depth else zip(*self._root, strict=True)

    def _walk(self) -> Iterator[tuple[K, V]]:
        stack: list[tuple[_Node, int]] = [(self._root, self._depth)]
        while stack:
            node, depth = stack.pop()
            if depth:
                stack.extend((child, depth - 1) for child in reversed(node[1]))
            else:
                yield from zip(*node, strict=True)

    def values(self) -> Iterator[V]:
        """Yield the values in key order."""
        return (value for _, value in self.items())

    def __iter__(self) -> Iterator[K]:
        """Yield the keys in order."""
        return (key for key, _ in self.items())

    def __len__(self) -> int:
        """Count the keys. O(1)."""
        return self._size

    def __eq__(self, other: object) -> bool:
        """Compare by content; how a table was built does not matter."""
        if not isinstance(other, Table):
            return NotImplemented
        if self is other:
            return True
        theirs: Table[Any, Any] = other  # pyright: ignore[reportUnknownVariableType]
        if not self._depth and not theirs._depth:
            return self._root == theirs._root
        pairs = zip(self.items(), theirs.items(), strict=True)
        return len(self) == len(theirs) and all(mine == its for mine, its in pairs)

    def __hash__(self) -> int:
        """Hash the content, so that values holding a table can be hashed."""
        return hash(tuple(self.items()))

    def __repr__(self) -> str:
        """Show the content in key order."""
        return f"Table.of({list(self.items())!r})"


def _made(root: _Node, depth: int, size: int) -> Table[Any, Any]:
    kind: type[Table[Any, Any]] = Table
    table = kind.__new__(kind)
    table._root, table._depth, table._size = root, depth, size  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return table


def _chunks(row: list[Any]) -> Iterator[list[Any]]:
    """Cut into nodes three quarters full, so that the next few puts split nothing."""
    part = WIDTH * 3 // 4
    return (row[i : i + part] for i in range(0, len(row), part))


def _insert(node: _Node, depth: int, key: Any, value: Any) -> tuple[_Node, ...]:
    """Add a key that is not there; a node that overflows becomes two."""
    keys, values = node
    if depth == 0:
        place = bisect_left(keys, key)
        return _split(
            (*keys[:place], key, *keys[place:]),
            (*values[:place], value, *values[place:]),
        )
    place = bisect_right(keys, key, 1) - 1
    children = _insert(values[place], depth - 1, key, value)
    smallest = tuple(child[0][0] for child in children)
    return _split(
        (*keys[:place], *smallest, *keys[place + 1 :]),
        (*values[:place], *children, *values[place + 1 :]),
    )


def _split(keys: tuple[Any, ...], values: tuple[Any, ...]) -> tuple[_Node, ...]:
    if len(keys) <= WIDTH:
        return ((keys, values),)
    middle = len(keys) // 2
    return (keys[:middle], values[:middle]), (keys[middle:], values[middle:])


def _drop(node: _Node, depth: int, key: Any) -> _Node:
    """Remove a key that is there; an emptied child is removed with it.

    Nodes are not merged: a table that shrinks keeps thin leaves, which costs a
    little space and never correctness, and halves the code.
    """
    keys, values = node
    if depth == 0:
        place = bisect_left(keys, key)
        return keys[:place] + keys[place + 1 :], values[:place] + values[place + 1 :]
    place = bisect_right(keys, key, 1) - 1
    child = _drop(values[place], depth - 1, key)
    if not child[0]:
        return keys[:place] + keys[place + 1 :], values[:place] + values[place + 1 :]
    return (
        (*keys[:place], child[0][0], *keys[place + 1 :]),
        (*values[:place], child, *values[place + 1 :]),
    )
