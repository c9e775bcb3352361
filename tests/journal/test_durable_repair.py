"""The end of a journal behind a gateway, given up by name: what is whole stays."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from returns.pipeline import is_successful
from returns.result import Failure

from orchestrator.core.errors import (
    JournalConflict,
    JournalCorrupt,
    JournalError,
    JournalUnavailable,
    StaleOperator,
    TimedOut,
)
from orchestrator.journal.durable import repair as module
from orchestrator.journal.durable.repair import TOO_OLD, repair_far
from orchestrator.journal.line_format import row_line
from orchestrator.journal.port import START, Snapshot, chained
from orchestrator.journal.repair_lines import Repaired
from tests.journal.durable_kit import (
    at_once,
    far,
    filled,
    reading,
    snapshot_after,
    waiting,
)
from tests.journal.fake_archive import FakeArchive, FakeWire, Fault
from tests.journal.opened import (
    base_after,
    drafts,
    good,
    head_after,
    opened,
    refused,
)

ROWS = chained(START, drafts(range(1, 10)))
LAST = 9


@pytest.fixture(autouse=True)
def _at_once() -> Iterator[None]:
    with at_once():
        yield


@pytest.fixture(autouse=True, params=[2, 5_000])
def _page(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", request.param)


def repaired(
    archive: FakeArchive, folder: Path, *faults: Fault, epoch: int = 1
) -> Repaired | JournalError:
    with closing(waiting(archive, *faults)) as one:
        done = repair_far(one, epoch, folder / "shop.journal")
        return opened(done) if is_successful(done) else refused(done)


def altered(archive: FakeArchive, seq: int) -> FakeArchive:
    """Alter a row of an archive, behind everybody's back."""
    body = archive.rows[seq].body
    archive.rows[seq].body = body.replace(b'"at":', b'"at":7')
    return archive


def lines(archive: FakeArchive, *seqs: int) -> bytes:
    return b"".join(archive.rows[seq].body + b"\n" for seq in seqs)


def expect_whole(archive: FakeArchive, last: int, base: Snapshot | None) -> None:
    """Expect a journal that is whole and ends with a row, and that goes on."""
    read = reading(archive)
    first = 0 if base is None else base.seq
    assert (read.source.base, tuple(read.rows())) == (base, ROWS[first:last])
    assert read.error is None
    read.close()


@pytest.mark.parametrize("base", [None, base_after(2)])
@pytest.mark.parametrize("seq", range(1, LAST + 1))
def test_what_is_whole_stays_and_the_rest_is_in_a_file(
    seq: int, base: Snapshot | None, tmp_path: Path
) -> None:
    first = 0 if base is None else base.seq
    if seq <= first:
        return
    archive = altered(filled(ROWS[first:], base), seq)
    rest = lines(archive, *range(seq, LAST + 1))
    side = tmp_path / f"shop.journal.after-{seq - 1}.jsonl"
    assert repaired(archive, tmp_path) == Repaired(
        head=head_after(seq - 1), missing=0, moved=LAST + 1 - seq, moved_to=side
    )
    assert side.read_bytes() == rest
    assert stat.S_IMODE(side.stat().st_mode) == 0o600
    expect_whole(archive, seq - 1, base)
    # It goes on where it ends now, and there is nothing more to repair.
    again = Repaired(head=head_after(seq - 1), missing=0, moved=0, moved_to=None)
    assert repaired(archive, tmp_path) == again
    assert [*tmp_path.iterdir()] == [side]


def test_an_operator_goes_on_behind_the_cut(tmp_path: Path) -> None:
    archive = altered(filled(ROWS), 5)
    assert isinstance(repaired(archive, tmp_path), Repaired)

    async def goes_on() -> None:
        await good(far(archive).append(head_after(4), drafts([5, 6])))

    asyncio.run(goes_on())
    expect_whole(archive, 6, None)


def test_rows_that_are_missing_are_counted(tmp_path: Path) -> None:
    archive = filled(ROWS)
    for seq in (4, 5, 8):
        del archive.rows[seq]
    rest = lines(archive, 6, 7, 9)
    done = repaired(archive, tmp_path)
    side = tmp_path / "shop.journal.after-3.jsonl"
    assert done == Repaired(head=head_after(3), missing=3, moved=3, moved_to=side)
    assert side.read_bytes() == rest
    expect_whole(archive, 3, None)


@pytest.mark.parametrize("body", [b"nonsense", b"\xff\x00", b'{"seq":99}', b""])
def test_what_is_no_row_at_all_goes_to_the_file_as_it_is(
    body: bytes, tmp_path: Path
) -> None:
    archive = filled(ROWS)
    archive.rows[6].body = body
    rest = lines(archive, 6, 7, 8, 9)
    done = repaired(archive, tmp_path)
    side = tmp_path / "shop.journal.after-5.jsonl"
    assert done == Repaired(head=head_after(5), missing=0, moved=4, moved_to=side)
    assert side.read_bytes() == rest


def test_a_row_that_is_there_twice_is_told_by_its_place(tmp_path: Path) -> None:
    archive = filled(ROWS)
    archive.rows[6] = archive.rows[5]
    rest = lines(archive, 6, 7, 8, 9)
    done = repaired(archive, tmp_path)
    assert isinstance(done, Repaired)
    assert (done.head, done.moved) == (head_after(5), 4)
    assert done.moved_to is not None
    assert done.moved_to.read_bytes() == rest


def test_a_last_row_that_is_another_than_the_gateway_says_goes(tmp_path: Path) -> None:
    archive = filled(ROWS)
    archive.rows[LAST].digest = "ab" * 32
    done = repaired(archive, tmp_path)
    assert isinstance(done, Repaired)
    assert (done.head, done.moved) == (head_after(LAST - 1), 1)
    expect_whole(archive, LAST - 1, None)


def test_snapshots_behind_the_cut_go_with_it(tmp_path: Path) -> None:
    archive = filled(ROWS)
    with closing(waiting(archive)) as one:
        one.archive.epoch = 1
        for seq in (3, 5, 8):
            assert one.done(one.archive.save(snapshot_after(seq))).unwrap() is None
    archive.staged[9, 1] = {0: b"part"}
    done = repaired(altered(archive, 6), tmp_path)
    assert isinstance(done, Repaired)
    assert (sorted(archive.fleets), archive.staged) == ([3, 5], {})


def test_no_file_is_written_over(tmp_path: Path) -> None:
    there = tmp_path / "shop.journal.after-4.jsonl"
    there.write_text("mine")
    done = repaired(altered(filled(ROWS), 5), tmp_path)
    assert isinstance(done, Repaired)
    assert done.moved_to == tmp_path / "shop.journal.after-4.2.jsonl"
    assert there.read_text() == "mine"


# Where nothing is cut off


def test_a_journal_that_is_whole_is_let_be(tmp_path: Path) -> None:
    archive = filled(ROWS)
    archive.seen.clear()
    done = repaired(archive, tmp_path)
    whole = Repaired(head=head_after(LAST), missing=0, moved=0, moved_to=None)
    assert done == whole
    empty = Repaired(head=START, missing=0, moved=0, moved_to=None)
    assert repaired(FakeArchive(), tmp_path) == empty
    assert not [seen for seen in archive.seen if not seen.startswith("GET")]
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_base_is_not_repaired(tmp_path: Path) -> None:
    archive = altered(filled(ROWS[4:], base_after(4)), 6)
    archive.base_body[0] = b'{"another":1}'
    error = repaired(archive, tmp_path)
    assert isinstance(error, JournalCorrupt)
    assert error.place == "base"
    assert error.message.endswith("and nothing was cut off")
    assert (len(archive.rows), list(tmp_path.iterdir())) == (5, [])


def test_a_head_that_has_moved_since_is_not_cut(tmp_path: Path) -> None:
    archive = altered(filled(ROWS), 5)

    class Growing(FakeWire):
        async def call(self, method: str, path: str, **more: Any) -> Any:
            if path == "journal/end":
                row = chained(head_after(LAST), drafts([10]))[0]
                wish = {"seq": LAST, "digest": head_after(LAST).digest.hex()}
                first = orjson.dumps({"epoch": 1, "expect": wish}) + b"\n"
                status, _ = self.archive.answer(
                    "POST", "journal/rows", {}, first + row_line(row)
                )
                assert status == 200
            return await super().call(method, path, **more)

    with closing(waiting(archive)) as one:
        one.archive._asking._wire = Growing(archive)
        error = refused(repair_far(one, 1, tmp_path / "shop.journal"))
    assert error == JournalConflict(expected_seq=LAST, found_seq=LAST + 1)
    assert (archive.head["seq"], list(tmp_path.iterdir())) == (LAST + 1, [])


def test_who_was_replaced_cuts_nothing(tmp_path: Path) -> None:
    archive = altered(filled(ROWS), 5)
    archive.epoch = 2
    error = repaired(archive, tmp_path)
    assert error == StaleOperator(epoch=1, highest=2)
    assert (archive.head["seq"], list(tmp_path.iterdir())) == (LAST, [])
    with closing(waiting(archive)) as one:
        ended = one.done(one.archive.end_with(head_after(4), head_after(LAST)))
    assert isinstance(ended.failure(), JournalUnavailable)


def test_what_cannot_be_asked_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    archive = altered(filled(ROWS), 5)
    doubt: JournalUnavailable | None = None
    before = 0
    while doubt is None:
        error = repaired(archive, tmp_path, *[Fault.NONE] * before, *[Fault.CUT] * 9)
        assert isinstance(error, JournalUnavailable), before
        assert archive.head["seq"] == LAST
        doubt = error if error.in_doubt else None
        assert [*tmp_path.iterdir()] == [] or doubt is not None, before
        before += 1
    assert before > 3
    (side,) = tmp_path.iterdir()
    told = "whether what is behind row 4 was cut off is not known"
    assert doubt.cause.endswith(f"{told}: it is in {side}")


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.CUT])
def test_a_cut_whose_answer_was_lost_is_made_once(fault: Fault, tmp_path: Path) -> None:
    archive = altered(filled(ROWS), 5)
    faults = [fault]

    class Losing(FakeWire):
        async def call(self, method: str, path: str, **more: Any) -> Any:
            if path == "journal/end" and faults:
                self.faults.append(faults.pop())
            return await super().call(method, path, **more)

    with closing(waiting(archive)) as one:
        one.archive._asking._wire = Losing(archive)
        done = opened(repair_far(one, 1, tmp_path / "shop.journal"))
    assert (done.head, done.moved) == (head_after(4), 5)
    expect_whole(archive, 4, None)


def test_one_that_nobody_confirms_keeps_its_file(tmp_path: Path) -> None:
    archive = altered(filled(ROWS), 5)
    rest = lines(archive, 5, 6, 7, 8, 9)

    class Dead(FakeWire):
        is_over = False

        async def call(self, method: str, path: str, **more: Any) -> Any:
            if Dead.is_over:
                return Failure(TimedOut(after_ms=1))
            Dead.is_over = path == "journal/end"
            told = await super().call(method, path, **more)
            return Failure(TimedOut(after_ms=1)) if Dead.is_over else told

    with closing(waiting(archive)) as one:
        one.archive._asking._wire = Dead(archive)
        error = refused(repair_far(one, 1, tmp_path / "shop.journal"))
    assert isinstance(error, JournalUnavailable)
    assert error.in_doubt
    (side,) = tmp_path.iterdir()
    assert (side.read_bytes(), archive.head["seq"]) == (rest, 4)
    # Asked once more, it is done already.
    again = repaired(archive, tmp_path)
    assert again == Repaired(head=head_after(4), missing=0, moved=0, moved_to=None)


def test_an_old_gateway_is_told_before_anything_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = altered(filled(ROWS), 5)
    page = FakeArchive._page

    def old(archive: FakeArchive, query: Any) -> bytes:
        *rows, last, _ = page(archive, query).split(b"\n")
        tree = orjson.loads(last)
        del tree["last"]
        return b"\n".join((*rows, orjson.dumps(tree), b""))

    monkeypatch.setattr(FakeArchive, "_page", old)
    assert repaired(archive, tmp_path) == TOO_OLD
    assert (archive.head["seq"], list(tmp_path.iterdir())) == (LAST, [])


def test_a_journal_that_is_shorter_all_at_once_is_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another repair has come before: while it is read, or while the rest is copied."""
    gone = Repaired(head=head_after(1), missing=8, moved=0, moved_to=None)
    conflict = JournalConflict(expected_seq=LAST, found_seq=1)
    for at, expected in (("follow", gone), ("lines", conflict)):
        archive = altered(filled(ROWS), 5)
        with closing(waiting(archive)) as one:
            real = getattr(one.archive, at)

            async def then(*words: Any, real: Any = real, **more: Any) -> Any:
                for seq in [seq for seq in archive.rows if seq > 1]:  # noqa: B023
                    del archive.rows[seq]  # noqa: B023
                return await real(*words, **more)

            monkeypatch.setattr(one.archive, at, then)
            done = repair_far(one, 1, tmp_path / "shop.journal")
        assert (opened(done) if is_successful(done) else refused(done)) == expected
        assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_file_cuts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = altered(filled(ROWS), 5)
    error = repaired(archive, tmp_path / "none")
    assert isinstance(error, JournalUnavailable)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    error = repaired(archive, tmp_path)
    assert isinstance(error, JournalUnavailable)
    assert "No space left" in error.cause
    assert (archive.head["seq"], list(tmp_path.iterdir())) == (LAST, [])
