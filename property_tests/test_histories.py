"""Laws of judging histories: what a true register did is explained, nothing else is.

Searching and counting on digests say the same; what was altered is always found.
"""

from __future__ import annotations

import attrs
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator.journal.port import Head
from orchestrator.testing.histories import (
    Answer,
    AppendRows,
    Conflict,
    Granted,
    HeadIs,
    Operation,
    ReadHead,
    Register,
    StaleEpoch,
    until,
)
from orchestrator.testing.linear_chain import explains
from orchestrator.testing.linearizable import Order, order_of
from orchestrator.testing.verdicts import (
    CALLS,
    JOURNAL,
    STARTS,
    Explained,
    Unexplained,
    Verdict,
    judge,
    judge_calls,
    judge_journal,
    judge_starts,
)
from property_tests.shared_registers import BUSY, Told, recordings

LONG = 400


def broken(verdict: Verdict) -> str | None:
    return verdict.law if isinstance(verdict, Unexplained) else None


def writers(told: Told) -> list[Operation]:
    """Return the appends that were acknowledged, and certainly by their own doing."""
    calls = [one.call for one in told.operations]
    return [
        one
        for one in told.operations
        if isinstance(one.call, AppendRows)
        and isinstance(one.answer, HeadIs)
        and calls.count(one.call) == 1
    ]


def behind(told: Told, call: AppendRows | ReadHead, head: Head) -> Operation:
    """Return one operation more, behind all others, that is answered with a head."""
    moments = [one.returned_at or one.called_at for one in told.operations]
    moment = max(moments) + 1
    return Operation(
        process="late",
        call=call,
        called_at=moment,
        returned_at=moment,
        answer=HeadIs(head),
    )


@given(told=recordings())
def test_what_a_true_register_did_is_explained(told: Told) -> None:
    verdict = judge(told.operations, started=told.started, journal=told.journal)
    assert verdict == Explained(len(told.operations))
    found = order_of(told.operations)
    assert isinstance(found, Order)
    assert {one for one in told.operations if one.is_known} <= set(found.operations)


@given(told=recordings(least=LONG // 4, most=LONG))
def test_a_long_history_is_explained_without_a_search(told: Told) -> None:
    assert explains(told.operations) is True
    assert judge_journal(told.operations, told.journal) == Explained(
        len(told.operations)
    )


@given(told=recordings(), moment=st.integers(0, 60))
def test_what_was_known_earlier_is_explained_too(told: Told, moment: int) -> None:
    assert explains(until(told.operations, moment)) is True


@given(told=recordings(least=12, most=30), data=st.data())
def test_searching_and_digests_agree_on_whatever_is_told(
    told: Told, data: st.DataObject
) -> None:
    """Answers are swapped, moved and made up: some are still explained, most not."""
    operations = list(told.operations)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(operations) - 1))
        operations[at] = altered(operations[at], told, data)
    quickly, found = explains(operations), order_of(operations)
    assert quickly is None or quickly is isinstance(found, Order)


def altered(one: Operation, told: Told, data: st.DataObject) -> Operation:
    """Return an operation with other moments, or another answer, or none."""
    last = max(each.called_at for each in told.operations)
    match data.draw(st.sampled_from(["moments", "answer", "unknown"])):
        case "moments":
            called = data.draw(st.integers(0, last))
            returned = called + data.draw(st.integers(0, 3))
            is_back = one.returned_at is not None
            return attrs.evolve(
                one, called_at=called, returned_at=returned if is_back else None
            )
        case "answer" if isinstance(one.call, AppendRows | ReadHead):
            head = data.draw(st.sampled_from([Register().head, *told.journal]))
            answers: list[Answer] = [HeadIs(head), *_refusals(one, head, told)]
            return attrs.evolve(
                one,
                returned_at=one.called_at + data.draw(st.integers(0, 3)),
                answer=data.draw(st.sampled_from(answers)),
            )
        case _:
            return attrs.evolve(one, returned_at=None, answer=None)


def _refusals(one: Operation, head: Head, told: Told) -> list[Conflict | StaleEpoch]:
    if isinstance(one.call, ReadHead):
        return []
    return [Conflict(head), StaleEpoch(told.register.epoch)]


@given(told=recordings(least=40, most=80, opening=BUSY), data=st.data())
def test_an_acknowledged_append_that_is_lost_is_found(
    told: Told, data: st.DataObject
) -> None:
    acknowledged = writers(told)
    one = data.draw(st.sampled_from(acknowledged))
    assert one.returned_at is not None
    assert isinstance(one.call, AppendRows)
    # The journal is then as if it had never been.
    short = attrs.evolve(told, operations=until(told.operations, one.returned_at))
    read = behind(short, ReadHead(), one.call.expect)
    verdict = judge_calls([*short.operations, read])
    assert broken(verdict) == CALLS
    assert isinstance(verdict, Unexplained)
    assert read in verdict.operations
    kept = [row for row in told.journal if row.seq <= one.call.expect.seq]
    assert broken(judge_journal(told.operations, kept)) == JOURNAL


@given(told=recordings(least=40, most=80, opening=BUSY), data=st.data())
def test_rows_that_nobody_wrote_are_found(told: Told, data: st.DataObject) -> None:
    acknowledged = writers(told)
    one = data.draw(st.sampled_from(acknowledged))
    others = [each for each in told.operations if each is not one]
    assert broken(judge_calls(others)) == CALLS
    assert broken(judge_journal(others, told.journal)) == JOURNAL


@given(told=recordings(least=40, most=80, opening=BUSY), data=st.data())
def test_a_write_of_an_older_epoch_is_found(told: Told, data: st.DataObject) -> None:
    grants = [one for one in told.operations if isinstance(one.answer, Granted)]
    assume(len(grants) > 1)
    head = told.register.head
    epoch = data.draw(st.integers(1, told.register.epoch - 1))
    call = AppendRows(epoch=epoch, expect=head, digests=(bytes(32),))
    newest = max(one.answer.epoch for one in grants if isinstance(one.answer, Granted))
    assume(epoch < newest)
    assert broken(judge_calls([*told.operations, behind(told, call, call.after)])) == (
        CALLS
    )


@given(told=recordings(least=40, most=80, opening=BUSY), data=st.data())
def test_appends_whose_moments_are_swapped_are_found(
    told: Told, data: st.DataObject
) -> None:
    acknowledged = sorted(writers(told), key=lambda one: one.called_at)
    pairs = [
        (first, second)
        for first in acknowledged
        for second in acknowledged
        if first.returned_at is not None and first.returned_at < second.called_at
    ]
    first, second = data.draw(st.sampled_from(pairs))
    swapped = {first: second, second: first}
    operations = [
        attrs.evolve(
            one,
            called_at=swapped.get(one, one).called_at,
            returned_at=swapped.get(one, one).returned_at,
        )
        for one in told.operations
    ]
    assert broken(judge_calls(operations)) == CALLS


@given(told=recordings(least=40, most=80, opening=BUSY), data=st.data())
def test_a_second_start_of_a_run_is_found(told: Told, data: st.DataObject) -> None:
    one = data.draw(st.sampled_from(told.started))
    again = attrs.evolve(one, identity="another")
    assert broken(judge_starts(told.operations, [*told.started, again])) == STARTS
    stranger = attrs.evolve(one, run=99)
    assert broken(judge_starts(told.operations, [*told.started, stranger])) == STARTS
    assert broken(judge_starts((), [one])) == STARTS


@given(told=recordings(least=40, most=80, opening=BUSY), data=st.data())
def test_a_journal_that_was_altered_is_found(told: Told, data: st.DataObject) -> None:
    """Rows are left out, put in, or put elsewhere."""
    at = data.draw(st.integers(0, len(told.journal) - 2))
    rows = list(told.journal)
    match data.draw(st.sampled_from(["swapped", "stranger", "missing"])):
        case "swapped":
            rows[at], rows[at + 1] = rows[at + 1], rows[at]
        case "stranger":
            rows[at] = Head(seq=rows[at].seq, digest=bytes(32))
        case _ if at > 0:
            del rows[at]
        case _:
            rows.append(Head(seq=rows[-1].seq + 1, digest=bytes(32)))
    assert broken(judge_journal(told.operations, rows)) == JOURNAL


@given(told=recordings(least=40, most=80, opening=BUSY), data=st.data())
def test_the_counterexample_is_the_shortest_beginning(
    told: Told, data: st.DataObject
) -> None:
    operations = list(told.operations)
    at = data.draw(st.integers(0, len(operations) - 1))
    operations[at] = altered(operations[at], told, data)
    verdict = judge_calls(operations)
    assume(isinstance(verdict, Unexplained))
    assert isinstance(verdict, Unexplained)
    returned = [
        one.returned_at for one in verdict.operations if one.returned_at is not None
    ]
    assert judge_calls(verdict.operations) == verdict
    before = until(operations, max(returned) - 1)
    assert isinstance(judge_calls(before), Explained)
    assert verdict.why in str(verdict)
