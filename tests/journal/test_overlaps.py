"""Archives join without a gap, whatever has become of a cut; overlaps are told."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest
from returns.pipeline import is_successful
from returns.result import Failure

from orchestrator.core.errors import JournalError, JournalUnavailable, TimedOut
from orchestrator.journal.archives import archive_rows
from orchestrator.journal.compaction import Compacted, KeepRows
from orchestrator.journal.durable.compaction import compact_far
from orchestrator.journal.durable.source import Waiting, open_far
from orchestrator.journal.overlaps import Overlaps, kept_already, without_copies
from orchestrator.journal.port import START, Row, Snapshot, chained
from tests.journal.durable_kit import at_once, filled, reading, waiting
from tests.journal.fake_archive import FakeArchive, FakeWire, Fault
from tests.journal.opened import all_of, base_after, drafts, opened, refused
from tests.replay.golden import GOLDEN, POLICIES

EXPORT = GOLDEN / "journal.rules-3.2.jsonl.gz"
ROWS = chained(START, drafts(range(1, 8)))


@pytest.fixture(autouse=True)
def _at_once() -> Iterator[None]:
    with at_once():
        yield


@pytest.fixture(scope="module")
def golden() -> tuple[Row, ...]:
    return all_of(EXPORT).rows


class Dying(FakeWire):
    """A way that breaks for good when a cut is asked for, which arrives or does not."""

    def __init__(self, archive: FakeArchive, *, arrives: bool) -> None:
        super().__init__(archive)
        self.arrives, self.is_over = arrives, False

    async def call(self, method: str, path: str, **more: Any) -> Any:
        is_cut = path == "journal/base"
        self.is_over = self.is_over or is_cut
        if self.is_over and not (is_cut and self.arrives):
            return Failure(TimedOut(after_ms=1))
        told = await super().call(method, path, **more)
        return Failure(TimedOut(after_ms=1)) if is_cut else told


def compacted(one: Waiting, keep: int, **more: Any) -> Compacted | JournalError:
    with closing(one):
        source = opened(open_far(one))
        epoch = one.done(one.archive.leader()).unwrap().epoch
        done = compact_far(
            one, source, epoch, KeepRows(keep), policies=POLICIES, **more
        )
        return opened(done) if is_successful(done) else refused(done)


def in_doubt(kept: FakeArchive, keep: int, *, arrives: bool, **more: Any) -> str:
    """Compact, and lose the answer; return what is told."""
    error = compacted(Waiting(Dying(kept, arrives=arrives)), keep, **more)
    assert isinstance(error, JournalUnavailable)
    assert error.in_doubt
    return error.cause


def done(kept: FakeArchive, keep: int, **more: Any) -> Compacted:
    found = compacted(waiting(kept), keep, **more)
    assert isinstance(found, Compacted), found
    return found


def joined(golden: tuple[Row, ...], archive: FakeArchive, folder: Path) -> list[Path]:
    """Expect archives and journal to have all rows; return the archives, in order."""
    read = reading(archive)
    rest = tuple(read.rows())
    read.close()
    parts = [(all_of(path).rows, path) for path in folder.iterdir()]
    by_first = sorted(parts, key=lambda part: (part[0][0].seq, len(part[0])))
    seqs = {row.seq for rows, _ in by_first for row in rows} | {row.seq for row in rest}
    assert seqs == {row.seq for row in golden}
    return [path for _, path in by_first]


# What a user finds after a cut that nobody has confirmed


def test_a_cut_that_was_made_is_followed_by_the_next_archive(
    golden: tuple[Row, ...], tmp_path: Path
) -> None:
    archive, last = filled(golden), golden[-1].seq
    beside = tmp_path / "journal"
    told = in_doubt(archive, 100, arrives=True, beside=beside)
    kept = tmp_path / f"journal.rows-1-{last - 100}.jsonl.gz"
    assert f"whether rows 1 to {last - 100} were cut off is not known" in told
    assert f"they are in {kept}, which may be the only place" in told
    then = done(archive, 50, beside=beside)
    assert (then.first, then.overlaps) == (last - 99, Overlaps())
    first, second = joined(golden, archive, tmp_path)
    assert first == kept
    begins = all_of(second).base
    assert begins is not None
    assert begins.head == all_of(first).head


@pytest.mark.parametrize("arrives", [True, False])
def test_one_that_is_let_go_says_so_too(
    golden: tuple[Row, ...], *, arrives: bool
) -> None:
    told = in_doubt(filled(golden), 100, arrives=arrives)
    assert told.endswith("were cut off is not known")


def test_a_cut_that_was_not_made_is_made_with_the_same_archive(
    golden: tuple[Row, ...], tmp_path: Path
) -> None:
    archive, beside = filled(golden), tmp_path / "journal"
    for _ in range(3):
        in_doubt(archive, 100, arrives=False, beside=beside)
    (kept,) = tmp_path.iterdir()
    written = kept.stat().st_mtime_ns
    then = done(archive, 100, beside=beside)
    assert (then.archive, then.overlaps) == (kept, Overlaps())
    assert joined(golden, archive, tmp_path) == [kept]
    assert kept.stat().st_mtime_ns == written


def test_one_that_has_no_other_rows_than_the_next_goes(
    golden: tuple[Row, ...], tmp_path: Path
) -> None:
    archive, beside = filled(golden), tmp_path / "journal"
    in_doubt(archive, 100, arrives=False, beside=beside)
    (kept,) = tmp_path.iterdir()
    then = done(archive, 50, beside=beside)
    assert then.overlaps == Overlaps(removed=(kept,))
    assert joined(golden, archive, tmp_path) == [then.archive]


def test_one_that_has_more_rows_is_told(
    golden: tuple[Row, ...], tmp_path: Path
) -> None:
    archive, beside = filled(golden), tmp_path / "journal"
    in_doubt(archive, 50, arrives=False, beside=beside)
    (kept,) = tmp_path.iterdir()
    then = done(archive, 100, beside=beside)
    assert then.overlaps == Overlaps(left=(kept,))
    assert joined(golden, archive, tmp_path) == [then.archive, kept]


def test_one_that_was_named_is_told_when_it_is_in_doubt(
    golden: tuple[Row, ...], tmp_path: Path
) -> None:
    archive, beside = filled(golden), tmp_path / "journal"
    named = tmp_path / "mine.jsonl"
    told = in_doubt(archive, 50, arrives=False, archive=named, beside=beside)
    assert f"they are in {named}, which may be the only place" in told
    other = tmp_path / "other.jsonl"
    assert done(archive, 50, archive=other, beside=beside).archive == other
    assert all_of(named).rows == all_of(other).rows


def test_only_a_copy_of_this_time_goes_where_a_cut_is_refused(
    golden: tuple[Row, ...], tmp_path: Path
) -> None:
    archive, beside = filled(golden), tmp_path / "journal"
    in_doubt(archive, 100, arrives=False, beside=beside)
    (kept,) = tmp_path.iterdir()
    for keep in (100, 50):
        one = waiting(archive)
        one.archive._asking._wire = Refusing(archive)
        assert isinstance(compacted(one, keep, beside=beside), JournalUnavailable)
        assert [*tmp_path.iterdir()] == [kept]


class Refusing(FakeWire):
    """A way on which no cut is let in."""

    async def call(self, method: str, path: str, **more: Any) -> Any:
        if path == "journal/base":
            self.faults.append(Fault.DENIED)
        return await super().call(method, path, **more)


def test_what_somebody_else_has_cut_off_meanwhile_is_told(
    golden: tuple[Row, ...], tmp_path: Path
) -> None:
    archive, last = filled(golden), golden[-1].seq
    one = waiting(archive)
    begin_behind = one.archive.begin_behind

    async def then_more(base: Snapshot) -> Any:
        answer = await begin_behind(base)
        seq, row = last - 10, golden[-11]
        more = attrs.evolve(base, seq=seq, digest=row.digest)
        assert not isinstance(await begin_behind(more), Failure)
        return answer

    one.archive.begin_behind = then_more  # type: ignore[method-assign]
    found = compacted(one, 100, beside=tmp_path / "journal")
    assert isinstance(found, Compacted)
    assert (found.last, found.further, found.kept) == (last - 100, last - 10, 10)


# Which files are copies


def put(path: Path, last: int, before: Snapshot | None = None) -> Path:
    first = 0 if before is None else before.seq
    problem = archive_rows(path, ROWS[first:last], before, base_after(last))
    assert problem is None
    return path


@pytest.mark.parametrize("first", [0, 2])
def test_a_copy_is_told_by_what_is_in_it(first: int, tmp_path: Path) -> None:
    before = None if first == 0 else base_after(first)
    beside, begin = tmp_path / "j[1]", f"j[1].rows-{first + 1}"
    whole = put(tmp_path / f"{begin}-6.jsonl.gz", 6, before)
    copy = put(tmp_path / f"{begin}-4.jsonl.gz", 4, before)
    again = put(tmp_path / f"{begin}-6.2.jsonl.gz", 6, before)
    longer = put(tmp_path / f"{begin}-7.jsonl.gz", 7, before)
    torn = tmp_path / f"{begin}-5.jsonl.gz"
    torn.write_bytes(gzip.compress(gzip.decompress(copy.read_bytes())[:-30]))
    other = base_after(first or 1, body=b'{"another":1}')
    elsewhere = put(tmp_path / f"{begin}-3.jsonl.gz", 3, other)
    folder = tmp_path / f"{begin}-2.jsonl.gz"
    folder.mkdir()
    strangers = [
        put(tmp_path / name, 7)
        for name in (f"{begin}-7.jsonl", f"{begin}-x.jsonl.gz", "j1.rows-1-7.jsonl.gz")
    ]
    assert kept_already(beside, before, base_after(6)) in {whole, again}
    for last in (2, 3, 5):
        assert kept_already(beside, before, base_after(last)) is None
    found = without_copies(whole, beside, before)
    assert set(found.removed) == {copy, again}
    assert set(found.left) == {folder, elsewhere, torn, longer}
    assert all(path.exists() for path in (whole, *found.left, *strangers))
    assert without_copies(whole, tmp_path / "k", before) == Overlaps()


def test_a_copy_that_cannot_be_removed_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = put(tmp_path / "j.rows-1-6.jsonl.gz", 6)
    copy = put(tmp_path / "j.rows-1-4.jsonl.gz", 4)

    def refuse(_: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "unlink", refuse)
    found = without_copies(whole, tmp_path / "j", None)
    assert found == Overlaps(left=(copy,))
    monkeypatch.undo()
    whole.unlink()  # nothing is known of what is in it
    assert without_copies(whole, tmp_path / "j", None) == Overlaps(left=(copy,))
