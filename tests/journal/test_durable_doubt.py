"""What is refused behind a lost answer: a failure that is certain took no effect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from itertools import product
from typing import Any

import pytest

from orchestrator.core.errors import (
    JournalConflict,
    JournalCorrupt,
    JournalError,
    JournalUnavailable,
    StaleOperator,
    Unauthorized,
)
from orchestrator.core.journal_errors import is_in_doubt
from orchestrator.journal.durable import appending
from orchestrator.journal.durable.adapter import DurableJournal
from orchestrator.journal.durable.archive import Archive
from orchestrator.journal.durable.asking import NotAuthorized, doubtful
from orchestrator.journal.durable.cutting import has_ended
from orchestrator.journal.line_format import row_line
from orchestrator.journal.port import START, Head, chained
from orchestrator.runtime.outcomes import settled
from tests.journal.durable_kit import at_once, far, far_with, snapshot_after
from tests.journal.fake_archive import FakeArchive, FakeWire, Fault
from tests.journal.opened import bad, drafts, good, head_after

ROWS = chained(START, drafts(range(1, 8)))
STALE = StaleOperator(epoch=1, highest=2)
Meanwhile = Callable[[FakeArchive], Awaitable[Any]]


@pytest.fixture(autouse=True)
def _at_once() -> Iterator[None]:
    with at_once():
        yield


class Scripted(FakeWire):
    """A way on which something happens at the gateway behind the first request."""

    def __init__(
        self, archive: FakeArchive, path: str, then: Meanwhile, *faults: Fault
    ) -> None:
        super().__init__(archive)
        self.path, self.then = path, [then]
        self.faults.extend(faults)

    async def call(self, method: str, path: str, **more: Any) -> Any:
        told = await super().call(method, path, **more)
        if (method, path) == ("POST", self.path) and self.then:
            await self.then.pop()(self.archive)
        return told


def over(wire: FakeWire) -> DurableJournal:
    journal = DurableJournal(wire)
    journal.lead(1)
    return journal


async def appended(
    archive: FakeArchive, then: Meanwhile, *faults: Fault
) -> Head | JournalError:
    """Append two rows; something comes between the first request and the second."""
    journal = over(Scripted(archive, "journal/rows", then, *faults))
    answer: Head | JournalError = await settled(journal.append(START, drafts([1, 2])))
    return answer


# What may come between


async def succeeded(archive: FakeArchive) -> None:
    """Let another operator have the newest epoch; it writes nothing yet."""
    archive.epoch = 2


async def gone_on(archive: FakeArchive) -> None:
    """Let another one append behind what it finds."""
    journal = far(archive, epoch=2)
    await good(journal.append(await good(journal.head()), drafts([33, 34, 35])))


async def written(archive: FakeArchive) -> None:
    """Let a tool append under the same epoch."""
    journal = far(archive, epoch=1)
    await good(journal.append(await good(journal.head()), drafts([33])))


async def compacted(archive: FakeArchive) -> None:
    """Let another one append, and cut off what may have been ours."""
    await gone_on(archive)
    rows = await good(far(archive).read(0, 9))
    seq = rows[-2].seq
    base = snapshot_after(1)
    base = type(base)(seq=seq, digest=rows[-2].digest, rules=2, body=base.body)
    await good(far(archive, epoch=2).begin_behind(base))


async def shut(archive: FakeArchive) -> None:
    """Let the gateway take no such request any more."""
    archive.row_max = 1


MEANWHILE = (succeeded, gone_on, written, compacted, shut)


def has(archive: FakeArchive, *heads: Head) -> bool | None:
    """Say whether rows are in an archive; None: they may have been cut off."""
    if archive.base is not None:
        return None
    there = {
        Head(seq=s, digest=bytes.fromhex(r.digest)) for s, r in archive.rows.items()
    }
    return all(head in there for head in heads)


@pytest.mark.parametrize(
    ("fault", "then", "read"),
    [*product((Fault.LOST, Fault.CUT), MEANWHILE, (Fault.NONE, Fault.CUT))],
)
async def test_what_fails_for_certain_is_not_written(
    fault: Fault, then: Meanwhile, read: Fault
) -> None:
    """And what is written is no failure, unless it is in doubt."""
    archive = FakeArchive()
    answer = await appended(archive, then, fault, Fault.NONE, *[read] * 3)
    there = has(archive, *map(head_after, (1, 2)))
    if isinstance(answer, Head):
        assert (answer, there) == (head_after(2), True)
    elif not is_in_doubt(answer):
        assert there is not True
        assert fault is Fault.CUT
    if fault is Fault.LOST and read is Fault.NONE and then is not shut:
        # Everything is known where it can be looked at, but for what was cut off.
        assert isinstance(answer, Head) is (there is True)


async def test_a_first_append_that_happened_is_told_after_the_lease_has_moved() -> None:
    for then in (succeeded, gone_on):
        archive = FakeArchive()
        assert await appended(archive, then, Fault.LOST) == head_after(2)
        journal = far(archive)
        assert await good(journal.read(0, 2)) == ROWS[:2]
        assert await bad(journal.append(head_after(2), drafts([3]))) == STALE


async def test_one_that_never_arrived_is_stale_and_nothing_else() -> None:
    for then, rows in ((succeeded, 0), (gone_on, 3)):
        archive = FakeArchive()
        assert await appended(archive, then, Fault.CUT) == STALE
        assert archive.head["seq"] == rows


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.CUT])
async def test_where_nobody_can_look_it_is_in_doubt_until_it_is_made_again(
    fault: Fault,
) -> None:
    archive = FakeArchive()
    unheard = [Fault.CUT] * 3
    error = await appended(archive, succeeded, fault, Fault.NONE, *unheard)
    assert isinstance(error, JournalUnavailable)
    assert (error.in_doubt, error.retryable) == (True, True)
    assert await bad(far(archive).append(START, drafts([1, 2]))) == STALE


async def test_what_a_tool_has_written_behind_ours_hides_nothing() -> None:
    archive = FakeArchive()
    assert await appended(archive, written, Fault.LOST) == head_after(2)
    archive = FakeArchive()
    conflict = JournalConflict(expected_seq=0, found_seq=1)
    assert await appended(archive, written, Fault.CUT) == conflict


async def test_a_base_at_our_last_row_tells_it_and_a_later_one_does_not() -> None:
    async def at_ours(archive: FakeArchive) -> None:
        await gone_on(archive)
        await good(far(archive, epoch=2).begin_behind(snapshot_after(2)))

    assert await appended(FakeArchive(), at_ours, Fault.LOST) == head_after(2)
    error = await appended(FakeArchive(), compacted, Fault.LOST)
    assert isinstance(error, JournalUnavailable)
    assert error.in_doubt


async def test_a_gateway_that_takes_no_more_leaves_it_in_doubt() -> None:
    archive = FakeArchive()
    error = await appended(archive, shut, Fault.LOST)
    assert isinstance(error, JournalUnavailable)
    assert (error.in_doubt, error.retryable) == (True, False)
    assert archive.head["seq"] == 2


async def test_a_strange_head_is_no_damage_where_our_rows_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = {"head": {"seq": 2, "digest": "ab" * 32}, "lease": None}
    append = FakeArchive._append

    def strange(archive: FakeArchive, body: bytes) -> Any:
        append(archive, body)
        return other

    monkeypatch.setattr(FakeArchive, "_append", strange)
    assert await good(far(FakeArchive()).append(START, drafts([1, 2]))) == head_after(2)
    monkeypatch.setattr(FakeArchive, "_append", lambda *_: other)
    error = await bad(far(FakeArchive()).append(START, drafts([1, 2])))
    assert isinstance(error, JournalCorrupt)
    unheard = far(FakeArchive(), Fault.NONE, *[Fault.CUT] * 3)
    error = await bad(unheard.append(START, drafts([1, 2])))
    assert isinstance(error, JournalUnavailable)
    assert error.in_doubt


@pytest.mark.parametrize("then", [succeeded, gone_on, written])
async def test_an_append_of_which_the_first_rows_are_written_is_in_doubt(
    then: Meanwhile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the rest was refused with; made again it is told for certain."""
    monkeypatch.setattr(appending, "APPEND_MAX", 2 * len(row_line(ROWS[-1])) + 1)
    monkeypatch.setattr(appending, "FIRST_MAX", 0)
    archive = FakeArchive()
    journal = over(Scripted(archive, "journal/rows", then))
    error = await bad(journal.append(START, drafts(range(1, 8))))
    assert isinstance(error, JournalUnavailable)
    assert error.in_doubt
    assert has(archive, head_after(1), head_after(2))
    again = await bad(far(archive).append(START, drafts(range(1, 8))))
    assert isinstance(again, StaleOperator | JournalConflict)


# Cuts


async def cut(
    then: Meanwhile, *faults: Fault, seq: int = 3
) -> tuple[FakeArchive, JournalError | None]:
    """Have six rows begin behind one; something comes behind the first request."""
    archive = await far_with(6)
    wire = Scripted(archive, "journal/base", then, *[Fault.NONE] * 4, *faults)
    return archive, await settled(over(wire).begin_behind(snapshot_after(seq)))


async def test_a_cut_that_was_made_is_told_after_the_lease_has_moved() -> None:
    archive, answer = await cut(succeeded, Fault.LOST)
    assert answer is None
    assert archive.base is not None


async def test_a_cut_that_never_arrived_is_stale_and_nothing_else() -> None:
    archive, answer = await cut(succeeded, Fault.CUT)
    assert (answer, archive.base) == (STALE, None)


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.CUT])
async def test_a_cut_is_in_doubt_where_nobody_can_look(fault: Fault) -> None:
    _, answer = await cut(succeeded, fault, Fault.NONE, *[Fault.CUT] * 3)
    assert isinstance(answer, JournalUnavailable)
    assert answer.in_doubt


async def test_a_cut_that_is_refused_otherwise_may_still_be_on_its_way() -> None:
    async def nothing(_: FakeArchive) -> None:
        """Leave it as it is."""

    archive, answer = await cut(nothing, Fault.CUT, Fault.DENIED)
    assert isinstance(answer, NotAuthorized)
    assert (answer.in_doubt, archive.base) == (True, None)


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.CUT])
async def test_the_end_is_cut_off_once(fault: Fault) -> None:
    for then in (None, succeeded):
        archive = await far_with(6)
        wire = FakeWire(archive)
        if then is not None:
            wire = Scripted(archive, "journal/end", then)
        wire.faults.append(fault)
        one = Archive(wire)
        one.epoch = 1
        answer = await one.end_with(head_after(4), head_after(6))
        is_made = fault is Fault.LOST or then is None
        assert answer.value_or(None) is None
        assert archive.head["seq"] == (4 if is_made else 6)
        if not is_made:
            assert answer.failure() == STALE


async def test_an_end_that_others_have_moved_is_in_doubt() -> None:
    archive = await far_with(6)
    wire = Scripted(archive, "journal/end", gone_on, Fault.LOST)
    one = Archive(wire)
    one.epoch = 1
    error = (await one.end_with(head_after(4), head_after(6))).failure()
    assert isinstance(error, JournalUnavailable)
    assert error.in_doubt
    state = (await one.state()).unwrap()
    assert has_ended(head_after(4), head_after(6), state) is None


async def test_what_is_cut_off_is_not_remembered() -> None:
    archive = await far_with(6)
    journal = far(archive)
    assert await good(journal.read(0, 9)) == ROWS[:6]
    one = Archive(FakeWire(archive))
    assert (await one.end_with(head_after(4), head_after(6))).failure() is not None
    one.epoch = 1
    assert len((await one.read(0, 9)).unwrap()) == 6
    assert (await one.end_with(head_after(4), head_after(6))).value_or(None) is None
    assert (await one.read(6, 9)).unwrap() == ()
    assert (await one.read(4, 9)).unwrap() == ()
    conflict = (await one.end_with(head_after(2), head_after(6))).failure()
    assert conflict == JournalConflict(expected_seq=6, found_seq=4)


# What is not let in


def test_who_is_not_let_in_is_told_so() -> None:
    error = NotAuthorized(cause="HTTP 401")
    ours = Unauthorized(cause="HTTP 401")
    assert (error.ends_like, error.message) == (ours.code, ours.message)
    assert error.code == JournalUnavailable.code
    assert isinstance(doubtful(error), NotAuthorized)
    assert doubtful(STALE) == JournalUnavailable(cause=STALE.message, in_doubt=True)
