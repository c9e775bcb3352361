"""What a container says, line by line, in a file of bounded size.

A line is ``MOMENT STREAM TEXT``: milliseconds since the epoch, ``o`` or ``e``. A full
file becomes ``NAME.1`` and takes the place of the one before. A full disk loses lines,
never holds up the container, and is said when there is room again.
"""

from __future__ import annotations

import os

from orchestrator.platforms.local.shim.marks import now_ms

__all__ = ("Log",)

LINE_MAX = 16_384
"""Bytes; a longer line is broken."""


class Log:
    """The log of one run."""

    def __init__(self, path: str, max_bytes: int) -> None:
        """Write to *path*, at most *max_bytes*, and as much again in ``PATH.1``."""
        self._path = path
        self._max_bytes = max_bytes
        self._rest = {"o": b"", "e": b""}
        self._lost = 0

    def feed(self, stream: str, piece: bytes) -> None:
        """Take what a stream said; an empty piece is its end."""
        *lines, rest = (self._rest[stream] + piece).split(b"\n")
        if len(rest) > LINE_MAX or (rest and not piece):
            lines.append(rest)
            rest = b""
        self._rest[stream] = rest
        stamp = f"{now_ms()} {stream} ".encode()
        for line in lines:
            starts = range(0, max(1, len(line)), LINE_MAX)
            parts = [stamp + line[at : at + LINE_MAX] + b"\n" for at in starts]
            self._write(b"".join(parts))

    def _write(self, text: bytes) -> None:
        if not text:
            return
        if self._lost:
            text = b"%d e (%d bytes lost)\n" % (now_ms(), self._lost) + text
        try:
            self._turn(len(text))
            with open(self._path, "ab") as file:
                file.write(text)
        except OSError:
            self._lost += len(text)
        else:
            self._lost = 0

    def _turn(self, size: int) -> None:
        try:
            written = os.stat(self._path).st_size
        except FileNotFoundError:
            return
        if written and written + size > self._max_bytes:
            os.replace(self._path, f"{self._path}.1")
