"""Where two trees of plain JSON differ: leaf by leaf, what was beside what is.

Fields are compared by their names, items of a list one after the other: each beside
its like, of the same type and name, so that one command less is one difference, not as
many as follow. An item that has no like is shown whole.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterator
from typing import Any, Final, TypeAlias, TypeGuard

from orchestrator.core.errors import Difference

__all__ = ("Tree", "differences", "parting", "shown", "written")

Tree: TypeAlias = Any
"""Plain JSON: dicts, lists, texts, numbers, truth values and null."""

MISSING: Final = "nothing"
"""How a value that is not there is told: no JSON, so it is mistaken for none."""

SHOWN_MAX: Final = 200
"""Characters of a value that a difference shows."""

AROUND: Final = 20
"""Bytes that are shown before the place where two writings part."""

_IDENTITY: Final = ("type", "name")
_Item: TypeAlias = tuple[int, str]
_Items: TypeAlias = deque[_Item]
_ABSENT: Final = object()


def differences(recorded: Tree, recomputed: Tree, place: str) -> Iterator[Difference]:
    """Yield the leaves in which two trees of JSON differ, each with its place.

    >>> [d.place for d in differences({"a": {"b": 1}}, {"a": {"b": 2}}, "$")]
    ['$.a.b']

    """
    if _is_object(recorded) and _is_object(recomputed):
        for key in {**recorded, **recomputed}:
            inner = f"{place}.{key}" if place else key
            yield from differences(
                recorded.get(key, _ABSENT), recomputed.get(key, _ABSENT), inner
            )
    elif _is_list(recorded) and _is_list(recomputed):
        yield from _of_lists(recorded, recomputed, place)
    elif type(recorded) is not type(recomputed) or recorded != recomputed:
        yield _whole(recorded, recomputed, place)


def _of_lists(was: list[Tree], now: list[Tree], place: str) -> Iterator[Difference]:
    shorter = min(len(was), len(now))
    first = next((i for i in range(shorter) if not _same(was[i], now[i])), shorter)
    ends = range(1, shorter - first + 1)
    same = next((n - 1 for n in ends if not _same(was[-n], now[-n])), len(ends))
    olds = deque((i, _kind(was[i])) for i in range(first, len(was) - same))
    news = deque((i, _kind(now[i])) for i in range(first, len(now) - same))
    more = Counter(kind for _, kind in olds), Counter(kind for _, kind in news)
    while olds or news:
        old, new = _next_of(olds, news, more)
        if old is not None and new is not None and old[1] == new[1]:
            yield from differences(was[old[0]], now[new[0]], f"{place}[{old[0]}]")
        else:
            index = min(item[0] for item in (old, new) if item is not None)
            yield _whole(
                _ABSENT if old is None else was[old[0]],
                _ABSENT if new is None else now[new[0]],
                f"{place}[{index}]",
            )


def _next_of(
    olds: _Items, news: _Items, more: tuple[Counter[str], Counter[str]]
) -> tuple[_Item | None, _Item | None]:
    """Take the items to put beside one another; None beside one that is alone.

    *more* counts what is left, by kind: what has its like later on waits for it.
    """
    old, new = (olds[0] if olds else None), (news[0] if news else None)
    if old is not None and new is not None and old[1] != new[1]:
        if more[1][old[1]]:
            old = None
        elif more[0][new[1]]:
            new = None
    if old is not None:
        more[0][olds.popleft()[1]] -= 1
    if new is not None:
        more[1][news.popleft()[1]] -= 1
    return old, new


def _same(was: Tree, now: Tree) -> bool:
    return next(differences(was, now, ""), None) is None


def _kind(tree: Tree) -> str:
    """Return what items must have in common to be one and the same, changed."""
    if _is_object(tree):
        return written([tree.get(key) for key in _IDENTITY])
    return "list" if _is_list(tree) else "leaf"


def _is_object(tree: Tree) -> TypeGuard[dict[str, Tree]]:
    return isinstance(tree, dict)


def _is_list(tree: Tree) -> TypeGuard[list[Tree]]:
    return isinstance(tree, list)


def _whole(was: Tree, now: Tree, place: str) -> Difference:
    return Difference(place=place, recorded=shown(was), recomputed=shown(now))


def shown(tree: Tree) -> str:
    """Write a tree as JSON, cut off where it is long.

    >>> shown("x" * 999)[-5:]
    'xx...'

    """
    text = MISSING if tree is _ABSENT else written(tree)
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 3]}..."


def written(tree: Tree) -> str:
    """Write a tree as JSON, on one line.

    >>> written({"run": 3, "exit": None})
    '{"run":3,"exit":null}'

    """
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":"))


def parting(recorded: bytes, recomputed: bytes, place: str) -> Difference:
    """Return where two writings of the same values part: the order of names, say.

    >>> parting(b'{"a":1,"b":2}', b'{"b":2,"a":1}', "changes").place
    'changes, byte 2'

    """
    shorter = min(len(recorded), len(recomputed))
    index = next((i for i in range(shorter) if recorded[i] != recomputed[i]), shorter)
    since = max(0, index - AROUND)
    return Difference(
        place=f"{place}, byte {index}",
        recorded=shown(recorded[since:].decode(errors="replace")),
        recomputed=shown(recomputed[since:].decode(errors="replace")),
    )
