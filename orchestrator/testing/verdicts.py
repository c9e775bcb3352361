"""Judges what was recorded of operators that share a journal: three laws, one verdict.

* ``judge_calls``: every answer is that of one register which does one call after the
  other: nothing that was acknowledged is lost, and nothing of an older epoch is done.
* ``judge_starts``: each run was started once at the platform, and by who might.
* ``judge_journal``: the journal that is left holds, in their places, all rows that were
  acknowledged, and none that nobody wrote.

A verdict is a value. What cannot be explained is told by its shortest beginning: up to
the first answer that no order of the calls so far explains.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, TypeAlias

import attrs

from orchestrator.testing.histories import (
    EMPTY,
    Accepted,
    AppendRows,
    Granted,
    HeadIs,
    Operation,
    Register,
    StartRun,
    ordered,
    until,
)
from orchestrator.testing.history_tables import answer_words, call_words, table_of
from orchestrator.testing.linear_chain import explains
from orchestrator.testing.linearizable import GivenUp, Order, order_of

__all__ = (
    "CALLS",
    "JOURNAL",
    "STARTS",
    "Explained",
    "Numbered",
    "StartSeen",
    "Undecided",
    "Unexplained",
    "Verdict",
    "judge",
    "judge_calls",
    "judge_journal",
    "judge_starts",
)

CALLS: Final = "all answers are those of one register"
STARTS: Final = "a run is started once, by who may start it"
JOURNAL: Final = "what was acknowledged is kept, and nothing else"


@attrs.frozen
class Explained:
    """The law holds for so many operations."""

    operations: int


@attrs.frozen(kw_only=True)
class Unexplained:
    """The law does not hold: *why*, and the operations that show it."""

    law: str
    why: str
    operations: tuple[Operation, ...]

    def __str__(self) -> str:
        """Tell it, with the operations as a table."""
        return f"broken: {self.law}\n{self.why}\n{table_of(self.operations)}"


@attrs.frozen
class Undecided:
    """It was not found out, after so many places that were looked at."""

    tries: int


Verdict: TypeAlias = Explained | Unexplained | Undecided


@attrs.frozen(kw_only=True)
class StartSeen:
    """A start that the platform knows of; *identity* is its own name of what runs."""

    container: str
    run: int
    identity: str
    seen_at: int


class Numbered(Protocol):
    """A row of a journal, as far as it matters here; a head is one, too."""

    @property
    def seq(self) -> int:
        """Return its number."""
        ...

    @property
    def digest(self) -> bytes:
        """Return the digest of it and of all rows before."""
        ...


def judge(
    operations: Iterable[Operation],
    *,
    since: Register = EMPTY,
    started: Iterable[StartSeen] | None = None,
    journal: Iterable[Numbered] | None = None,
) -> Verdict:
    """Hold a history to all laws; return the first that does not hold.

    *started* is what the platform has started, *journal* are the rows that are left,
    the oldest first; without them, their laws are not asked.
    """
    every = ordered(operations)
    verdict = judge_calls(every, since)
    if isinstance(verdict, Explained) and started is not None:
        verdict = judge_starts(every, started)
    if isinstance(verdict, Explained) and journal is not None:
        verdict = judge_journal(every, journal, since)
    return verdict


def judge_calls(operations: Iterable[Operation], since: Register = EMPTY) -> Verdict:
    """Say whether all answers are those of one register, which began as *since*.

    >>> judge_calls([])
    Explained(operations=0)

    """
    every = ordered(operations)
    whole = _decided(every, since)
    if isinstance(whole, GivenUp):
        return Undecided(whole.tries)
    if whole:
        return Explained(len(every))
    moments = sorted({one.returned_at for one in every if one.returned_at is not None})
    low, high = 0, len(moments) - 1
    while low < high:  # a beginning of what can be explained can be explained
        middle = (low + high) // 2
        if _decided(until(every, moments[middle]), since) is False:
            high = middle
        else:
            low = middle + 1
    prefix = until(every, moments[low])
    last = max(prefix, key=_returned)
    why = (
        f"{last.process} was answered `{answer_words(last.answer)}` to"
        f" `{call_words(last.call)}`, which no order of these calls explains"
    )
    return Unexplained(law=CALLS, why=why, operations=prefix)


def _decided(every: Sequence[Operation], since: Register) -> bool | GivenUp:
    quickly = explains(every, since)
    if quickly is not None:
        return quickly
    found = order_of(every, since)
    return found if isinstance(found, GivenUp) else isinstance(found, Order)


def _returned(one: Operation) -> int:
    return -1 if one.returned_at is None else one.returned_at


def judge_starts(
    operations: Iterable[Operation], started: Iterable[StartSeen]
) -> Verdict:
    """Say whether each run was started once, and ordered by who might order it.

    An order might be carried out if no higher epoch had been granted before its call,
    and if it was not refused.
    """
    every = ordered(operations)
    orders: dict[tuple[str, int], list[Operation]] = defaultdict(list)
    for one in every:
        if isinstance(one.call, StartRun):
            orders[one.call.container, one.call.run].append(one)
    grants = tuple(one for one in every if isinstance(one.answer, Granted))
    seen: dict[tuple[str, int], StartSeen] = {}
    for start in started:
        key = start.container, start.run
        before = seen.setdefault(key, start)
        of_run = orders.get(key, [])
        might = [one for one in of_run if one.called_at <= start.seen_at]
        told = ordered((*grants, *of_run))
        what = f"run {start.run} of {start.container}"
        if before.identity != start.identity:
            why = f"{what} was started twice: {before.identity}, {start.identity}"
            return Unexplained(law=STARTS, why=why, operations=told)
        if not any(_is_newest(one, grants) for one in might):
            why = f"{what} was started, and nobody might order it"
            return Unexplained(law=STARTS, why=why, operations=told)
    return Explained(len(every))


def _is_newest(order: Operation, grants: Sequence[Operation]) -> bool:
    """Say whether an order of a start might be carried out, as far as epochs tell."""
    if order.answer is not None and not isinstance(order.answer, Accepted):
        return False
    epoch = order.call.epoch if isinstance(order.call, StartRun) else -1
    return not any(
        isinstance(one.answer, Granted)
        and one.answer.epoch > epoch
        and _returned(one) < order.called_at
        for one in grants
    )


def judge_journal(
    operations: Iterable[Operation],
    journal: Iterable[Numbered],
    since: Register = EMPTY,
) -> Verdict:
    """Say whether a journal holds what was acknowledged, and only what was called.

    Rows before the first that is left were compacted away, and are not asked for; what
    was there when the history began was written by others.
    """
    every, rows = ordered(operations), tuple(journal)
    first = rows[0].seq if rows else 1
    for place, row in enumerate(rows, first):
        if row.seq != place:
            why = f"row {row.seq} stands where row {place} should"
            return Unexplained(law=JOURNAL, why=why, operations=_about(every, place))
    kept = {row.seq: row.digest for row in rows}
    written: set[tuple[int, bytes]] = set()
    for one in every:
        call = one.call
        if isinstance(call, AppendRows) and _may_be_done(one):
            placed = [*enumerate(call.digests, call.expect.seq + 1)]
            written.update(placed)
            lost = [
                seq
                for seq, digest in placed
                if one.answer is not None and seq >= first and kept.get(seq) != digest
            ]
            if lost:
                why = f"row {lost[0]} was acknowledged, and is not in the journal"
                told = _about(every, lost[0])
                return Unexplained(law=JOURNAL, why=why, operations=told)
    for seq, digest in kept.items():
        if seq > since.head.seq and (seq, digest) not in written:
            why = f"row {seq} is in the journal, and nobody wrote it"
            return Unexplained(law=JOURNAL, why=why, operations=_about(every, seq))
    return Explained(len(every))


def _may_be_done(one: Operation) -> bool:
    return one.answer is None or isinstance(one.answer, HeadIs)


def _about(every: Sequence[Operation], seq: int) -> tuple[Operation, ...]:
    """Return the appends of a row of that number."""
    return tuple(
        one
        for one in every
        if isinstance(one.call, AppendRows)
        and one.call.expect.seq < seq <= one.call.after.seq
    )
