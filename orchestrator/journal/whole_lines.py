"""The lines of a file, whole: many at once, or the next one.

A file is read in blocks, for one line after the other costs more than what is done with
it. A line that has no end is no line: it is where the file was cut off, or damaged.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from typing import IO, Any, Final

from orchestrator.core.errors import JournalCorrupt, JournalError, JournalUnavailable

__all__ = ("BLOCK", "LINE_MAX", "PACKED_BLOCK", "Stop", "WholeLines", "shown")

LINE_MAX: Final = 256 * 1024 * 1024
"""Bytes of a line: only a base of a huge fleet comes near it, and a file without line
ends must not fill the memory."""

BLOCK: Final = 64 * 1024
"""Bytes that are read at once: some hundred rows stay in the caches of a processor."""

PACKED_BLOCK: Final = 8 * 1024
"""Of a packed file, unpacked: what is read together with a damage is lost with it."""

SHOWN_MAX: Final = 60


class Stop(Exception):
    """The lines end: with a problem, with a cut, or because all were read."""

    def __init__(
        self,
        problem: JournalError | None = None,
        cut_at: int | None = None,
        partial: bytes = b"",
    ) -> None:
        """Say why: *partial* is what there is of a line that was cut off."""
        super().__init__(cut_at)
        self.problem = problem
        self.cut_at = cut_at
        self.partial = partial


class WholeLines:
    """A file that is being read; ``line`` counts its lines that were handed out.

    Where there is no further line, ``Stop`` is raised, and ``line`` is the one that
    was asked for.
    """

    def __init__(
        self,
        file: Any,
        *,
        name: str,
        under: IO[bytes] | None = None,
        block: int = BLOCK,
    ) -> None:
        """Read *file*, which is called *name* in errors, and has ``read1``.

        *under*: the packed file below it, which is closed with it. *block*: how many
        bytes are read at once, at most.
        """
        self.line = 0
        self._file = file
        self._name = name
        self._under = under
        self._block = block
        self._ahead: list[bytes] = []
        self._rest = b""

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        if self._under is not None:
            self._under.close()

    def next(self) -> bytes:
        """Read a line, with its end."""
        _ = self.ahead(1)
        line = self._ahead[0]
        self.take(1)
        return line + b"\n"

    def ahead(self, limit: int) -> list[bytes]:
        """Return what lines come next, at least one, without their ends."""
        if not self._ahead:
            self.line += 1  # the one that errors speak of
            self._read_on()
            self.line -= 1
        return self._ahead[:limit]

    def take(self, count: int) -> None:
        """Hand out lines of those ahead."""
        self.line += count
        del self._ahead[:count]

    def damage(self, expected: str, found: str | bytes) -> Stop:
        """Return that there is something else in the last line than there should be."""
        return Stop(
            JournalCorrupt(
                place=f"line {self.line}", expected=expected, found=shown(found)
            )
        )

    def _read_on(self) -> None:
        """Read to where there is a whole line ahead."""
        pieces, size = [self._rest], len(self._rest)
        while b"\n" not in (piece := self._piece()):
            pieces.append(piece)
            size += len(piece)
            if not piece:
                raise Stop(cut_at=self.line, partial=b"".join(pieces))
            if size >= LINE_MAX:
                raise self._endless()
        *ahead, self._rest = b"".join((*pieces, piece)).split(b"\n")
        if len(ahead[0]) >= LINE_MAX:
            raise self._endless()
        self._ahead = ahead

    def _piece(self) -> bytes:
        """Read what there is, up to a block; nothing at the end."""
        try:
            piece: bytes = self._file.read1(min(self._block, LINE_MAX))
        except EOFError:  # a packed file that was cut off
            raise Stop(cut_at=self.line) from None
        except (gzip.BadGzipFile, zlib.error, struct.error) as error:
            raise self.damage("packed lines", str(error)) from None
        except OSError as error:
            cause = f"{self._name}: {error.strerror or error}"
            raise Stop(JournalUnavailable(cause=cause)) from None
        return piece

    def _endless(self) -> Stop:
        return self.damage("a line end", f"{LINE_MAX} bytes without one")


def shown(found: str | bytes) -> str:
    """Show the beginning of what was found."""
    if isinstance(found, str):
        return found
    text = found.rstrip(b"\n").decode(errors="replace")
    return repr(text) if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]!r}..."
