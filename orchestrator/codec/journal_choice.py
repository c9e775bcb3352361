"""``[journal]`` and ``[lease]`` of a fleet file: how the journal is kept, who leads."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs
from attrs.validators import ge, instance_of, le, optional

from orchestrator.core.moments import DURATION_MAX, Millis

__all__ = (
    "SNAPSHOT_EVERY",
    "SNAPSHOT_EVERY_MAX",
    "JournalChoice",
    "JournalKind",
    "LeaseChoice",
)

SNAPSHOT_EVERY: Final = 10_000
"""Rows; folding so many takes a fraction of a second."""

SNAPSHOT_EVERY_MAX: Final = 1_000_000
"""Rows; folding so many takes a minute or so, at each boot."""

KEEP_MS_MIN: Final[Millis] = 60_000
KEEP_ROWS_MIN: Final = 100
"""Less is no past to speak of, and each compaction costs as much."""

KEEP_ROWS_MAX: Final = 1_000_000_000

LEASE_MS: Final[Millis] = 15_000
LEASE_MS_MIN: Final[Millis] = 3_000
"""A third of it must be enough for an answer of the gateway."""

LEASE_MS_MAX: Final[Millis] = 600_000
"""Nobody would wait longer for another operator to take over."""


class JournalKind(StrEnum):
    """Where the journal is: in the state folder, or behind the fleet's gateway."""

    SQLITE = "sqlite"
    DURABLE_OBJECT = "durable_object"


@attrs.frozen(kw_only=True)
class JournalChoice:
    """What a fleet file says of its journal.

    ``kind``: where it is; a Durable Object holds it for whichever operator leads.

    ``snapshot_every``: after so many rows the fleet is saved beside them, so that
    neither a boot nor a look into the past folds many more.

    ``keep_ms`` and ``keep_rows``: the rows of the last so many milliseconds, counted
    from the newest one, the newest so many rows; what either lets go goes while the
    operator works. None of them: all are kept. ``archive``: what goes is written to
    files beside the journal.
    """

    kind: JournalKind = attrs.field(
        default=JournalKind.SQLITE, validator=instance_of(JournalKind)
    )
    snapshot_every: int = attrs.field(
        default=SNAPSHOT_EVERY,
        validator=[instance_of(int), ge(1), le(SNAPSHOT_EVERY_MAX)],
    )
    keep_ms: Millis | None = attrs.field(
        default=None,
        validator=optional([instance_of(int), ge(KEEP_MS_MIN), le(DURATION_MAX)]),
    )
    keep_rows: int | None = attrs.field(
        default=None,
        validator=optional([instance_of(int), ge(KEEP_ROWS_MIN), le(KEEP_ROWS_MAX)]),
    )
    archive: bool = attrs.field(default=False, validator=instance_of(bool))


@attrs.frozen(kw_only=True)
class LeaseChoice:
    """What a fleet file says of the lease: for how long an operator leads by itself.

    ``duration_ms``: an operator that has not been heard of for so long has stopped to
    lead, and another one may take over.
    """

    duration_ms: Millis = attrs.field(
        default=LEASE_MS,
        validator=[instance_of(int), ge(LEASE_MS_MIN), le(LEASE_MS_MAX)],
    )
