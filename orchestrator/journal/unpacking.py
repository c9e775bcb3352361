"""A packed file read to the last byte that can be: for what is damaged.

Python's own reader gives nothing of the block in which it finds a damage. This one
goes back to the block's beginning and unpacks it byte by byte.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

__all__ = ("GZIP", "unpacked")

GZIP: Final = b"\x1f\x8b"
"""How a packed file begins."""

_BLOCK: Final = 4_096
_WITH_HEADER: Final = 31
"""For zlib: a stream of gzip, with its header and its checksum."""


def unpacked(path: Path) -> IO[bytes]:
    """Open a file, packed or plain; it ends where a damage begins."""
    file = path.open("rb")
    if file.peek(2)[:2] != GZIP:
        return file
    return io.BufferedReader(_Pieces(file))


class _Pieces(io.RawIOBase):
    """What can be unpacked of a file, as a stream."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._pieces = _unpacked(file)
        self._piece = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._piece = piece
        size = min(len(buffer), len(self._piece))
        buffer[:size], self._piece = self._piece[:size], self._piece[size:]
        return size

    def close(self) -> None:
        self._file.close()
        super().close()


def _unpacked(file: IO[bytes]) -> Iterator[bytes]:
    state = zlib.decompressobj(_WITH_HEADER)
    while block := file.read(_BLOCK):
        before = state.copy()
        try:
            yield state.decompress(block)
        except zlib.error:
            yield from _as_far_as_it_goes(before, block)
            return


def _as_far_as_it_goes(state: Any, block: bytes) -> Iterator[bytes]:
    bytes_of_it = (block[place : place + 1] for place in range(len(block)))
    with suppress(zlib.error):
        yield from map(state.decompress, bytes_of_it)
