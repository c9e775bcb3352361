"""A persistent, ordered map: the fleet's state and its indexes.

A ``Table`` is a value. ``put`` and ``drop`` return a new table that shares all
but one path with the old one, so every past fleet stays whole, and copying is
never needed. It is a B+ tree of lists that nobody changes once they are in it: a leaf
holds up to ``WIDTH`` keys beside their values, an inner node up to ``WIDTH`` children
beside the keys that part them. Look-up and replacement are O(log n).

Iteration is in key order by construction. A hash map would iterate in an order
that depends on the process's hash seed, and commands derived from it would
differ on replay; here nothing is hashed at all.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, Final, Generic, TypeVar

__all__ = ("Table",)

K = TypeVar("K")
V = TypeVar("V")
NewK = TypeVar("NewK")
NewV = TypeVar("NewV")

WIDTH: Final = 64
"""Keys in a node at most. Measured: with 32 a table of a thousand has one level more,
and a ``put`` takes a fifth longer; with 128 more is copied than is won."""

_Node = tuple[list[Any], list[Any]]
"""``(keys, values)`` in a leaf, ``(keys, children)`` above.

There is one key less than there are children: what is below the key lies to its left,
the key itself to its right. So ``bisect_right(keys, key)`` is the child to look in.
"""

_EMPTY: Final[_Node] = ([], [])


class Table(Generic[K, V]):
    """A persistent map, iterated in key order.

    >>> one = Table.of([("b", 2), ("a", 1)])
    >>> two = one.put("c", 3).drop("a")
    >>> list(one.items()), list(two.items())
    ([('a', 1), ('b', 2)], [('b', 2), ('c', 3)])

    """

    __slots__ = ("_depth", "_root", "size")

    def __init__(self) -> None:
        """Make an empty table; ``Table.of`` makes a filled one."""
        self._root: _Node = _EMPTY
        self._depth = 0
        self.size = 0
        """How many keys there are. ``len`` says the same, and is a call."""

    @staticmethod
    def of(pairs: Iterable[tuple[NewK, NewV]]) -> Table[NewK, NewV]:
        """Build a table; of equal keys the last one counts. O(n log n)."""
        latest = dict(pairs)
        keys: list[Any] = sorted(latest)
        if len(keys) <= WIDTH:
            return _made((keys, [latest[key] for key in keys]), 0, len(keys))
        level: list[_Node] = [
            (part, [latest[key] for key in part]) for part in _chunks(keys)
        ]
        firsts, depth = [part[0] for part, _ in level], 0
        while len(level) > 1:
            parts = zip(_chunks(firsts), _chunks(level), strict=True)
            level = [(part[1:], children) for part, children in parts]
            firsts, depth = [part[0] for part in _chunks(firsts)], depth + 1
        return _made(level[0], depth, len(latest))

    def get(self, key: K) -> V | None:
        """Return the value of *key*, or None."""
        (keys, values), depth = self._root, self._depth
        while depth:
            keys, values = values[bisect_right(keys, key)]
            depth -= 1
        place = bisect_right(keys, key) - 1
        if keys and keys[place] == key:  # -1 is the last, which is not it
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
        (keys, values), depth = self._root, self._depth
        while depth:
            keys, values = values[bisect_right(keys, key)]
            depth -= 1
        return bool(keys and keys[bisect_right(keys, key) - 1] == key)

    def put(self, key: K, value: V) -> Table[K, V]:
        """Return a table in which *key* has *value*. O(log n)."""
        depth, size = self._depth, self.size
        if size < WIDTH and not depth:  # nearly all tables are a leaf that has room
            keys, values = self._root
            place, values = bisect_left(keys, key), values.copy()
            if place < size and keys[place] == key:
                values[place] = value
                return _made((keys, values), 0, size)
            keys = keys.copy()
            keys.insert(place, key)
            values.insert(place, value)
            return _made((keys, values), 0, size + 1)
        same = _replaced(self._root, depth, key, value)
        if same is not None:
            return _made(same, depth, size)
        root = _inserted(self._root, depth, key, value)
        if len(root[1]) > WIDTH:
            left, parting, right = _halves(root, depth)
            root, depth = ([parting], [left, right]), depth + 1
        return _made(root, depth, size + 1)

    def drop(self, key: K) -> Table[K, V]:
        """Return a table without *key*; the same table if it is absent. O(log n).

        Nodes are not merged: a table that shrinks keeps thin leaves, which costs a
        little space and never correctness, and halves the code.
        """
        depth = self._depth
        root = _dropped(self._root, depth, key)
        if root is None:
            return self
        while depth and len(root[1]) == 1:
            root, depth = root[1][0], depth - 1
        return _made(root, depth, self.size - 1)

    def first(self) -> tuple[K, V] | None:
        """Return the pair with the smallest key, or None. O(log n)."""
        if not self.size:
            return None
        node = self._root
        for _ in range(self._depth):
            node = node[1][0]
        return node[0][0], node[1][0]

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
        return self.size

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
    table = _blank(kind)
    table._root = root  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    table._depth = depth  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    table.size = size
    return table


_blank: Final = object.__new__


def _chunks(row: list[Any]) -> Iterator[list[Any]]:
    """Cut into nodes three quarters full, so that the next few puts split nothing."""
    part = WIDTH * 3 // 4
    return (row[i : i + part] for i in range(0, len(row), part))


def _replaced(node: _Node, depth: int, key: Any, value: Any) -> _Node | None:
    """Return a node in which *key* has another value; None where it is absent."""
    keys, values = node
    if depth:
        place = bisect_right(keys, key)
        value = _replaced(values[place], depth - 1, key, value)
        if value is None:
            return None
    else:
        place = bisect_right(keys, key) - 1
        if not keys or keys[place] != key:
            return None
    values = values.copy()
    values[place] = value
    return keys, values


def _inserted(node: _Node, depth: int, key: Any, value: Any) -> _Node:
    """Return a node with a key that it had not; it may have become too long.

    Below it, one that has become too long is two.
    """
    keys, values = node
    place = bisect_right(keys, key)
    if not depth:
        keys, values = keys.copy(), values.copy()
        keys.insert(place, key)
        values.insert(place, value)
        return keys, values
    child = _inserted(values[place], depth - 1, key, value)
    values = values.copy()
    if len(child[1]) > WIDTH:
        left, parting, right = _halves(child, depth - 1)
        keys = keys.copy()
        keys.insert(place, parting)
        values[place : place + 1] = left, right
    else:
        values[place] = child
    return keys, values


def _dropped(node: _Node, depth: int, key: Any) -> _Node | None:
    """Return a node without a key; None where it is absent. An empty child is gone."""
    keys, values = node
    if not depth:
        place = bisect_right(keys, key) - 1
        if not keys or keys[place] != key:
            return None
        keys, values = keys.copy(), values.copy()
        del keys[place], values[place]
        return keys, values
    place = bisect_right(keys, key)
    child = _dropped(values[place], depth - 1, key)
    if child is None:
        return None
    values = values.copy()
    if child[1]:
        values[place] = child
        return keys, values
    keys = keys.copy()
    del values[place]
    del keys[max(0, place - 1) : max(1, place)]  # none where it was the only child
    return keys, values


def _halves(node: _Node, depth: int) -> tuple[_Node, Any, _Node]:
    """Cut a node in two, and say from which key on the right one holds."""
    keys, values = node
    middle = len(values) // 2
    left, right = values[:middle], values[middle:]
    if depth:  # the key that parts them stays in neither
        return (keys[: middle - 1], left), keys[middle - 1], (keys[middle:], right)
    return (keys[:middle], left), keys[middle], (keys[middle:], right)
