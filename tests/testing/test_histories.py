"""What histories show: examples of each way to be wrong, and of what is not."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.journal.port import START, Head
from orchestrator.testing import (
    Accepted,
    AppendRows,
    Conflict,
    Explained,
    Granted,
    GrantEpoch,
    HeadIs,
    Operation,
    ReadHead,
    Refused,
    Register,
    StaleEpoch,
    StartRun,
    StartSeen,
    Undecided,
    Unexplained,
    judge,
    judge_calls,
    judge_journal,
    judge_starts,
)
from orchestrator.testing.histories import Answer, Call
from orchestrator.testing.history_tables import table_of
from orchestrator.testing.linear_chain import explains
from orchestrator.testing.linearizable import GivenUp, NoOrder, Order, order_of

FIRST = Register(epoch=1)


def op(
    called: int, returned: int | None, call: Call, answer: Answer | None, who: str = "a"
) -> Operation:
    return Operation(
        process=who, call=call, called_at=called, returned_at=returned, answer=answer
    )


def rows(text: str, behind: Head = START, epoch: int = 1) -> AppendRows:
    """Return an append of one row for each letter."""
    digests = tuple(letter.encode() * 32 for letter in text)
    return AppendRows(epoch=epoch, expect=behind, digests=digests)


A = rows("a")
B = rows("b", A.after)


def both_say(operations: list[Operation], *, since: Register = FIRST) -> bool:
    """Return what both ways of deciding say."""
    found = isinstance(order_of(operations, since), Order)
    assert explains(operations, since) is found
    return found


def test_what_comes_one_after_the_other_is_explained() -> None:
    history = [
        op(0, 1, GrantEpoch(), Granted(2)),
        op(2, 3, rows("a", epoch=2), HeadIs(A.after)),
        op(4, 5, ReadHead(), HeadIs(A.after), "b"),
        op(6, 7, rows("b", epoch=1), StaleEpoch(2), "b"),
        op(8, 9, rows("b", epoch=2), Conflict(A.after)),
        op(9, 9, StartRun(epoch=2, container="web", run=1), Accepted()),
        op(9, 9, ReadHead(), Refused("overloaded")),
    ]
    assert both_say(history)
    assert judge(history, since=FIRST) == Explained(7)


@pytest.mark.parametrize(
    ("wrong", "history"),
    [
        (
            "a read goes back",
            [
                op(0, 1, A, HeadIs(A.after)),
                op(2, 3, ReadHead(), HeadIs(START)),
            ],
        ),
        (
            "a row is read before anybody wrote it",
            [
                op(0, 1, ReadHead(), HeadIs(A.after)),
                op(2, 3, A, HeadIs(A.after)),
            ],
        ),
        (
            "two rows in one place",
            [
                op(0, 5, A, HeadIs(A.after)),
                op(0, 5, rows("b"), HeadIs(rows("b").after)),
            ],
        ),
        (
            "an append that was told to have failed, and was done",
            [
                op(0, 1, A, Conflict(A.after)),
                op(2, 3, ReadHead(), HeadIs(START)),
            ],
        ),
        ("a conflict with nobody", [op(0, 1, A, Conflict(START))]),
        ("an answer to another append", [op(0, 1, A, HeadIs(B.after))]),
        (
            "an older epoch, after a newer one was granted",
            [
                op(0, 1, GrantEpoch(), Granted(2)),
                op(2, 3, A, HeadIs(A.after)),
            ],
        ),
        (
            "an older epoch which was seen to be late",
            [
                op(0, 9, A, HeadIs(A.after)),
                op(1, 2, GrantEpoch(), Granted(2), "b"),
                op(3, 4, ReadHead(), HeadIs(START), "b"),
            ],
        ),
        (
            "one epoch for two",
            [
                op(0, 9, GrantEpoch(), Granted(2)),
                op(0, 9, GrantEpoch(), Granted(2), "b"),
            ],
        ),
        (
            "an epoch below the highest",
            [
                op(0, 1, GrantEpoch(), Granted(3)),
                op(2, 3, GrantEpoch(), Granted(2)),
            ],
        ),
        (
            "a start under an older epoch",
            [
                op(0, 1, GrantEpoch(), Granted(2)),
                op(2, 3, StartRun(epoch=1, container="web", run=1), Accepted()),
            ],
        ),
        ("stale, and nobody was granted more", [op(0, 1, A, StaleEpoch(2))]),
        ("stale without being older", [op(0, 1, A, StaleEpoch(1))]),
        ("an epoch that nobody has", [op(0, 1, rows("a", epoch=7), HeadIs(A.after))]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_have_been(wrong: str, history: list[Operation]) -> None:
    assert not both_say(history), wrong
    assert isinstance(judge(history, since=FIRST), Unexplained)


@pytest.mark.parametrize(
    ("right", "history"),
    [
        (
            "a read beside an append may see it or not",
            [
                op(0, 9, A, HeadIs(A.after)),
                op(1, 2, ReadHead(), HeadIs(START), "b"),
                op(3, 4, ReadHead(), HeadIs(A.after), "b"),
            ],
        ),
        (
            "nobody heard of it, and it was done later",
            [
                op(0, None, A, None),
                op(1, 2, ReadHead(), HeadIs(START), "b"),
                op(3, 4, ReadHead(), HeadIs(A.after), "b"),
            ],
        ),
        (
            "nobody heard of it, and it was never done",
            [
                op(0, 1, A, None),
                op(2, 3, rows("b"), HeadIs(rows("b").after), "b"),
            ],
        ),
        (
            "the same one sent again is told that its rows are there",
            [
                op(0, None, A, None),
                op(1, 2, A, HeadIs(A.after)),
                op(3, 4, A, HeadIs(A.after)),
            ],
        ),
        (
            "a take-over of which nobody heard",
            [
                op(0, None, GrantEpoch(), None, "b"),
                op(1, 2, A, HeadIs(A.after)),
                op(3, 4, B, StaleEpoch(2)),
            ],
        ),
        (
            "an older epoch beside the take-over",
            [
                op(0, 9, A, HeadIs(A.after)),
                op(1, 4, GrantEpoch(), Granted(2), "b"),
                op(5, 6, ReadHead(), HeadIs(A.after), "b"),
            ],
        ),
        (
            "the end of one moment is the beginning of the next",
            [
                op(0, 3, A, HeadIs(A.after)),
                op(3, 3, ReadHead(), HeadIs(START), "b"),
            ],
        ),
        (
            "no rows change nothing",
            [op(0, 1, rows("", A.expect), HeadIs(START))],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_may_have_been(right: str, history: list[Operation]) -> None:
    assert both_say(history), right


def test_appends_that_overlap_are_searched() -> None:
    """Two rows at once or one after the other lead to the same head."""
    one_by_one = [op(0, 3, A, None), op(0, 3, B, None, "b")]
    at_once = op(0, 4, rows("ab"), HeadIs(B.after), "c")
    history = [*one_by_one, at_once]
    assert explains(history, FIRST) is None
    assert isinstance(order_of(history, FIRST), Order)
    assert judge_calls(history, FIRST) == Explained(3)
    late = op(9, 9, ReadHead(), HeadIs(START))
    assert explains([*history, late], FIRST) is None
    assert order_of([*history, late], FIRST) == NoOrder()
    assert isinstance(judge_calls([*history, late], FIRST), Unexplained)


def test_a_search_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    history = [op(0, 9, ReadHead(), HeadIs(START), str(n)) for n in range(12)]
    assert order_of(history, tries_max=5) == GivenUp(5)
    monkeypatch.setattr("orchestrator.testing.verdicts.explains", lambda *_: None)
    monkeypatch.setattr("orchestrator.testing.verdicts.order_of", lambda *_: GivenUp(7))
    assert judge(history, started=(), journal=()) == Undecided(7)


def test_the_counterexample_is_a_small_table() -> None:
    history = [
        op(100, 101, GrantEpoch(), Granted(2)),
        op(102, 110, A, HeadIs(A.after), "old"),
        op(103, 104, ReadHead(), HeadIs(START), "new"),
        op(111, 112, rows("b", A.after, 2), HeadIs(B.after), "new"),
    ]
    first, why, *table = str(judge(history, since=FIRST)).splitlines()
    assert first == "broken: all answers are those of one register"
    call = "append row 1 behind 0:00000000: 1:61616161, epoch 1"
    assert why == (
        f"old was answered `head 1:61616161` to `{call}`,"
        " which no order of these calls explains"
    )
    assert [line.split(maxsplit=3) for line in table] == [
        ["process", "called", "returned", f"{'call':{len(call)}}  answer"],
        ["a", "0", "1", f"{'take over':{len(call)}}  epoch 2"],
        ["old", "2", "10", f"{call}  head 1:61616161"],
        ["new", "3", "4", f"{'read the head':{len(call)}}  head 0:00000000"],
    ]


def test_a_long_table_shows_its_end() -> None:
    history = [op(n, None, ReadHead(), None, f"p{n}") for n in range(20)]
    lines = table_of(history).splitlines()
    assert (len(lines), lines[1].split()[0], lines[-1]) == (14, "p8", "(8 before)")


@pytest.mark.parametrize(
    ("call", "more", "kind"),
    [
        (ReadHead(), {"called_at": 2, "returned_at": 1}, ValueError),
        (ReadHead(), {"called_at": 2, "answer": HeadIs(START)}, ValueError),
        (
            ReadHead(),
            {"called_at": 2, "returned_at": 3, "answer": Granted(1)},
            TypeError,
        ),
    ],
)
def test_what_cannot_have_been_recorded(
    call: Call, more: dict[str, Any], kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        Operation(process="a", call=call, **more)


START_1 = StartRun(epoch=1, container="web", run=1)


def seen(identity: str = "x", seen_at: int = 5) -> StartSeen:
    return StartSeen(container="web", run=1, identity=identity, seen_at=seen_at)


@pytest.mark.parametrize(
    ("why", "orders", "started"),
    [
        ("started twice: x, y", [op(0, 1, START_1, Accepted())], [seen(), seen("y")]),
        ("nobody might order it", [], [seen()]),
        ("nobody might order it", [op(6, 7, START_1, Accepted())], [seen()]),
        ("nobody might order it", [op(0, 1, START_1, Refused("no"))], [seen()]),
        (
            "nobody might order it",
            [op(0, 1, GrantEpoch(), Granted(2)), op(2, None, START_1, None)],
            [seen()],
        ),
    ],
)
def test_starts_that_may_not_be(
    why: str, orders: list[Operation], started: list[StartSeen]
) -> None:
    verdict = judge_starts(orders, started)
    assert isinstance(verdict, Unexplained)
    assert why in verdict.why
    assert judge_starts(orders, ()) == Explained(len(orders))


def test_starts_that_may_be() -> None:
    orders = [
        op(0, None, START_1, None),
        op(1, 2, START_1, Accepted()),
        op(1, 4, GrantEpoch(), Granted(2), "b"),
    ]
    assert judge_starts(orders, [seen(), seen()]) == Explained(3)


def test_a_journal_that_was_compacted_or_is_older_is_judged_from_there() -> None:
    history = [op(0, 1, A, HeadIs(A.after)), op(2, 3, B, HeadIs(B.after))]
    assert judge_journal(history, [A.after, B.after]) == Explained(2)
    assert judge_journal(history, [B.after]) == Explained(2)
    assert isinstance(judge_journal(history, [A.after]), Unexplained)
    older = Register(head=A.after, epoch=1)
    assert judge_journal(history[1:], [A.after, B.after], older) == Explained(1)
    assert isinstance(judge_journal(history[1:], [A.after, B.after]), Unexplained)
    assert judge(history, since=FIRST, started=(), journal=[A.after, B.after]) == (
        Explained(2)
    )
