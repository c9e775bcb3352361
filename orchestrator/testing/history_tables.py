"""A history as a small table, for people: who called what, when, and what was answered.

Moments are told from the first call that is shown; ``...`` is a return that nobody saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, assert_never

from orchestrator.journal.port import Head
from orchestrator.testing.histories import (
    Accepted,
    Answer,
    AppendRows,
    Call,
    Conflict,
    Granted,
    GrantEpoch,
    HeadIs,
    Operation,
    ReadHead,
    Refused,
    StaleEpoch,
    StartRun,
)

__all__ = ("SHOWN_MAX", "answer_words", "call_words", "table_of")

SHOWN_MAX: Final = 12
"""Operations that a table has at most: the last ones."""

_DIGITS: Final = 8
_HEADS: Final = ("process", "called", "returned", "call", "answer")


def table_of(operations: Sequence[Operation]) -> str:
    """Write the last of some operations as a table, in the order that they have.

    >>> print(table_of([Operation(process="a", call=ReadHead(), called_at=7)]))
    process  called  returned  call           answer
    a        0       ...       read the head  unknown

    """
    shown = operations[-SHOWN_MAX:]
    first = min((one.called_at for one in shown), default=0)
    rows = [_HEADS, *(_cells(one, first) for one in shown)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
    hidden = len(operations) - len(shown)
    return "\n".join([*lines, *([f"({hidden} before)"] if hidden else [])])


def _cells(one: Operation, first: int) -> tuple[str, str, str, str, str]:
    returned = "..." if one.returned_at is None else str(one.returned_at - first)
    called = str(one.called_at - first)
    call, answer = call_words(one.call), answer_words(one.answer)
    return one.process, called, returned, call, answer


def call_words(call: Call) -> str:
    """Say what is called.

    >>> call_words(StartRun(epoch=2, container="web-0", run=3))
    'start run 3 of web-0, epoch 2'

    """
    match call:
        case AppendRows(epoch=epoch, expect=expect, digests=digests):
            first, last = expect.seq + 1, expect.seq + len(digests)
            rows = f"row {last}" if first == last else f"rows {first}-{last}"
            leads = _short(call.after)
            return f"append {rows} behind {_short(expect)}: {leads}, epoch {epoch}"
        case ReadHead():
            return "read the head"
        case GrantEpoch():
            return "take over"
        case StartRun(epoch=epoch, container=name, run=run):
            return f"start run {run} of {name}, epoch {epoch}"
        case _:
            assert_never(call)


def answer_words(answer: Answer | None) -> str:
    """Say what was answered.

    >>> answer_words(Granted(2)), answer_words(None)
    ('epoch 2', 'unknown')

    """
    match answer:
        case None:
            return "unknown"
        case HeadIs(head):
            return f"head {_short(head)}"
        case Conflict(head):
            return f"conflict, head {_short(head)}"
        case StaleEpoch(highest):
            return f"stale, epoch {highest}"
        case Granted(epoch):
            return f"epoch {epoch}"
        case Accepted():
            return "accepted"
        case Refused(code):
            return code
        case _:
            assert_never(answer)


def _short(head: Head) -> str:
    return f"{head.seq}:{head.digest.hex()[:_DIGITS]}"
