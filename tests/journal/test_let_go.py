"""Whatever reads rows lets go of them when it is done: the collector has no part in it.

A reader of an archive holds a whole base, and an operator that keeps its journal small
reads an archive for each step.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.journal.archives import archive_rows
from orchestrator.journal.jsonl import write_rows
from orchestrator.journal.lines import open_lines
from orchestrator.journal.port import Head
from orchestrator.journal.reading import Reading
from orchestrator.runtime.recovery import snapshot_of
from tests.garbage import circles, ours
from tests.runtime.travel_kit import fleets, head_of, history

SEED, COUNT, BASE = 2, 60, 20
ROWS = history(SEED, COUNT)
BEHIND = snapshot_of(fleets(SEED, COUNT)[BASE], head_of(ROWS, BASE))
END = snapshot_of(fleets(SEED, COUNT)[COUNT], head_of(ROWS, COUNT))


def export(folder: Path, suffix: str) -> Path:
    path = folder / f"rows.{suffix}"
    assert isinstance(write_rows(path, ROWS[BASE:], BEHIND), Head)
    return path


def read_through(path: Path) -> int:
    reading = Reading(open_lines(path))
    count = sum(1 for _ in reading.rows())
    reading.close()
    return count


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
def test_an_export_that_was_read_is_let_go(tmp_path: Path, suffix: str) -> None:
    path = export(tmp_path, suffix)
    with circles() as found:
        assert read_through(path) == COUNT - BASE
    assert not ours(found)


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
@pytest.mark.parametrize("part", [0.0, 0.1, 0.6, 0.99])
def test_so_is_one_that_was_cut_off(tmp_path: Path, suffix: str, part: float) -> None:
    path = export(tmp_path, suffix)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    with circles() as found:
        assert read_through(path) < COUNT
    assert not ours(found)


@pytest.mark.parametrize("line", [0, 1, 2, 30, -1])
def test_so_is_one_that_is_damaged(tmp_path: Path, line: int) -> None:
    path = export(tmp_path, "jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line].replace(b"1", b"2")
    path.write_bytes(b"".join(lines))
    with circles() as found:
        reading = Reading(open_lines(path))
        assert sum(1 for _ in reading.rows()) < COUNT
        assert reading.error is not None
        reading.close()
        del reading
    assert not ours(found)


def test_to_archive_rows_leaves_nothing_behind(tmp_path: Path) -> None:
    archive = tmp_path / "rows-21-60.jsonl.gz"
    with circles() as found:
        assert archive_rows(archive, ROWS[BASE:], BEHIND, END) is None
    assert not ours(found)
