"""Decides whether a long history can be explained: in the order of its digests.

A digest stands for all rows before it. So answers alone tell which heads a journal went
through, and in which order; the epochs that were granted are numbers. What is left to
find are moments: when each head, and each epoch, began to be the newest.

::

    began(head n)  <=  whatever was answered from head n  <=  began(head n + 1)
    began(epoch e) <=  whatever was accepted under e      <=  began(next epoch)

Each of these, and each operation, gets the earliest moment that those before it leave.
The history is linearizable if none of them comes too late, and if they do not go in a
circle. The effort grows with the number of operations, but for sorting them.

Where several appends lead to one head, and are not the same one sent again, that does
not tell which of them did: ``linearizable`` has to search for it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Final, Generic, TypeAlias, TypeVar, assert_never

import attrs

from orchestrator.journal.port import Head
from orchestrator.testing.histories import (
    EMPTY,
    Accepted,
    AppendRows,
    Conflict,
    Granted,
    GrantEpoch,
    HeadIs,
    Operation,
    Refused,
    Register,
    StaleEpoch,
    StartRun,
    ordered,
)

__all__ = ("explains",)

T = TypeVar("T")
_Span: TypeAlias = tuple[float, float]
_ALWAYS: Final[Sequence[_Span]] = ((-inf, inf),)


class _Unexplained(Exception):
    """No order explains the history."""


class _Ambiguous(Exception):
    """Digests alone do not tell who did it."""


def explains(operations: Iterable[Operation], since: Register = EMPTY) -> bool | None:
    """Say whether an order explains a history; None: digests alone do not tell.

    It says what ``linearizable`` finds by searching, wherever both say something.

    >>> explains([])
    True

    """
    every = tuple(
        one for one in ordered(operations) if not isinstance(one.answer, Refused)
    )
    try:
        _settle(_nodes(every, since))
    except _Unexplained:
        return False
    except _Ambiguous:
        return None
    return True


@attrs.define(eq=False)
class _Node:
    """What has a moment, in one of its *spans*: a beginning, or an operation."""

    spans: Sequence[_Span]
    earliest: float = -inf
    waits_for: int = 0
    after: list[_Node] = attrs.field(factory=list)

    def precedes(self, other: _Node) -> None:
        """Have the other one happen at the same moment, or later."""
        self.after.append(other)
        other.waits_for += 1

    def settle(self) -> None:
        """Take the earliest moment that those before it leave."""
        moments = [
            max(self.earliest, begins)
            for begins, ends in self.spans
            if self.earliest <= ends
        ]
        if not moments:
            raise _Unexplained
        self.earliest = min(moments)


class _Reigns(Generic[T]):
    """The heads, or the epochs: each is the newest until the next one begins."""

    def __init__(self, spans: Mapping[T, Sequence[_Span]]) -> None:
        self.places = {one: place for place, one in enumerate(spans)}
        self.begins = [_Node(each) for each in spans.values()]
        for begin, following in zip(self.begins, self.begins[1:], strict=False):
            begin.precedes(following)

    def bear(self, one: T, node: _Node) -> None:
        """Have something happen while *one* is the newest."""
        place = self.places.get(one)
        if place is None:  # it never was
            raise _Unexplained
        self.begins[place].precedes(node)
        if place + 1 < len(self.begins):
            node.precedes(self.begins[place + 1])


def _nodes(every: Sequence[Operation], since: Register) -> list[_Node]:
    """Return all that has a moment, each with what comes behind it."""
    doers = _doers(every, since)
    begun = {head: [_span(one) for one in does] for head, does in doers.items()}
    heads = _Reigns({since.head: _ALWAYS, **begun})
    epochs = _Reigns({since.epoch: _ALWAYS, **_grants(every, since)})
    for begin, does in zip(heads.begins[1:], doers.values(), strict=True):
        epochs.bear(_epoch(does[0]), begin)
    nodes = [*heads.begins, *epochs.begins]
    for one in every:
        node = _Node([_span(one)])
        _place(one, node, heads, epochs)
        nodes.append(node)
    return nodes


def _place(
    one: Operation, node: _Node, heads: _Reigns[Head], epochs: _Reigns[int]
) -> None:
    """Say what was the newest when an operation happened, by its answer."""
    match one.answer:
        case None | Granted() | Refused():
            return  # nobody knows, or it is itself the beginning of its epoch
        case HeadIs(head) | Conflict(head):
            heads.bear(head, node)
            if isinstance(one.call, AppendRows):
                if not _is_possible(one.call, one.answer):
                    raise _Unexplained
                epochs.bear(one.call.epoch, node)
        case StaleEpoch(highest):
            if _epoch(one) >= highest:
                raise _Unexplained
            epochs.bear(highest, node)
        case Accepted():
            epochs.bear(_epoch(one), node)
        case _:
            assert_never(one.answer)


def _is_possible(call: AppendRows, answer: HeadIs | Conflict) -> bool:
    """Say whether an append may be answered so, whatever else happened."""
    if isinstance(answer, HeadIs):
        return answer.head == call.after
    return answer.head not in {call.expect, call.after}


def _settle(nodes: Sequence[_Node]) -> None:
    """Give each its earliest moment, whoever comes before it first."""
    free = deque(node for node in nodes if not node.waits_for)
    left = len(nodes)
    while free:
        node = free.popleft()
        node.settle()
        left -= 1
        for other in node.after:
            other.earliest = max(other.earliest, node.earliest)
            other.waits_for -= 1
            if not other.waits_for:
                free.append(other)
    if left:  # they wait for one another
        raise _Unexplained


def _doers(every: Sequence[Operation], since: Register) -> dict[Head, list[Operation]]:
    """Return the heads that the journal went through, with who may have led to each."""
    told = {since.head}
    by_head: dict[Head, list[Operation]] = defaultdict(list)
    for one in every:
        if isinstance(one.answer, HeadIs | Conflict):
            told.add(one.answer.head)
        call = one.call
        if isinstance(call, AppendRows) and call.digests and _may_be_done(one):
            by_head[call.after].append(one)
    path: list[tuple[Head, list[Operation]]] = []
    head = max(told, key=lambda each: each.seq)
    while head != since.head:
        does = by_head.get(head, [])
        causes = {(call.expect, call.epoch) for call in _appends(does)}
        if len(causes) > 1:
            raise _Ambiguous
        if not causes or head.seq <= since.head.seq:
            raise _Unexplained
        path.append((head, does))
        ((head, _),) = causes
    if not told <= {since.head, *(head for head, _ in path)}:
        raise _Unexplained
    return dict(reversed(path))


def _appends(operations: Iterable[Operation]) -> list[AppendRows]:
    return [one.call for one in operations if isinstance(one.call, AppendRows)]


def _may_be_done(one: Operation) -> bool:
    return one.answer is None or isinstance(one.answer, HeadIs)


def _grants(every: Sequence[Operation], since: Register) -> dict[int, list[_Span]]:
    """Return the epochs that were granted, each with when that may have been.

    One that nobody knows to have got it was granted by a call without an answer: to the
    lowest of them the earliest call, as this leaves the most time to all.
    """
    found: dict[int, list[_Span]] = {}
    told: set[int] = set()
    for one in every:
        if isinstance(one.answer, Granted):
            if one.answer.epoch in found or one.answer.epoch <= since.epoch:
                raise _Unexplained
            found[one.answer.epoch] = [_span(one)]
        elif isinstance(one.answer, StaleEpoch) and one.answer.highest > since.epoch:
            told.add(one.answer.highest)
    unknown = (
        _span(one)
        for one in every
        if one.answer is None and isinstance(one.call, GrantEpoch)
    )
    for epoch in sorted(told - set(found)):
        span = next(unknown, None)
        if span is None:
            raise _Unexplained
        found[epoch] = [span]
    return dict(sorted(found.items()))


def _epoch(one: Operation) -> int:
    """Return the epoch that a call shows; what shows none has none."""
    return one.call.epoch if isinstance(one.call, AppendRows | StartRun) else -1


def _span(one: Operation) -> _Span:
    """Return when an operation may have happened."""
    if one.answer is None or one.returned_at is None:
        return one.called_at, inf
    return one.called_at, one.returned_at
