"""Decides whether a history can be explained: by searching for an order that does.

A history is *linearizable* when each operation can be given one moment between its call
and its return, so that a ``Register`` that does them one after the other answers what
was answered (Herlihy and Wing). What is unknown may be given any moment behind its
call, or none.

The search is that of Wing and Gong: whoever was called before the first return that is
left may be next; where that leads nowhere, it goes back. Which operations were taken,
and what the register is then, is remembered, so that nothing is tried twice (Lowe). It
is for short histories; ``linear_chain`` decides long ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf
from typing import Final

import attrs

from orchestrator.testing.histories import (
    EMPTY,
    AppendRows,
    Granted,
    GrantEpoch,
    Operation,
    Refused,
    Register,
    StaleEpoch,
    answer_of,
    ordered,
)

__all__ = ("TRIES_MAX", "GivenUp", "NoOrder", "Order", "order_of")

TRIES_MAX: Final = 200_000
"""Places that are looked at; beyond, the search gives up."""


@attrs.frozen
class Order:
    """Operations in an order that explains a history; of the unknown, those done."""

    operations: tuple[Operation, ...]


@attrs.frozen
class NoOrder:
    """No order explains the history."""


@attrs.frozen
class GivenUp:
    """After so many places the search was given up."""

    tries: int


@attrs.frozen
class _Place:
    """Where a search is: a bit for each operation taken, and the register then."""

    taken: int
    register: Register


def order_of(
    operations: Iterable[Operation],
    since: Register = EMPTY,
    *,
    tries_max: int = TRIES_MAX,
) -> Order | NoOrder | GivenUp:
    """Search for an order that explains a history, which began with a register.

    >>> order_of([])
    Order(operations=())

    """
    search = _Search(operations)
    place = _Place(0, since)
    seen = {place}
    path: list[int] = []
    open_ends = [search.nexts(place)]
    while not search.is_done(place):
        step = next(open_ends[-1], None)
        if step is None:
            open_ends.pop()
            if not path:
                return NoOrder()
            path.pop()
        elif step[1] not in seen:
            if len(seen) >= tries_max:
                return GivenUp(len(seen))
            at, place = step
            seen.add(place)
            path.append(at)
            open_ends.append(search.nexts(place))
    return Order(tuple(search.operations[at] for at in path))


class _Search:
    """What is searched: the operations that matter, in the order of their calls."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        every = ordered(operations)
        self.operations = tuple(
            one for one in every if not isinstance(one.answer, Refused)
        )
        self.known = sum(
            1 << at for at, one in enumerate(self.operations) if one.is_known
        )
        # Epochs of which one has heard, and nobody knows to have been granted them: an
        # operation of which nobody knows took effect only if it granted one of these.
        told = {
            one.answer.highest for one in every if isinstance(one.answer, StaleEpoch)
        }
        granted = {one.answer.epoch for one in every if isinstance(one.answer, Granted)}
        self.unclaimed = sorted(told - granted)

    def is_done(self, place: _Place) -> bool:
        return place.taken & self.known == self.known

    def nexts(self, place: _Place) -> Iterator[tuple[int, _Place]]:
        """Tell each operation that may be next, and where it leads."""
        left = [
            (at, one)
            for at, one in enumerate(self.operations)
            if not place.taken >> at & 1
        ]
        first = min((_end(one) for _, one in left), default=0.0)
        for at, one in left:
            if one.called_at > first:
                return
            for register in self.after(place.register, one):
                yield at, _Place(place.taken | 1 << at, register)

    def after(self, register: Register, one: Operation) -> Iterator[Register]:
        """Tell what a register may be after an operation with this answer."""
        if one.answer is None:
            yield from self._changed(register, one)
        elif isinstance(one.answer, Granted):
            if one.answer.epoch > register.epoch:
                yield attrs.evolve(register, epoch=one.answer.epoch)
        else:
            done = answer_of(register, one.call)
            if done is not None and done[1] == one.answer:
                yield done[0]

    def _changed(self, register: Register, one: Operation) -> Iterator[Register]:
        """Tell how an operation can have changed a register that nobody heard of."""
        if isinstance(one.call, GrantEpoch):
            for epoch in self.unclaimed:
                if epoch > register.epoch:
                    yield attrs.evolve(register, epoch=epoch)
        elif isinstance(one.call, AppendRows):
            done = answer_of(register, one.call)
            if done is not None and done[0] != register:
                yield done[0]


def _end(one: Operation) -> float:
    """Return until when an operation has happened, if it has."""
    if one.answer is None or one.returned_at is None:
        return inf
    return one.returned_at
