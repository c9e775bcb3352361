"""Histories of a journal that operators share: who called what, and what was answered.

An *operation* is one call of one process, with the moments of its call and its return.
Where the connection broke, or nobody waited any longer, its answer is *unknown*: it may
have taken effect at any later moment, or never. That is no failure, and no success.

What a call is held to is the ``Register``: a head that moves only for who names it, and
an epoch that only grows. A digest stands for all rows before it, as they are chained;
so the rows themselves need not be kept.

Moments are whole numbers of one clock, such as nanoseconds of a monotonic one. Of two
operations that one comes first whose return is before the other's call.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias, assert_never

import attrs

from orchestrator.journal.port import START, Head

__all__ = (
    "EMPTY",
    "Accepted",
    "Answer",
    "AppendRows",
    "Call",
    "Conflict",
    "GrantEpoch",
    "Granted",
    "HeadIs",
    "Operation",
    "ReadHead",
    "Refused",
    "Register",
    "StaleEpoch",
    "StartRun",
    "answer_of",
    "ordered",
    "until",
)


@attrs.frozen(kw_only=True)
class AppendRows:
    """Append rows behind *expect*, under an epoch; their digests tell which."""

    epoch: int
    expect: Head
    digests: tuple[bytes, ...]

    @property
    def after(self) -> Head:
        """Return the head that these rows lead to."""
        if not self.digests:
            return self.expect
        return Head(seq=self.expect.seq + len(self.digests), digest=self.digests[-1])


@attrs.frozen
class ReadHead:
    """Ask where the journal ends."""


@attrs.frozen
class GrantEpoch:
    """Take over: an epoch that is higher than any before."""


@attrs.frozen(kw_only=True)
class StartRun:
    """Order the start of a run, under an epoch."""

    epoch: int
    container: str
    run: int


Call: TypeAlias = AppendRows | ReadHead | GrantEpoch | StartRun


@attrs.frozen
class HeadIs:
    """The journal ends there: of an append, that its rows are durable."""

    head: Head


@attrs.frozen
class Conflict:
    """The journal ends elsewhere: nothing was appended."""

    head: Head


@attrs.frozen
class StaleEpoch:
    """A higher epoch has been granted: nothing was done."""

    highest: int


@attrs.frozen
class Granted:
    """The epoch that was granted."""

    epoch: int


@attrs.frozen
class Accepted:
    """The start is taken on."""


@attrs.frozen
class Refused:
    """Nothing was done, for a reason of which the register knows nothing."""

    code: str


Answer: TypeAlias = HeadIs | Conflict | StaleEpoch | Granted | Accepted | Refused

_ANSWERS: Final[dict[type[Call], tuple[type[Answer], ...]]] = {
    AppendRows: (HeadIs, Conflict, StaleEpoch, Refused),
    ReadHead: (HeadIs, Refused),
    GrantEpoch: (Granted, Refused),
    StartRun: (Accepted, StaleEpoch, Refused),
}


@attrs.frozen(kw_only=True)
class Operation:
    """One call of a process, and what came of it.

    ``answer`` None: nobody knows it. ``ValueError`` for a return before the call, or an
    answer that never returned; ``TypeError`` for one to another call.
    """

    process: str
    call: Call
    called_at: int
    returned_at: int | None = None
    answer: Answer | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot have been recorded."""
        if self.returned_at is not None and self.returned_at < self.called_at:
            raise ValueError("an operation returns after it was called")
        if self.answer is None:
            return
        if self.returned_at is None:
            raise ValueError("an answer came at some moment")
        if not isinstance(self.answer, _ANSWERS[type(self.call)]):
            raise TypeError(f"{self.answer!r} is no answer to {self.call!r}")

    @property
    def is_known(self) -> bool:
        """Say whether it is known what came of it, as far as the register is asked."""
        return self.answer is not None and not isinstance(self.answer, Refused)


@attrs.frozen(kw_only=True)
class Register:
    """What operators share: where the journal ends, and the highest epoch granted."""

    head: Head = START
    epoch: int = 0


EMPTY: Final = Register()
"""A journal without rows, of which nobody has an epoch."""


def answer_of(register: Register, call: Call) -> tuple[Register, Answer] | None:
    """Return what a register becomes by a call, and answers; None: it is never asked.

    Of an epoch that nobody was granted there is no call. The one that is granted here
    is the next; any higher one is as good.

    >>> answer_of(EMPTY, ReadHead()) == (EMPTY, HeadIs(START))
    True

    """
    match call:
        case ReadHead():
            return register, HeadIs(register.head)
        case GrantEpoch():
            epoch = register.epoch + 1
            return attrs.evolve(register, epoch=epoch), Granted(epoch)
        case AppendRows() | StartRun():
            pass
        case _:
            assert_never(call)
    if call.epoch > register.epoch:
        return None
    if call.epoch < register.epoch:
        return register, StaleEpoch(register.epoch)
    match call:
        case StartRun():
            return register, Accepted()
        case AppendRows(expect=expect):
            if register.head == expect:
                return attrs.evolve(register, head=call.after), HeadIs(call.after)
            if register.head == call.after:  # they stand there: its answer was lost
                return register, HeadIs(call.after)
            return register, Conflict(register.head)
        case _:
            assert_never(call)


def ordered(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """Return operations in the order in which they were called."""
    return tuple(sorted(operations, key=lambda one: one.called_at))


def until(operations: Iterable[Operation], moment: int) -> tuple[Operation, ...]:
    """Return what was known at a moment: what had not returned by then is unknown."""
    return tuple(
        one
        if one.returned_at is None or one.returned_at <= moment
        else attrs.evolve(one, returned_at=None, answer=None)
        for one in operations
        if one.called_at <= moment
    )
