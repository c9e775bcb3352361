"""Lines out of blocks of bytes, wherever the blocks are cut."""

from __future__ import annotations

import io

import pytest

from orchestrator.journal import whole_lines
from orchestrator.journal.whole_lines import Stop, WholeLines

WHOLE = b"one\n\n" + b"x" * 40 + b"\nfour\r\x85\n"
LINES = WHOLE.split(b"\n")[:-1]


def read(data: bytes, block: int, limit: int) -> tuple[list[bytes], Stop, int]:
    """Take lines until there are no more, some at a time and then a single one."""
    source = WholeLines(io.BytesIO(data), name="it", block=block)
    found: list[bytes] = []
    try:
        while True:
            some = source.ahead(limit)
            assert 0 < len(some) <= limit
            source.take(len(some))
            found += some
            found.append(source.next()[:-1])
    except Stop as stop:
        return found, stop, source.line


@pytest.mark.parametrize("block", range(1, 60))
def test_lines_are_whole_wherever_a_block_ends(block: int) -> None:
    for limit in (1, 2, 9):
        found, stop, line = read(WHOLE, block, limit)
        assert found == LINES
        assert (stop.problem, stop.cut_at, stop.partial, line) == (None, 5, b"", 5)
        found, stop, line = read(WHOLE + b"tail", block, limit)
        assert found == LINES
        assert (stop.problem, stop.cut_at, stop.partial, line) == (None, 5, b"tail", 5)


def test_nothing_has_no_lines() -> None:
    found, stop, line = read(b"", 10, 1)
    assert (found, stop.cut_at, stop.partial, line) == ([], 1, b"", 1)


def test_a_line_is_counted_when_it_is_handed_out() -> None:
    source = WholeLines(io.BytesIO(WHOLE), name="it")
    assert source.ahead(3) == LINES[:3]
    assert source.line == 0
    source.take(2)
    assert (source.next(), source.line) == (LINES[2] + b"\n", 3)
    assert source.damage("this", "that").problem is not None


def test_a_line_that_grows_too_long_from_block_to_block_has_no_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(whole_lines, "LINE_MAX", 100)
    for length, is_told in ((99, False), (100, True), (150, True), (700, True)):
        data = b"a\n" + b"y" * length + b"\n"
        found, stop, line = read(data, 64, 1)
        assert found == ([b"a"] if is_told else [b"a", b"y" * length])
        assert (stop.problem is not None, line) == (is_told, 3 - is_told)
