"""The journal behind a gateway: durable in one request, and no doubt is hidden."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import orjson
import pytest
from returns.result import Failure

from orchestrator.core.errors import (
    JournalCompacted,
    JournalConflict,
    JournalCorrupt,
    JournalError,
    JournalUnavailable,
    StaleOperator,
    TimedOut,
)
from orchestrator.journal.durable import appending, fleets, reader
from orchestrator.journal.durable.adapter import DurableJournal
from orchestrator.journal.durable.answers import (
    answered_of,
    head_of,
    leader_of,
    state_of,
)
from orchestrator.journal.durable.archive import Archive
from orchestrator.journal.durable.asking import STRANGE
from orchestrator.journal.fenced import Fenced
from orchestrator.journal.line_format import row_line
from orchestrator.journal.port import (
    ALTERED,
    MISSING,
    START,
    Compactable,
    Draft,
    Journal,
    chained,
)
from orchestrator.runtime.outcomes import settled
from orchestrator.testing.journals import check_compactable, check_journal
from tests.journal.durable_kit import at_once, far, far_with, snapshot_after
from tests.journal.fake_archive import FakeArchive, FakeWire, Fault
from tests.journal.opened import bad, base_after, drafts, good, head_after

ROWS = chained(START, drafts(range(1, 8)))
READ_ONLY = "read only: nobody has said under which epoch it is written"


@pytest.fixture(autouse=True)
def _at_once() -> Iterator[None]:
    with at_once():
        yield


async def test_it_obeys_the_laws_of_every_journal() -> None:
    archive, behind = FakeArchive(), FakeArchive()

    async def open_journal() -> Journal:
        return far(archive)

    async def open_behind() -> Journal:
        journal = far(behind)
        if not behind.epoch:
            await good(journal.begin_behind(base_after(3)))
        return journal

    await check_journal(open_journal)
    await check_journal(open_behind, base=base_after(3))


async def test_it_can_be_cut_short_while_it_is_written() -> None:
    archive = FakeArchive(page_max=200)  # a row or two

    async def open_journal() -> Compactable:
        return far(archive)

    await check_compactable(open_journal)


# Who writes


async def test_nothing_is_written_before_it_is_said_under_which_epoch() -> None:
    archive = await far_with(3)
    journal = far(archive, epoch=None)
    assert isinstance(journal, Fenced)
    refusals = [
        await bad(journal.append(head_after(3), drafts([4]))),
        await bad(journal.put(head_after(3), ROWS[3:])),
        await bad(journal.save_snapshot(snapshot_after(2))),
        await bad(journal.begin_behind(base_after(2))),
    ]
    read_only = JournalUnavailable(cause=READ_ONLY, retryable=False)
    assert refusals == [read_only] * 4
    assert await good(journal.read(0, 9)) == ROWS[:3]


async def test_an_operator_that_was_replaced_writes_nothing() -> None:
    archive = await far_with(3)
    old, new = far(archive, epoch=1), far(archive, epoch=2)
    assert await good(new.append(head_after(3), drafts([4]))) == head_after(4)
    lost = far(archive, Fault.CUT, epoch=1)
    refusals = [
        await bad(lost.append(head_after(4), drafts([5]))),
        await bad(old.append(head_after(4), drafts([5]))),
        await bad(old.save_snapshot(snapshot_after(2))),
        await bad(old.begin_behind(base_after(2))),
    ]
    assert refusals == [StaleOperator(epoch=1, highest=2)] * 4
    assert archive.head["seq"] == 4
    assert await good(old.head()) == head_after(4)


# Answers that are lost


@pytest.mark.parametrize("lost", [1, 2])
@pytest.mark.parametrize("fault", [Fault.LOST, Fault.CUT])
async def test_an_append_whose_answer_was_lost_is_sent_again(
    fault: Fault, lost: int
) -> None:
    archive = FakeArchive()
    journal = far(archive, *[fault] * lost)
    assert await good(journal.append(START, drafts([1, 2]))) == head_after(2)
    assert archive.seen.count("POST journal/rows") == 1 + lost * (fault is Fault.LOST)
    assert await good(journal.read(0, 9)) == ROWS[:2]


@pytest.mark.parametrize(
    ("faults", "written"),
    [
        ([Fault.CUT] * 3, 0),
        ([Fault.LOST] * 3, 2),
        ([Fault.LOST, Fault.DENIED], 2),
        ([Fault.CUT, Fault.LIMITED], 0),
        ([Fault.GARBLED], 0),
        ([Fault.LOST, Fault.GARBLED], 2),
    ],
)
async def test_where_no_answer_comes_at_all_an_append_is_in_doubt(
    faults: list[Fault], written: int
) -> None:
    """The same one made again finds out; it is in the journal once."""
    archive = FakeArchive()
    journal = far(archive, *faults)
    error = await bad(journal.append(START, drafts([1, 2])))
    assert isinstance(error, JournalUnavailable)
    assert (error.in_doubt, error.retryable) == (True, True)
    assert archive.head["seq"] == written
    assert await good(journal.append(START, drafts([1, 2]))) == head_after(2)
    assert await good(journal.read(0, 9)) == ROWS[:2]


@pytest.mark.parametrize("fault", [Fault.DENIED, Fault.LIMITED])
async def test_what_was_refused_at_the_door_is_not_in_doubt(fault: Fault) -> None:
    error = await bad(far(FakeArchive(), fault).append(START, drafts([1])))
    assert isinstance(error, JournalUnavailable)
    assert (error.in_doubt, error.retryable) == (False, True)


async def test_a_full_journal_says_what_to_do_and_has_written_nothing() -> None:
    archive = await far_with(2)
    archive.is_full = True
    error = await bad(far(archive).append(head_after(2), drafts([3])))
    assert isinstance(error, JournalUnavailable)
    assert "is full" in error.cause
    assert "compact it" in error.cause
    assert (error.in_doubt, error.retryable) == (False, True)
    archive.is_full = False
    assert await good(far(archive).append(head_after(2), drafts([3]))) == head_after(3)


async def test_what_another_has_appended_since_is_a_conflict() -> None:
    archive = await far_with(3)
    other = await bad(far(archive).append(head_after(2), drafts([9])))
    assert other == JournalConflict(expected_seq=2, found_seq=3)
    # Also where rows of ours are among them: it is not known that they are.
    archive = await far_with(3)
    later = await bad(far(archive).append(START, drafts([1, 2])))
    assert later == JournalConflict(expected_seq=0, found_seq=3)


async def test_an_append_of_nothing_is_at_the_head_or_it_is_refused() -> None:
    journal = far(await far_with(3))
    assert await good(journal.append(head_after(3), ())) == head_after(3)
    conflict = JournalConflict(expected_seq=2, found_seq=3)
    assert await bad(journal.append(head_after(2), ())) == conflict


# Appends of several requests


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let a request take two rows."""
    size = 2 * len(row_line(ROWS[-1])) + 1
    monkeypatch.setattr(appending, "APPEND_MAX", size)
    monkeypatch.setattr(appending, "FIRST_MAX", 0)
    return size


async def test_a_long_append_goes_in_several_requests(small: int) -> None:
    archive = FakeArchive(append_max=small)
    journal = far(archive)
    assert await good(journal.append(START, drafts(range(1, 8)))) == head_after(7)
    assert archive.seen.count("POST journal/rows") == 4
    assert await good(journal.read(0, 9)) == ROWS


@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize("fault", [Fault.LOST, Fault.CUT])
async def test_one_that_breaks_off_is_in_doubt_and_goes_on_where_it_ended(
    small: int, fault: Fault, first: int
) -> None:
    archive = FakeArchive(append_max=small)
    journal = far(archive, *[Fault.NONE] * first, *[fault] * 3)
    error = await bad(journal.append(START, drafts(range(1, 8))))
    assert isinstance(error, JournalUnavailable)
    assert error.in_doubt
    expected = min(7, 2 * (first + (fault is Fault.LOST)))
    assert archive.head["seq"] == expected
    again = far(archive)  # another process may not, but another attempt may
    assert await good(again.append(START, drafts(range(1, 8)))) == head_after(7)
    assert await good(again.read(0, 9)) == ROWS


async def test_where_it_broke_off_must_be_asked_before_it_goes_on(small: int) -> None:
    archive = FakeArchive(append_max=small)
    await bad(far(archive, *[Fault.NONE] * 2, *[Fault.CUT] * 3).append(START, _seven()))
    assert archive.head["seq"] == 4
    unheard = far(archive, Fault.NONE, *[Fault.CUT] * 3)
    error = await bad(unheard.append(START, _seven()))
    assert isinstance(error, JournalUnavailable)
    assert archive.head["seq"] == 4
    replaced = far(archive, Fault.NONE, Fault.NONE)
    archive.epoch = 2
    assert await bad(replaced.append(START, _seven())) == StaleOperator(
        epoch=1, highest=2
    )


async def test_one_that_breaks_off_where_no_head_is_told_is_in_doubt(
    small: int,
) -> None:
    archive = FakeArchive(append_max=small)
    lost = far(archive, Fault.NONE, Fault.DENIED)
    error = await bad(lost.append(START, _seven()))
    assert isinstance(error, JournalUnavailable)
    assert error.in_doubt
    await good(far(archive).append(head_after(2), drafts([3, 4])))
    # The first two are there; behind them is where it has to ask, and is not answered.
    asks = far(archive, Fault.NONE, Fault.DENIED)
    error = await bad(asks.append(START, _seven()))
    assert isinstance(error, JournalUnavailable)
    assert await good(far(archive).append(START, _seven())) == head_after(7)


async def test_rows_of_another_behind_ours_are_a_conflict(small: int) -> None:
    archive = FakeArchive(append_max=small)
    await good(far(archive).append(START, drafts([1, 2, 99])))
    error = await bad(far(archive).append(START, _seven()))
    assert error == JournalConflict(expected_seq=0, found_seq=3)


async def test_a_row_that_no_request_takes_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(appending, "ROW_MAX", 300)
    archive = FakeArchive()
    long = attrs.evolve(drafts([2])[0], commands=b'["%b"]' % (b"x" * 300))
    broken = attrs.evolve(drafts([2])[0], commands=b"[\n]")
    for draft, why in ((long, "takes 300 at most"), (broken, "one line")):
        error = await bad(far(archive).append(START, (*drafts([1]), draft)))
        assert isinstance(error, JournalUnavailable)
        assert (error.retryable, error.in_doubt) == (True, False)
        assert error.cause.startswith("row 2 would have ")
        assert why in error.cause
    assert archive.seen == []


async def test_a_gateway_that_takes_less_than_we_send_ends_it() -> None:
    archive = FakeArchive(row_max=10)
    error = await bad(far(archive).append(START, drafts([1])))
    assert isinstance(error, JournalUnavailable)
    assert (error.retryable, error.in_doubt) == (False, False)


def _seven() -> tuple[Draft, ...]:
    return drafts(range(1, 8))


async def test_a_head_that_is_not_ours_is_damage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archive = FakeArchive()
    other = {"head": {"seq": 1, "digest": "ab" * 32}, "lease": None}
    monkeypatch.setattr(FakeArchive, "_append", lambda *_: other)
    error = await bad(far(archive).append(START, drafts([1])))
    assert isinstance(error, JournalCorrupt)
    assert error.place == "head"
    monkeypatch.setattr(FakeArchive, "_append", lambda *_: {"done": True})
    error = await bad(far(archive).append(START, drafts([1])))
    assert error == JournalUnavailable(cause=STRANGE, in_doubt=True)


# Reading


@pytest.mark.parametrize("page_max", [1, 200, 10_000])
async def test_whatever_the_pages_of_the_gateway_are_the_rows_are_the_same(
    page_max: int,
) -> None:
    archive = await far_with(7)
    archive.page_max = page_max
    for after in range(9):
        for limit in range(9):
            journal = far(archive)  # which knows no digest yet
            expected = ROWS[after : after + limit]
            assert await good(journal.read(after, limit)) == expected
            assert await good(journal.read(after, limit)) == expected


async def test_reads_are_asked_again_and_are_never_in_doubt() -> None:
    archive = await far_with(2)
    assert await good(far(archive, Fault.CUT, Fault.LOST).read(0, 9)) == ROWS[:2]
    for faults in ([Fault.CUT] * 3, [Fault.DENIED]):
        for ask in (_read, _head, _latest, _beginning):
            error = await ask(far(archive, *faults))
            assert isinstance(error, JournalUnavailable)
            assert (error.in_doubt, error.retryable) == (False, True)


async def _read(journal: DurableJournal) -> JournalError:
    return await bad(journal.read(1, 1))


async def _head(journal: DurableJournal) -> JournalError:
    return await bad(journal.head())


async def _latest(journal: DurableJournal) -> JournalError:
    return await bad(journal.latest_snapshot())


async def _beginning(journal: DurableJournal) -> JournalError:
    return await bad(journal.beginning())


async def test_what_is_no_answer_of_a_gateway_is_none() -> None:
    archive = await far_with(2)
    for ask in (_read, _head, _latest, _beginning):
        error = await ask(far(archive, Fault.GARBLED))
        assert error == JournalUnavailable(cause=STRANGE)


@pytest.mark.parametrize("after", [0, 2, 3])
async def test_an_altered_row_is_damage_wherever_it_is_read_from(after: int) -> None:
    archive = await far_with(5)
    body = archive.rows[4].body
    archive.rows[4].body = body.replace(b'"at":4', b'"at":5')
    error = await bad(far(archive).read(after, 9))
    assert isinstance(error, JournalCorrupt)
    assert (error.seq, error.place) == (4, ALTERED)
    assert await good(far(archive).read(after, 3 - after)) == ROWS[after:3]


@pytest.mark.parametrize("known", [True, False])
async def test_a_missing_row_is_damage(*, known: bool) -> None:
    archive = await far_with(5)
    journal = far(archive)
    if known:
        assert await good(journal.read(0, 3)) == ROWS[:3]
    del archive.rows[4]
    for after, seq in ((2, 4), (3, 4), (4, 4)):
        error = await bad(journal.read(after, 9))
        assert isinstance(error, JournalCorrupt)
        assert (error.seq, error.place) == (seq, MISSING)
    del archive.rows[5]
    assert await good(journal.read(3, 9)) == ()
    assert await good(journal.read(5, 9)) == ()


async def test_rows_that_were_there_and_are_not_any_more_are_damage() -> None:
    archive = await far_with(5)
    journal = far(archive)
    assert await good(journal.read(0, 9)) == ROWS[:5]
    for seq in (4, 5):
        del archive.rows[seq]
    error = await bad(journal.read(5, 9))
    assert isinstance(error, JournalCorrupt)
    assert (error.seq, error.place) == (4, MISSING)
    assert await good(far(archive).read(5, 9)) == ()


async def test_rows_that_the_head_names_and_that_are_not_there_are_damage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archive = await far_with(3)
    named = {"seq": 5, "digest": head_after(5).digest.hex()}
    monkeypatch.setattr(FakeArchive, "head", named)
    error = await bad(far(archive).read(0, 9))
    assert isinstance(error, JournalCorrupt)
    assert (error.seq, error.place) == (4, MISSING)
    told = await good(far(archive).follow(head_after(3), 9))
    assert told.damage == error


async def test_only_the_newest_digests_are_kept_in_mind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reader, "KNOWN_MAX", 2)
    archive = await far_with(7)
    journal = far(archive)
    for after in (0, 1, 2, 3, 1, 0):
        assert await good(journal.read(after, 1)) == ROWS[after : after + 1]


HEAD = {"seq": 1, "digest": "ab" * 32}


@pytest.mark.parametrize(
    "told",
    [
        b"",
        b"\n",
        b"[]\n",
        b"1",
        orjson.dumps({"end": HEAD, "lease": None}),  # it was cut off
        orjson.dumps({"end": HEAD, "lease": None}) + b"\nmore",
        orjson.dumps({"end": HEAD, "lease": 1}) + b"\n",
        orjson.dumps({"end": None}) + b"\n",
        orjson.dumps({"end": {"seq": 1, "digest": "ab"}}) + b"\n",
        orjson.dumps({"end": {"seq": -1, "digest": "ab" * 32}}) + b"\n",
        orjson.dumps({"end": {"seq": "1", "digest": "ab" * 32}}) + b"\n",
        orjson.dumps({"end": {"seq": 1, "digest": "xy" * 32}}) + b"\n",
        orjson.dumps({"end": {"seq": 1, "digest": None}}) + b"\n",
    ],
)
def test_a_page_that_is_none_is_told_so(told: bytes) -> None:
    assert answered_of(told) == JournalUnavailable(cause=STRANGE)
    assert state_of(told) == JournalUnavailable(cause=STRANGE)
    assert leader_of(told) == JournalUnavailable(cause=STRANGE)
    assert head_of(told) is None


async def test_a_line_that_is_no_row_is_damage() -> None:
    archive = await far_with(3)
    archive.rows[2].body = b'{"seq":2}'
    for after in (0, 1):
        error = await bad(far(archive).read(after, 9))
        assert isinstance(error, JournalCorrupt)
        assert (error.seq, error.place) == (2, ALTERED)
    error = await bad(far(archive).read(2, 9))
    assert isinstance(error, JournalCorrupt)
    assert (error.seq, error.place) == (2, ALTERED)
    for nonsense in (b"nonsense", b"[]"):
        archive.rows[2].body = nonsense
        assert isinstance(await bad(far(archive).read(0, 9)), JournalCorrupt)


async def test_a_head_that_is_another_row_than_the_last_is_damage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archive = await far_with(3)
    other = {"seq": 3, "digest": "ab" * 32}
    monkeypatch.setattr(FakeArchive, "head", other)
    error = await bad(far(archive).read(0, 9))
    assert isinstance(error, JournalCorrupt)
    assert (error.seq, error.place) == (3, ALTERED)


async def test_rows_that_are_gone_meanwhile_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archive = await far_with(5)
    reader = far(archive)
    assert await good(reader.read(0, 2)) == ROWS[:2]
    await good(far(archive).begin_behind(snapshot_after(4)))
    gone = [await bad(reader.read(after, 9)) for after in (0, 2, 3)]
    assert gone == [JournalCompacted(asked=after, base=4) for after in (0, 2, 3)]
    assert await good(reader.read(4, 9)) == ROWS[4:5]
    assert await good(far(archive).read(4, 9)) == ROWS[4:5]
    # Where it is cut once more between two questions, it is told as well.
    unheard = far(archive, Fault.NONE, Fault.DENIED)
    assert isinstance(await bad(unheard.read(4, 9)), JournalUnavailable)
    monkeypatch.setattr(
        FakeArchive, "_overview", lambda _: orjson.loads(STATE_BEHIND_ANOTHER)
    )
    assert await bad(far(archive).read(4, 9)) == JournalCompacted(asked=4, base=4)


STATE_BEHIND_ANOTHER = orjson.dumps(
    {
        "head": {"seq": 5, "digest": "00" * 32},
        "base": None,
        "snapshots": [],
        "rows": 0,
        "bytes": 0,
    }
)


async def test_who_follows_is_told_a_page_and_who_leads() -> None:
    archive = await far_with(5)
    archive.lease = {"holder": "host/1", "epoch": 1}
    archive.page_max = 200
    journal = far(archive, epoch=None)
    told = await good(journal.follow(START, 9, wait_ms=5))
    assert told.page is not None
    assert tuple(told.page) == ROWS[: len(told.page)]
    assert len(told.page) < 5
    assert (told.end, told.lease) == (head_after(5), archive.lease)
    last = await good(journal.follow(head_after(5), 9))
    assert (last.page, last.damage, last.end) == (None, None, head_after(5))
    assert isinstance(
        await bad(far(archive, Fault.DENIED).follow(START, 9)), JournalUnavailable
    )


# Fleets


async def test_a_large_fleet_goes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleets, "PART_MAX", 4)
    archive = await far_with(5)
    archive.part_max = 4
    saved = snapshot_after(3, b'{"fleet":"0123456789"}')
    journal = far(archive, Fault.LOST, Fault.CUT, Fault.NONE, Fault.LOST)
    await good(journal.save_snapshot(saved))
    assert archive.fleets[3]["parts"] == 6
    assert await good(journal.latest_snapshot()) == saved
    await good(journal.begin_behind(saved))
    assert await good(journal.beginning()) == saved
    assert await good(far(archive).beginning()) == saved


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.LOST])
async def test_a_snapshot_that_cannot_be_saved_says_so(fault: Fault) -> None:
    archive = await far_with(5)
    for first in range(2):  # a part, then the whole
        faults = (*[Fault.NONE] * first, *[fault] * 3)
        error = await bad(far(archive, *faults).save_snapshot(snapshot_after(3)))
        assert isinstance(error, JournalUnavailable)
        assert error.retryable
    await good(far(archive).save_snapshot(snapshot_after(3)))
    assert await good(far(archive).latest_snapshot()) == snapshot_after(3)


async def test_something_else_that_answers_keeps_no_snapshot() -> None:
    archive = await far_with(5)
    error = await bad(far(archive, Fault.GARBLED).save_snapshot(snapshot_after(3)))
    assert error == JournalUnavailable(cause=STRANGE)


@pytest.mark.parametrize("damage", ["body", "longer", "gone", "digest"])
async def test_a_damaged_snapshot_is_passed_over(damage: str) -> None:
    archive = await far_with(5)
    journal = far(archive)
    for seq in (2, 4):
        await good(journal.save_snapshot(snapshot_after(seq)))
    match damage:
        case "body":
            archive.bodies[4][0] = b'{"fleet":2}'
        case "longer":
            archive.bodies[4][0] *= 2
        case "gone":
            archive.bodies[4].clear()
        case _:
            body = archive.rows[4].body
            archive.rows[4].body = body.replace(b'"at":4', b'"at":5')
            archive.rows[4].digest = "ab" * 32
            archive.fleets[4]["digest"] = "ab" * 32
    assert await good(far(archive).latest_snapshot()) == snapshot_after(2)


async def test_where_a_snapshot_cannot_be_asked_for_it_is_not_passed_over() -> None:
    archive = await far_with(5)
    await good(far(archive).save_snapshot(snapshot_after(4)))
    for before in (1, 2):  # its row, then its part
        faults = (*[Fault.NONE] * before, *[Fault.CUT] * 3)
        error = await bad(far(archive, *faults).latest_snapshot())
        assert isinstance(error, JournalUnavailable)


async def test_a_damaged_base_is_damage_but_not_where_something_was_on_the_way() -> (
    None
):
    archive = await far_with(5)
    await good(far(archive).begin_behind(snapshot_after(4)))
    garbled = far(archive, Fault.NONE, Fault.GARBLED)
    assert await good(garbled.beginning()) == snapshot_after(4)
    unheard = far(archive, Fault.NONE, *[Fault.CUT] * 3)
    assert isinstance(await bad(unheard.beginning()), JournalUnavailable)
    archive.bodies[4][0] = b'{"fleet":2}'
    error = await bad(far(archive).beginning())
    assert isinstance(error, JournalCorrupt)
    assert error.place == "base"


@pytest.mark.parametrize("count", [1, 2])
async def test_a_cut_whose_answer_was_lost_is_made_once(count: int) -> None:
    archive = await far_with(5)
    lost = far(archive, *[Fault.NONE] * 4, *[Fault.LOST] * count)
    await good(lost.begin_behind(snapshot_after(3)))
    assert archive.base is not None
    assert archive.base["seq"] == 3
    assert await good(lost.read(3, 9)) == ROWS[3:5]


async def test_a_cut_that_nobody_confirms_is_no_cut() -> None:
    archive = await far_with(5)
    for before in range(5):
        faults = (*[Fault.NONE] * before, *[Fault.CUT] * 6)
        error = await bad(far(archive, *faults).begin_behind(snapshot_after(3)))
        assert isinstance(error, JournalUnavailable), before
    assert archive.base is None


@pytest.mark.parametrize("heard", [Fault.NONE, Fault.CUT])
async def test_a_cut_whose_answers_are_all_lost_is_in_doubt(heard: Fault) -> None:
    archive = await far_with(6)
    lost = (Fault.LOST, Fault.CUT, Fault.CUT)
    journal = far(archive, *[Fault.NONE] * 4, *lost, *[heard] * 3)
    answer = await settled(journal.begin_behind(snapshot_after(3)))
    assert archive.base is not None
    if heard is Fault.NONE:
        assert answer is None
        return
    assert isinstance(answer, JournalUnavailable)
    assert answer.in_doubt
    cut = far(archive, *[Fault.NONE] * 4, *[Fault.CUT] * 3, *[heard] * 3)
    answer = await settled(cut.begin_behind(snapshot_after(5)))
    assert isinstance(answer, JournalUnavailable)
    assert answer.in_doubt


async def test_a_cut_that_was_refused_is_in_no_doubt() -> None:
    archive = await far_with(6)
    refused = far(archive, *[Fault.NONE] * 4, Fault.DENIED)
    error = await bad(refused.begin_behind(snapshot_after(3)))
    assert isinstance(error, JournalUnavailable)
    assert not error.in_doubt
    assert archive.base is None


class Deposed(FakeWire):
    """The way of an operator that is replaced when its first cut does not arrive."""

    async def call(self, method: str, path: str, **more: Any) -> Any:
        told = await super().call(method, path, **more)
        if (method, path) == ("POST", "journal/base"):
            self.archive.epoch = 2
        return told


async def test_a_cut_that_may_have_come_before_a_newer_operator_is_in_doubt() -> None:
    """Where the journal tells that it has not come, it comes no more."""
    for unheard in (3, 0):
        archive = await far_with(6)
        wire = Deposed(archive)
        lost = (*[Fault.NONE] * 4, Fault.CUT, Fault.NONE, *[Fault.CUT] * unheard)
        wire.faults.extend(lost)
        journal = DurableJournal(wire)
        journal.lead(1)
        error = await bad(journal.begin_behind(snapshot_after(3)))
        if not unheard:
            assert error == StaleOperator(epoch=1, highest=2)
            continue
        assert isinstance(error, JournalUnavailable)
        assert error.in_doubt
        assert "stale" in error.cause


class Moving(FakeWire):
    """A journal that a leader compacts whenever its state was read."""

    def __init__(self, archive: FakeArchive, bases: list[int], path: str) -> None:
        super().__init__(archive)
        self.bases, self.path = bases, path

    async def call(self, method: str, path: str, **more: Any) -> Any:
        told = await super().call(method, path, **more)
        if (method, path) == ("GET", self.path) and self.bases:
            base = snapshot_after(self.bases.pop(0))
            await good(far(self.archive).begin_behind(base))
        if (method, path) == ("POST", self.path) and self.bases:
            base = snapshot_after(self.bases.pop(0))
            await good(far(self.archive).begin_behind(base))
            return Failure(TimedOut(after_ms=1))
        return told


async def test_a_cut_that_a_further_one_has_overtaken_was_made() -> None:
    archive = await far_with(6)
    wire = Moving(archive, [4], "journal/base")
    wire.faults.extend([*[Fault.NONE] * 5, Fault.CUT, Fault.CUT])
    journal = DurableJournal(wire)
    journal.lead(1)
    await good(journal.begin_behind(snapshot_after(3)))


@pytest.mark.parametrize("how", ["beginning", "latest", "opened"])
async def test_a_base_that_is_replaced_while_it_is_fetched_is_no_damage(
    how: str,
) -> None:
    archive = await far_with(7)
    await good(far(archive).begin_behind(snapshot_after(1)))
    wire = Moving(archive, [2, 4], "journal")
    if how == "opened":
        state, base = (await Archive(wire).opened()).unwrap()
        assert state.base is not None
        assert (base, state.base.seq) == (snapshot_after(4), 4)
        return
    journal = DurableJournal(wire)
    asked = journal.beginning() if how == "beginning" else journal.latest_snapshot()
    assert await good(asked) == snapshot_after(4)


async def test_a_base_that_is_always_replaced_is_asked_for_later() -> None:
    archive = await far_with(9)
    await good(far(archive).begin_behind(snapshot_after(1)))
    journal = DurableJournal(Moving(archive, [2, 3, 4, 5, 6, 7], "journal"))
    assert isinstance(await bad(journal.beginning()), JournalUnavailable)


async def test_a_snapshot_before_the_base_is_of_no_use() -> None:
    archive = await far_with(5)
    journal = far(archive)
    await good(journal.begin_behind(snapshot_after(3)))
    await good(journal.beginning())
    archive.seen.clear()
    await good(journal.save_snapshot(snapshot_after(2)))
    assert archive.seen == []


async def test_a_closed_journal_answers_nothing() -> None:
    journal = far(await far_with(1))
    await good(journal.close())
    assert isinstance(await bad(journal.head()), JournalUnavailable)


async def test_an_old_gateway_is_told_to_be_deployed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = orjson.dumps({"code": "not_found", "message": "no such path"})
    monkeypatch.setattr(FakeArchive, "answer", lambda *_: (404, gone))
    error = await bad(far(FakeArchive()).head())
    assert isinstance(error, JournalUnavailable)
    assert not error.retryable
    assert "deploy it again" in error.cause
