"""Laws of an export by HTTP: its bytes are those of a file, however it is cut to pages.

It is read back as what it was, and so it is in other words: states and commands are the
same up to their names (``test_redaction`` holds that of the words themselves).
"""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.api import export_lines
from orchestrator.api.export_lines import Lines, Stretch, pages, stretch_of
from orchestrator.journal.jsonl import write_rows
from orchestrator.journal.lines import open_lines
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import Draft, Head, Row, Snapshot
from orchestrator.journal.reading import Reading
from orchestrator.runtime.outcomes import settled
from property_tests.test_lines import DRAFTS
from tests.journal.opened import base_after

_TRAILER = 12
"""Bytes of a packed file behind what is needed to unpack it, and a few more."""


async def exported(
    journal: MemoryJournal, *, is_packed: bool
) -> tuple[bytes, Stretch, tuple[Row, ...]]:
    """Return an export as it is sent, what it holds, and its rows."""
    stretch = await stretch_of(journal)
    assert isinstance(stretch, Stretch)
    lines = Lines(stretch, None, is_packed=is_packed)
    parts, told = [lines.beginning()], list[Row]()
    async for rows in pages(journal, stretch):
        assert isinstance(rows, tuple)
        parts.append(lines.page(rows))
        told += rows
    whole = b"".join(part for part in (*parts, lines.end()) if isinstance(part, bytes))
    return whole, stretch, tuple(told)


async def filled(drafts: list[Draft], base: Snapshot | None) -> MemoryJournal:
    journal = MemoryJournal(base)
    head = await settled(journal.head())
    assert isinstance(head, Head)
    done = await settled(journal.append(head, tuple(drafts)))
    assert isinstance(done, Head)
    return journal


def filed(rows: tuple[Row, ...], base: Snapshot | None, name: str) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        assert isinstance(write_rows(path, rows, base), Head)
        return path.read_bytes()


@given(
    drafts=st.lists(DRAFTS, max_size=12),
    after=st.one_of(st.none(), st.integers(0, 5)),
    page=st.integers(1, 13),
    is_packed=st.booleans(),
)
@example(drafts=[], after=None, page=1, is_packed=True)
@example(drafts=[], after=3, page=1, is_packed=False)
def test_an_export_is_the_file_however_it_is_cut_to_pages(
    drafts: list[Draft], after: int | None, page: int, *, is_packed: bool
) -> None:
    base = None if after is None else base_after(after)

    async def run() -> tuple[bytes, Stretch, tuple[Row, ...]]:
        return await exported(await filled(drafts, base), is_packed=is_packed)

    with patch.object(export_lines, "PAGE", page):
        data, stretch, rows = asyncio.run(run())
    assert data == filed(rows, base, "a.jsonl.gz" if is_packed else "a.jsonl")
    assert len(rows) == len(drafts)
    read = Reading(open_lines(io.BytesIO(data)))
    assert tuple(read.rows()) == rows
    assert (read.head, read.error, read.cut_at_line) == (stretch.head, None, None)


@given(
    drafts=st.lists(DRAFTS, min_size=1, max_size=6),
    is_packed=st.booleans(),
    data=st.data(),
)
def test_no_beginning_of_an_export_passes_for_the_whole(
    drafts: list[Draft], data: st.DataObject, *, is_packed: bool
) -> None:
    """Of a packed one the last line may be there, and its checksum not."""

    async def run() -> tuple[bytes, Stretch, tuple[Row, ...]]:
        return await exported(await filled(drafts, None), is_packed=is_packed)

    whole, _, rows = asyncio.run(run())
    cut = data.draw(st.integers(0, len(whole) - 1))
    read = Reading(open_lines(io.BytesIO(whole[:cut])))
    found = tuple(read.rows())
    assert found == rows[: len(found)]
    is_seen = read.error is not None or read.cut_at_line is not None
    assert is_seen or (is_packed and cut > len(whole) - _TRAILER and found == rows)
