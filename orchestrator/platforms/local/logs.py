"""Reading the log of a container while it grows and turns."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO, Final

from orchestrator.platforms.port import LogLine

__all__ = ("follow_log",)

POLL_S: Final = 0.1


async def follow_log(path: Path, *, follow: bool) -> AsyncIterator[LogLine]:
    """Yield the lines of a log, the older file first; then go on, if asked to."""
    for older in _whole(path.with_name(f"{path.name}.1")):
        yield older
    file: IO[bytes] | None = None
    rest = b""
    try:
        while True:
            file = file or _opened(path)
            piece = b"" if file is None else file.read(65_536)
            if piece:
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    yield _parsed(line)
                continue
            if file is not None and _has_turned(file, path):
                file.close()
                file, rest = None, b""
                continue
            if not follow:
                return
            await asyncio.sleep(POLL_S)
    finally:
        if file is not None:
            file.close()


def _opened(path: Path) -> IO[bytes] | None:
    try:
        return path.open("rb", buffering=0)
    except FileNotFoundError:
        return None


def _has_turned(file: IO[bytes], path: Path) -> bool:
    """Say whether a new file has taken the place of the one that is open."""
    try:
        return path.stat().st_ino != os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False


def _whole(path: Path) -> Iterator[LogLine]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return
    yield from map(_parsed, lines)


def _parsed(line: bytes) -> LogLine:
    """Read a line; one that was cut off in writing is shown as it is."""
    at, _, rest = line.partition(b" ")
    stream, _, text = rest.partition(b" ")
    if not at.isdigit() or stream not in (b"o", b"e"):
        return LogLine(at=0, stream="o", text=line.decode(errors="replace"))
    return LogLine(
        at=int(at), stream=stream.decode(), text=text.decode(errors="replace")
    )
