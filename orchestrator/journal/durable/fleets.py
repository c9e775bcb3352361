"""Fleets behind a gateway: snapshots, which are caches, and the base, which is none.

Each goes in parts, and has the checksum that it has in a database. A snapshot that is
damaged, or that does not agree with its row, is passed over; a base that is damaged is
damage of the journal.
"""

from __future__ import annotations

from typing import Any, Final

import orjson
from returns.result import Failure, Result, Success

from orchestrator.core.errors import JournalCorrupt, JournalError, JournalUnavailable
from orchestrator.journal.durable.answers import Kept
from orchestrator.journal.durable.asking import Asking
from orchestrator.journal.durable.wire import BYTES
from orchestrator.journal.port import Snapshot
from orchestrator.journal.stored_snapshots import checksum_of

__all__ = ("PART_MAX", "base_of", "fetched", "put_fleet")

PART_MAX: Final = 1_048_576
"""Bytes of a part."""


async def put_fleet(
    asking: Asking, epoch: int, snapshot: Snapshot
) -> Result[None, JournalError]:
    """Have a gateway keep a fleet: its parts, one after the other, then the whole."""
    body = snapshot.body
    starts = range(0, len(body), PART_MAX)
    for part, start in enumerate(starts):
        answered, _ = await asking.write(
            "PUT",
            f"journal/snapshots/{snapshot.seq}/{part}",
            body[start : start + PART_MAX],
            kind=BYTES,
            query={"epoch": str(epoch)},
        )
        if isinstance(answered, Failure):
            return Failure(answered.failure())
    facts = {
        "epoch": epoch,
        "seq": snapshot.seq,
        "digest": snapshot.digest.hex(),
        "rules": snapshot.rules,
        "size": len(body),
        "parts": len(starts),
        "checksum": checksum_of(snapshot, is_base=False).hex(),
    }
    kept, _ = await asking.write("POST", "journal/snapshots", orjson.dumps(facts))
    return kept.map(_nothing)


async def fetched(asking: Asking, kept: Kept) -> Result[Snapshot | None, JournalError]:
    """Return a fleet that a gateway keeps; None: it is not what was put there.

    A failure says that it could not be asked for.
    """
    pieces: list[bytes] = []
    for part in range(kept.parts):
        answered = await asking.read(f"journal/snapshots/{kept.seq}/{part}")
        if isinstance(answered, Failure):
            error: JournalError = answered.failure()
            if _is_gone(error):
                return Success(None)
            return Failure(error)
        pieces.append(answered.unwrap())
        if sum(map(len, pieces)) > kept.size:
            return Success(None)
    snapshot = Snapshot(
        seq=kept.seq, digest=kept.digest, rules=kept.rules, body=b"".join(pieces)
    )
    is_whole = checksum_of(snapshot, is_base=False) == kept.checksum
    return Success(snapshot if is_whole else None)


async def base_of(asking: Asking, kept: Kept) -> Result[Snapshot, JournalError]:
    """Return what the rows begin behind; one that is not as it was put is damage."""
    found = await fetched(asking, kept)
    if not isinstance(found, Failure) and found.unwrap() is None:
        found = await fetched(asking, kept)  # it may have been something on the way
    return found.bind(_whole_base)


def _whole_base(found: Snapshot | None) -> Result[Snapshot, JournalError]:
    if found is not None:
        return Success(found)
    return Failure(
        JournalCorrupt(
            place="base", expected="the base as it was written", found="another"
        )
    )


def _is_gone(error: JournalError) -> bool:
    """Say whether a part is not there: a newer snapshot may have taken its place."""
    return isinstance(error, JournalUnavailable) and not error.retryable


def _nothing(_: Any) -> None:
    return None
