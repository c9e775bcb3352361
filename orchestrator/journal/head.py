"""The head file: where a journal ended when it last acknowledged an append.

A chain of digests cannot see that its tail is missing, and SQLite silently drops a
damaged end of its log. So the head is written beside the journal, after the commit
and before the acknowledgement: fewer rows than it names is damage.

Note [Two slots]. The file is two slots of 512 bytes, a disk sector each, written in
turn and in place. A write that is torn spoils one slot, and that append was never
acknowledged; the other slot still names the head before. Nothing is ever allocated
after the file is made, so a full disk cannot fail a head after its commit.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from orchestrator.codec.digests import SIZE, digest_of
from orchestrator.journal.port import Head

__all__ = ("HeadFile", "read_head")

SLOT: Final = 512
_MAGIC: Final = b"orchestrator head 1\n"
_BODY: Final = len(_MAGIC) + 8 + SIZE


def _packed(head: Head) -> bytes:
    body = _MAGIC + head.seq.to_bytes(8) + head.digest
    return (body + digest_of([body])).ljust(SLOT, b"\0")


def _unpacked(slot: bytes) -> Head | None:
    body, check = slot[:_BODY], slot[_BODY : _BODY + SIZE]
    if not body.startswith(_MAGIC) or digest_of([body]) != check:
        return None
    seq = int.from_bytes(body[len(_MAGIC) : len(_MAGIC) + 8])
    return Head(seq=seq, digest=body[len(_MAGIC) + 8 :])


def read_head(path: Path) -> Head | None:
    """Return the newest head that a file names; None where it names none."""
    if not path.exists():
        return None
    content = path.read_bytes()
    slots = (_unpacked(content[:SLOT]), _unpacked(content[SLOT : 2 * SLOT]))
    return max((head for head in slots if head is not None), key=_seq, default=None)


def _seq(head: Head) -> int:
    return head.seq


class HeadFile:
    """A head file, open for writing."""

    def __init__(self, path: Path, head: Head) -> None:
        """Open the file at *path* and have it name *head*; make it where it is new."""
        fresh = not path.exists()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._turn = 0
        self.write(head)
        self.write(head)
        if fresh:
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def write(self, head: Head) -> None:
        """Name *head*; when this returns it is on the disk."""
        os.pwrite(self._file, _packed(head), self._turn * SLOT)
        os.fsync(self._file)
        self._turn = 1 - self._turn

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
