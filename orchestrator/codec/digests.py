"""The chain of digests over a journal's rows.

Each digest covers the one before and everything in its row, so a row that is altered,
dropped, swapped or repeated breaks the chain there. Whoever has the bytes can check
the chain; whoever folds the events can check what is in it (``replay.verify``).

Every part is preceded by its length: no two different rows give the same input.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from itertools import count
from typing import Final

__all__ = ("EMPTY", "GENESIS", "SIZE", "chain", "chained_digests", "digest_of")

SIZE: Final = 32
"""Bytes of a digest: BLAKE2b-256 (RFC 7693)."""

GENESIS: Final = bytes(SIZE)
"""What the first row is chained to."""


def digest_of(parts: Iterable[bytes]) -> bytes:
    """Digest some parts, each with its length.

    >>> digest_of([b"ab", b"c"]) == digest_of([b"a", b"bc"])
    False

    """
    pieces = [piece for part in parts for piece in (len(part).to_bytes(8), part)]
    return hashlib.blake2b(b"".join(pieces), digest_size=SIZE).digest()


EMPTY: Final = digest_of([])
"""The digest of nothing: an event that changed no container."""


_NOTHING_YET: Final = hashlib.blake2b(digest_size=SIZE)
"""To be copied: that takes a quarter of the time in which a new one is made."""

_LENGTH: Final = struct.Struct(">Q").pack
_NUMBERS: Final = struct.Struct(">QQQQQ").pack
"""The length of a number, and it, twice; and the length of what follows."""

_HEAD: Final = struct.Struct(f">Q{SIZE}sQQQQQ").pack
"""All that comes before the event, where the digest before is as long as ours are."""


def chain(
    previous: bytes, seq: int, at: int, event: bytes, commands: bytes, changes: bytes
) -> bytes:
    """Return the digest of a row, chained to the one before.

    It is that of the six parts: ``digest_of``, with the numbers as eight bytes, the
    highest first. ``struct.error`` where a number is none, or does not fit in there.

    >>> len(chain(GENESIS, 1, 0, b"{}", b"[]", EMPTY))
    32

    """
    pieces = (
        _LENGTH(len(previous)),
        previous,
        _NUMBERS(8, seq, 8, at, len(event)),
        event,
        _LENGTH(len(commands)),
        commands,
        _LENGTH(len(changes)),
        changes,
    )
    hashing = _NOTHING_YET.copy()
    hashing.update(b"".join(pieces))
    return hashing.digest()


def chained_digests(
    previous: bytes,
    seq: int,
    rows: Iterable[tuple[int, bytes, bytes, bytes]],
) -> list[bytes]:
    """Return the digests of rows behind row *seq*, whose digest is *previous*.

    Of each row: its moment, event, commands, changes. ``chain`` for a page of rows,
    with what is the same for each looked up once. ``struct.error`` as there, and
    ``TypeError`` where a part is not bytes; *previous* is ``SIZE`` bytes long.
    """
    digest, found = previous, list[bytes]()
    new, join, add = _NOTHING_YET.copy, b"".join, found.append
    head, length = _HEAD, _LENGTH
    for number, (at, event, commands, changes) in zip(
        count(seq + 1), rows, strict=False
    ):
        hashing = new()
        hashing.update(
            join(
                (
                    head(SIZE, digest, 8, number, 8, at, len(event)),
                    event,
                    length(len(commands)),
                    commands,
                    length(len(changes)),
                    changes,
                )
            )
        )
        digest = hashing.digest()
        add(digest)
    return found
