"""Which snapshots are kept: the newest ones, and ever fewer the older they are.

A snapshot is where a recovery or a look into the past may begin. Of those behind the
newest few one is dropped where its older neighbour is not four times as far from the
end as its younger one. So about one is kept for each doubling of the distance, and
whoever goes back some rows never folds more than four times as many, counted from the
snapshot that was once saved there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = ("NEWEST_KEPT", "kept")

NEWEST_KEPT: Final = 3
"""A damaged one falls back to the one before."""

_REACH: Final = 4


def kept(seqs: Iterable[int]) -> tuple[int, ...]:
    """Return the rows whose snapshots are kept, in order.

    >>> kept(range(10, 210, 10))
    (10, 150, 180, 190, 200)

    """
    order = sorted(seqs)
    old, newest = order[:-NEWEST_KEPT], order[-NEWEST_KEPT:]
    found: list[int] = old[:1]
    for place, seq in enumerate(old[1:], start=1):
        younger = order[-1] - order[place + 1]
        if order[-1] - found[-1] > _REACH * younger:
            found.append(seq)
    return (*found, *newest)
